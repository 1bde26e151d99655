"""What the port to a chain promises, whatever kind of chain it is: the same tests on the fake, on
bitcoind, on litecoind, and on anvil with its own coin and with a token."""

import pytest
import trio

from protocol.kinds import pays_own_fees
from protocol.swap.facts import SpendKind
from swapd.ports import Broadcast, FundsProof, FundsProofInvalid, InsufficientFunds
from tests.chains.stage import Stage, depths, funded, locked, seen, sent, spent

CHALLENGE = bytes(range(32))


# --- locks -------------------------------------------------------------------------------------


async def test_a_lock_gets_deeper_with_each_block_for_both_sides(stage: Stage) -> None:
    deal = await stage.deal()
    stage.claimer.watch(deal.watch(await stage.height()))
    lock = await funded(stage, deal)
    for chain in (stage.locker, stage.claimer):
        assert (await chain.view(deal.name)).locks == ()
    await sent(stage.locker, lock.tx)
    own = await seen(stage.locker, deal)
    assert (own.ref, own.units, own.depth, own.ours) == (lock.ref, stage.units, 0, True)
    for depth in (1, 2, 3):
        await stage.mine()
        for chain in (stage.locker, stage.claimer):
            view = await chain.view(deal.name)
            [found] = view.locks
            assert (found.ref, found.units, found.depth) == (lock.ref, stage.units, depth)
            assert (found.spend, view.conflict) == (None, None)
            assert found.ours is (chain is stage.locker)
            assert view.tip_height == await stage.height()
    assert (await seen(stage.claimer, deal)).raw == lock.tx.raw, "kept to be sent again"


async def test_two_watches_see_each_their_own(stage: Stage) -> None:
    one, two = await stage.deal(), await stage.deal()
    since = await stage.height()
    stage.claimer.watch(one.watch(since))
    stage.claimer.watch(two.watch(since))
    locks = [await funded(stage, one), await funded(stage, two)]
    await stage.locker.set_reserved(frozenset(c.ref for lock in locks for c in lock.coins))
    await sent(stage.locker, locks[0].tx)
    await stage.mine()
    assert (await seen(stage.claimer, one)).ref == locks[0].ref
    assert depths(await stage.claimer.view(two.name)) == []
    await sent(stage.locker, locks[1].tx)
    await stage.mine()
    stage.claimer.unwatch(one.name)
    found = await seen(stage.claimer, two)
    assert (found.ref, found.depth) == (locks[1].ref, 1)


async def test_a_dearer_lock_spends_the_same_coins_and_takes_its_place(stage: Stage) -> None:
    deal = await stage.deal()
    first = await funded(stage, deal)
    await sent(stage.locker, first.tx)
    rate = 3 * stage.rate
    second = await stage.locker.fund(
        deal.leg, deal.hashlock, rate, first, deadline=deal.leg.expiry - 1
    )
    assert second.coins == first.coins
    assert second.tx.fee_rate * 8 >= 9 * first.tx.fee_rate
    await sent(stage.locker, second.tx)
    view = await stage.locker.view(deal.name)
    assert [lock.ref for lock in view.locks] == [second.ref]
    assert view.conflict is None, "a version of the lock is no conflict"
    await stage.mine()
    found = await seen(stage.locker, deal)
    assert (found.ref, found.depth) == (second.ref, 1)
    assert (await stage.locker.broadcast(first.tx.raw)).outcome is Broadcast.REJECTED


async def test_two_locks_at_once_never_share_what_only_one_can_spend(stage: Stage) -> None:
    one, two = await stage.deal(), await stage.deal()
    coins: list[str] = []

    async def lock(name: str, leg: object) -> None:
        deal = one if name == one.name else two
        made = await stage.locker.fund(
            deal.leg, deal.hashlock, stage.rate, deadline=deal.leg.expiry - 1
        )
        coins.extend(coin.ref for coin in made.coins)

    async with trio.open_nursery() as nursery:
        for deal in (one, two):
            nursery.start_soon(lock, deal.name, deal.leg)
    assert len(coins) == len(set(coins)) == 2


async def test_what_the_journal_holds_is_spent_by_no_other_lock_after_a_start(
    stage: Stage,
) -> None:
    held = await funded(stage, await stage.deal())
    again = stage.restarted()
    await again.set_reserved(frozenset(coin.ref for coin in held.coins))
    deal = await stage.deal()
    other = await again.fund(deal.leg, deal.hashlock, stage.rate, deadline=deal.leg.expiry - 1)
    assert not {c.ref for c in held.coins} & {c.ref for c in other.coins}


async def test_a_lock_that_was_sent_is_remembered_for_whoever_forgot_it(stage: Stage) -> None:
    since, deal, other = await stage.height(), await stage.deal(), await stage.deal()
    lock = await funded(stage, deal)
    assert await stage.locker.sent_lock(deal.leg, deal.hashlock, since) is None, "not sent"
    await sent(stage.locker, lock.tx)
    await stage.mine()
    chain = stage.restarted()
    await chain.set_reserved(frozenset(coin.ref for coin in lock.coins))
    for first in (since, since + 100):  # a height that the chain does not have is no excuse
        found = await chain.sent_lock(deal.leg, deal.hashlock, first)
        assert found is not None
        assert found.ref == lock.ref
    assert await chain.sent_lock(other.leg, other.hashlock, since) is None
    await locked(stage, other)
    claim = await other.claim(
        stage.claimer, await seen(stage.claimer, other), other.payout, stage.rate
    )
    await sent(stage.claimer, claim)
    await stage.mine()
    assert await chain.sent_lock(other.leg, other.hashlock, since) is not None, "spent or not"


async def test_a_lock_of_more_than_there_is_is_refused_before_anything_is_signed(
    stage: Stage,
) -> None:
    deal = await stage.deal(units=stage.too_much)
    with pytest.raises(InsufficientFunds):
        await stage.locker.fund(deal.leg, deal.hashlock, stage.rate, deadline=deal.leg.expiry - 1)
    with pytest.raises(InsufficientFunds):
        await stage.locker.reserved_units(stage.too_much, stage.rate)
    with pytest.raises(InsufficientFunds):
        await stage.locker.prove_funds(CHALLENGE, stage.too_much)
    cost = await stage.locker.reserved_units(stage.units, stage.rate)
    lock = await funded(stage, await stage.deal())
    fee = lock.tx.fee if pays_own_fees(stage.locker.asset) else 0
    assert cost >= stage.units + fee


# --- spends ------------------------------------------------------------------------------------


async def test_a_claim_shows_its_preimage(stage: Stage) -> None:
    deal = await stage.deal()
    await locked(stage, deal)
    claim = await deal.claim(
        stage.claimer, await seen(stage.claimer, deal), deal.payout, stage.rate
    )
    await sent(stage.claimer, claim)
    waiting = await spent(stage.claimer, deal)
    assert (waiting.kind, waiting.depth) == (SpendKind.CLAIM, 0)
    assert (waiting.txid, waiting.preimage) == (claim.txid, deal.preimage)
    for depth in (1, 2):
        await stage.mine()
        for chain in (stage.locker, stage.claimer):
            spend = await spent(chain, deal)
            assert (spend.kind, spend.depth) == (SpendKind.CLAIM, depth)
            assert (spend.txid, spend.preimage) == (claim.txid, deal.preimage)
            assert (await seen(chain, deal)).depth == depth + 1


async def test_what_a_claim_has_paid_can_be_sent_on(stage: Stage) -> None:
    deal = await stage.deal()
    await locked(stage, deal)
    claimer = stage.claimer
    lock = await seen(claimer, deal)
    claim = await deal.claim(claimer, lock, deal.payout, stage.rate)
    await sent(claimer, claim)
    await stage.mine()
    [coin] = await claimer.unspent((deal.payout,), (f"{claim.txid}:0",))
    to = await stage.locker.wallet_address()
    before = (await stage.locker.balance()).confirmed
    sweep = await claimer.build_sweep((coin,), (deal.signer(),), to, stage.rate)
    await sent(claimer, sweep)
    await stage.mine()
    fee = sweep.fee if pays_own_fees(claimer.asset) else 0
    assert (await stage.locker.balance()).confirmed == before + coin.units - fee


async def test_a_refund_does_nothing_before_the_expiry_and_is_seen_after_it(stage: Stage) -> None:
    deal = await stage.deal(lasts=60)
    await locked(stage, deal)
    locker = stage.locker
    to = await locker.wallet_address()
    early = await deal.refund(locker, await seen(locker, deal), to, stage.rate)
    await locker.broadcast(early.raw)
    await stage.mine()
    assert (await seen(stage.claimer, deal)).spend is None
    while (await locker.view(deal.name)).median_time <= deal.leg.expiry:
        await stage.mine()
    refund = await deal.refund(locker, await seen(locker, deal), to, stage.rate)
    await sent(locker, refund)
    await stage.mine()
    for chain in (locker, stage.claimer):
        spend = await spent(chain, deal)
        assert (spend.kind, spend.depth, spend.preimage) == (SpendKind.REFUND, 1, None)
        assert spend.txid == refund.txid


async def test_a_reorganisation_takes_lock_and_claim_back_and_both_go_again(stage: Stage) -> None:
    deal = await stage.deal()
    await locked(stage, deal, depth=2)
    lock = await seen(stage.claimer, deal)
    claim = await deal.claim(stage.claimer, lock, deal.payout, stage.rate)
    await sent(stage.claimer, claim)
    await stage.mine()
    assert (await spent(stage.locker, deal)).depth == 1
    await stage.lose(3)
    for chain in (stage.locker, stage.claimer):
        view = await chain.view(deal.name)
        assert depths(view) == []
        assert all(one.spend is None or one.spend.depth == 0 for one in view.locks)
    for raw in (lock.raw, claim.raw):
        assert (await stage.claimer.broadcast(raw)).outcome is not Broadcast.REJECTED
    await stage.mine()
    for chain in (stage.locker, stage.claimer):
        assert (await seen(chain, deal)).depth == 1
        assert (await spent(chain, deal)).depth == 1


async def test_after_downtime_another_adapter_finds_lock_and_spend(stage: Stage) -> None:
    since = await stage.height()
    deal = await stage.deal()
    lock = await locked(stage, deal)
    claim = await deal.claim(
        stage.claimer, await seen(stage.claimer, deal), deal.payout, stage.rate
    )
    await sent(stage.claimer, claim)
    await stage.mine(5)
    again = stage.restarted()
    again.watch(deal.watch(since, tuple(coin.ref for coin in lock.coins)))
    found = await seen(again, deal)
    assert (found.ref, found.depth, found.ours) == (lock.ref, 6, True)
    spend = await spent(again, deal)
    assert (spend.depth, spend.preimage) == (5, deal.preimage)


async def test_waiting_ends_with_a_block_and_with_a_claim_in_the_mempool(stage: Stage) -> None:
    deal = await stage.deal()
    await locked(stage, deal)
    chain = stage.locker
    async with stage.running(chain):
        await chain.view(deal.name)
        before = chain.change_count()
        await stage.mine()
        with trio.fail_after(10):
            await chain.wait_change(before)
        await chain.view(deal.name)
        lock = await seen(stage.claimer, deal)
        claim = await deal.claim(stage.claimer, lock, deal.payout, stage.rate)
        await sent(stage.claimer, claim)
        with trio.fail_after(10):
            while True:
                before = chain.change_count()  # what comes after the look is waited for
                if (await seen(chain, deal)).spend is not None:
                    break
                await chain.wait_change(before)
        spend = await spent(chain, deal)
        assert (spend.depth, spend.preimage) == (0, deal.preimage)


# --- conflicts ---------------------------------------------------------------------------------


async def test_a_kill_replaces_the_lock_and_shows_as_a_conflict(stage: Stage) -> None:
    locker, deal = stage.locker, await stage.deal()
    before = (await locker.balance()).confirmed
    lock = await funded(stage, deal)
    await sent(locker, lock.tx)
    assert (await locker.view(deal.name)).conflict is None
    kill = await locker.build_kill(lock, lock.tx.fee_rate)
    assert kill.inputs == tuple(coin.ref for coin in lock.coins)
    assert kill.fee_rate > lock.tx.fee_rate
    await sent(locker, kill)
    view = await locker.view(deal.name)
    assert depths(view) == []
    assert view.conflict is not None
    assert (view.conflict.txid, view.conflict.depth) == (kill.txid, 0)
    dearer = await locker.build_kill(lock, 2 * kill.fee_rate)
    assert dearer.fee > kill.fee
    await sent(locker, dearer)
    await stage.mine(2)
    view = await locker.view(deal.name)
    assert view.locks == ()
    assert view.conflict is not None
    assert (view.conflict.txid, view.conflict.depth) == (dearer.txid, 2)
    assert (await locker.broadcast(lock.tx.raw)).outcome is Broadcast.REJECTED
    await locker.set_reserved(frozenset())
    left = (await locker.balance()).confirmed
    fee = dearer.fee if pays_own_fees(locker.asset) else 0
    assert before - fee <= left <= before


async def test_the_operator_spending_by_hand_shows_as_a_conflict(stage: Stage) -> None:
    deal = await stage.deal()
    lock = await funded(stage, deal)
    await stage.operator_spends(lock.coins[0].ref)
    await stage.mine()
    view = await stage.locker.view(deal.name)
    assert view.locks == ()
    assert view.conflict is not None
    assert view.conflict.depth >= 1
    assert (await stage.locker.broadcast(lock.tx.raw)).outcome is Broadcast.REJECTED


# --- proofs of funds ---------------------------------------------------------------------------


async def test_a_proof_of_funds_proves_to_others_what_it_says_and_no_more(stage: Stage) -> None:
    proof = await stage.locker.prove_funds(CHALLENGE, stage.units)
    judge = stage.claimer
    await judge.check_funds(proof, CHALLENGE, stage.units)
    with pytest.raises(FundsProofInvalid, match="needed"):
        await judge.check_funds(proof, CHALLENGE, stage.too_much)
    tampered = bytearray(proof.raw)
    tampered[-40] ^= 1
    for wrong, challenge in (
        (proof, bytes(32)),
        (FundsProof(proof.raw[:-1], proof.refs), CHALLENGE),
        (FundsProof(bytes(tampered), proof.refs), CHALLENGE),
        (FundsProof(proof.raw, ("00" * 32 + ":0",)), CHALLENGE),
        (FundsProof(proof.raw, ()), CHALLENGE),
    ):
        with pytest.raises(FundsProofInvalid):
            await judge.check_funds(wrong, challenge, stage.units)


# --- the node ----------------------------------------------------------------------------------


async def test_a_healthy_chain_says_what_it_is_and_what_fees_are(stage: Stage) -> None:
    chain = stage.locker
    await chain.check()
    status = await chain.status()
    assert (status.problems, status.height) == ((), await stage.height())
    assert (status.chain, status.asset, status.ticker) == (chain.chain, chain.asset, chain.ticker)
    assert status.fee_next >= status.fee_floor > 0
    pinned = await chain.pinned()
    assert pinned.height == max(0, await stage.height() - 100)
    assert await chain.has_block(pinned)
    assert not await chain.has_block(type(pinned)(pinned.height + 1, pinned.block_hash))
    assert not await chain.has_block(type(pinned)(10**6, pinned.block_hash))


async def test_a_transaction_that_is_none_is_rejected_with_a_reason(stage: Stage) -> None:
    answer = await stage.locker.broadcast(b"\x02\x00\x00\x00garbage")
    assert answer.outcome is Broadcast.REJECTED
    assert answer.reason


async def test_a_mistyped_address_is_refused(stage: Stage) -> None:
    ours = await stage.locker.wallet_address()
    assert stage.claimer.check_address(ours)
    other = ours[:-1] + ("q" if ours[-1] != "q" else "p")
    for wrong in ("", ours[:-1], other, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"):
        with pytest.raises(ValueError, match=r"address|mistyped|account"):
            stage.claimer.check_address(wrong)
