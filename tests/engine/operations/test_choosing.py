"""Which offers an order means: by id, or the best of a pair; amounts and limits."""

from typing import cast

import pytest

from protocol.signing import PublicKey
from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.api.values import AmountParam
from swapd.engine.market import Found, Market
from swapd.engine.operations.choosing import Chosen, Order, choose
from tests.engine.operations.stage import ASSETS, Book, offer
from tests.engine.swaps.stage import BTC, COIN

OWN = PublicKey(b"\x01" * 32)
BUY, SELL = calls.Side.BUY, calls.Side.SELL


def order(
    amount: str | None = None,
    side: calls.Side | None = None,
    *,
    asset: str = "LTC",
    pair: str | None = "LTC/BTC",
    limit: str | None = None,
    offer_id: str | None = None,
) -> Order:
    param = None if amount is None else AmountParam(asset=asset, decimal=amount)
    return Order(offer_id, param, pair if offer_id is None else None, side, limit)


def chosen(wanted: Order, *offers: Found) -> list[tuple[int, int]]:
    """(number of the offer, units of what it sells)."""
    found: tuple[Chosen, ...] = choose(wanted, cast("Market", Book(list(offers))), ASSETS, OWN)
    return [(one.found.offer.slot, one.units) for one in found]


def refusal(wanted: Order, *offers: Found) -> ErrorName:
    with pytest.raises(ApiError) as caught:
        chosen(wanted, *offers)
    return caught.value.name


def test_buying_takes_the_best_price_first_and_only_as_much_as_is_wanted() -> None:
    offers = (offer(1, price=(1, 80)), offer(2, price=(1, 70)), offer(3, price=(1, 60)))
    assert chosen(order("12", BUY), *offers) == [(1, 10 * COIN), (2, 2 * COIN)]
    assert chosen(order("4", BUY), *offers) == [(1, 4 * COIN)]


def test_selling_counts_in_what_is_given_not_in_what_the_offers_sell() -> None:
    """Selling 80 LTC into bids that sell bitcoin at 80 LTC each: one bitcoin."""
    bids = (offer(1, sell=BTC, price=(80, 1), most=COIN // 2, least=1), offer(2, sell=BTC,
            price=(70, 1), most=COIN, least=1))  # fmt: skip
    assert chosen(order("80", SELL), *bids) == [
        (1, COIN // 2),
        (2, 40 * COIN // 70),
    ]


def test_a_limit_price_excludes_what_is_worse_and_keeps_what_is_equal() -> None:
    """0.0125 BTC per LTC is one for 80."""
    offers = (offer(1, price=(1, 80)), offer(2, price=(1, 79)))
    assert chosen(order("10", BUY, limit="0.0125"), *offers) == [(1, 10 * COIN)]
    assert refusal(order("11", BUY, limit="0.0125"), *offers) is ErrorName.NO_MATCHING_OFFER
    assert refusal(order("1", BUY, limit="0.0124"), *offers) is ErrorName.NO_MATCHING_OFFER
    bid = offer(1, sell=BTC, price=(80, 1), least=1)
    assert chosen(order("80", SELL, limit="0.0125"), bid) == [(1, COIN)]
    assert refusal(order("80", SELL, limit="0.0126"), bid) is ErrorName.NO_MATCHING_OFFER


def test_own_offers_unreachable_makers_and_too_large_minima_are_passed_over() -> None:
    offers = (
        offer(1, maker=OWN),
        offer(2, reachable=False),
        offer(3, least=5 * COIN),
        offer(4, price=(1, 70)),
    )
    assert chosen(order("2", BUY), *offers) == [(4, 2 * COIN)]


def test_what_the_book_cannot_fill_is_named() -> None:
    with pytest.raises(ApiError, match="5 LTC are missing"):
        chosen(order("15", BUY), offer(1))
    assert refusal(order("1", BUY)) is ErrorName.NO_MATCHING_OFFER


def test_an_amount_of_the_other_asset_of_a_pair_is_refused() -> None:
    assert refusal(order("1", BUY, asset="BTC"), offer(1)) is ErrorName.AMOUNT_INVALID


def test_by_id_the_whole_offer_a_part_and_an_amount_to_pay_are_understood() -> None:
    name = (b"\x01" * 32).hex()
    assert chosen(order(offer_id=name), offer(1)) == [(1, 10 * COIN)]
    assert chosen(order("3", offer_id=name), offer(1)) == [(1, 3 * COIN)]
    assert chosen(order("0.1", asset="BTC", offer_id=name), offer(1)) == [(1, 8 * COIN)]


def test_by_id_what_the_offer_does_not_sell_is_refused_by_name() -> None:
    name = (b"\x01" * 32).hex()
    assert refusal(order("11", offer_id=name), offer(1)) is ErrorName.AMOUNT_OUT_OF_RANGE
    assert refusal(order("0.5", offer_id=name), offer(1)) is ErrorName.AMOUNT_OUT_OF_RANGE
    assert refusal(order(offer_id=name), offer(2)) is ErrorName.UNKNOWN_OFFER
    assert refusal(order(offer_id=name), offer(1, maker=OWN)) is ErrorName.OWN_OFFER
    dear = offer(1, price=(1000, 1), least=1)
    nothing = order("0.00000001", asset="BTC", offer_id=name)
    assert refusal(nothing, dear) is ErrorName.PRICE_ROUNDS_TO_NOTHING


def test_half_an_order_is_refused() -> None:
    name = (b"\x01" * 32).hex()
    assert refusal(order(offer_id=None, pair="LTC/BTC")) is ErrorName.INVALID_PARAMS
    assert refusal(Order(name, None, "LTC/BTC", None, None)) is ErrorName.INVALID_PARAMS
    assert refusal(Order(None, None, "LTC/BTC", BUY, None)) is ErrorName.INVALID_PARAMS
