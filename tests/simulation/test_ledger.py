"""The simulated chain keeps the rules of the chains that it stands for.

Where a figure is a node's, tests/chains asks real nodes for the same behaviour.
"""

import itertools
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation.ledger import Ledger, SimTx
from tests.simulation.recount import recount

START = 1_700_000_000
INTERVAL = 600
_names = itertools.count()


def ledger(**more: object) -> Ledger:
    return Ledger(start=START, interval=INTERVAL, **more)  # type: ignore[arg-type]  # as given


def pay(
    chain: Ledger,
    refs: Sequence[str],
    *,
    rate: int = 2000,
    vsize: int = 200,
    outputs: int = 1,
    to: str = "payee",
    lock_time: int = 0,
    name: str = "",
) -> SimTx:
    """All of `refs`, in equal parts, less the fee."""
    total = 0
    for ref in refs:
        output = chain.output(ref)
        assert output is not None
        total += output[1]
    part = (total - rate * vsize // 1000) // outputs
    fee = total - part * outputs
    paid = ((to, part),) * outputs
    return SimTx(name or f"tx{next(_names)}", tuple(refs), paid, fee, vsize, lock_time)


def mine(chain: Ledger, count: int = 1) -> None:
    for _ in range(count):
        chain.mine(chain.tip_time + INTERVAL)


def test_a_payment_is_seen_in_the_mempool_then_deeper_with_each_block() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 10_000)
    tx = pay(chain, [coin], to="bob")
    assert chain.submit(tx) == ""
    assert chain.submit(tx) == "known"
    assert chain.depth(tx.txid) == 0
    assert chain.spender(coin) == (tx, 0)
    assert chain.paying("bob") == [(f"{tx.txid}:0", 9_600, 0, False)]
    mine(chain, 3)
    assert chain.depth(tx.txid) == 3
    assert chain.spender(coin) == (tx, 3)
    assert chain.spend_in_block(coin) == (tx, chain.height - 2)
    assert chain.paying("bob") == [(f"{tx.txid}:0", 9_600, 3, False)]
    assert chain.unspent("alice") == []
    assert chain.mempool == {}


def test_a_node_forgets_a_confirmed_transaction_once_all_its_outputs_are_spent() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 10_000)
    first = pay(chain, [coin])
    chain.submit(first)
    mine(chain)
    assert chain.submit(first) == "known"
    chain.submit(pay(chain, [f"{first.txid}:0"]))
    assert chain.submit(first) == "known"
    mine(chain)
    assert chain.submit(first) == "bad-txns-inputs-missingorspent"


def test_what_was_spent_in_a_block_cannot_be_spent_again() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 10_000)
    chain.submit(pay(chain, [coin]))
    mine(chain)
    assert chain.submit(pay(chain, [coin], rate=9000)) == "bad-txns-inputs-missingorspent"


def test_a_fee_that_does_not_add_up_is_the_tests_own_fault() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 10_000)
    with pytest.raises(ValueError, match="its fee is 500; it is 400"):
        chain.submit(SimTx("x", (coin,), (("bob", 9_600),), 500, 200))
    assert chain.submit(SimTx("x", (coin,), (("bob", 10_001),), 0, 200)) == "bad-txns-in-belowout"


def test_the_relay_rate_is_asked_of_everybody() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 10_000)
    assert chain.submit(pay(chain, [coin], rate=995)) == "min relay fee not met"
    assert chain.submit(pay(chain, [coin], rate=1000)) == ""


# --- time ---


def test_a_refund_waits_for_six_blocks_after_its_time() -> None:
    chain = ledger()
    [coin] = chain.grant("lock", 10_000)
    expiry = chain.tip_time
    refund = pay(chain, [coin], lock_time=expiry)
    for block in range(1, 7):
        assert chain.submit(refund) == "non-final"
        chain.mine(expiry + block)
    assert chain.median_time == expiry + 1
    assert chain.submit(refund) == ""


def test_a_block_comes_after_the_median_time() -> None:
    chain = ledger()
    chain.mine(chain.median_time + 1)
    with pytest.raises(ValueError, match="not after the median time"):
        chain.mine(chain.median_time)


def test_a_coinbase_is_spent_in_the_hundredth_block_after_it_at_the_earliest() -> None:
    chain = ledger()
    block = chain.mine(chain.tip_time + INTERVAL, coinbase_to="miner")
    [coin] = chain.paying("miner")
    assert (coin.units, coin.depth, coin.is_coinbase) == (5_000_000_000, 1, True)
    mine(chain, 98)
    tx = pay(chain, [coin.ref])
    assert chain.submit(tx) == "bad-txns-premature-spend-of-coinbase"
    mine(chain)
    assert chain.submit(tx) == ""
    mine(chain)
    assert chain.spend_in_block(coin.ref) == (tx, block.height + 100)


# --- replacement ---


def test_a_replacement_pays_for_all_that_it_evicts_and_for_its_own_way() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 100_000)
    old = pay(chain, [coin], rate=2000)  # fee 400
    chain.submit(old)
    child = pay(chain, [f"{old.txid}:0"], rate=5000)  # fee 1000
    chain.submit(child)
    # 400 + 1000 replaced, and 200 vB at 1000 per 1000: 1600 in all.
    assert chain.submit(pay(chain, [coin], rate=7995)) == "insufficient fee"
    new = pay(chain, [coin], rate=8000)
    assert chain.submit(new) == ""
    assert list(chain.mempool) == [new.txid]
    assert chain.paying("payee") == [(f"{new.txid}:0", 98_400, 0, False)]


def test_a_replacement_also_has_the_higher_rate() -> None:
    chain = ledger()
    coins = chain.grant("alice", 100_000, 2)
    chain.submit(pay(chain, coins[:1], rate=5000, vsize=200))
    for rate in (4000, 5000):
        larger = pay(chain, coins, rate=rate, vsize=1000)
        assert larger.fee > 1000 + 1000
        assert chain.submit(larger) == "insufficient fee"
    assert chain.submit(pay(chain, coins, rate=5001, vsize=1000)) == ""


def test_a_replacement_brings_no_new_unconfirmed_parents() -> None:
    chain = ledger()
    coins = chain.grant("alice", 100_000, 2)
    parent = pay(chain, coins[:1])
    chain.submit(parent)
    chain.submit(pay(chain, coins[1:]))
    new = pay(chain, [coins[1], f"{parent.txid}:0"], rate=9000)
    assert chain.submit(new) == "replacement-adds-unconfirmed"


def test_a_replacement_does_not_spend_what_it_evicts() -> None:
    chain = ledger()
    coins = chain.grant("alice", 100_000, 2)
    old = pay(chain, coins, outputs=2)
    chain.submit(old)
    new = pay(chain, [coins[0], f"{old.txid}:1"], rate=9000)
    assert chain.submit(new) == "bad-txns-spends-conflicting-tx"


def test_a_chain_that_does_not_replace_keeps_the_first() -> None:
    chain = ledger(replaces=False)
    [coin] = chain.grant("alice", 100_000)
    chain.submit(pay(chain, [coin]))
    assert chain.submit(pay(chain, [coin], rate=90_000)) == "txn-mempool-conflict"


# --- families ---


def test_a_chain_of_25_unconfirmed_transactions_is_the_longest() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 10_000_000)
    for _ in range(25):
        tx = pay(chain, [coin])
        assert chain.submit(tx) == ""
        coin = f"{tx.txid}:0"
    assert chain.submit(pay(chain, [coin])) == "too-long-mempool-chain"
    mine(chain)
    assert chain.submit(pay(chain, [coin])) == ""


def test_a_parent_has_25_descendants_and_one_small_one_more() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 10_000_000)
    parent = pay(chain, [coin], outputs=30)
    chain.submit(parent)
    children = [pay(chain, [f"{parent.txid}:{index}"]) for index in range(26)]
    assert [chain.submit(child) for child in children[:24]] == [""] * 24
    assert chain.submit(pay(chain, [f"{parent.txid}:29"], vsize=10_001)) == "too-long-mempool-chain"
    grandchild = pay(chain, [f"{children[0].txid}:0"])
    assert chain.submit(grandchild) == "too-long-mempool-chain"
    assert chain.submit(children[24]) == ""
    assert chain.submit(children[25]) == "too-long-mempool-chain"


def test_a_child_pays_for_its_parent_when_blocks_are_full() -> None:
    chain = ledger()
    coins = chain.grant("alice", 100_000, 3)
    rich = pay(chain, coins[:1], rate=3000)
    poor = pay(chain, coins[1:2], rate=1000)
    middling = pay(chain, coins[2:], rate=2500)
    for tx in (rich, poor, middling):
        chain.submit(tx)
    child = pay(chain, [f"{poor.txid}:0"], rate=9000)  # with its parent: 5000
    chain.submit(child)
    block = chain.mine(chain.tip_time + INTERVAL, most_vsize=400)
    assert [tx.txid for tx in block.txs[1:]] == [poor.txid, child.txid]
    block = chain.mine(chain.tip_time + INTERVAL, most_vsize=200)
    assert [tx.txid for tx in block.txs[1:]] == [rich.txid]


def test_a_child_is_worth_no_more_than_it_and_its_parents_together() -> None:
    chain = ledger()
    coins = chain.grant("alice", 100_000, 3)
    rich, middling = pay(chain, coins[:1], rate=3000), pay(chain, coins[1:2], rate=2500)
    poor = pay(chain, coins[2:], rate=1000)
    for tx in (rich, middling, poor):
        chain.submit(tx)
    chain.submit(pay(chain, [f"{poor.txid}:0"], rate=3500))  # with its parent: 2250
    block = chain.mine(chain.tip_time + INTERVAL, most_vsize=400)
    assert block.txs[1:] == (rich, middling)


def test_a_second_child_need_not_pay_for_the_parent_again() -> None:
    chain = ledger()
    coins = chain.grant("alice", 100_000, 2)
    poor, other = pay(chain, coins[:1], rate=1000, outputs=2), pay(chain, coins[1:], rate=2000)
    chain.submit(poor)
    chain.submit(other)
    children = [
        pay(chain, [f"{poor.txid}:{index}"], rate=rate) for index, rate in enumerate((9000, 2400))
    ]
    for child in children:
        chain.submit(child)
    block = chain.mine(chain.tip_time + INTERVAL, most_vsize=600)
    assert block.txs[1:] == (poor, *children)


def test_miners_wait_until_somebody_pays_for_what_a_reorganisation_left() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 100_000)
    free = pay(chain, [coin], rate=0)
    chain.connect(chain.tip_time + 1, [free])
    chain.undo(1)
    assert list(chain.mempool) == [free.txid]
    mine(chain)
    assert chain.depth(free.txid) == 0
    child = pay(chain, [f"{free.txid}:0"], rate=2000)
    chain.submit(child)
    assert chain.mine(chain.tip_time + INTERVAL).txs[1:] == (free, child)


def test_a_block_ends_what_conflicts_with_it_and_all_that_depends_on_that() -> None:
    chain = ledger()
    coins = chain.grant("alice", 100_000, 2)
    loser, kept = pay(chain, coins[:1]), pay(chain, coins[1:])
    chain.submit(loser)
    chain.submit(kept)
    chain.submit(pay(chain, [f"{loser.txid}:0"]))
    chain.connect(chain.tip_time + INTERVAL, [pay(chain, coins[:1], to="winner")])
    assert list(chain.mempool) == [kept.txid]


def test_what_a_miner_leaves_out_waits_with_all_that_depends_on_it() -> None:
    chain = ledger()
    coins = chain.grant("alice", 100_000, 2)
    parent, other = pay(chain, coins[:1]), pay(chain, coins[1:])
    child = pay(chain, coins[:1])
    chain.submit(parent)
    child = pay(chain, [f"{parent.txid}:0"], rate=50_000)
    chain.submit(child)
    chain.submit(other)
    block = chain.mine(chain.tip_time + INTERVAL, exclude={parent.txid})
    assert block.txs[1:] == (other,)
    assert chain.mine(chain.tip_time + INTERVAL, only=[child.txid]).txs[1:] == ()
    assert chain.mine(chain.tip_time + INTERVAL, only=[parent.txid]).txs[1:] == (parent,)


# --- a full mempool ---


def test_a_full_mempool_drops_the_cheapest_family_and_asks_more_of_newcomers() -> None:
    chain = ledger(mempool_limit=1000)
    coins = chain.grant("alice", 100_000, 6)
    cheap = pay(chain, coins[:1], rate=1500, vsize=300)
    chain.submit(cheap)
    child = pay(chain, [f"{cheap.txid}:0"], rate=1700, vsize=300)
    chain.submit(child)
    assert chain.submit(pay(chain, coins[1:2], rate=4000, vsize=400)) == ""
    assert chain.mempool_min_rate == 1000
    assert chain.submit(pay(chain, coins[2:3], rate=4000, vsize=300)) == ""
    assert cheap.txid not in chain.mempool
    assert child.txid not in chain.mempool
    assert chain.mempool_min_rate == 2600  # (450 + 510) * 1000 / 600, and the increment
    assert chain.submit(cheap) == "mempool min fee not met"
    assert chain.submit(pay(chain, coins[0:1], rate=2600, vsize=300)) == ""
    assert chain.submit(pay(chain, coins[3:4], rate=2600, vsize=300)) == "mempool full"


def test_the_minimum_falls_by_half_in_three_hours_once_there_is_room() -> None:
    chain = ledger(mempool_limit=1000)
    chain.crowd(9000, 1001)
    assert chain.mempool_min_rate == 10_000
    mine(chain)
    assert chain.mempool_min_rate == 10_000
    for _ in range(18):
        mine(chain)
    assert 4_990 <= chain.mempool_min_rate <= 5_010
    for _ in range(7 * 18):
        mine(chain)
    assert chain.mempool_min_rate == 1000


def test_other_people_take_the_space_of_those_who_pay_less() -> None:
    chain = ledger(block_vsize=10_000)
    coins = chain.grant("alice", 1_000_000, 2)
    chain.crowd(5000, 15_000)
    below, above = pay(chain, coins[:1], rate=5000), pay(chain, coins[1:], rate=5005)
    chain.submit(below)
    chain.submit(above)
    assert chain.next_block_rate == 5001
    assert chain.mine(chain.tip_time + INTERVAL).txs[1:] == (above,)
    assert chain.mine(chain.tip_time + INTERVAL).txs[1:] == (below,)
    assert chain.next_block_rate == 1000


def test_an_evicted_transaction_takes_its_children_along_and_may_come_again() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 100_000)
    parent = pay(chain, [coin])
    chain.submit(parent)
    child = pay(chain, [f"{parent.txid}:0"])
    chain.submit(child)
    assert chain.evict(parent.txid) == (parent.txid, child.txid)
    assert chain.depth(parent.txid) is None
    assert chain.spender(coin) is None
    assert chain.evict(parent.txid) == ()
    assert chain.submit(child) == "bad-txns-inputs-missingorspent"
    assert [chain.submit(parent), chain.submit(child)] == ["", ""]


# --- reorganisations ---


def test_undone_blocks_return_their_transactions_to_the_mempool() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 100_000)
    tip = chain.tip_id
    parent = pay(chain, [coin])
    chain.submit(parent)
    mine(chain)
    child = pay(chain, [f"{parent.txid}:0"])
    chain.submit(child)
    mine(chain)
    waiting = pay(chain, [f"{child.txid}:0"])
    chain.submit(waiting)
    gone = chain.undo(2)
    assert [len(block.txs) for block in gone] == [2, 2]
    assert chain.tip_id == tip
    assert list(chain.mempool) == [parent.txid, child.txid, waiting.txid]
    assert chain.spender(coin) == (parent, 0)
    mine(chain)
    assert chain.depth(waiting.txid) == 1
    assert chain.tip_id not in {tip, *(block.block_id for block in gone)}


def test_a_rival_branch_makes_double_spent_transactions_vanish_with_their_children() -> None:
    chain = ledger()
    coins = chain.grant("alice", 100_000, 2)
    paid, kept = pay(chain, coins[:1]), pay(chain, coins[1:])
    chain.submit(paid)
    chain.submit(kept)
    mine(chain)
    child = pay(chain, [f"{paid.txid}:0"])
    chain.submit(child)
    thief = pay(chain, coins[:1], to="thief")
    height = chain.height
    now = chain.tip_time
    chain.fork(1, [(now + 1, [thief]), (now + 2, [])])
    assert chain.height == height + 1
    assert list(chain.mempool) == [kept.txid]
    assert chain.spender(coins[0]) == (thief, 2)
    assert chain.submit(paid) == "bad-txns-inputs-missingorspent"


def test_a_refund_leaves_the_mempool_when_a_reorganisation_turns_time_back() -> None:
    chain = ledger()
    [coin] = chain.grant("lock", 100_000)
    expiry = chain.tip_time
    for block in range(1, 7):
        chain.mine(expiry + block)
    refund = pay(chain, [coin], lock_time=expiry)
    assert chain.submit(refund) == ""
    chain.undo(1)
    assert chain.mempool == {}
    chain.mine(expiry + 7)
    assert chain.submit(refund) == ""


def test_a_block_that_breaks_a_rule_is_refused() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 100_000)
    one, two = pay(chain, [coin]), pay(chain, [coin])
    with pytest.raises(ValueError, match="missingorspent"):
        chain.connect(chain.tip_time + 1, [one, two])
    early = pay(chain, [coin], lock_time=chain.median_time)
    with pytest.raises(ValueError, match="non-final"):
        chain.connect(chain.tip_time + 1, [early])
    free = pay(chain, [coin], rate=0)
    chain.connect(chain.tip_time + 1, [free])
    assert chain.depth(free.txid) == 1


# --- everything at once ---


def _wander(seed: int, steps: int) -> Ledger:
    """A chain on which anything happens, seldom what is allowed."""
    rng = random.Random(seed)
    chain = ledger(mempool_limit=rng.choice([None, 2500]), replaces=rng.random() < 0.7)
    chain.grant("all", 100_000, 8)
    for step in range(steps):
        what = rng.random()
        if what < 0.6:
            everything = chain.paying("all")
            picked = rng.sample(everything, min(len(everything), rng.choice([1, 1, 2])))
            tx = pay(
                chain,
                [paid.ref for paid in picked],
                rate=rng.choice([900, 1000, 2000, 5000, 20_000]),
                outputs=rng.choice([1, 2]),
                to="all",
                lock_time=rng.choice([0, 0, chain.median_time + 300]),
                name=f"{seed}.{step}",
            )
            if tx.outputs[0][1] > 0:
                chain.submit(tx)
        elif what < 0.8:
            chain.mine(
                chain.median_time + rng.choice([1, 600, 3600]),
                most_vsize=rng.choice([None, 400]),
                exclude=list(chain.mempool)[: rng.choice([0, 0, 1])],
                coinbase_to=rng.choice([None, "all"]),
            )
        elif what < 0.9:
            chain.undo(min(chain.height - 11, rng.randrange(4)))
        elif chain.mempool:
            chain.evict(rng.choice(list(chain.mempool)))
    return chain


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_indexes_agree_with_a_recount_and_coins_are_conserved(seed: int) -> None:
    chain = _wander(seed, 120)
    counted = recount(chain.blocks)
    assert counted.faults == ()
    assert counted.total == counted.issued
    confirmed = {p.ref: p.units for p in chain.unspent("all", mempool=False)}
    assert confirmed == {
        ref: units for ref, (script, units) in counted.unspent.items() if script == "all"
    }
    assert chain.pool.vsize == sum(tx.vsize for tx in chain.mempool.values())
    spent = [ref for tx in chain.mempool.values() for ref in tx.spends]
    assert sorted(spent) == sorted(chain.pool.spending)
    there = set(counted.unspent)
    for tx in chain.mempool.values():
        assert there.issuperset(tx.spends)
        assert tx.lock_time < chain.median_time
        there.update(f"{tx.txid}:{index}" for index in range(len(tx.outputs)))
        there.difference_update(tx.spends)


def test_one_seed_makes_one_chain() -> None:
    first, second = _wander(7, 300), _wander(7, 300)
    assert first.blocks == second.blocks
    assert list(first.mempool) == list(second.mempool)


def test_a_recount_finds_what_was_tampered_with() -> None:
    chain = ledger()
    [coin] = chain.grant("alice", 100_000)
    tx = pay(chain, [coin])
    chain.submit(tx)
    mine(chain)
    sound = chain.blocks
    twice = [*sound, sound[-1]._replace(time=sound[-1].time + 1)]
    assert any("not there, or spent" in fault for fault in recount(twice).faults)
    richer = tx._replace(outputs=(("payee", 99_999),))
    forged = [*sound[:-1], sound[-1]._replace(txs=(sound[-1].txs[0], richer))]
    assert any("makes or loses coins" in fault for fault in recount(forged).faults)


def test_a_copy_goes_its_own_way() -> None:
    chain = ledger()
    coins = chain.grant("alice", 100_000, 2)
    chain.submit(pay(chain, coins[:1]))
    twin = chain.copy()
    height = twin.height
    other = pay(twin, coins[1:])
    assert twin.submit(other) == ""
    mine(chain)
    assert (twin.height, chain.height) == (height, height + 1)
    assert chain.depth(other.txid) is None
    assert len(twin.mempool) == 2
    assert twin.is_unspent(coins[0], mempool=False)
    assert not chain.is_unspent(coins[0])
    assert twin.paying("payee")[0].depth == 0
