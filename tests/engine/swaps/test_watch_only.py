"""A daemon that only watches sends no lock, and still claims, refunds and kills."""

from trio.testing import MockClock

from protocol.swap.states import End, Released
from swapd.ports import BroadcastResult, NodeUnreachable
from tests.engine.swaps.stage import Stage
from tests.engine.swaps.stories import check_books

REASON = "the same seed runs elsewhere"


async def test_who_only_watches_locks_nothing_and_the_swap_ends_unfunded(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        stage.taker.world.mode.only_watch(REASON)
        taken = await stage.agree()
        await stage.blocks(30, taken)
    assert stage.taker.btc.broadcasts == []
    assert stage.taker.end(taken) is End.NEVER_FUNDED
    assert stage.maker.end(taken) is End.NEVER_FUNDED


async def test_a_lock_that_was_signed_but_never_sent_stays_here(
    stage: Stage, mock_clock: MockClock
) -> None:
    taker, sent = stage.taker, list[bytes]()
    node_sends = taker.btc.broadcast

    async def refusing(raw: bytes) -> BroadcastResult:
        raise NodeUnreachable(f"no answer to {raw[:4].hex()}")

    async def recording(raw: bytes) -> BroadcastResult:
        sent.append(raw)
        return await node_sends(raw)

    async with stage.running():
        taker.btc.broadcast = refusing  # type: ignore[method-assign]  # signed, and not sent
        taken = await stage.agree()
        own = taker.state(taken.swap_id).own
        assert isinstance(own, Released)
        taker.btc.broadcast = recording  # type: ignore[method-assign]  # the node is back
        taker.world.mode.only_watch(REASON)
        await stage.blocks(30, taken)
    assert sent
    assert own.lock.tx.raw not in sent
    assert taker.end(taken) is End.NEVER_FUNDED


async def test_who_locked_before_still_claims(stage: Stage, mock_clock: MockClock) -> None:
    async with stage.running():
        taken = await stage.agree()
        while not stage.ltc.mempool:  # the maker's lock
            await stage.block()
        for party in stage.parties():
            party.world.mode.only_watch(REASON)
        await stage.blocks(30, taken)
    for party in stage.parties():
        assert party.end(taken) is End.COMPLETED
        await check_books(party, taken, End.COMPLETED)


async def test_who_locked_before_still_refunds(stage: Stage, mock_clock: MockClock) -> None:
    async with stage.running():
        taken = await stage.agree()
        for party in stage.parties():
            party.world.mode.only_watch(REASON)
        await stage.blocks(60, taken)
    assert stage.taker.end(taken) is End.REFUNDED
    assert stage.maker.end(taken) is End.NEVER_FUNDED
    assert stage.maker.ltc.broadcasts == []
