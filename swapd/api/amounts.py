"""Between what people write and base units, exactly.

Owns: parsing of decimal amounts and prices, their formatting, the table of assets by name.
Must not know: which assets there are (an argument), nodes, sockets.

No floats anywhere: text to whole numbers and back. Every refusal is an ApiError that names the
smallest step or the nearest name.
"""

import difflib
import math
import re
from collections.abc import Iterable

from protocol.amounts import MAX_UNITS, Amount, Price, Units
from protocol.assets import AssetId
from swapd.api.errors import ApiError, ErrorName
from swapd.api.values import AmountParam, AmountView, AssetInfo, PriceView

_DECIMAL = re.compile(r"([0-9]{1,80})(?:\.([0-9]{1,80}))?", re.ASCII)
_PRICE_DIGITS = 12


def parse_decimal(text: str, decimals: int, ticker: str) -> int:
    """Base units of `text` whole coins. Raises ApiError amount_invalid (not a plain decimal
    number), amount_not_positive, amount_too_precise (says the smallest step), amount_too_large."""
    match = _DECIMAL.fullmatch(text.strip())
    if match is None:
        shown = text.strip()[:40]
        if re.fullmatch(r"[0-9]{81,}(\.[0-9]*)?", text.strip(), re.ASCII):
            raise ApiError(ErrorName.AMOUNT_TOO_LARGE, f"there is not that much {ticker}")
        if _DECIMAL.fullmatch(text.strip().removeprefix("-")):
            raise ApiError(ErrorName.AMOUNT_NOT_POSITIVE, f"{shown} {ticker} is negative")
        raise ApiError(ErrorName.AMOUNT_INVALID, f"{shown!r} is not a plain decimal number")
    whole, fraction = match.group(1), (match.group(2) or "").rstrip("0")
    if len(fraction) > decimals:
        step = format_units(1, decimals)
        raise ApiError(
            ErrorName.AMOUNT_TOO_PRECISE,
            f"{text.strip()[:40]} {ticker} is more precise than {ticker} can be: its smallest step "
            f"is {step} {ticker}",
            remedy=f"round to a multiple of {step} {ticker}",
        )
    return check_units(int(whole + fraction.ljust(decimals, "0")), ticker)


def check_units(units: int, ticker: str) -> int:
    """`units` when positive and at most 2^256 - 1. Raises ApiError amount_not_positive or
    amount_too_large."""
    if units == 0:
        raise ApiError(ErrorName.AMOUNT_NOT_POSITIVE, f"an amount of 0 {ticker} is nothing")
    if units > MAX_UNITS:
        raise ApiError(ErrorName.AMOUNT_TOO_LARGE, f"there is not that much {ticker}")
    return units


def format_units(units: int, decimals: int) -> str:
    """`units` as whole coins, exactly, without trailing zeros: 50000000 of 8 decimals is "0.5"."""
    digits = str(units).rjust(decimals + 1, "0")
    if decimals == 0:
        return digits
    fraction = digits[-decimals:].rstrip("0")
    return f"{digits[:-decimals]}.{fraction}" if fraction else digits[:-decimals]


def split_text(text: str) -> AmountParam:
    """ "0.5 BTC" or "0.5BTC" as an amount. Raises ApiError amount_invalid when the ticker or the
    number is missing."""
    match = re.fullmatch(r"\s*([-+0-9.,_]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z][^\s]*)\s*", text)
    if match is None:
        raise ApiError(
            ErrorName.AMOUNT_INVALID,
            f"{text.strip()[:60]!r} is not an amount",
            remedy="give a number and a ticker, like 0.5 BTC",
        )
    return AmountParam(asset=match.group(2), decimal=match.group(1))


def split_pair(text: str) -> tuple[str, str]:
    """The two names in "BTC/LTC" (CAIP-19 ids, which contain a slash, are separated by a space).
    Raises ApiError pair_invalid."""
    parts = text.split() if " " in text.strip() else text.strip().split("/")
    if len(parts) != 2 or not all(parts) or parts[0] == parts[1]:
        raise ApiError(ErrorName.PAIR_INVALID, f"{text.strip()[:80]!r} is not a pair of two assets")
    return parts[0], parts[1]


class AssetTable:
    """The assets of one daemon, by ticker (any case) and by id."""

    def __init__(self, assets: Iterable[AssetInfo]) -> None:
        self.assets = tuple(assets)
        self._by_name = {a.ticker.lower(): a for a in self.assets}
        self._by_id = {a.asset: a for a in self.assets}

    def find(self, name: str) -> AssetInfo:
        """The asset called `name`. Raises ApiError unknown_asset with the nearest name."""
        found = self._by_id.get(name) or self._by_name.get(name.strip().lower())
        if found is None:
            tickers = [a.ticker for a in self.assets]
            near = difflib.get_close_matches(name.strip().upper(), tickers, 1)
            known = ", ".join(tickers) or "none"
            raise ApiError(
                ErrorName.UNKNOWN_ASSET,
                f"unknown asset {name[:80]!r}" + (f": did you mean {near[0]}?" if near else ""),
                remedy=f"this daemon knows {known}; more are added in its configuration",
            )
        return found

    def pair(self, text: str) -> tuple[AssetInfo, AssetInfo]:
        """Base and quote of "BTC/LTC". Raises ApiError pair_invalid, unknown_asset."""
        base, quote = (self.find(name) for name in split_pair(text))
        if base.asset == quote.asset:
            raise ApiError(
                ErrorName.PAIR_INVALID, f"both sides of {text.strip()[:80]} are the same"
            )
        return base, quote

    def amount(self, param: AmountParam) -> Amount:
        """The amount a client gave. Raises ApiError unknown_asset, amount_invalid,
        amount_not_positive, amount_too_precise, amount_too_large, and invalid_params unless it
        is given in exactly one form."""
        info = self.find(param.asset)
        if (param.decimal is None) == (param.units is None):
            raise ApiError(
                ErrorName.INVALID_PARAMS, "an amount has either `decimal` or `units`, not both"
            )
        if param.units is not None:
            units = check_units(int(param.units), info.ticker)
        else:
            units = parse_decimal(param.decimal or "", info.decimals, info.ticker)
        return Amount(AssetId(info.asset), Units(units))

    def view(self, amount: Amount) -> AmountView:
        """`amount` for people and programs."""
        return self.view_units(amount.asset, amount.units)

    def view_units(self, asset: str, units: int) -> AmountView:
        """`units` of `asset` for people and programs."""
        info = self.find(asset)
        return AmountView(
            asset=info.asset,
            ticker=info.ticker,
            units=str(int(units)),
            decimal=format_units(int(units), info.decimals),
        )

    def price(self, text: str, base: AssetInfo, quote: AssetInfo) -> Price:
        """The exact ratio of base units for `text` whole coins of `quote` per whole coin of
        `base`. Raises ApiError price_invalid."""
        match = _DECIMAL.fullmatch(text.strip())
        if match is None:
            raise ApiError(
                ErrorName.PRICE_INVALID, f"{text.strip()[:40]!r} is not a plain decimal number"
            )
        fraction = match.group(2) or ""
        numerator = int(match.group(1) + fraction) * 10**quote.decimals
        denominator = 10 ** (len(fraction) + base.decimals)
        if numerator == 0:
            raise ApiError(ErrorName.PRICE_INVALID, "a price of 0 gives the coins away")
        common = math.gcd(numerator, denominator)
        if max(numerator, denominator) // common > MAX_UNITS:
            raise ApiError(ErrorName.PRICE_INVALID, f"a price of {text.strip()[:40]} is too long")
        return Price.of(numerator, denominator)

    def price_view(self, numerator: int, denominator: int, base: str, quote: str) -> PriceView:
        """A price for people and programs: `numerator` base units of `quote` for `denominator` base
        units of `base`."""
        sold, bought = self.find(base), self.find(quote)
        decimal, exact = format_ratio(
            numerator * 10**sold.decimals, denominator * 10**bought.decimals
        )
        about = "" if exact else "about "
        return PriceView(
            base=sold.asset,
            quote=bought.asset,
            numerator=str(int(numerator)),
            denominator=str(int(denominator)),
            decimal=decimal,
            exact=exact,
            text=f"{about}{decimal} {bought.ticker} per {sold.ticker}",
        )


def format_ratio(numerator: int, denominator: int) -> tuple[str, bool]:
    """numerator / denominator with up to 12 significant digits (cut off, never rounded up), and
    whether that is exact."""
    whole, rest = divmod(numerator, denominator)
    digits = str(whole)
    significant = len(digits) if whole else 0
    fraction = ""
    while rest and significant < _PRICE_DIGITS and len(fraction) < 80:
        digit, rest = divmod(rest * 10, denominator)
        fraction += str(digit)
        if significant or digit:
            significant += 1
    return (f"{digits}.{fraction}" if fraction else digits), rest == 0
