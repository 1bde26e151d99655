"""On chains with outputs: what a watch tells, whatever the chain does."""

from protocol.swap.facts import Restriction
from swapd.ports import Broadcast
from tests.chains.bench import Bench
from tests.chains.htlc import Deal, new_deal


async def locked(bench: Bench, deal: Deal, depth: int = 1) -> int:
    """The stranger locks and `depth` blocks are mined; returns the height before."""
    since = await bench.height()
    await bench.pay(deal.script, deal.units)
    await bench.mine(depth)
    return since


async def test_a_lock_is_seen_in_the_mempool_and_gets_deeper_with_each_block(bench: Bench) -> None:
    deal = new_deal(bench)
    bench.chain.watch(deal.watch(await bench.height()))
    assert (await bench.chain.view(deal.name)).locks == ()
    txid = await bench.pay(deal.script, deal.units)
    [lock] = (await bench.chain.view(deal.name)).locks
    assert (lock.ref.partition(":")[0], lock.units, lock.depth) == (txid, deal.units, 0)
    assert lock.raw
    for depth in (1, 2, 3):
        await bench.mine()
        view = await bench.chain.view(deal.name)
        assert [(seen.ref, seen.depth) for seen in view.locks] == [(lock.ref, depth)]
        assert view.locks[0].raw == lock.raw
        assert view.tip_height == await bench.height()


async def test_wrong_amounts_are_shown_as_they_are_and_second_outputs_too(bench: Bench) -> None:
    deal = new_deal(bench)
    bench.chain.watch(deal.watch(await bench.height()))
    await bench.pay(deal.script, deal.units - 1)
    await bench.mine()
    await bench.pay(deal.script, deal.units + 1)
    await bench.mine()
    await bench.pay(deal.script, deal.units)
    view = await bench.chain.view(deal.name)
    seen = [(lock.units - deal.units, lock.depth) for lock in view.locks]
    assert seen == [(-1, 2), (1, 1), (0, 0)]


async def test_a_lock_in_a_coinbase_is_marked(bench: Bench) -> None:
    deal = new_deal(bench)
    bench.chain.watch(deal.watch(await bench.height()))
    units = await bench.mine_to(deal.script)
    [lock] = (await bench.chain.view(deal.name)).locks
    assert (lock.units, lock.restriction) == (units, Restriction.COINBASE)


async def test_a_claim_of_an_unconfirmed_lock_shows_its_preimage(bench: Bench) -> None:
    deal = new_deal(bench)
    bench.chain.watch(deal.watch(await bench.height()))
    await bench.pay(deal.script, deal.units)
    [lock] = (await bench.chain.view(deal.name)).locks
    claim = await deal.claim(bench.chain, lock, deal.payout)
    assert (await bench.chain.broadcast(claim.raw)).outcome is Broadcast.ACCEPTED
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.depth == 0
    assert lock.spend is not None
    assert lock.spend.preimage == deal.preimage
    latecomer = bench.adapter()
    latecomer.watch(deal.watch(await bench.height()))
    assert (await latecomer.view(deal.name)).locks == (lock,)
    await bench.mine()
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.depth == 1
    assert lock.spend is not None
    assert (lock.spend.depth, lock.spend.preimage) == (1, deal.preimage)


async def test_a_reorg_takes_depth_and_spend_back(bench: Bench) -> None:
    deal = new_deal(bench)
    since = await locked(bench, deal, depth=2)
    bench.chain.watch(deal.watch(since))
    [lock] = (await bench.chain.view(deal.name)).locks
    claim = await deal.claim(bench.chain, lock, deal.payout)
    await bench.chain.broadcast(claim.raw)
    await bench.mine()
    [deep] = (await bench.chain.view(deal.name)).locks
    assert deep.depth == 3
    await bench.undo(3)
    [lock] = (await bench.chain.view(deal.name)).locks
    assert (lock.ref, lock.depth) == (deep.ref, 0)
    assert lock.spend is not None
    assert lock.spend.depth == 0
    await bench.mine_empty(4)
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.depth == 0
    await bench.mine()
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.depth == 1
    assert lock.spend is not None
    assert lock.spend.depth == 1


async def test_a_lock_older_than_the_watch_is_not_seen(bench: Bench) -> None:
    deal = new_deal(bench)
    since = await locked(bench, deal)
    bench.chain.watch(deal.watch(since + 2))
    assert (await bench.chain.view(deal.name)).locks == ()
    bench.chain.watch(deal.watch(since + 1))
    assert len((await bench.chain.view(deal.name)).locks) == 1


async def test_a_lock_replaced_by_a_dearer_one_is_followed(bench: Bench) -> None:
    deal = new_deal(bench)
    bench.chain.watch(deal.watch(await bench.height()))
    first = await bench.pay(deal.script, deal.units)
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.ref.startswith(first)
    second = await bench.bump(first)
    assert second != first
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.ref.startswith(second)
    await bench.mine()
    [lock] = (await bench.chain.view(deal.name)).locks
    assert (lock.ref.partition(":")[0], lock.depth) == (second, 1)
