"""What the simulated world relies on, asked of it and of real nodes alike: who replaces whom, who
comes first, what a reorganisation leaves."""

from swapd.ports import Broadcast, Coin
from tests.chains.bench import COIN, Bench
from tests.chains.htlc import new_deal
from tests.chains.purse import Purse

MISSING = "bad-txns-inputs-missingorspent"


async def test_a_replacement_adds_its_own_relay_fee_to_what_it_replaces(bench: Bench) -> None:
    purse = Purse(bench)
    coins = await purse.coins(1, COIN)
    old = await purse.send(coins, fee=1_000)
    _, increment = await bench.rates()
    own = -(-old.vsize * increment // 1000)
    shorter = -(-2 * increment // 1000)  # by so much less a short signature gets by
    answer = await purse.submit(await purse.spend(coins, fee=1_000 + own - 1 - shorter))
    assert "insufficient fee" in answer.reason
    assert await bench.mempool() == [old.txid]
    new = await purse.send(coins, fee=1_000 + own)
    assert await bench.mempool() == [new.txid]
    await bench.mine()
    assert await bench.newest_block() == [new.txid]


async def test_a_replacement_pays_for_the_descendants_that_go_with_it(bench: Bench) -> None:
    purse = Purse(bench)
    coins = await purse.coins(1, COIN)
    old = await purse.send(coins, fee=1_000)
    await purse.send(old.coins, fee=50_000)
    answer = await purse.submit(await purse.spend(coins, fee=51_000))
    assert "insufficient fee" in answer.reason
    _, increment = await bench.rates()
    new = await purse.send(coins, fee=51_000 + -(-old.vsize * increment // 1000))
    assert await bench.mempool() == [new.txid]


async def test_a_larger_replacement_needs_the_higher_rate_too(bench: Bench) -> None:
    purse = Purse(bench)
    coins = await purse.coins(2, COIN)
    await purse.send(coins[:1], fee=10_000)
    larger = await purse.spend(coins, fee=12_000, outputs=10)
    assert "insufficient fee" in (await purse.submit(larger)).reason


async def test_a_replacement_brings_no_new_unconfirmed_parent(bench: Bench) -> None:
    purse = Purse(bench)
    coins = await purse.coins(2, COIN)
    parent = await purse.send(coins[:1], fee=1_000)
    await purse.send(coins[1:], fee=1_000)
    new = await purse.spend([coins[1], *parent.coins], fee=50_000)
    assert "replacement-adds-unconfirmed" in (await purse.submit(new)).reason


async def test_a_spend_of_what_a_block_has_spent_is_refused_at_any_fee(bench: Bench) -> None:
    purse = Purse(bench)
    coins = await purse.coins(1, COIN)
    first = await purse.send(coins, fee=1_000)
    await bench.mine()
    rival = await purse.submit(await purse.spend(coins, fee=1_000_000))
    assert (rival.outcome, MISSING in rival.reason) == (Broadcast.REJECTED, True)
    assert (await purse.submit(first)).outcome is Broadcast.ALREADY_KNOWN
    await purse.send(first.coins, fee=1_000)
    assert (await purse.submit(first)).outcome is Broadcast.ALREADY_KNOWN
    await bench.mine()
    forgotten = await purse.submit(first)
    assert (forgotten.outcome, MISSING in forgotten.reason) == (Broadcast.REJECTED, True)


async def test_a_transaction_has_24_unconfirmed_ancestors_at_most(bench: Bench) -> None:
    purse = Purse(bench)
    coins = await purse.coins(1, COIN)
    for _ in range(25):
        coins = (await purse.send(coins, fee=1_000)).coins
    longest = await purse.spend(coins, fee=1_000)
    assert "too-long-mempool-chain" in (await purse.submit(longest)).reason
    await bench.mine()
    assert (await purse.submit(longest)).outcome is Broadcast.ACCEPTED


async def test_a_transaction_has_24_descendants_and_one_small_child_more(bench: Bench) -> None:
    purse = Purse(bench)
    coins = await purse.coins(1, COIN)
    parent = await purse.send(coins, fee=10_000, outputs=30)
    for coin in parent.coins[:23]:
        await purse.send([coin], fee=1_000)
    last = await purse.send(parent.coins[23:24], fee=1_000)
    grandchild = await purse.submit(await purse.spend(last.coins, fee=1_000))
    assert "too-long-mempool-chain" in grandchild.reason
    await purse.send(parent.coins[24:25], fee=1_000)
    another = await purse.submit(await purse.spend(parent.coins[25:26], fee=1_000))
    assert "too-long-mempool-chain" in another.reason
    # A replacement of one of them is none more.
    await purse.send(parent.coins[:1], fee=5_000)


async def test_a_coinbase_is_spent_in_the_hundredth_block_after_its_own(bench: Bench) -> None:
    purse = Purse(bench)
    units = await bench.mine_to(purse.script)
    height = await bench.height()
    coin = Coin(f"{await bench.newest_coinbase()}:0", units, purse.script)
    await bench.mine(98)
    tx = await purse.spend([coin], fee=1_000)
    assert "bad-txns-premature-spend-of-coinbase" in (await purse.submit(tx)).reason
    await bench.mine()
    assert (await purse.submit(tx)).outcome is Broadcast.ACCEPTED
    await bench.mine()
    assert (await bench.height(), await bench.newest_block()) == (height + 100, [tx.txid])


# --- reorganisations ---


async def test_undone_transactions_wait_again_and_double_spent_ones_are_gone(bench: Bench) -> None:
    purse = Purse(bench)
    coins = await purse.coins(2, COIN)
    paid = await purse.send(coins[:1], fee=1_000)
    kept = await purse.send(coins[1:], fee=1_000)
    await bench.mine()
    child = await purse.send(paid.coins, fee=1_000)
    height = await bench.height()
    thief = await purse.spend(coins[:1], fee=1_000, outputs=2)
    await bench.fork(1, [[thief.raw], []])
    assert await bench.height() == height + 1
    assert await bench.mempool() == [kept.txid]
    for gone in (paid, child):
        answer = await purse.submit(gone)
        assert (answer.outcome, MISSING in answer.reason) == (Broadcast.REJECTED, True)
    await bench.mine()
    assert await bench.newest_block() == [kept.txid]


async def test_a_whole_family_returns_to_the_mempool(bench: Bench) -> None:
    purse = Purse(bench)
    coins = await purse.coins(1, COIN)
    family = []
    for _ in range(3):
        member = await purse.send(coins, fee=1_000)
        coins = member.coins
        family.append(member.txid)
        await bench.mine()
    waiting = await purse.send(coins, fee=1_000)
    await bench.undo(3)
    assert await bench.mempool() == sorted([*family, waiting.txid])
    await bench.mine()
    assert await bench.newest_block() == sorted([*family, waiting.txid])


# --- time ---


async def test_a_refund_is_final_from_the_median_time_after_its_expiry(bench: Bench) -> None:
    deal = new_deal(bench, lasts=80)
    bench.chain.watch(deal.watch(await bench.height()))
    await bench.pay(deal.script, deal.units)
    await bench.mine()
    refused = 0
    while True:
        view = await bench.chain.view(deal.name)
        refund = await deal.refund(bench.chain, view.locks[0], deal.payout)
        answer = await bench.chain.broadcast(refund.raw)
        if view.median_time > deal.expiry:
            break
        assert "non-final" in answer.reason
        refused += 1
        await bench.mine()
    assert answer.outcome is Broadcast.ACCEPTED
    assert refused > 5
    assert view.tip_time - view.median_time == 50


async def test_a_refund_leaves_with_the_block_that_made_it_final(bench: Bench) -> None:
    deal = new_deal(bench, lasts=80)
    bench.chain.watch(deal.watch(await bench.height()))
    await bench.pay(deal.script, deal.units)
    view = await bench.chain.view(deal.name)
    while view.median_time <= deal.expiry:
        await bench.mine()
        view = await bench.chain.view(deal.name)
    refund = await deal.refund(bench.chain, view.locks[0], deal.payout)
    assert (await bench.chain.broadcast(refund.raw)).outcome is Broadcast.ACCEPTED
    await bench.undo(2)
    assert refund.txid not in await bench.mempool()
    assert "non-final" in (await bench.chain.broadcast(refund.raw)).reason


async def test_an_expired_lock_is_refunded_while_it_is_unconfirmed(bench: Bench) -> None:
    behind = bench.now() - (await bench.chain.status()).median_time
    deal = new_deal(bench, lasts=-behind - 1)
    bench.chain.watch(deal.watch(await bench.height()))
    await bench.pay(deal.script, deal.units)
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.depth == 0
    refund = await deal.refund(bench.chain, lock, deal.payout)
    assert (await bench.chain.broadcast(refund.raw)).outcome is Broadcast.ACCEPTED
    await bench.mine()
    assert await bench.newest_block() == sorted([lock.ref[:64], refund.txid])


# --- little room ---


async def test_what_was_seen_first_stays_where_nothing_is_replaced(hard_bench: Bench) -> None:
    purse = Purse(hard_bench)
    coins = await purse.coins(1, COIN)
    old = await purse.send(coins, fee=1_000)
    answer = await purse.submit(await purse.spend(coins, fee=1_000_000))
    assert (answer.outcome, answer.reason) == (Broadcast.REJECTED, "txn-mempool-conflict")
    child = await purse.send(old.coins, fee=50_000)
    assert await hard_bench.mempool() == sorted([old.txid, child.txid])
    await hard_bench.mine()
    assert await hard_bench.newest_block() == sorted([old.txid, child.txid])


async def test_a_child_pays_for_its_parent_where_blocks_are_full(hard_bench: Bench) -> None:
    purse = Purse(hard_bench)
    coins = await purse.coins(3, COIN)
    rich, poor, middling = [
        await purse.big(coin, rate=rate)
        for coin, rate in zip(coins, (3_000, 1_000, 2_000), strict=True)
    ]
    for tx in (rich, poor, middling):
        assert not (await purse.submit(tx)).reason
    child = await purse.send(poor.coins[:1], fee=300_000)
    await hard_bench.mine()
    assert await hard_bench.newest_block() == sorted([poor.txid, child.txid, rich.txid])
    await hard_bench.mine()
    assert await hard_bench.newest_block() == [middling.txid]


async def test_a_full_mempool_evicts_the_cheapest_and_asks_more_for_a_time(
    hard_bench: Bench,
) -> None:
    purse = Purse(hard_bench)
    coins = list(await purse.coins(60, COIN))
    relay, increment = await hard_bench.rates()
    assert await hard_bench.mempool_rate() == relay
    own = coins.pop()
    cheap = await purse.spend_at([own], rate=2_100)
    parent = await purse.spend_at([coins.pop()], rate=2_000)
    child = await purse.spend_at(parent.coins, rate=3_000)
    for tx in (cheap, parent, child):
        assert not (await purse.submit(tx)).reason
    rate = 4_000
    while parent.txid in await hard_bench.mempool():
        assert not (await purse.submit(await purse.big(coins.pop(), rate=rate))).reason
        rate += 100
    waiting = await hard_bench.mempool()
    assert not {cheap.txid, child.txid} & set(waiting)
    risen = await hard_bench.mempool_rate()
    # They made no room to speak of: the cheapest of the others went with them.
    assert 4_000 + increment <= risen <= 4_000 + increment + 1
    for tx in (cheap, parent):
        assert "mempool min fee not met" in (await purse.submit(tx)).reason
    dearer = await purse.spend_at([own], rate=risen)
    assert (await purse.submit(dearer)).outcome is Broadcast.ACCEPTED
    await hard_bench.mine()
    assert await hard_bench.mempool_rate() == risen
    await hard_bench.pass_time(12 * 3600)
    assert abs(2 * await hard_bench.mempool_rate() - risen) <= 4
    while await hard_bench.mempool():
        await hard_bench.mine()
    for _ in range(8):
        await hard_bench.pass_time(3 * 3600)
        assert await hard_bench.mempool_rate() >= relay
        await hard_bench.mine()
    assert await hard_bench.mempool_rate() == relay
    for tx in (parent, child):
        assert (await purse.submit(tx)).outcome is Broadcast.ACCEPTED
    assert MISSING in (await purse.submit(cheap)).reason
