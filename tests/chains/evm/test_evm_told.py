"""What an operator is told of a chain with accounts: each trouble, caused on a real node, is known
by its kind, and doctor and health say what to do about it."""

from collections.abc import Awaitable, Callable

import msgspec
import pytest

from protocol.evm import calls
from protocol.swap.troubles import Trouble, trouble_of
from protocol.terms import Pace
from swapd.chains.evm import EndpointConfig, EvmChain
from swapd.doctor import clock, nodes
from swapd.engine.operations.node import chain_health, chain_problem
from tests.chains.evm.bench import HASHLOCK, PREIMAGE, EvmBench, nobody, seen, send
from tests.nodes.anvil import Anvil

pytestmark = pytest.mark.nodes
Cause = Callable[[EvmBench], Awaitable[None]]


MOVED = "99" * 20


async def dear_transfers(evm: EvmBench) -> None:
    """Whatever the token is asked, it first burns some 200,000 gas on a hash."""
    token = "0x" + evm.token.hex()
    real = await evm.anvil.rpc("eth_getCode", token, "latest")
    await evm.anvil.rpc("anvil_setCode", "0x" + MOVED, real)
    code = f"0x620400005f2050365f5f375f5f365f73{MOVED}5af4503d5f5f3e3d5ff3"
    await evm.anvil.rpc("anvil_setCode", token, code)


async def says(evm: EvmBench, signature: str) -> None:
    """The token says yes to one question; all others its old code answers, from where it is now."""
    token = "0x" + evm.token.hex()
    real = await evm.anvil.rpc("eth_getCode", token, "latest")
    await evm.anvil.rpc("anvil_setCode", "0x" + MOVED, real)
    ask = f"5f3560e01c63{calls.selector(signature).hex()}14603557"
    old = f"365f5f375f5f365f73{MOVED}5af4503d5f5f3e3d5ff3"
    yes = "5b60015f5260205ff3"
    await evm.anvil.rpc("anvil_setCode", token, f"0x{ask}{old}{yes}")


async def paused(evm: EvmBench) -> None:
    await says(evm, "paused()")


async def blacklisted(evm: EvmBench) -> None:
    await says(evm, "isBlacklisted(address)")


async def replaced(evm: EvmBench) -> None:
    slot = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"  # EIP-1967
    await evm.alice.usdc.status()
    value = "0x" + "00" * 12 + "99" * 20
    await evm.anvil.rpc("anvil_setStorageAt", "0x" + evm.token.hex(), slot, value)


async def other_token(evm: EvmBench) -> None:
    wrong = msgspec.structs.replace(evm.config.tokens[0], symbol="USDC")
    evm.alice.open(tokens=(wrong,))


async def no_contract(evm: EvmBench) -> None:
    where = "0x" + evm.alice.usdc.on_chain.contract.hex()
    await evm.anvil.rpc("anvil_setCode", where, "0x")


async def other_code(evm: EvmBench) -> None:
    where = "0x" + evm.alice.usdc.on_chain.contract.hex()
    await evm.anvil.rpc("anvil_setCode", where, "0x6001")


async def nothing_final(evm: EvmBench) -> None:
    await evm.pass_blocks(70)
    evm.alice.open(pace=Pace(interval=10, finality=30))


async def no_gas(evm: EvmBench) -> None:
    await evm.anvil.give(evm.alice.accounts[1], 0)


@pytest.mark.parametrize(
    ("cause", "kind", "code", "remedy"),
    [
        (paused, Trouble.TOKEN_PAUSED, "token_paused", "issuer"),
        (blacklisted, Trouble.TOKEN_BARRED, "token_barred", "issuer"),
        (replaced, Trouble.TOKEN_REPLACED, "token_replaced", "implementation"),
        (other_token, Trouble.TOKEN_WRONG, "token_wrong", "address"),
        (no_contract, Trouble.CONTRACT_MISSING, "contract_missing", "swapd evm deploy"),
        (other_code, Trouble.CONTRACT_WRONG, "contract_wrong", "lock nothing"),
        (nothing_final, Trouble.NOT_FINALIZING, "not_finalizing", "wait"),
        (no_gas, Trouble.GAS_LOW, "gas_low", "swapd evm accounts"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
async def test_what_is_wrong_is_told_with_its_own_remedy(
    evm: EvmBench, cause: Cause, kind: Trouble, code: str, remedy: str
) -> None:
    await cause(evm)
    await evm.mine()
    chain = evm.alice.usdc
    problems = (await chain.status()).problems
    assert kind in {trouble_of(each) for each in problems}
    _, found = await nodes.examine(chain, stress_rate=10**18, needed_from=None)
    told = {each.code: each for each in found}
    assert remedy in told[code].remedy, found
    health = await chain_health(chain)
    assert remedy in " ".join(chain_problem(health, each).remedy for each in health.problems)


async def test_a_token_whose_claim_would_run_out_of_gas_is_told_before_any_lock(
    evm: EvmBench,
) -> None:
    await dear_transfers(evm)
    await evm.mine()
    for chain in (evm.alice.usdc, evm.bob.usdc):
        problems = (await chain.status()).problems
        assert [trouble_of(each) for each in problems] == [Trouble.GAS_LIMIT]
    token = msgspec.structs.replace(evm.config.tokens[0], gas=1_000_000)
    for side in (evm.alice, evm.bob):
        side.open(tokens=(token,))
        assert (await side.usdc.status()).problems == ()
        await side.eth.set_reserved(frozenset())
    await evm.approve()
    await evm.locked(await evm.leg(evm.alice.usdc, 5_000_000))
    lock = await seen(evm.bob.usdc)
    leg = evm.bob.node._states["leg"].watch.leg
    claim = await evm.bob.usdc.build_claim(leg, HASHLOCK, lock, "", 10**13, nobody, PREIMAGE)
    await send(evm.bob.usdc, claim)
    await evm.mine()
    spend = (await seen(evm.alice.usdc)).spend
    assert spend is not None
    assert (spend.depth, spend.preimage) == (1, PREIMAGE)
    receipt = await evm.anvil.rpc("eth_getTransactionReceipt", "0x" + claim.txid)
    assert int(receipt["gasUsed"], 16) > 250_000


async def test_both_accounts_reserves_are_told_with_figures(evm: EvmBench) -> None:
    both: tuple[EvmChain, ...] = (evm.alice.eth, evm.alice.usdc)
    for chain in both:
        gas = (await chain.balance()).gas
        assert [account.name for account in gas] == ["locks", "claims"]
        for account in gas:
            assert account.units == await evm.anvil.balance(account.address)
            assert 0 < account.needed < account.units
    locks = (await evm.alice.usdc.balance()).gas[0]
    await evm.anvil.give(evm.alice.accounts[0], locks.needed // 2)
    await evm.mine()
    _, found = await nodes.examine(evm.alice.usdc, stress_rate=10**18, needed_from=None)
    [told] = [each for each in found if each.code == "gas_low"]
    assert locks.address in told.what
    assert f"{locks.needed // 2} base units" in told.what


async def test_an_endpoint_of_another_chain_is_told_and_never_asked_more(
    evm: EvmBench,
) -> None:
    other = Anvil(evm.anvil.folder / "other", chain_id=31338)
    await other.start(evm.clock.now())
    try:
        evm.alice.open(endpoints=(EndpointConfig(url=other.url, own=True),))
        _, [found] = await nodes.examine(evm.alice.eth, stress_rate=10**18, needed_from=None)
    finally:
        await other.kill()
    assert found.code == "node_misconfigured"
    assert "is on another chain, 31338, not on 31337" in found.what
    assert "chain_id" in found.remedy


async def test_a_clock_that_a_chain_may_run_ahead_of_is_not_called_behind(evm: EvmBench) -> None:
    evm.alice.open(pace=Pace(interval=10, early=300))
    await evm.anvil.mine(evm.clock.now() + 200)
    status = await evm.alice.eth.status()
    assert (status.problems, status.early) == ((), 300)
    assert clock.by_chains(evm.clock.now(), [status]) == []
    assert clock.by_chains(evm.clock.now() - 200, [status]) != []
