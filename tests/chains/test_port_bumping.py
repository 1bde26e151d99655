"""On chains with outputs: dearer locks, what a replacement must beat, children."""

import hashlib

import pytest

from protocol.bitcoin.address import address_of, hash160, p2wpkh_script
from swapd.ports import Broadcast, Coin, InsufficientFunds
from tests.chains.bench import COIN, Bench
from tests.chains.htlc import RATE, new_deal, public, sign_with


async def test_a_dearer_lock_never_takes_other_coins_than_its_own(bench: Bench) -> None:
    """Whatever spends one of them must kill every version."""
    await bench.give(2, COIN)
    deal = new_deal(bench, units=COIN - 2_000)
    first = await bench.chain.fund(deal.leg, deal.hashlock, RATE, deadline=deal.leg.expiry)
    assert len(first.coins) == 1
    with pytest.raises(InsufficientFunds):
        await bench.chain.fund(deal.leg, deal.hashlock, 20 * RATE, first, deadline=deal.leg.expiry)


async def test_the_wallet_remembers_a_lock_that_hangs_for_whoever_forgot_it(bench: Bench) -> None:
    await bench.give(2, COIN)
    since = await bench.height()
    deal = new_deal(bench, units=COIN // 2)
    assert await bench.chain.sent_lock(deal.leg, deal.hashlock, since) is None
    sent = await bench.chain.fund(deal.leg, deal.hashlock, RATE, deadline=deal.leg.expiry)
    assert await bench.chain.sent_lock(deal.leg, deal.hashlock, since) is None, "it was not sent"
    assert (await bench.chain.broadcast(sent.tx.raw)).outcome is Broadcast.ACCEPTED
    await bench.pay(deal.script, deal.units + 1)  # by a wallet, and no lock
    other = new_deal(bench, units=COIN // 2)
    assert await bench.chain.sent_lock(other.leg, other.hashlock, since) is None
    found = await bench.chain.sent_lock(deal.leg, deal.hashlock, since)
    assert found is not None
    assert (found.ref, found.coins) == (sent.ref, sent.coins)
    assert (found.tx.raw, found.tx.txid, found.tx.fee) == (sent.tx.raw, sent.tx.txid, sent.tx.fee)
    kill = await bench.chain.build_kill(found, 2 * RATE)
    assert (await bench.chain.broadcast(kill.raw)).outcome is Broadcast.ACCEPTED
    await bench.mine()
    assert await bench.chain.sent_lock(deal.leg, deal.hashlock, since) is None, "it is dead"


async def test_a_spend_in_the_mempool_says_what_a_replacement_must_beat(bench: Bench) -> None:
    deal = new_deal(bench)
    since = await bench.height()
    await bench.pay(deal.script, deal.units)
    await bench.mine()
    bench.chain.watch(deal.watch(since))
    [lock] = (await bench.chain.view(deal.name)).locks
    claim = await deal.claim(bench.chain, lock, deal.payout)
    assert (await bench.chain.broadcast(claim.raw)).outcome is Broadcast.ACCEPTED
    view = await bench.chain.view(deal.name)
    [lock] = view.locks
    assert lock.spend is not None
    assert lock.spend.to_beat == claim.fee
    assert view.fee_increment > 0
    assert view.replaces is bench.params.replaces
    rival = await deal.claim(bench.chain, lock, deal.payout, claim.fee_rate + view.fee_increment)
    assert (await bench.chain.broadcast(rival.raw)).outcome is Broadcast.ACCEPTED
    await bench.mine()
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.spend is not None
    assert (lock.spend.txid, lock.spend.to_beat) == (rival.txid, 0)


async def test_a_child_lifts_a_claim_and_what_must_be_beaten_grows_by_its_fee(
    bench: Bench,
) -> None:
    deal = new_deal(bench)
    secret = hashlib.sha256(f"{deal.name}/child".encode()).digest()
    script = p2wpkh_script(hash160(public(secret)))
    address = address_of(bench.params, script)
    since = await bench.height()
    await bench.pay(deal.script, deal.units)
    await bench.mine()
    bench.chain.watch(deal.watch(since))
    [lock] = (await bench.chain.view(deal.name)).locks
    claim = await deal.claim(bench.chain, lock, address)
    assert (await bench.chain.broadcast(claim.raw)).outcome is Broadcast.ACCEPTED
    coin = Coin(f"{claim.txid}:0", deal.units - claim.fee, script)
    signer = (public(secret), sign_with(secret))
    child = await bench.chain.build_sweep((coin,), (signer,), address, 50_000)
    assert child.fee == 110 * 50
    assert (await bench.chain.broadcast(child.raw)).outcome is Broadcast.ACCEPTED
    again = await bench.chain.broadcast(child.raw)
    assert again.outcome is not Broadcast.REJECTED, "sent again at each look"
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.spend is not None
    assert lock.spend.to_beat == claim.fee + child.fee
    await bench.mine()
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.spend is not None
    assert lock.spend.depth == 1
    refs = (f"{claim.txid}:0", f"{child.txid}:0")
    left = await bench.chain.unspent((address,), refs)
    assert [(c.ref, c.units) for c in left] == [(refs[1], coin.units - child.fee)]


async def test_a_refund_as_a_child_brings_a_sent_lock_in(bench: Bench) -> None:
    deal = new_deal(bench, lasts=60)
    bench.chain.watch(deal.watch(await bench.height()))
    while (await bench.chain.status()).median_time <= deal.expiry:
        await bench.mine()
    await bench.pay(deal.script, deal.units)
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.depth == 0
    refund = await deal.refund(bench.chain, lock, deal.payout, 10 * RATE)
    assert (await bench.chain.broadcast(refund.raw)).outcome is Broadcast.ACCEPTED
    await bench.mine()
    [lock] = (await bench.chain.view(deal.name)).locks
    assert lock.spend is not None
    assert (lock.depth, lock.spend.depth, lock.spend.txid) == (1, 1, refund.txid)
