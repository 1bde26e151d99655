"""A tower that acts on a chain with accounts: on anvil, from its own account, to the parties of the
swap only, while both of them are off."""

import pytest

from protocol.errors import Refusal, RemoteProtocolError
from protocol.swap.facts import SpendKind
from protocol.terms import LegTerms
from protocol.tower.package import Act
from tests.chains.evm.bench import ETHER, PREIMAGE, EvmBench, seen
from tests.tower.accounts import ACCOUNT, STRANGER, TowerOnAnvil, leave, package

pytestmark = pytest.mark.nodes
FEE = ETHER // 50


async def opened(evm: EvmBench, wei: int = ETHER) -> TowerOnAnvil:
    tower = TowerOnAnvil(evm)
    await tower.keeper.load()
    await evm.anvil.give(ACCOUNT, wei)
    return tower


async def pinned(evm: EvmBench, *, asset: str = "eth", units: int = ETHER, **more: int) -> LegTerms:
    """Terms of a leg that name a block of this chain."""
    block = await evm.bob.eth.pinned()
    return await evm.leg(getattr(evm.alice, asset), units, pinned=block, **more)


async def test_a_claimer_who_is_off_is_paid_all_but_the_fee_that_he_signed(evm: EvmBench) -> None:
    tower = await opened(evm)
    leg = await pinned(evm)
    await evm.locked(leg)
    before = await evm.anvil.balance(evm.bob.accounts[1])
    made = await package(evm.bob, leg, Act.CLAIM, fees=((FEE, 0),), preimage=PREIMAGE)
    await leave(tower, made, STRANGER)
    await tower.until_spent()
    assert await evm.anvil.balance(evm.bob.accounts[1]) == before + ETHER - FEE
    assert await evm.anvil.balance(ACCOUNT) > ETHER
    spend = (await seen(evm.bob.eth)).spend
    assert spend is not None
    assert (spend.kind, spend.preimage) == (SpendKind.CLAIM, PREIMAGE)


async def test_a_locker_who_is_off_is_refunded_after_the_expiry_and_never_before(
    evm: EvmBench,
) -> None:
    tower = await opened(evm)
    leg = await pinned(evm, lasts=600)
    await evm.locked(leg)
    made = await package(evm.alice, leg, Act.REFUND)
    await leave(tower, made)
    before = await evm.anvil.balance(evm.alice.accounts[0])
    while evm.clock.now() < leg.expiry:
        await tower.look()
        assert (await evm.anvil.balance(ACCOUNT)) == ETHER
        await evm.mine()
    await tower.until_spent()
    assert await evm.anvil.balance(evm.alice.accounts[0]) == before + ETHER
    assert 0 < ETHER - await evm.anvil.balance(ACCOUNT) < ETHER // 100


async def test_without_gas_for_all_that_it_holds_it_takes_no_more(evm: EvmBench) -> None:
    tower = await opened(evm, wei=0)
    leg = await pinned(evm)
    made = await package(evm.bob, leg, Act.CLAIM, fees=((FEE, 0),))
    with pytest.raises(RemoteProtocolError, match="not enough ETH for gas") as caught:
        await leave(tower, made)
    assert caught.value.refusal is Refusal.INSUFFICIENT_FUNDS
