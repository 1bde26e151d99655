"""Our offers over stops, crashes, restored backups and failing disks."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from protocol.assets import chain_of
from protocol.swap.states import End
from swapd.api.errors import ApiError, ErrorName
from swapd.engine.offers_account import Status
from swapd.engine.offers_checks import Draft
from swapd.ports import StoreError
from tests.engine.market.stage import COIN, LTC, Stage, draft
from tests.engine.market.swaps import journal, state, swap

# --- Restarts ---------------------------------------------------------------------------------


async def test_after_a_stop_the_offers_stand_again_exactly_as_they_were(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    posted = await maker.offers.post(draft())
    maker.offers.consume(posted.offer_id, swap(1), 3 * COIN)
    maker.offers.follow(state(maker, posted.offer_id, swap(1), 3 * COIN, End.COMPLETED), 1)
    await taker.until(lambda: taker.asks() and taker.asks()[0].offer.maximum < 10 * COIN)
    before = taker.asks()[0].offer
    await maker.stop()
    await taker.until(lambda: not taker.asks(), seconds=2)
    again = await stage.node("maker", disk=maker.disk)
    await taker.until(taker.asks, seconds=5)
    after = taker.asks()[0].offer
    assert (after.slot, after.created, after.expires) == (
        before.slot,
        before.created,
        before.expires,
    )
    assert (after.price, after.maximum) == (before.price, before.maximum)
    assert after.sequence > before.sequence
    assert after.number > before.number
    assert again.offers.remaining(posted.offer_id) == 7 * COIN
    assert again.offers.get(posted.offer_id) == posted.offer


async def test_a_cancelled_or_expired_offer_does_not_stand_again(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    cancelled = await maker.offers.post(draft(maximum=COIN))
    await maker.offers.post(draft(maximum=COIN, lifetime=60))
    await maker.offers.cancel(cancelled.offer_id)
    maker.crash()
    stage.clock.advance(60)
    again = await stage.node("maker", disk=maker.disk)
    assert again.asks() == []
    ended = [standing.status for standing in again.offers.standing(include_ended=True)]
    assert ended == [Status.EXPIRED, Status.CANCELLED]


async def test_a_crash_keeps_takes_that_became_swaps_and_gives_back_the_rest(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    posted = await maker.offers.post(draft())
    name = posted.offer_id
    for number in range(1, 5):
        maker.offers.consume(name, swap(number), COIN)
    await maker.until(lambda: maker.asks()[0].offer.maximum < 8 * COIN)
    maker.crash()
    known = {
        swap(1): state(maker, name, swap(1), COIN),
        swap(2): state(maker, name, swap(2), COIN, End.COMPLETED),
        swap(3): state(maker, name, swap(3), COIN, End.NEVER_FUNDED),
    }
    again = await stage.node("maker", disk=maker.disk, swaps=journal(known))
    standing = again.offers.find(name)
    assert standing is not None
    assert (standing.free, standing.reserved, standing.filled) == (8 * COIN, COIN, COIN)


async def test_a_take_that_the_disk_never_saw_is_taken_again_from_the_journal_of_swaps(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    posted = await maker.offers.post(draft())
    maker.crash()
    agreed = state(maker, posted.offer_id, swap(1), 4 * COIN)
    again = await stage.node("maker", disk=maker.disk, running=lambda: (agreed,))
    assert again.offers.remaining(posted.offer_id) == 6 * COIN
    assert again.asks()[0].offer.maximum == 0b10 << 28


async def test_a_swap_that_ends_while_the_offers_are_read_keeps_nothing_taken(
    stage: Stage, autojump_clock: MockClock
) -> None:
    """It tells of its end in between: what ran before that is no news any more."""
    maker = await stage.node("maker")
    posted = await maker.offers.post(draft())
    maker.offers.consume(posted.offer_id, swap(1), COIN)
    await maker.until(lambda: maker.asks()[0].offer.maximum < 10 * COIN)
    maker.crash()
    running = [state(maker, posted.offer_id, swap(1), COIN)]

    async def ends(_swap_id: bytes) -> None:
        running.clear()

    again = await stage.node("maker", disk=maker.disk, swaps=ends, running=lambda: running)
    assert again.offers.remaining(posted.offer_id) == 10 * COIN


async def test_after_a_crash_others_see_the_new_version_only(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    await maker.offers.post(draft())
    await taker.until(taker.asks)
    old = taker.asks()[0]
    maker.crash()
    await stage.node("maker", disk=maker.disk)
    await taker.until(lambda: [f.offer_id for f in taker.asks()] != [old.offer_id], seconds=5)
    assert len(taker.asks()) == 1
    assert taker.asks()[0].offer.sequence > old.offer.sequence


async def test_a_restored_backup_jumps_ahead_of_what_it_forgot(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    backup = maker.disk.__class__()
    await maker.offers.post(draft())
    await taker.until(taker.asks)
    old = taker.asks()[0].offer
    await maker.stop()
    await taker.until(lambda: not taker.asks(), seconds=2)
    stage.clock.advance(5)
    again = await stage.node("maker", disk=backup)
    again.chains[LTC].grant(1)
    posted = await again.offers.post(draft(maximum=2 * COIN))
    await taker.until(taker.asks, seconds=5)
    assert [found.offer for found in taker.asks()] == [posted.offer]
    assert posted.offer.sequence > old.sequence


async def test_what_a_lost_disk_had_offered_is_not_ours_any_more(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, taker = await stage.node("maker"), await stage.node("taker")
    await maker.offers.post(draft())
    await taker.until(taker.asks)
    maker.crash()
    stage.clock.advance(5)
    again = await stage.node("maker")
    await trio.sleep(5)
    assert again.asks() == []
    posted = await again.offers.post(draft(maximum=2 * COIN))
    await taker.until(lambda: [f.offer_id for f in taker.asks()] == [posted.offer_id], seconds=5)


async def test_a_full_disk_delays_a_new_version_but_loses_no_take(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    posted = await maker.offers.post(draft())
    store: Any = maker.world.store
    store.full = True
    maker.offers.consume(posted.offer_id, swap(1), 5 * COIN)
    await trio.sleep(1)
    assert maker.asks()[0].offer_id == posted.offer_id
    assert maker.offers.remaining(posted.offer_id) == 5 * COIN
    with pytest.raises(ApiError) as caught:
        await maker.offers.cancel(posted.offer_id)
    assert caught.value.name is ErrorName.STORE_FAILED
    store.full = False
    await maker.until(lambda: not maker.asks(), seconds=20)


async def test_an_unreadable_record_is_left_alone_and_the_others_stand(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    await maker.offers.post(draft())
    maker.crash()
    maker.disk.values["offer", "77"] = b"rubbish"
    again = await stage.node("maker", disk=maker.disk)
    assert len(again.asks()) == 1
    assert maker.disk.values["offer", "77"] == b"rubbish"


async def test_a_post_interrupted_by_a_failing_disk_leaves_nothing_behind(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    store: Any = maker.world.store

    def fail(what: str) -> None:
        if what == "put":
            raise StoreError("no space left")

    store.before_write = fail
    with pytest.raises(ApiError):
        await maker.offers.post(draft())
    store.before_write = lambda _: None
    await trio.sleep(20)
    assert maker.asks() == []
    assert maker.offers.promised(LTC) == 0
    again: Draft = draft()
    assert (await maker.offers.post(again)).status is Status.LIVE
    assert chain_of(again.sell) == maker.chains[LTC].chain
