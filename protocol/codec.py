"""Canonical msgpack: the one way a value becomes bytes and bytes become a value.

Owns: encode, decode, and the refusal of everything that is not canonical.
Must not know: what messages mean, sockets, signatures.

A value is decoded, checked against its type, encoded again, and the bytes compared: duplicate
keys, non-minimal integers, trailing bytes, text where bytes belong, floats, extension types and
every other second spelling are refused. Source: the msgpack specification; its "str" family is
only used for identifiers, its "bin" family for bytes.
"""

from typing import Any, TypeVar

import msgpack
import msgspec

from protocol.amounts import MOST_PLAIN, Units, Wide
from protocol.errors import DecodeError, ProtocolError, Refusal, RemoteProtocolError

T = TypeVar("T")

MAX_CONTAINER = 4096
"""Elements of one array or map; more is refused before anything is built."""


def _to_builtin(value: Any) -> Any:
    if isinstance(value, Units):
        return value.to_wire()
    if isinstance(value, Wide):
        return int(value)
    msg = f"no wire form for {type(value).__name__}"
    raise NotImplementedError(msg)


def _from_builtin(kind: type, value: Any) -> Any:
    if kind is Units and isinstance(value, bytes):
        return Units.from_wire(value)
    if kind is Wide:
        return Wide.from_plain(value)
    msg = f"no wire form for {kind.__name__}"
    raise TypeError(msg)


def _refuse_ext(code: int, data: bytes) -> Any:
    msg = f"extension type {code} of {len(data)} bytes"
    raise DecodeError(msg)


def encode(value: object) -> bytes:
    """The canonical bytes of a struct (or of plain lists, dicts, ints, bytes and strings)."""
    plain = msgspec.to_builtins(value, builtin_types=(bytes,), enc_hook=_to_builtin)
    try:
        return msgpack.packb(plain, use_bin_type=True)
    except OverflowError:
        return msgpack.packb(_shortened(plain), use_bin_type=True)


def _shortened(plain: Any) -> Any:
    """With numbers that msgpack does not know as bytes (amounts.Wide)."""
    if isinstance(plain, dict):
        return {key: _shortened(value) for key, value in plain.items()}
    if isinstance(plain, list | tuple):
        return [_shortened(value) for value in plain]
    if isinstance(plain, int) and plain > MOST_PLAIN:
        return Units(plain).to_wire()
    return plain


def decode(kind: type[T], data: bytes, *, max_size: int) -> T:
    """The value of type `kind` in `data`.

    Raises DecodeError when `data` is larger than `max_size` bytes, is not of that type, or is not
    the canonical encoding of the value it holds.
    """
    if len(data) > max_size:
        msg = f"{len(data)} bytes, at most {max_size} are allowed"
        raise DecodeError(msg, Refusal.TOO_LARGE)
    try:
        plain = msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            ext_hook=_refuse_ext,
            max_array_len=MAX_CONTAINER,
            max_map_len=MAX_CONTAINER,
        )
        value = msgspec.convert(plain, kind, builtin_types=(bytes,), dec_hook=_from_builtin)
        again = encode(value)
    except RemoteProtocolError as error:
        raise DecodeError(error.detail, error.refusal) from error
    except ProtocolError as error:
        raise DecodeError(str(error)) from error
    except (ValueError, TypeError, RecursionError, OverflowError, msgpack.UnpackException) as error:
        msg = f"not a {getattr(kind, '__name__', 'value')}: {error}"
        raise DecodeError(msg) from error
    if again != data:
        msg = "not in canonical form"
        raise DecodeError(msg)
    return value
