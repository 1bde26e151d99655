"""Own offers leave the book when no swap may begin any more."""

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from protocol.errors import Refusal, RemoteProtocolError
from protocol.gossip import ItemKind
from protocol.lease import LEASE
from swapd.api.errors import ApiError, ErrorName
from tests.engine.market.stage import Stage, draft


async def test_draining_withdraws_our_offers_everywhere_and_posts_no_more(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, other = await stage.node("maker"), await stage.node("other")
    posted = await maker.offers.post(draft())
    await other.until(other.asks)
    maker.world.mode.drain()
    await other.until(lambda: not other.asks())
    assert maker.asks() == []
    with pytest.raises(ApiError) as caught:
        await maker.offers.post(draft())
    assert caught.value.name is ErrorName.NO_NEW_SWAPS
    with pytest.raises(RemoteProtocolError) as refused:
        maker.offers.get(posted.offer_id)
    assert refused.value.refusal is Refusal.SHUTTING_DOWN


async def test_a_drain_that_is_taken_back_posts_our_offers_again(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, other = await stage.node("maker"), await stage.node("other")
    await maker.offers.post(draft())
    maker.world.mode.drain()
    await other.until(lambda: not other.asks())
    maker.world.mode.end_drain()
    await other.until(other.asks)
    assert len(maker.asks()) == 1


async def test_what_drained_stands_again_after_the_next_start(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")
    await maker.offers.post(draft())
    maker.world.mode.drain()
    await maker.until(lambda: not maker.asks())
    await maker.stop()
    again = await stage.node("maker", disk=maker.disk)
    assert len(again.asks()) == 1


async def test_who_only_watches_says_nothing_that_would_end_the_offers_of_its_twin(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker, other = await stage.node("maker"), await stage.node("other")
    await maker.offers.post(draft())
    await other.until(other.asks)
    other.heard.clear()
    maker.world.mode.only_watch("the same seed runs elsewhere")
    await wait_all_tasks_blocked()
    assert maker.asks() == []
    await other.until(lambda: not other.asks(), seconds=2 * LEASE)
    assert ItemKind.FLOOR not in other.kinds_heard()
    assert ItemKind.HEARTBEAT not in other.kinds_heard()


async def test_an_offer_whose_posting_was_overtaken_by_the_drain_leaves_nothing(
    stage: Stage, autojump_clock: MockClock
) -> None:
    maker = await stage.node("maker")

    async def counter(name: str, at_least: int) -> int:
        maker.world.mode.drain()
        return at_least

    maker.world.store.next_counter = counter  # type: ignore[method-assign]  # at the last moment
    with pytest.raises(ApiError) as caught:
        await maker.offers.post(draft())
    assert caught.value.name is ErrorName.NO_NEW_SWAPS
    assert maker.offers.standing(include_ended=True) == ()
