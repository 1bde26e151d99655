"""On chains with outputs: the operator's wallet, and the coins that locks spend."""

import pytest

from protocol.bitcoin.tx import SEQUENCE_RBF, parse_tx
from swapd.ports import (
    Broadcast,
    Chain,
    Coin,
    FundsProofInvalid,
    InsufficientFunds,
    SignedLock,
    WalletLocked,
)
from tests.chains.bench import COIN, Bench
from tests.chains.htlc import RATE, Deal, new_deal, public, sign_with

CHALLENGE = bytes(range(32))


async def fund(chain: Chain, deal: Deal, rate: int = RATE) -> SignedLock:
    return await chain.fund(deal.leg, deal.hashlock, rate, deadline=deal.leg.expiry)


async def test_a_lock_pays_exactly_the_leg_from_confirmed_coins_at_the_rate(bench: Bench) -> None:
    await bench.give(2, COIN)
    deal = new_deal(bench, units=COIN // 3)
    lock = await fund(bench.chain, deal)
    tx = parse_tx(lock.tx.raw)
    txid, _, index = lock.ref.partition(":")
    assert txid == lock.tx.txid == tx.txid().hex()
    output = tx.outputs[int(index)]
    assert (output.script_pubkey, output.amount) == (deal.script, deal.units)
    assert len(tx.outputs) == 2
    assert [str(txin.outpoint) for txin in tx.inputs] == [coin.ref for coin in lock.coins]
    assert lock.tx.inputs == tuple(coin.ref for coin in lock.coins)
    assert len(lock.coins) == 1
    assert all(txin.sequence == SEQUENCE_RBF for txin in tx.inputs)
    assert lock.tx.fee == COIN - sum(out.amount for out in tx.outputs)
    needed = -(-tx.vsize() * RATE // 1000)
    assert needed <= lock.tx.fee <= needed + RATE // 1000  # signatures differ by a byte at times
    assert (await bench.chain.broadcast(lock.tx.raw)).outcome is Broadcast.ACCEPTED
    assert (await bench.chain.broadcast(lock.tx.raw)).outcome in {
        Broadcast.ACCEPTED,  # nodes take it again and announce it anew
        Broadcast.ALREADY_KNOWN,
    }
    await bench.mine()
    assert (await bench.chain.broadcast(lock.tx.raw)).outcome is Broadcast.ALREADY_KNOWN


async def test_a_lock_takes_the_smallest_coin_that_suffices(bench: Bench) -> None:
    for units in (5 * COIN, COIN, 2 * COIN):
        await bench.give(1, units)
    lock = await fund(bench.chain, new_deal(bench, units=COIN))
    assert [coin.units for coin in lock.coins] == [2 * COIN]


async def test_a_coin_that_a_reorganisation_could_take_is_the_last_choice(bench: Bench) -> None:
    """A lock on a coin that vanished would never confirm, and never be dead either."""
    await bench.give(1, 5 * COIN)
    await bench.mine(5)
    await bench.give(1, 2 * COIN)
    await bench.mine(4)
    first = await fund(bench.chain, new_deal(bench, units=COIN))
    assert [coin.units for coin in first.coins] == [5 * COIN]
    second = await fund(bench.chain, new_deal(bench, units=COIN))
    assert [coin.units for coin in second.coins] == [2 * COIN]


async def test_once_it_is_settled_the_smaller_coin_is_taken(bench: Bench) -> None:
    await bench.give(1, 5 * COIN)
    await bench.give(1, 2 * COIN)
    await bench.mine(5)
    lock = await fund(bench.chain, new_deal(bench, units=COIN))
    assert [coin.units for coin in lock.coins] == [2 * COIN]


async def test_a_change_that_would_be_dust_goes_to_the_fee(bench: Bench) -> None:
    await bench.give(1, COIN)
    lock = await fund(bench.chain, new_deal(bench, units=COIN - 900))
    assert len(parse_tx(lock.tx.raw).outputs) == 1
    assert lock.tx.fee == 900


async def test_unconfirmed_change_is_told_apart_from_having_nothing(bench: Bench) -> None:
    await bench.give(1, COIN)
    lock = await fund(bench.chain, new_deal(bench, units=COIN // 4))
    await bench.chain.broadcast(lock.tx.raw)
    with pytest.raises(InsufficientFunds, match="wait for the next block") as caught:
        await fund(bench.chain, new_deal(bench, units=COIN // 4))
    change = COIN - COIN // 4 - lock.tx.fee
    assert (caught.value.confirmed, caught.value.unconfirmed) == (0, change)
    with pytest.raises(InsufficientFunds) as caught:
        await fund(bench.chain, new_deal(bench, units=COIN))
    assert "wait" not in str(caught.value)
    await bench.mine()
    assert (await fund(bench.chain, new_deal(bench, units=COIN // 4))).coins[0].units == change


async def test_coins_that_are_not_native_segwit_are_left_alone(bench: Bench) -> None:
    await bench.give_legacy(COIN)
    with pytest.raises(InsufficientFunds):
        await fund(bench.chain, new_deal(bench, units=COIN // 2))
    balance = await bench.chain.balance()
    assert (balance.confirmed, balance.unusable, balance.coins) == (0, COIN, 0)


async def test_reserved_coins_are_never_spent_until_the_journal_lets_them_go(bench: Bench) -> None:
    await bench.give(2, COIN)
    lock = await fund(bench.chain, new_deal(bench, units=COIN // 2))
    [ref] = lock.tx.inputs
    again = bench.adapter()
    await again.set_reserved(frozenset({ref}))
    other = await fund(again, new_deal(bench, units=COIN // 2))
    assert ref not in other.tx.inputs
    balance = await again.balance()
    assert (balance.reserved, balance.confirmed) == (COIN, 0)
    await again.set_reserved(frozenset(other.tx.inputs))
    third = await fund(again, new_deal(bench, units=COIN // 2))
    assert third.tx.inputs == (ref,)


async def test_a_fresh_lock_holds_its_coins_before_the_journal_names_them(bench: Bench) -> None:
    await bench.give(1, COIN)
    await fund(bench.chain, new_deal(bench, units=COIN // 2))
    await bench.chain.set_reserved(frozenset())
    with pytest.raises(InsufficientFunds):
        await fund(bench.chain, new_deal(bench, units=COIN // 2))


async def test_the_cost_of_a_lock_is_what_it_then_takes(bench: Bench) -> None:
    await bench.give(3, COIN)
    units = 2 * COIN + COIN // 2
    cost = await bench.chain.reserved_units(units, RATE)
    lock = await fund(bench.chain, new_deal(bench, units=units))
    assert units + lock.tx.fee <= cost <= units + lock.tx.fee + 3 * 2 * RATE // 1000
    with pytest.raises(InsufficientFunds):
        await bench.chain.reserved_units(units, RATE)


async def test_a_kill_pays_for_a_dear_child_of_the_lock_too(bench: Bench) -> None:
    await bench.give(1, COIN)
    deal = new_deal(bench, units=COIN // 2)
    lock = await fund(bench.chain, deal)
    bench.chain.watch(deal.watch(await bench.height(), lock.tx.inputs))
    await bench.chain.broadcast(lock.tx.raw)
    [seen] = (await bench.chain.view(deal.name)).locks
    child = await deal.claim(bench.chain, seen, deal.payout, rate=40 * RATE)
    assert (await bench.chain.broadcast(child.raw)).outcome is Broadcast.ACCEPTED
    kill = await bench.chain.build_kill(lock, RATE)
    assert kill.fee > lock.tx.fee + child.fee
    assert (await bench.chain.broadcast(kill.raw)).outcome is Broadcast.ACCEPTED


async def test_a_locked_wallet_is_named_when_something_must_be_signed(bench: Bench) -> None:
    await bench.give(1, COIN)
    await bench.lock_wallet()
    with pytest.raises(WalletLocked, match="walletpassphrase"):
        await fund(bench.chain, new_deal(bench, units=COIN // 2))
    with pytest.raises(WalletLocked):
        await bench.chain.prove_funds(CHALLENGE, COIN)
    with pytest.raises(WalletLocked):
        await bench.chain.reserved_units(COIN // 2, RATE)
    with pytest.raises(WalletLocked):
        await bench.chain.build_split(2, COIN // 10, RATE)


async def test_a_split_makes_so_many_coins(bench: Bench) -> None:
    await bench.give(1, COIN)
    split = await bench.chain.build_split(5, COIN // 10, RATE)
    assert (await bench.chain.broadcast(split.raw)).outcome is Broadcast.ACCEPTED
    await bench.mine()
    balance = await bench.chain.balance()
    assert (balance.coins, balance.confirmed) == (6, COIN - split.fee)
    for count, units in ((0, COIN), (1000, COIN), (1, 1)):
        with pytest.raises(ValueError, match="coins"):
            await bench.chain.build_split(count, units, RATE)


async def test_our_own_addresses_are_swept(bench: Bench) -> None:
    secrets = [bytes([7]) * 32, bytes([8]) * 32]
    addresses = [bench.chain.address_of(public(secret)) for secret in secrets]
    refs = []
    for address in addresses:
        script = bench.chain.check_address(address)
        txid = await bench.pay(script, COIN // 10)
        bench.chain.watch(new_deal(bench).watch(await bench.height()))
        refs.extend([f"{txid}:0", f"{txid}:1"])
    assert await bench.chain.unspent(addresses, refs) == ()
    await bench.mine()
    coins = await bench.chain.unspent(addresses, refs)
    assert [coin.units for coin in coins] == [COIN // 10] * 2
    destination = await bench.chain.wallet_address()
    signers = [(public(secret), sign_with(secret)) for secret in secrets]
    sweep = await bench.chain.build_sweep(coins, signers, destination, RATE)
    assert (await bench.chain.broadcast(sweep.raw)).outcome is Broadcast.ACCEPTED
    assert await bench.chain.unspent(addresses, refs) == ()
    await bench.mine()
    assert (await bench.chain.balance()).confirmed == 2 * (COIN // 10) - sweep.fee


async def test_coins_that_nobody_remembers_are_found_by_their_addresses(bench: Bench) -> None:
    addresses = [bench.chain.address_of(public(bytes([n]) * 32)) for n in (21, 22, 23)]
    scripts = [bench.chain.check_address(address) for address in addresses]
    assert await bench.chain.search(addresses) == ()
    for script, units in zip(scripts[:2], (COIN, COIN // 2), strict=True):
        await bench.pay(script, units)
    assert await bench.chain.search(addresses) == ()
    await bench.mine()
    found = await bench.chain.search(addresses)
    assert {(coin.script_pubkey, coin.units) for coin in found} == {
        (scripts[0], COIN),
        (scripts[1], COIN // 2),
    }
    assert set(await bench.chain.unspent(addresses, [coin.ref for coin in found])) == set(found)


async def test_a_proof_of_funds_ends_with_its_coins(bench: Bench) -> None:
    await bench.give(1, COIN)
    proof = await bench.chain.prove_funds(CHALLENGE, COIN)
    await bench.operator_spends(proof.refs[0])
    for _ in range(2):
        with pytest.raises(FundsProofInvalid, match="spent"):
            await bench.stranger().check_funds(proof, CHALLENGE, COIN)
        await bench.mine()


async def test_a_claim_never_costs_more_than_the_lock_is_worth(bench: Bench) -> None:
    deal = new_deal(bench, units=100_000)
    bench.chain.watch(deal.watch(await bench.height()))
    await bench.pay(deal.script, deal.units)
    await bench.mine()
    [lock] = (await bench.chain.view(deal.name)).locks
    claim = await deal.claim(bench.chain, lock, deal.payout, rate=10_000_000)
    assert claim.fee < deal.units
    assert (await bench.chain.broadcast(claim.raw)).outcome is Broadcast.ACCEPTED


async def test_unknown_coins_are_not_unspent(bench: Bench) -> None:
    address = bench.chain.address_of(public(bytes([9]) * 32))
    assert await bench.chain.unspent([address], ["11" * 32 + ":0"]) == ()
    assert Coin("11" * 32 + ":0", 1, b"") not in await bench.chain.unspent([], [])
