"""Posting offers, and every way the operator can err."""

from collections.abc import Callable
from typing import Any

import pytest
import trio
from msgspec.structs import replace
from trio.testing import MockClock

from protocol.amounts import Price
from protocol.assets import AssetId
from protocol.errors import LocalProtocolError
from swapd.api.errors import ApiError, ErrorName
from swapd.engine.market import Market
from swapd.engine.offers import OwnOffers
from swapd.engine.offers_account import Status
from swapd.engine.offers_checks import least_fill
from swapd.policy import AssetLimits
from tests.engine.market.stage import BTC, COIN, LTC, OTHER, POLICY, Node, Stage, draft

# --- Posting ----------------------------------------------------------------------------------


async def test_an_untouched_offer_shows_exactly_what_was_posted(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    posted = await maker.offers.post(draft(maximum=123_456_789))
    assert posted.status is Status.LIVE
    assert (posted.offer.minimum, posted.offer.maximum) == (COIN, 123_456_789)
    assert (posted.total, posted.free, posted.reserved, posted.filled) == (123_456_789,) * 2 + (
        0,
        0,
    )
    # the regtest timing's least depths; the fake node relays from 1000 on and adds 1000
    assert (posted.offer.depth_sell, posted.offer.depth_buy) == (3, 2)
    assert posted.offer.min_fee_rate == 2000


async def test_a_dry_run_checks_everything_and_keeps_nothing(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    shown = await maker.offers.post(draft(), dry_run=True)
    assert shown.offer.maximum == 10 * COIN
    assert maker.offers.standing(include_ended=True) == ()
    assert maker.asks() == []
    assert await maker.world.store.items("offer") == ()
    with pytest.raises(ApiError):
        await maker.offers.post(draft(maximum=0), dry_run=True)


async def test_a_minimum_left_out_is_the_least_that_makes_sense(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    posted = await maker.offers.post(draft(minimum=None))
    # 270 vbytes at 100 a vbyte cost 27 000; ten times that on the dearer leg, BTC, in LTC at 75:
    # 269 999 BTC units would still be paid for 269 999 * 75 LTC units, so one more.
    assert posted.offer.minimum == 269_999 * 75 + 1


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (Price.of(1, 1), 270_000),
        (Price.of(75, 1), 270_000),
        (Price.of(1, 3), 269_999 * 3 + 1),
        (Price.of(1, 10**9), 269_999 * 10**9 + 1),
    ],
)
def test_the_least_fill_is_worth_ten_times_its_fees_on_both_legs(
    price: Price, expected: int
) -> None:
    assert least_fill(price, 270_000, 270_000) == expected
    assert price.pays(expected) >= 270_000
    assert expected == 270_000 or price.pays(expected - 1) < 270_000


BAD_DRAFTS: list[tuple[str, dict[str, Any], ErrorName]] = [
    ("an unknown asset to sell", {"sell": OTHER}, ErrorName.UNKNOWN_ASSET),
    ("an unknown asset to buy", {"buy": OTHER}, ErrorName.UNKNOWN_ASSET),
    ("an asset for itself", {"buy": LTC}, ErrorName.PAIR_INVALID),
    ("nothing", {"maximum": 0}, ErrorName.AMOUNT_INVALID),
    ("less than nothing", {"maximum": -5}, ErrorName.AMOUNT_INVALID),
    ("a minimum of nothing", {"minimum": 0}, ErrorName.AMOUNT_INVALID),
    ("a minimum over the whole", {"minimum": 11 * COIN}, ErrorName.AMOUNT_OUT_OF_RANGE),
    ("a price that rounds to nothing", {"price": Price.of(1, 10**12)},
     ErrorName.PRICE_ROUNDS_TO_NOTHING),
    ("more than can exist", {"maximum": 2**256 - 1, "price": Price.of(2, 1)},
     ErrorName.AMOUNT_TOO_LARGE),
    ("a fill that fees would eat", {"minimum": 269_999 * 75}, ErrorName.BELOW_ECONOMIC_MINIMUM),
    ("a whole that fees would eat", {"maximum": 10_000, "minimum": None},
     ErrorName.BELOW_ECONOMIC_MINIMUM),
    ("a life of seconds", {"lifetime": 59}, ErrorName.LIFETIME_INVALID),
    ("a life over a day", {"lifetime": 86_401}, ErrorName.LIFETIME_INVALID),
    ("more than the wallet has", {"maximum": 101 * COIN}, ErrorName.INSUFFICIENT_FUNDS),
    ("the wallet without a fee", {"maximum": 100 * COIN}, ErrorName.INSUFFICIENT_FUNDS),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "problem"), [case[1:] for case in BAD_DRAFTS], ids=[case[0] for case in BAD_DRAFTS]
)
async def test_a_mistake_gets_its_own_error_with_a_remedy_and_costs_nothing(
    stage: Stage, autojump_clock: MockClock, changes: dict[str, Any], problem: ErrorName
) -> None:
    maker = await stage.node("maker")
    with pytest.raises(ApiError) as caught:
        await maker.offers.post(draft(**changes))
    assert caught.value.name is problem
    assert caught.value.message
    assert caught.value.remedy
    assert maker.offers.standing(include_ended=True) == ()
    assert maker.asks() == []


BREAK: list[tuple[str, Callable[[Node], None], ErrorName]] = [
    ("a node that is down", lambda node: setattr(node.chains[BTC], "down", True),
     ErrorName.NODE_UNREACHABLE),
    ("a node of another chain", lambda node: setattr(node.chains[LTC], "misconfigured", "wrong"),
     ErrorName.NODE_MISCONFIGURED),
    ("a node that is not ready", lambda node: setattr(node.chains[LTC], "problems", ("syncing",)),
     ErrorName.NODE_NOT_READY),
    ("a daemon that is stopping", lambda node: setattr(node.offers, "_closing", True),
     ErrorName.SHUTTING_DOWN),
    ("a full disk", lambda node: setattr(node.world.store, "full", True), ErrorName.STORE_FAILED),
]  # fmt: skip


@pytest.mark.parametrize(
    ("break_it", "problem"), [case[1:] for case in BREAK], ids=[case[0] for case in BREAK]
)
async def test_a_fault_of_the_world_is_named_and_nothing_is_kept(
    stage: Stage,
    autojump_clock: MockClock,
    break_it: Callable[[Node], None],
    problem: ErrorName,
) -> None:
    maker = await stage.node("maker")
    break_it(maker)
    with pytest.raises(ApiError) as caught:
        await maker.offers.post(draft())
    assert caught.value.name is problem
    assert maker.offers.standing(include_ended=True) == ()
    assert maker.asks() == []
    assert maker.disk.values == {}


async def test_unconfirmed_change_is_told_apart_from_too_little(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    chain = maker.chains[LTC]
    await chain.broadcast(chain.pay(chain.fresh_script(), 50 * COIN, 5000).serialise())
    with pytest.raises(ApiError) as caught:
        await maker.offers.post(draft())
    assert caught.value.name is ErrorName.FUNDS_UNCONFIRMED
    assert caught.value.retryable


LIMITS: list[tuple[str, AssetId, AssetLimits, ErrorName]] = [
    ("smaller than allowed", LTC, AssetLimits(minimum=2 * COIN), ErrorName.OVER_SWAP_LIMIT),
    ("larger than allowed", LTC, AssetLimits(maximum=9 * COIN), ErrorName.OVER_SWAP_LIMIT),
    (
        "more in return than allowed",
        BTC,
        AssetLimits(maximum=COIN // 10),
        ErrorName.OVER_SWAP_LIMIT,
    ),
    ("more than may be locked", LTC, AssetLimits(max_locked=9 * COIN), ErrorName.OVER_LOCKED_LIMIT),
]


@pytest.mark.parametrize(
    ("asset", "limits", "problem"), [case[1:] for case in LIMITS], ids=[case[0] for case in LIMITS]
)
async def test_what_we_would_refuse_to_swap_is_not_offered(
    stage: Stage,
    autojump_clock: MockClock,
    asset: AssetId,
    limits: AssetLimits,
    problem: ErrorName,
) -> None:
    maker = await stage.node("maker", policy=replace(POLICY, assets={asset: limits}))
    with pytest.raises(ApiError) as caught:
        await maker.offers.post(draft())
    assert caught.value.name is problem


async def test_the_same_coins_are_not_offered_twice(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    await maker.offers.post(draft(maximum=60 * COIN))
    assert maker.offers.promised(LTC) == 60 * COIN
    with pytest.raises(ApiError) as caught:
        await maker.offers.post(draft(maximum=60 * COIN))
    assert caught.value.name is ErrorName.INSUFFICIENT_FUNDS
    await maker.offers.post(draft(maximum=30 * COIN))


async def test_two_posts_at_once_do_not_offer_the_same_coins(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    outcomes: list[str] = []

    async def post() -> None:
        try:
            outcomes.append((await maker.offers.post(draft(maximum=60 * COIN))).status)
        except ApiError as error:
            outcomes.append(error.name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(post)
        nursery.start_soon(post)
    assert sorted(outcomes) == [ErrorName.INSUFFICIENT_FUNDS, Status.LIVE]


async def test_a_pair_that_is_not_followed_is_refused(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker", pairs=((BTC, OTHER),))
    with pytest.raises(ApiError) as caught:
        await maker.offers.post(draft())
    assert caught.value.name is ErrorName.PAIR_INVALID


async def test_an_offer_before_the_market_runs_is_our_own_bug(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    idle = Market(maker.world, [(BTC, LTC)])
    with pytest.raises(LocalProtocolError):
        await OwnOffers(maker.world, idle).post(draft())
