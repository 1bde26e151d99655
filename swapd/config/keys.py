"""Owns the tree of keys: which exist, of what type, and what was probably meant by another.

Must not know: values, defaults, where they come from.
"""

import difflib
import re
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from msgspec import Struct

from swapd.config.sections import EvmSection, Sections, TokenSection

Key = tuple[str, ...]

CHAIN_NAMES = {"btc": "bitcoin", "ltc": "litecoin"}
"""Names of tables under [chains] and [policy.limits], with the family they stand for."""

ANY = "*"
"""Stands for a name that the operator chooses: of a chain under [evm], of a token under that."""

_FREE = (EvmSection, TokenSection)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,15}")

_SECRETS = ("password", "passphrase", "seed", "secret", "words", "mnemonic", "token")


def dotted(key: Key) -> str:
    """As it is written: policy.max_open_swaps."""
    return ".".join(key)


def _unwrapped(hint: Any) -> Any:
    """A type without Annotated and None."""
    while get_origin(hint) is Annotated or type(None) in get_args(hint):
        hint = next(part for part in get_args(hint) if part is not type(None))
    return hint


def fields(kind: Any) -> dict[str, Any] | None:
    """The names under a table with their declared types; None for a value."""
    kind = _unwrapped(kind)
    if get_origin(kind) is dict:
        inside = get_args(kind)[1]
        return {ANY: inside} if inside in _FREE else dict.fromkeys(CHAIN_NAMES, inside)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return _hints(kind)
    return None


@cache
def _hints(kind: type[Struct]) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def declared(key: Key) -> Any | None:
    """The declared type of a key (of a table or a value); None when there is no such key."""
    kind: Any = Sections
    for name in key:
        inside = fields(kind)
        if inside is not None and ANY in inside and _NAME.fullmatch(name):
            kind = inside[ANY]
        elif inside is None or name == ANY or name not in inside:
            return None
        else:
            kind = inside[name]
    return kind


def general(key: Key) -> Key:
    """The key as `all_keys` has it: names that operators choose are all the same."""
    kind: Any = Sections
    found: list[str] = []
    for name in key:
        inside = fields(kind) or {}
        found.append(ANY if ANY in inside else name)
        kind = inside.get(found[-1])
    return tuple(found)


def is_list(kind: Any) -> bool:
    """Whether a value of that type is a list."""
    return get_origin(_unwrapped(kind)) is tuple


def choices(kind: Any) -> tuple[str, ...]:
    """The words a value may be; none when it may be others."""
    kind = _unwrapped(kind)
    return tuple(get_args(kind)) if get_origin(kind) is Literal else ()


def all_keys(kind: Any = Sections, prefix: Key = ()) -> list[Key]:
    """Every value's key, in the order of the example file."""
    inside = fields(kind)
    if inside is None:
        return [prefix]
    return [key for name, type_ in inside.items() for key in all_keys(type_, (*prefix, name))]


def unknown(key: Key) -> str:
    """What to say about a key that does not exist."""
    name = dotted(key)
    if any(word in key[-1].lower() for word in _SECRETS):
        return (
            f"{name}: secrets do not belong into the configuration: put an RPC password into a "
            "file and name it as password_file; the seed's passphrase comes by --passphrase-file"
        )
    guess = _guess(key)
    return f"{name}: there is no such key" + (f"; did you mean {guess}?" if guess else "")


def _guess(key: Key) -> str | None:
    """The nearest existing key: first among the siblings, then a namesake anywhere, then any."""
    depth = len(key) - 1
    siblings = fields(declared(key[:-1]))
    for name in difflib.get_close_matches(key[-1], siblings or (), n=1, cutoff=0.6):
        return dotted((*key[:depth], name))
    known = [dotted(each) for each in all_keys()]
    namesakes = [each for each in known if each.endswith(f".{key[-1]}")]
    near = namesakes[:1] or difflib.get_close_matches(dotted(key), known, n=1, cutoff=0.7)
    return near[0] if near else None
