"""Between what people write and base units: exactly, or a refusal that says what to write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapd.api.amounts import format_ratio, format_units, parse_decimal, split_pair, split_text
from swapd.api.errors import ApiError, ErrorName
from swapd.api.values import AmountParam
from tests.fakes.operations import ASSETS, BTC, LTC


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("0.5", 50_000_000),
        ("1", 100_000_000),
        ("0.00000001", 1),
        ("0.10", 10_000_000),
        ("0.100000000000", 10_000_000),
        ("21000000", 2_100_000_000_000_000),
        ("007", 700_000_000),
        (" 2.5 ", 250_000_000),
    ],
)
def test_whole_coins_become_base_units(text: str, units: int) -> None:
    assert parse_decimal(text, 8, "BTC") == units


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("0", ErrorName.AMOUNT_NOT_POSITIVE),
        ("0.000", ErrorName.AMOUNT_NOT_POSITIVE),
        ("-0.5", ErrorName.AMOUNT_NOT_POSITIVE),
        ("0.000000001", ErrorName.AMOUNT_TOO_PRECISE),
        ("9" * 75, ErrorName.AMOUNT_TOO_LARGE),
        ("1" + "0" * 90, ErrorName.AMOUNT_TOO_LARGE),
        ("-1" + "0" * 90, ErrorName.AMOUNT_INVALID),
        ("1e3", ErrorName.AMOUNT_INVALID),
        ("1,5", ErrorName.AMOUNT_INVALID),
        ("1_000", ErrorName.AMOUNT_INVALID),
        (".5", ErrorName.AMOUNT_INVALID),
        ("5.", ErrorName.AMOUNT_INVALID),
        ("+1", ErrorName.AMOUNT_INVALID),
        ("٣", ErrorName.AMOUNT_INVALID),
        ("NaN", ErrorName.AMOUNT_INVALID),
        ("", ErrorName.AMOUNT_INVALID),
    ],
)
def test_other_texts_are_refused_by_name(text: str, name: ErrorName) -> None:
    with pytest.raises(ApiError) as caught:
        parse_decimal(text, 8, "BTC")
    assert caught.value.name == name


def test_a_too_precise_amount_is_told_the_smallest_step() -> None:
    with pytest.raises(ApiError, match=r"smallest step is 0\.00000001 BTC"):
        parse_decimal("0.123456789", 8, "BTC")


@given(st.integers(1, 2**256 - 1), st.sampled_from([0, 6, 8, 18]))
def test_what_is_formatted_reads_back_the_same(units: int, decimals: int) -> None:
    assert parse_decimal(format_units(units, decimals), decimals, "X") == units


@pytest.mark.parametrize(
    ("text", "asset", "decimal"),
    [("0.5 BTC", "BTC", "0.5"), ("0.5BTC", "BTC", "0.5"), (" 7  ltc ", "ltc", "7")],
)
def test_an_amount_is_a_number_and_a_ticker(text: str, asset: str, decimal: str) -> None:
    assert split_text(text) == AmountParam(asset=asset, decimal=decimal)


@pytest.mark.parametrize("text", ["0.5", "BTC", "", "BTC 0.5", "half BTC"])
def test_an_amount_without_one_of_them_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        split_text(text)
    assert caught.value.name == ErrorName.AMOUNT_INVALID


@pytest.mark.parametrize("text", ["BTC", "BTC/", "/LTC", "BTC/LTC/ETH", "BTC/BTC", ""])
def test_what_is_not_a_pair_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        split_pair(text)
    assert caught.value.name == ErrorName.PAIR_INVALID


def test_a_pair_of_full_ids_is_separated_by_a_space() -> None:
    assert ASSETS.pair(f"{BTC.asset} {LTC.asset}") == (BTC, LTC)


def test_a_pair_of_one_asset_under_two_names_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        ASSETS.pair(f"BTC {BTC.asset}")
    assert caught.value.name == ErrorName.PAIR_INVALID


def test_a_misspelt_ticker_is_told_the_nearest_and_all() -> None:
    with pytest.raises(ApiError, match="did you mean LTC") as caught:
        ASSETS.find("LTTC")
    assert caught.value.name == ErrorName.UNKNOWN_ASSET
    assert "BTC, LTC" in caught.value.remedy


@pytest.mark.parametrize("both", [{}, {"decimal": "1", "units": "5"}])
def test_an_amount_has_one_form(both: dict[str, str]) -> None:
    with pytest.raises(ApiError) as caught:
        ASSETS.amount(AmountParam(asset="BTC", **both))
    assert caught.value.name == ErrorName.INVALID_PARAMS


def test_base_units_are_taken_as_they_are() -> None:
    assert ASSETS.amount(AmountParam(asset="btc", units="7")).units == 7


@pytest.mark.parametrize(
    ("text", "ratio"),
    [("80", (80, 1)), ("0.0125", (1, 80)), ("75.5", (151, 2)), ("1.10", (11, 10))],
)
def test_a_price_is_an_exact_ratio_in_lowest_terms(text: str, ratio: tuple[int, int]) -> None:
    price = ASSETS.price(text, BTC, LTC)
    assert (price.numerator, price.denominator) == ratio


@pytest.mark.parametrize("text", ["0", "-1", "1e2", "1/3", "", "0." + "0" * 79 + "7"])
def test_other_prices_are_refused(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        ASSETS.price(text, BTC, LTC)
    assert caught.value.name == ErrorName.PRICE_INVALID


@pytest.mark.parametrize(
    ("numerator", "denominator", "text", "exact"),
    [
        (80, 1, "80", True),
        (1, 80, "0.0125", True),
        (1, 3, "0.333333333333", False),
        (2, 3, "0.666666666666", False),
        (10**15, 7, "142857142857142", False),
    ],
)
def test_a_ratio_is_shown_cut_off_and_says_so(
    numerator: int, denominator: int, text: str, exact: bool
) -> None:
    assert format_ratio(numerator, denominator) == (text, exact)
