"""What the port does on a chain with accounts only; what it does on every chain is in
`tests.chains.test_port`."""

import pytest

from swapd.ports import NodeMisconfigured
from tests.chains.evm.bench import (
    ETHER,
    HASHLOCK,
    EvmBench,
    conflict,
    send,
    unseen,
)

pytestmark = pytest.mark.nodes
RATE = 10**13


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
