"""Parameters out of JSON, by the table; what is wrong in words.

Owns: decoding of parameters and the suggestions for misspelt names. Must not know: sockets, what
a method does.
"""

import difflib
import re
from typing import Any, TypeVar, get_args

import msgspec
from msgspec import Struct

from swapd.api.errors import ApiError, ErrorName
from swapd.api.table import METHODS, Method

S = TypeVar("S", bound=Struct)

_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*?)`(?: - at `\$(?P<path>.*)`)?")
_MAX_TEXT = 1000
"""Characters of a refusal: it quotes the client, who may have sent a megabyte of nonsense."""

_MAX_NAME = 60
"""Characters of a name that are shown, and compared with those there are."""

_decoders: dict[type[Struct], msgspec.json.Decoder[Any]] = {}


def find_method(name: str) -> Method:
    """The table's row. Raises ApiError method_not_found with the nearest name."""
    method = METHODS.get(name)
    if method is None:
        shown = repr(name[:_MAX_NAME])
        raise ApiError(ErrorName.METHOD_NOT_FOUND, f"no method {shown}{_hint(name, METHODS)}")
    return method


def decode_params(kind: type[S], text: bytes) -> S:
    """`text` as parameters. Raises ApiError invalid_params that names what is wrong and where."""
    if text[:1] == b"[":
        raise ApiError(
            ErrorName.INVALID_PARAMS,
            "parameters are named: send an object, not an array",
        )
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        value: S = decoder.decode(text)
    except msgspec.ValidationError as e:
        raise ApiError(ErrorName.INVALID_PARAMS, _explain(kind, str(e))[:_MAX_TEXT]) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as e:
        raise ApiError(ErrorName.INVALID_PARAMS, f"the parameters can't be read: {e}") from None
    return value


def _explain(kind: type[Struct], text: str) -> str:
    unknown = _UNKNOWN.search(text)
    if unknown is None:
        return text.replace("`$.", "`").replace(" - at `$`", "")
    path = (unknown["path"] or "").strip(".")
    holder = _struct_at(kind, path)
    names = [f.encode_name for f in msgspec.structs.fields(holder)]
    where = f" in `{path}`" if path else ""
    if not names:
        return f"unknown parameter `{unknown['field'][:_MAX_NAME]}`{where}: there are none"
    return (
        f"unknown parameter `{unknown['field'][:_MAX_NAME]}`{where}"
        f"{_hint(unknown['field'], names)} (there are {', '.join(names)})"
    )


def _struct_at(kind: type[Struct], path: str) -> type[Struct]:
    """The struct that a path like `amount` leads to from `kind`."""
    for part in path.split(".") if path else ():
        found = next((f.type for f in msgspec.structs.fields(kind) if f.encode_name == part), None)
        inner = [t for t in (found, *get_args(found)) if isinstance(t, type)]
        structs = [t for t in inner if issubclass(t, Struct)]
        if structs:
            kind = structs[0]
    return kind


def _hint(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name[:_MAX_NAME], list(known), 1, 0.5)
    return f": did you mean `{near[0]}`?" if near else ""
