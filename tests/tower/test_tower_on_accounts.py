"""A tower that acts on a chain with accounts: on anvil, from its own account, to the parties of the
swap only, while both of them are off."""

import pytest
import trio

from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.swap.facts import SpendKind
from protocol.terms import LegTerms
from protocol.tower.package import Act, Watched
from tests.chains.evm.bench import ETHER, HASHLOCK, PREIMAGE, EvmBench, nobody, seen, send
from tests.tower.accounts import ACCOUNT, FRIEND, STRANGER, TowerOnAnvil, leave, package

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


async def test_what_it_sent_is_replaced_on_the_same_nonce_after_a_restart(evm: EvmBench) -> None:
    tower = await opened(evm)
    leg = await pinned(evm)
    await evm.locked(leg)
    made = await package(evm.bob, leg, Act.CLAIM, fees=((FEE, 0),), preimage=PREIMAGE)
    await leave(tower, made)
    await tower.look()
    first = await pending(evm)
    for _ in range(4):
        outrun = hex(int(first["maxFeePerGas"], 16) + 1)
        await evm.anvil.rpc("anvil_setNextBlockBaseFeePerGas", outrun)
        await evm.mine()
    tower.restart()
    await tower.keeper.load()
    await tower.look()
    second = await pending(evm)
    assert second["hash"] != first["hash"]
    assert (second["nonce"], second["from"]) == (first["nonce"], "0x" + ACCOUNT.hex())
    assert int(second["maxFeePerGas"], 16) * 100 >= int(first["maxFeePerGas"], 16) * 112
    await tower.until_spent()
    where = "0x" + ACCOUNT.hex()
    assert int(await evm.anvil.rpc("eth_getTransactionCount", where, "latest"), 16) == 1


async def pending(evm: EvmBench) -> dict[str, str]:
    """The one transaction that waits for a block."""
    block = await evm.anvil.rpc("eth_getBlockByNumber", "pending", True)
    content = await evm.anvil.rpc("txpool_content")
    waiting = [tx for kind in content.values() for by in kind.values() for tx in by.values()]
    [found] = waiting or block["transactions"]
    return dict(found)


async def test_a_token_is_relayed_for_its_own_clients_and_no_strangers(evm: EvmBench) -> None:
    tower = await opened(evm)
    await evm.approve()
    leg = await pinned(evm, asset="usdc", units=5_000_000)
    await evm.locked(leg)
    made = await package(evm.bob, leg, Act.CLAIM, fees=((50_000, 0),), preimage=PREIMAGE)
    with pytest.raises(RemoteProtocolError) as caught:
        await leave(tower, made, STRANGER)
    assert caught.value.refusal is Refusal.UNSUPPORTED_ASSET
    await leave(tower, made)
    head = (await evm.bob.node.see()).head
    before = await evm.bob.usdc.on_chain.units_of(head, evm.bob.accounts[1])
    await tower.until_spent()
    head = (await evm.bob.node.see()).head
    after = await evm.bob.usdc.on_chain.units_of(head, evm.bob.accounts[1])
    assert after == before + 5_000_000 - 50_000
    assert await evm.bob.usdc.on_chain.units_of(head, ACCOUNT) == 50_000


async def test_a_strangers_fee_must_be_worth_the_gas_and_for_this_tower(evm: EvmBench) -> None:
    tower = await opened(evm)
    leg = await pinned(evm)
    for changes, why in (
        ({"fees": ((10**9, 0),)}, Refusal.BELOW_ECONOMIC_MINIMUM),
        ({"fees": ()}, Refusal.BELOW_ECONOMIC_MINIMUM),
        ({"fees": ((FEE, 0),), "relayer": b"\x77" * 20}, Refusal.WRONG_KEY),
    ):
        made = await package(evm.bob, leg, Act.CLAIM, **changes)
        with pytest.raises(RemoteProtocolError) as caught:
            await leave(tower, made, STRANGER)
        assert caught.value.refusal is why
    for fees in ((), ((10**9, 0),)):
        await leave(
            tower, await package(evm.bob, leg, Act.CLAIM, fees=fees, sequence=2 + len(fees))
        )


async def test_gas_is_counted_for_all_that_is_held_and_a_dry_account_is_told_to_clients(
    evm: EvmBench,
) -> None:
    tower = await opened(evm)
    leg = await pinned(evm)
    made = await package(evm.bob, leg, Act.CLAIM)
    relay = tower.eth.relay
    assert relay is not None
    one = await relay.price(relay.gas)
    await evm.anvil.give(ACCOUNT, one * 3 // 2)
    await evm.mine()
    await leave(tower, made)
    with pytest.raises(RemoteProtocolError) as caught:
        await tower.keeper.put(FRIEND, b"\x02" * 32, encode(made))
    assert caught.value.refusal is Refusal.INSUFFICIENT_FUNDS
    assert not any(tip.problem for tip in await tower.keeper.tips())
    await evm.anvil.give(ACCOUNT, 0)
    await evm.mine()
    await tower.keeper.look_at_gas()
    tips = await tower.keeper.tips()
    assert {tip.account for tip in tips} == {ACCOUNT}
    assert all("not enough ETH for gas" in tip.problem for tip in tips)


async def test_a_tower_sees_a_claim_in_the_mempool_and_uses_its_preimage(evm: EvmBench) -> None:
    tower = await opened(evm)
    leg = await pinned(evm)
    await evm.locked(leg)
    other = await pinned(evm, asset="usdc", units=5)
    shows = Watched(leg, 0)
    made = await package(evm.bob, other, Act.CLAIM, shows=shows)
    await leave(tower, made)
    claim = await evm.bob.eth.build_claim(
        leg, HASHLOCK, await seen(evm.bob.eth), "", 10**13, nobody, PREIMAGE
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(tower.eth.run)
        await send(evm.bob.eth, claim)
        with trio.fail_after(20):
            while not tower.preimage():
                await tower.look()
                await trio.sleep(0.05)
        nursery.cancel_scope.cancel()
    await evm.anvil.rpc("anvil_dropAllTransactions")
    assert tower.preimage() == PREIMAGE
