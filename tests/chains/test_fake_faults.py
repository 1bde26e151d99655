"""The faults that only the fake node has, at will: silence, lost answers, an old view, flashes."""

import pytest

from protocol.swap.facts import SpendKind
from swapd.ports import Broadcast, ChainError, NodeUnreachable
from tests.chains.bench import COIN
from tests.chains.fake_bench import FakeBench
from tests.chains.htlc import Deal, new_deal


async def locked(bench: FakeBench) -> Deal:
    """A confirmed lock that the wallet's node and the stranger's both watch."""
    deal = new_deal(bench)
    for chain in (bench.chain, bench.stranger()):
        chain.watch(deal.watch(await bench.height()))
    await bench.pay(deal.script, deal.units)
    await bench.mine()
    return deal


async def claim(bench: FakeBench, deal: Deal, rate: int = 5_000) -> str:
    """The stranger claims; returns the txid."""
    stranger = bench.stranger()
    [lock] = (await stranger.view(deal.name)).locks
    tx = await deal.claim(stranger, lock, deal.payout, rate)
    assert (await stranger.broadcast(tx.raw)).outcome is Broadcast.ACCEPTED
    return tx.txid


async def test_a_node_that_times_out_answers_again_later() -> None:
    bench = FakeBench()
    deal = await locked(bench)
    bench.chain.timeouts = 2
    for _ in range(2):
        with pytest.raises(NodeUnreachable):
            await bench.chain.view(deal.name)
    assert (await bench.chain.view(deal.name)).locks


async def test_a_broadcast_can_arrive_although_nobody_learns_it() -> None:
    bench = FakeBench()
    await bench.give(1, COIN)
    deal = new_deal(bench)
    lock = await bench.chain.fund(deal.leg, deal.hashlock, 5_000, deadline=deal.leg.expiry)
    bench.chain.lost_answers = 1
    with pytest.raises(NodeUnreachable):
        await bench.chain.broadcast(lock.tx.raw)
    assert await bench.mempool() == [lock.tx.txid]
    assert (await bench.chain.broadcast(lock.tx.raw)).outcome is Broadcast.ALREADY_KNOWN


async def test_a_stalled_node_shows_its_old_chain_and_passes_nothing_on() -> None:
    bench = FakeBench()
    deal = await locked(bench)
    before = await bench.chain.view(deal.name)
    bench.chain.stalled = True
    txid = await claim(bench, deal)
    await bench.mine(3)
    assert await bench.chain.view(deal.name) == before
    assert (await bench.chain.status()).height == before.tip_height
    [lock] = before.locks
    own = await deal.claim(bench.chain, lock, deal.payout, 7_000)
    assert (await bench.chain.broadcast(own.raw)).outcome is Broadcast.ACCEPTED
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.spend is not None
    assert (lock.spend.txid, lock.spend.to_beat) == (own.txid, own.fee)
    bench.chain.stalled = False
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.spend is not None
    assert (lock.spend.txid, lock.spend.depth) == (txid, 3)


async def test_a_claim_that_came_and_went_is_shown_once() -> None:
    bench = FakeBench()
    deal = await locked(bench)
    [lock] = (await bench.chain.view(deal.name)).locks
    txid = await claim(bench, deal)
    bench.ledger.drop(txid)
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.spend is not None
    assert (lock.spend.kind, lock.spend.preimage) == (SpendKind.CLAIM, deal.preimage)
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.spend is None


@pytest.mark.parametrize("fault", ["down", "stalled"])
async def test_a_node_that_was_away_has_not_seen_what_came_and_went(fault: str) -> None:
    bench = FakeBench()
    deal = await locked(bench)
    setattr(bench.chain, fault, True)
    bench.ledger.drop(await claim(bench, deal))
    setattr(bench.chain, fault, False)
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.spend is None


async def test_a_node_that_is_down_answers_nothing() -> None:
    bench = FakeBench()
    deal = await locked(bench)
    bench.chain.down = True
    for ask in (bench.chain.status, bench.chain.check, bench.chain.pinned, bench.chain.balance):
        with pytest.raises(NodeUnreachable):
            await ask()
    with pytest.raises(NodeUnreachable):
        await bench.chain.view(deal.name)
    bench.chain.down = False
    bench.chain.unwatch(deal.name)
    with pytest.raises(ChainError, match="nothing is watched"):
        await bench.chain.view(deal.name)


async def test_fees_follow_the_estimate_and_the_mempool() -> None:
    bench = FakeBench(hard=True)
    deal = await locked(bench)
    view = await bench.chain.view(deal.name)
    assert (view.fee_next, view.fee_floor, view.fee_increment) == (5_000, 2_000, 1_000)
    bench.chain.fee_next = 9_000
    assert (await bench.chain.status()).fee_next == 9_000
    bench.ledger.chain.crowd(20_000, 2_000_000)
    view = await bench.chain.view(deal.name)
    assert (view.fee_next, view.fee_floor) == (22_000, 22_000)


async def test_what_a_block_takes_must_be_signed() -> None:
    bench = FakeBench()
    deal = await locked(bench)
    [lock] = (await bench.chain.view(deal.name)).locks
    tx = await deal.claim(bench.chain, lock, deal.payout)
    spoilt = tx.raw.replace(deal.preimage, bytes(32))
    assert (await bench.chain.broadcast(spoilt)).outcome is Broadcast.REJECTED
    with pytest.raises(ValueError, match="not signed"):
        await bench.fork(0, [[spoilt]])
    await bench.fork(0, [[tx.raw]])
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.spend is not None
    assert lock.spend.preimage == deal.preimage
