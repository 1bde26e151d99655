"""Money: whole base units, always with their asset, and exact price ratios.

Owns: `Units`, `Amount`, `Price`, and THE rounding rule.
Must not know: decimals, tickers, human formatting.

The rounding rule, stated once: a price is an exact ratio *buy units per sell unit*. For `s` units
of the sold asset the taker pays `ceil(s * numerator / denominator)` units of the bought asset:
always up, in favour of the maker, who named the price; never by one unit or more above the exact
value. A fill that would pay zero is refused.
"""

import math
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from protocol.assets import AssetId
from protocol.errors import DecodeError, LocalProtocolError

MAX_UNITS = 2**256 - 1
"""The widest amount any chain knows (an EVM word)."""


class Units(int):
    """A whole number of base units, 0 to 2^256 - 1; on the wire minimal big-endian bytes."""

    __slots__ = ()

    def __new__(cls, value: int) -> Self:
        """Raises LocalProtocolError outside 0..2^256-1 or for anything but a plain integer."""
        if isinstance(value, bool) or not isinstance(value, int):
            msg = f"units must be a whole number, not {type(value).__name__}"
            raise LocalProtocolError(msg)
        if not 0 <= value <= MAX_UNITS:
            msg = f"units out of range: {value}"
            raise LocalProtocolError(msg)
        return super().__new__(cls, value)

    def to_wire(self) -> bytes:
        """Minimal big-endian bytes; zero is the empty string."""
        return int(self).to_bytes((self.bit_length() + 7) // 8, "big")

    @classmethod
    def from_wire(cls, data: bytes) -> "Units":
        """The inverse of `to_wire`. Raises DecodeError for a leading zero byte or over 32 bytes."""
        if len(data) > 32 or data[:1] == b"\x00":
            msg = "an amount must be minimal big-endian bytes, at most 32"
            raise DecodeError(msg)
        return cls(int.from_bytes(data, "big"))


MOST_PLAIN = 2**64 - 1
"""The largest whole number that msgpack knows: 18.4 coins of 18 decimals."""


class Wide(int):
    """A whole number in a journal: as it is where msgpack can hold it, else minimal big-endian
    bytes. Journals of chains with few decimals look as ever."""

    __slots__ = ()

    @classmethod
    def from_plain(cls, value: object) -> "Wide":
        """From either form. Raises DecodeError for what has another."""
        if isinstance(value, bytes):
            number = int(Units.from_wire(value))
            if number > MOST_PLAIN:
                return cls(number)
        elif isinstance(value, int) and not isinstance(value, bool):
            return cls(value)
        msg = "not a whole number in its shortest form"
        raise DecodeError(msg)


if TYPE_CHECKING:
    WideInt = int
else:
    WideInt = Wide
"""How a field says that it may hold one: for the type checker it is a number like any other."""


class Amount(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Base units of one asset. Amounts of different assets never mix: LocalProtocolError."""

    asset: AssetId
    units: Units

    def _same(self, other: "Amount") -> None:
        if self.asset != other.asset:
            msg = f"amounts of different assets: {self.asset} and {other.asset}"
            raise LocalProtocolError(msg)

    def __add__(self, other: "Amount") -> "Amount":
        self._same(other)
        return Amount(self.asset, Units(self.units + other.units))

    def __sub__(self, other: "Amount") -> "Amount":
        """Raises LocalProtocolError when the result would be negative."""
        self._same(other)
        return Amount(self.asset, Units(self.units - other.units))

    def __lt__(self, other: "Amount") -> bool:
        self._same(other)
        return self.units < other.units

    def __le__(self, other: "Amount") -> bool:
        self._same(other)
        return self.units <= other.units


class Price(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Units of the bought asset per unit of the sold asset, exact, in lowest terms."""

    numerator: Units
    denominator: Units

    def __post_init__(self) -> None:
        """Raises DecodeError unless both are positive and share no factor."""
        if self.numerator < 1 or self.denominator < 1:
            msg = "a price needs a positive numerator and denominator"
            raise DecodeError(msg)
        if math.gcd(self.numerator, self.denominator) != 1:
            msg = "a price must be in lowest terms"
            raise DecodeError(msg)

    @classmethod
    def of(cls, numerator: int, denominator: int) -> "Price":
        """The same ratio in lowest terms. Raises DecodeError when either is not positive."""
        if numerator < 1 or denominator < 1:
            msg = "a price needs a positive numerator and denominator"
            raise DecodeError(msg)
        common = math.gcd(numerator, denominator)
        return cls(Units(numerator // common), Units(denominator // common))

    def pays(self, sell_units: int) -> Units:
        """Units of the bought asset for `sell_units` of the sold one, rounded up (module text)."""
        return Units(-(-sell_units * int(self.numerator) // int(self.denominator)))

    def buys(self, buy_units: int) -> Units:
        """The most units of the sold asset that `buy_units` can pay for."""
        return Units(buy_units * int(self.denominator) // int(self.numerator))

    def __lt__(self, other: "Price") -> bool:
        return self.numerator * other.denominator < other.numerator * self.denominator
