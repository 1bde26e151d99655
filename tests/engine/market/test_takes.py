"""Our offers taken, published again with what remains, cancelled and expired."""

import pytest
from trio.testing import MockClock

from protocol.errors import Refusal, RemoteProtocolError
from protocol.swap.states import End
from swapd.api.errors import ApiError, ErrorName
from swapd.engine.offers_account import Status
from tests.engine.market.stage import COIN, LTC, Stage, draft
from tests.engine.market.swaps import state, swap

# --- Taking -----------------------------------------------------------------------------------


async def test_what_remains_is_shown_in_coarse_steps_as_the_next_version(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    posted = await maker.offers.post(draft())
    await taker.until(taker.asks)
    maker.offers.consume(posted.offer_id, swap(1), 2 * COIN + 1)
    await taker.until(lambda: taker.asks()[0].offer_id != posted.offer_id, seconds=2)
    shown = taker.asks()[0].offer
    # 799 999 999 is 29.57 bits: 0b10 1111...; two digits and 28 zeros
    assert shown.maximum == 0b10 << 28
    assert (shown.slot, shown.price) == (posted.offer.slot, posted.offer.price)
    assert shown.sequence > posted.offer.sequence
    assert shown.number > posted.offer.number
    assert maker.offers.remaining(posted.offer_id) == 8 * COIN - 1


async def test_an_older_version_is_still_answered_with_what_the_taker_saw(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    posted = await maker.offers.post(draft())
    for number in range(1, 4):
        maker.offers.consume(posted.offer_id, swap(number), COIN)
        await maker.until(lambda: maker.asks()[0].offer_id != posted.offer_id)
    assert maker.offers.get(posted.offer_id) == posted.offer
    newest = maker.asks()[0].offer_id
    assert maker.offers.remaining(newest) == maker.offers.remaining(posted.offer_id) == 7 * COIN


async def test_a_taker_finds_an_offer_by_its_old_id_after_others_took_a_part(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    posted = await maker.offers.post(draft())
    await taker.until(taker.asks)
    for number, units in ((1, 2 * COIN), (2, 4 * COIN)):  # each shows another coarse step
        last = taker.asks()[0].offer_id
        maker.offers.consume(posted.offer_id, swap(number), units)
        await taker.until(lambda last=last: taker.asks()[0].offer_id != last)  # type: ignore[misc] # bound now
    found = taker.market.find(posted.offer_id)
    assert found is not None
    assert found.offer_id == taker.asks()[0].offer_id != posted.offer_id
    await maker.offers.cancel(posted.offer_id)
    await taker.until(lambda: not taker.asks())
    assert taker.market.find(posted.offer_id) is None


async def test_takes_at_once_never_get_more_than_there_is(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    posted = await maker.offers.post(draft())
    for number in range(1, 4):
        maker.offers.consume(posted.offer_id, swap(number), 3 * COIN)
    with pytest.raises(RemoteProtocolError) as caught:
        maker.offers.consume(posted.offer_id, swap(4), 3 * COIN)
    assert caught.value.refusal is Refusal.AMOUNT_TAKEN
    maker.offers.consume(posted.offer_id, swap(5), COIN)
    assert maker.offers.remaining(posted.offer_id) == 0


async def test_one_swap_takes_once_and_gives_back_once(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    posted = await maker.offers.post(draft())
    maker.offers.consume(posted.offer_id, swap(1), 3 * COIN)
    with pytest.raises(RemoteProtocolError):
        maker.offers.consume(posted.offer_id, swap(1), 3 * COIN)
    maker.offers.restore(swap(1))
    maker.offers.restore(swap(1))
    maker.offers.restore(swap(9))
    assert maker.offers.remaining(posted.offer_id) == 10 * COIN


async def test_an_offer_wholly_in_takes_leaves_the_book_and_returns_with_them(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    posted = await maker.offers.post(draft())
    await taker.until(taker.asks)
    maker.offers.consume(posted.offer_id, swap(1), 10 * COIN - COIN // 2)
    await taker.until(lambda: not taker.asks(), seconds=2)
    standing = maker.offers.find(posted.offer_id)
    assert standing is not None
    assert standing.status is Status.PAUSED
    maker.offers.restore(swap(1))
    await taker.until(taker.asks, seconds=2)
    assert taker.asks()[0].offer.maximum == 10 * COIN


@pytest.mark.parametrize(
    ("end", "status", "free", "filled"),
    [
        (None, Status.PAUSED, 0, 0),
        (End.NEVER_FUNDED, Status.LIVE, 10 * COIN, 0),
        (End.COMPLETED, Status.FILLED, 0, 10 * COIN),
        (End.REFUNDED, Status.FILLED, 0, 0),
        (End.LOST, Status.FILLED, 0, 0),
    ],
)
async def test_the_end_of_a_swap_decides_its_take(
    stage: Stage,
    autojump_clock: MockClock,
    end: End | None,
    status: Status,
    free: int,
    filled: int,
) -> None:
    maker = await stage.node("maker")
    posted = await maker.offers.post(draft())
    maker.offers.consume(posted.offer_id, swap(1), 10 * COIN)
    maker.offers.follow(state(maker, posted.offer_id, swap(1), 10 * COIN, end), 5)
    standing = maker.offers.find(posted.offer_id)
    assert standing is not None
    assert (standing.status, standing.free, standing.filled) == (status, free, filled)


async def test_takes_of_what_is_no_offer_any_more_are_refused_by_name(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    cancelled = await maker.offers.post(draft(maximum=COIN))
    expired = await maker.offers.post(draft(maximum=COIN, lifetime=60))
    stopping = await maker.offers.post(draft(maximum=COIN))
    await maker.offers.cancel(cancelled.offer_id)
    stage.clock.advance(60)

    def refusal(name: bytes) -> Refusal:
        with pytest.raises(RemoteProtocolError) as caught:
            maker.offers.get(name)
        with pytest.raises(RemoteProtocolError) as again:
            maker.offers.consume(name, swap(1), COIN)
        assert again.value.refusal is caught.value.refusal
        assert maker.offers.remaining(name) in (0, COIN)
        return caught.value.refusal

    assert refusal(bytes(32)) is Refusal.UNKNOWN_OFFER
    assert refusal(cancelled.offer_id) is Refusal.OFFER_CANCELLED
    assert refusal(expired.offer_id) is Refusal.OFFER_EXPIRED
    await maker.offers.withdraw()
    assert refusal(stopping.offer_id) is Refusal.SHUTTING_DOWN


# --- Ending -----------------------------------------------------------------------------------


async def test_cancelling_twice_or_something_else_is_told(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    posted = await maker.offers.post(draft())
    ended = await maker.offers.cancel(posted.offer_id)
    assert ended.status is Status.CANCELLED
    with pytest.raises(ApiError) as caught:
        await maker.offers.cancel(posted.offer_id)
    assert caught.value.name is ErrorName.OFFER_CANCELLED
    with pytest.raises(ApiError) as caught:
        await maker.offers.cancel(bytes(32))
    assert caught.value.name is ErrorName.UNKNOWN_OFFER


async def test_all_offers_are_cancelled_and_listed_as_ended(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    names = [(await maker.offers.post(draft(maximum=COIN))).offer_id for _ in range(3)]
    assert [standing.offer_id for standing in maker.offers.standing()] == names[::-1]
    assert sorted(await maker.offers.cancel_all()) == sorted(names)
    assert maker.offers.standing() == ()
    assert len(maker.offers.standing(include_ended=True)) == 3
    assert maker.offers.promised(LTC) == 0
    assert maker.asks() == []


async def test_an_expired_offer_ends_here_and_everywhere(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    posted = await maker.offers.post(draft(lifetime=60))
    await taker.until(taker.asks)
    stage.clock.advance(60)
    await taker.until(lambda: not taker.asks(), seconds=5)
    await maker.until(lambda: not maker.asks(), seconds=5)
    standing = maker.offers.find(posted.offer_id)
    assert standing is not None
    assert standing.status is Status.EXPIRED
    assert maker.offers.promised(LTC) == 0
