"""Units, amounts, prices and the rounding rule, against sums done by hand."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.amounts import MAX_UNITS, Amount, Price, Units
from protocol.assets import AssetId
from protocol.errors import DecodeError, LocalProtocolError
from protocol.offers import coarse
from tests.protocol.base.vectors import Json, case_id, load

VECTORS = load("amounts")
BTC = AssetId("bip122:000000000019d6689c085ae165831e93/slip44:0")
LTC = AssetId("bip122:12a765e31ffd4059bada1e25190f6e98/slip44:2")

amounts = st.integers(min_value=0, max_value=MAX_UNITS)
parts = st.integers(min_value=1, max_value=2**128)


def price_of(case: Json) -> Price:
    return Price(Units(int(case["numerator"])), Units(int(case["denominator"])))


@pytest.mark.parametrize("case", VECTORS["units"], ids=case_id)
def test_units_have_one_form_on_the_wire(case: Json) -> None:
    units = Units(int(case["units"]))
    assert units.to_wire().hex() == case["wire"]
    assert Units.from_wire(bytes.fromhex(case["wire"])) == units


@pytest.mark.parametrize("case", VECTORS["not_units_on_the_wire"], ids=case_id)
def test_any_other_form_is_refused(case: Json) -> None:
    with pytest.raises(DecodeError):
        Units.from_wire(bytes.fromhex(case["wire"]))


@pytest.mark.parametrize("case", VECTORS["not_units"], ids=case_id)
def test_what_is_no_whole_number_from_0_to_the_most_is_never_units(case: Json) -> None:
    with pytest.raises(LocalProtocolError):
        Units(case["value"])


@pytest.mark.parametrize("case", VECTORS["pays"], ids=case_id)
def test_a_fill_pays_the_price_rounded_up(case: Json) -> None:
    assert price_of(case).pays(int(case["sell"])) == int(case["pays"])


@pytest.mark.parametrize("case", VECTORS["pays_more_than_can_exist"], ids=case_id)
def test_a_payment_of_more_than_can_exist_is_an_error(case: Json) -> None:
    with pytest.raises(LocalProtocolError):
        price_of(case).pays(int(case["sell"]))


@pytest.mark.parametrize("case", VECTORS["buys"], ids=case_id)
def test_a_payment_buys_the_price_rounded_down(case: Json) -> None:
    assert price_of(case).buys(int(case["buy"])) == int(case["sells"])


@pytest.mark.parametrize("case", VECTORS["lowest_terms"], ids=case_id)
def test_a_price_is_kept_in_lowest_terms(case: Json) -> None:
    one, other = map(int, case["from"])
    price = Price.of(one, other)
    assert [str(price.numerator), str(price.denominator)] == case["price"]
    if case["from"] != case["price"]:
        with pytest.raises(DecodeError):
            Price(Units(one), Units(other))


@pytest.mark.parametrize("case", VECTORS["not_prices"], ids=case_id)
def test_a_price_has_two_positive_parts(case: Json) -> None:
    with pytest.raises(DecodeError):
        Price.of(*map(int, case["from"]))


def test_prices_compare_as_exact_ratios() -> None:
    prices = [Price.of(int(one), int(other)) for one, other in VECTORS["prices_in_order"]]
    for (i, one), (j, other) in itertools.product(enumerate(prices), repeat=2):
        assert (one < other) is (i < j)


@pytest.mark.parametrize("case", VECTORS["coarse"], ids=case_id)
def test_what_is_left_is_published_in_two_significant_binary_digits(case: Json) -> None:
    assert coarse(int(case["units"])) == int(case["coarse"])


@given(parts, parts, st.integers(min_value=0, max_value=2**120))
def test_a_payment_is_never_below_the_price_nor_a_whole_unit_above(
    numerator: int, denominator: int, sell: int
) -> None:
    price = Price.of(numerator, denominator)
    excess = price.pays(sell) - Fraction(numerator, denominator) * sell
    assert 0 <= excess < 1


@given(parts, parts, st.integers(min_value=0, max_value=2**100))
def test_what_a_payment_buys_never_costs_more_than_the_payment(
    numerator: int, denominator: int, buy: int
) -> None:
    price = Price.of(numerator, denominator)
    assert price.pays(price.buys(buy)) <= buy


@given(amounts)
def test_units_survive_the_wire(units: int) -> None:
    wire = Units(units).to_wire()
    assert Units.from_wire(wire) == units
    assert len(wire) <= 32
    assert wire[:1] != b"\x00"


def test_amounts_of_one_asset_add_and_compare() -> None:
    one, two = Amount(BTC, Units(1)), Amount(BTC, Units(2))
    assert one + one == two
    assert two - one == one
    assert one < two
    assert one <= one + (one - one)


def test_amounts_of_different_assets_never_mix() -> None:
    one, other = Amount(BTC, Units(1)), Amount(LTC, Units(1))
    for mix in (
        lambda: one + other,
        lambda: one - other,
        lambda: one < other,
        lambda: one <= other,
    ):
        with pytest.raises(LocalProtocolError):
            mix()


def test_amounts_neither_fall_below_zero_nor_rise_above_the_most() -> None:
    with pytest.raises(LocalProtocolError):
        Amount(BTC, Units(1)) - Amount(BTC, Units(2))
    with pytest.raises(LocalProtocolError):
        Amount(BTC, Units(MAX_UNITS)) + Amount(BTC, Units(1))
