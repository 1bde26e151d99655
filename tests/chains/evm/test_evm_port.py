"""The chain port on a real EVM node: a lock's whole life, as both sides see it."""

import pytest

from protocol.swap.facts import SpendKind
from swapd.ports import Broadcast, LegWatch, NodeMisconfigured
from tests.chains.evm.bench import (
    ETHER,
    HASHLOCK,
    PREIMAGE,
    EvmBench,
    conflict,
    nobody,
    seen,
    send,
    unseen,
)

pytestmark = pytest.mark.nodes
RATE = 10**13


@pytest.mark.parametrize("asset", ["eth", "usdc"])
async def test_a_lock_is_seen_by_both_and_its_claim_shows_the_preimage(
    evm: EvmBench, asset: str
) -> None:
    alice, bob = getattr(evm.alice, asset), getattr(evm.bob, asset)
    if asset == "usdc":
        await evm.approve()
    leg = await evm.leg(alice, 5_000_000 if asset == "usdc" else ETHER)
    lock = await evm.funded(leg)
    assert await unseen(alice)
    await send(alice, lock.tx)
    mempool = await seen(alice)
    assert (mempool.depth, mempool.ref, mempool.ours) == (0, lock.ref, True)
    await evm.mine(1)
    bob.watch(LegWatch("leg", leg, HASHLOCK, 1))
    await evm.mine(2)
    for chain in (alice, bob):
        found = await seen(chain)
        assert (found.depth, found.ref, found.units) == (3, lock.ref, leg.amount.units)
        assert found.spend is None
        assert (await chain.view("leg")).conflict is None
    claim = await bob.build_claim(leg, HASHLOCK, await seen(bob), "", RATE, nobody, PREIMAGE)
    await send(bob, claim)
    waiting = (await seen(bob)).spend
    assert waiting is not None
    assert (waiting.kind, waiting.txid, waiting.depth) == (SpendKind.CLAIM, claim.txid, 0)
    await evm.mine(2)
    for chain in (alice, bob):
        found = await seen(chain)
        assert found.spend is not None
        assert found.spend.kind is SpendKind.CLAIM
        assert (found.spend.depth, found.spend.preimage, found.depth) == (2, PREIMAGE, 5)


async def test_a_refund_comes_back_after_the_expiry(evm: EvmBench) -> None:
    alice = evm.alice.eth
    leg = await evm.leg(alice, ETHER, lasts=100)
    await evm.funded(leg, within=50)
    lock = await evm.funded(leg, within=50)
    await send(alice, lock.tx)
    await evm.mine(12)
    assert (await alice.view("leg")).median_time > leg.expiry
    before = await evm.anvil.balance(evm.alice.accounts[0])
    refund = await alice.build_refund(leg, HASHLOCK, await seen(alice), "", RATE, nobody)
    await send(alice, refund)
    await evm.mine(2)
    spend = (await seen(alice)).spend
    assert spend is not None
    assert (spend.kind, spend.depth, spend.txid) == (SpendKind.REFUND, 2, refund.txid)
    assert await evm.anvil.balance(evm.alice.accounts[0]) == before + ETHER


async def test_who_locked_all_he_had_can_still_pay_for_the_refund(evm: EvmBench) -> None:
    alice = evm.alice.eth
    leg = await evm.leg(alice, ETHER)
    lock = await evm.funded(leg)
    hanging = (await alice.view("leg")).fee_budget
    await send(alice, lock.tx)
    await evm.mine(2)
    await evm.anvil.give(evm.alice.accounts[0], 0)
    await evm.mine(1)
    view = await alice.view("leg")
    assert view.locks[0].depth > 0
    assert hanging is not None
    assert view.fee_budget is not None
    assert view.fee_budget > 0, "refunds are paid by the other account"
    await evm.anvil.give(evm.alice.accounts[1], 0)
    await evm.mine(1)
    assert (await alice.view("leg")).fee_budget == 0


async def test_a_kill_takes_the_place_of_a_lock_and_is_a_conflict_as_deep_as_itself(
    evm: EvmBench,
) -> None:
    alice = evm.alice.eth
    lock = await evm.funded(await evm.leg(alice, ETHER))
    await send(alice, lock.tx)
    kill = await alice.build_kill(lock, lock.tx.fee_rate)
    assert kill.fee_rate > lock.tx.fee_rate
    await send(alice, kill)
    waiting = await conflict(alice)
    assert (waiting.txid, waiting.depth) == (kill.txid, 0)
    await evm.mine(3)
    mined = await conflict(alice)
    assert (mined.txid, mined.depth) == (kill.txid, 3)
    assert await unseen(alice)
    again = await alice.broadcast(lock.tx.raw)
    assert again.outcome is Broadcast.REJECTED


async def test_a_lock_that_missed_its_deadline_is_dead_without_a_kill(evm: EvmBench) -> None:
    alice = evm.alice.eth
    lock = await evm.funded(await evm.leg(alice, ETHER), within=15)
    await evm.mine(1)
    assert (await alice.view("leg")).conflict is None
    await evm.mine(3)
    assert (await conflict(alice)).depth == 3
    # Sent all the same, it uses its nonce up and does nothing.
    await alice.broadcast(lock.tx.raw)
    await evm.mine(2)
    assert await unseen(alice)
    assert (await conflict(alice)).depth >= 2


async def test_a_dearer_version_replaces_the_lock_on_its_nonce(evm: EvmBench) -> None:
    alice = evm.alice.eth
    leg = await evm.leg(alice, ETHER)
    lock = await evm.funded(leg)
    await send(alice, lock.tx)
    dearer = await evm.funded(leg, replaces=lock)
    assert (dearer.coins, dearer.ref) == (lock.coins, lock.ref)
    assert dearer.tx.fee_rate * 8 >= lock.tx.fee_rate * 9
    await send(alice, dearer.tx)
    await evm.mine()
    assert (await seen(alice)).depth == 1


async def test_a_reorganisation_takes_a_lock_back(evm: EvmBench) -> None:
    alice, bob = evm.alice.eth, evm.bob.eth
    lock = await evm.locked(await evm.leg(alice, ETHER), depth=2)
    assert (await seen(bob)).depth == 2
    evm.clock.advance(10)
    await evm.anvil.reorg(2, evm.clock.now())
    assert await unseen(alice)
    assert await unseen(bob)
    await send(alice, lock.tx)
    await evm.mine(1)
    for chain in (alice, bob):
        assert (await seen(chain)).depth == 1


async def test_other_code_at_the_contracts_address_is_never_locked_to(evm: EvmBench) -> None:
    alice = evm.alice.eth
    leg = await evm.leg(alice, ETHER)
    await evm.locked(leg)
    await evm.anvil.rpc("anvil_setCode", "0x" + alice.on_chain.contract.hex(), "0x6001")
    await evm.mine()
    with pytest.raises(NodeMisconfigured, match="not our HTLC"):
        await alice.fund(leg, HASHLOCK, RATE, deadline=evm.clock.now() + 100)
    with pytest.raises(NodeMisconfigured):
        await alice.check()
    assert any("not our HTLC" in problem for problem in (await evm.bob.eth.view("leg")).problems)
