"""What nodes answer, checked: JSON of unknown shape in, typed values or a ChainError out.

Owns: reading fields and exact amounts. Must not know: which call an answer belongs to.

Nodes print amounts as decimal fractions of a coin. They are parsed as `Decimal` (see `rpc`) and
turned into whole base units here, exactly or not at all.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from protocol.bitcoin.params import COIN
from swapd.ports import ChainError

_MAX_COINS = 10**10
_DECIMALS = 8
_HASH = re.compile(r"[0-9a-f]{64}")
_MAX_TEXT = 400


class BadAnswer(ChainError):
    """The node's answer does not have the shape its documentation promises."""


def _bad(what: str, value: object) -> BadAnswer:
    return BadAnswer(f"the node answered {str(value)[:80]!r} where {what} belongs")


def table(value: object) -> Mapping[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise _bad("an object", value)
    return value


def rows(value: object) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise _bad("a list", value)
    return value


def text(value: object) -> str:
    """A string of any length; raw transactions come as such."""
    if not isinstance(value, str):
        raise _bad("text", value)
    return value


def short(value: object) -> str:
    """A string for people, cut to a sensible length, printable."""
    return "".join(c if c.isprintable() else " " for c in text(value)[:_MAX_TEXT])


def block_hash(value: object) -> str:
    """64 lower-case hex digits: the hash of a block or a txid."""
    found = text(value)
    if not _HASH.fullmatch(found):
        raise _bad("a hash", value)
    return found


def whole(value: object, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number between `least` and `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _bad(f"a whole number from {least} to {most}", value)
    return value


def flag(value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise _bad("true or false", value)
    return value


def units(value: object) -> int:
    """An amount in coins (a JSON number) as base units, exactly; fee rates per kvB likewise."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _bad("an amount", value)
    exact = Decimal(value)
    if not exact.is_finite() or not 0 <= exact <= _MAX_COINS:
        raise _bad("an amount", value)
    # At most 19 digits from here on, so that the multiplication below rounds nothing.
    exponent = exact.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_DECIMALS:
        raise _bad(f"an amount with at most {_DECIMALS} decimals", value)
    return int(exact * COIN)


def raw_hex(value: object, most: int) -> bytes:
    """Hex digits of at most `most` bytes."""
    found = text(value)
    if len(found) > 2 * most:
        raise BadAnswer(f"the node answered {len(found) // 2} bytes; at most {most} belong there")
    try:
        return bytes.fromhex(found)
    except ValueError:
        raise _bad("hex digits", value) from None
