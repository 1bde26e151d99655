"""The chain port when things go wrong: stuck transactions, gaps, crashes, finality that stops,
issuers that interfere, relayed claims, slots used again."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from protocol.evm import calls
from protocol.evm.address import checksummed
from protocol.evm.legs import slot_terms_of
from protocol.swap.facts import SpendKind
from protocol.swap.troubles import Trouble, trouble_of
from protocol.terms import LegTerms, Pace
from swapd.chains.evm.answers import Header
from swapd.chains.evm.nonces import HOLD_SECONDS
from swapd.chains.evm.rpc import Call
from swapd.chains.evm.sources import StateUnknown
from swapd.ports import ChainError, InsufficientFunds, LegWatch
from swapd.store.memory import StoreMemory
from tests.chains.evm.bench import (
    ETHER,
    HASHLOCK,
    PREIMAGE,
    EvmBench,
    nobody,
    seen,
    send,
)
from tests.nodes.anvil import SOMEONE

pytestmark = pytest.mark.nodes
RATE = 10**13


async def nonce_of(evm: EvmBench, account: bytes) -> int:
    """How many nonces the chain has used."""
    answer = await evm.anvil.rpc("eth_getTransactionCount", "0x" + account.hex(), "latest")
    return int(answer, 16)


async def keep(evm: EvmBench) -> None:
    """What alice's daemon does by itself with a new block, but for approvals."""
    await evm.mine()
    evm.alice.node.keepers.clear()
    await evm.alice.node._keep(await evm.alice.node.see())


def let_holds_lapse(evm: EvmBench) -> None:
    """A minute later, nobody has just asked for a nonce."""
    assert evm.alice.node.accounts is not None
    for account in evm.alice.node.accounts:
        account.nonces._given = dict.fromkeys(account.nonces._given, -HOLD_SECONDS)


async def test_a_daemon_that_died_before_it_journalled_its_lock_gets_the_same_nonce(
    evm: EvmBench,
) -> None:
    leg = await evm.leg(evm.alice.eth, ETHER)
    first = await evm.funded(leg)
    evm.alice.open()
    await evm.alice.eth.set_reserved(frozenset())
    second = await evm.funded(leg)
    assert second.coins == first.coins
    await send(evm.alice.eth, second.tx)
    await evm.mine()
    assert (await seen(evm.alice.eth)).depth == 1


async def test_a_lock_that_was_given_up_leaves_no_gap_that_holds_up_the_next(evm: EvmBench) -> None:
    alice = evm.alice.eth
    given_up = await evm.funded(await evm.leg(alice, ETHER))
    other = msgspec.structs.replace(
        await evm.leg(alice, ETHER), refund_key=evm.alice.accounts[0] + b"\x07"
    )
    sent = await evm.funded(other)
    assert given_up.coins != sent.coins
    await send(alice, sent.tx)
    await keep(evm)
    assert await nonce_of(evm, evm.alice.accounts[0]) == 0
    let_holds_lapse(evm)
    await keep(evm)  # the journal holds only the second one
    await evm.mine()
    assert await nonce_of(evm, evm.alice.accounts[0]) == 2
    assert (await seen(alice)).depth >= 1


async def test_what_the_journal_still_holds_is_never_filled(evm: EvmBench) -> None:
    alice = evm.alice.eth
    held = await evm.funded(await evm.leg(alice, ETHER))
    other = msgspec.structs.replace(
        await evm.leg(alice, ETHER), refund_key=evm.alice.accounts[0] + b"\x07"
    )
    sent = await evm.funded(other)
    await alice.set_reserved(frozenset(c.ref for lock in (held, sent) for c in lock.coins))
    await send(alice, sent.tx)
    let_holds_lapse(evm)
    await keep(evm)
    await evm.mine()
    assert await nonce_of(evm, evm.alice.accounts[0]) == 0


async def test_an_abandoned_lock_that_waits_in_mempools_is_replaced(evm: EvmBench) -> None:
    alice = evm.alice.eth
    lock = await evm.funded(await evm.leg(alice, ETHER))
    await send(alice, lock.tx)
    alice.unwatch("leg")
    await alice.set_reserved(frozenset())
    let_holds_lapse(evm)
    evm.alice.node.keepers.clear()
    await evm.alice.node._keep(await evm.alice.node.see())
    await evm.mine()
    assert await nonce_of(evm, evm.alice.accounts[0]) == 1
    receipt = await evm.anvil.rpc("eth_getTransactionReceipt", "0x" + lock.tx.txid)
    assert receipt is None


async def test_a_sweep_that_is_stuck_goes_again_dearer(evm: EvmBench) -> None:
    alice = evm.alice.eth
    to = "0x" + "77" * 20
    sweep = await alice.build_sweep((), (), to, 10)  # a wei or so: no block takes that
    await alice.broadcast(sweep.raw)
    await keep(evm)
    assert await nonce_of(evm, evm.alice.accounts[1]) == 0
    let_holds_lapse(evm)
    await keep(evm)
    await evm.mine()
    assert await nonce_of(evm, evm.alice.accounts[1]) == 1
    assert await evm.anvil.balance(to) > 99 * ETHER


async def test_where_the_chain_says_what_is_final_depth_waits_for_it(evm: EvmBench) -> None:
    pace = Pace(interval=10, finality=10_000)
    alice = evm.alice.eth
    evm.alice.node.config = msgspec.structs.replace(evm.config, pace=pace)
    evm.alice.node.health._config = evm.alice.node.config
    leg = msgspec.structs.replace(await evm.leg(alice, ETHER, lasts=9000), depth=32, pace=pace)
    lock = await evm.funded(leg)
    await send(alice, lock.tx)
    await evm.pass_blocks(39)
    # anvil's `finalized` is 64 blocks behind its newest.
    assert (await seen(alice)).depth == 31
    await evm.pass_blocks(29)
    assert (await seen(alice)).depth >= 32


async def test_a_chain_that_finalizes_nothing_closes_gates(evm: EvmBench) -> None:
    pace = Pace(interval=10, finality=30)
    evm.alice.node.health._config = msgspec.structs.replace(evm.config, pace=pace)
    await evm.mine(2)
    problems = (await evm.alice.eth.status()).problems
    assert any("finalized nothing" in each for each in problems)


async def test_a_clock_behind_the_chain_closes_gates(evm: EvmBench) -> None:
    await evm.anvil.mine(evm.clock.now() + 100)
    problems = (await evm.alice.eth.status()).problems
    assert [trouble_of(each) for each in problems] == [Trouble.CLOCK_BEHIND]
    early = msgspec.structs.replace(evm.config, pace=Pace(interval=10, early=200))
    evm.alice.node.health._config = early
    assert (await evm.alice.eth.status()).problems == ()


async def test_a_claim_that_somebody_else_relays_is_ours_all_the_same(evm: EvmBench) -> None:
    leg = await evm.leg(evm.alice.eth, ETHER)
    await evm.locked(leg)
    before = await evm.anvil.balance(evm.bob.accounts[1])
    call = calls.claim_for(slot_terms_of(leg, HASHLOCK), PREIMAGE)
    contract = evm.alice.eth.on_chain.contract
    await evm.anvil.send(SOMEONE, contract, call, now=evm.clock.now() + 10)
    evm.clock.advance(20)
    for chain in (evm.alice.eth, evm.bob.eth):
        spend = (await seen(chain)).spend
        assert spend is not None
        assert (spend.kind, spend.preimage) == (SpendKind.CLAIM, PREIMAGE)
    assert await evm.anvil.balance(evm.bob.accounts[1]) == before + ETHER


async def test_the_preimage_in_a_claim_that_waits_for_its_block_is_seen(evm: EvmBench) -> None:
    leg = await evm.leg(evm.alice.eth, ETHER)
    await evm.locked(leg)
    claim = await evm.bob.eth.build_claim(
        leg, HASHLOCK, await seen(evm.bob.eth), "", RATE, nobody, PREIMAGE
    )
    await send(evm.bob.eth, claim)
    await evm.alice.node._look_at_pool()
    spend = (await seen(evm.alice.eth)).spend
    assert spend is not None
    assert (spend.depth, spend.preimage, spend.txid) == (0, PREIMAGE, claim.txid)


async def test_a_slot_is_used_again_only_when_nobody_watches_it(evm: EvmBench) -> None:
    alice = evm.alice.eth
    leg = await evm.leg(alice, ETHER)
    await evm.locked(leg)
    other = await alice.refund_party(b"\x05" * 33)
    assert other != leg.refund_key
    claim = await evm.bob.eth.build_claim(
        leg, HASHLOCK, await seen(evm.bob.eth), "", RATE, nobody, PREIMAGE
    )
    await send(evm.bob.eth, claim)
    await evm.mine(3)
    evm.alice.open()
    await evm.alice.eth.set_reserved(frozenset())
    evm.alice.eth.watch(LegWatch("leg", leg, HASHLOCK, 1))
    assert await evm.alice.eth.refund_party(b"\x06" * 33) != leg.refund_key
    evm.alice.eth.unwatch("leg")
    assert await evm.alice.eth.refund_party(b"\x07" * 33) == leg.refund_key


async def test_a_watch_that_comes_back_finds_the_preimage_of_long_ago(evm: EvmBench) -> None:
    leg = await evm.leg(evm.alice.eth, ETHER)
    lock = await evm.locked(leg)
    claim = await evm.bob.eth.build_claim(
        leg, HASHLOCK, await seen(evm.bob.eth), "", RATE, nobody, PREIMAGE
    )
    await send(evm.bob.eth, claim)
    await evm.pass_blocks(150)
    evm.alice.open()
    coins = tuple(coin.ref for coin in lock.coins)
    await evm.alice.eth.set_reserved(frozenset(coins))
    evm.alice.eth.watch(LegWatch("leg", leg, HASHLOCK, 1, coins, evm.clock.now()))
    spend = (await seen(evm.alice.eth)).spend
    assert spend is not None
    assert (spend.kind, spend.preimage) == (SpendKind.CLAIM, PREIMAGE)
    assert spend.depth >= 100


async def test_a_reorganisation_takes_a_claim_back_and_not_the_lock(evm: EvmBench) -> None:
    leg = await evm.leg(evm.alice.eth, ETHER)
    await evm.locked(leg, depth=3)
    claim = await evm.bob.eth.build_claim(
        leg, HASHLOCK, await seen(evm.bob.eth), "", RATE, nobody, PREIMAGE
    )
    await send(evm.bob.eth, claim)
    await evm.mine(1)
    assert (await seen(evm.bob.eth)).spend is not None
    evm.clock.advance(10)
    await evm.anvil.reorg(1, evm.clock.now())
    evm.clock.advance(10)
    again = await seen(evm.bob.eth)
    assert again.spend is None
    assert again.depth >= 3
    await send(evm.bob.eth, claim)
    await evm.mine(1)
    spend = (await seen(evm.bob.eth)).spend
    assert spend is not None
    assert spend.depth == 1


# --- what is there ----------------------------------------------------------------------------


async def test_an_account_without_gas_neither_locks_nor_takes_part_in_a_claim(
    evm: EvmBench,
) -> None:
    await evm.anvil.give(evm.bob.accounts[1], 0)
    await evm.mine()
    with pytest.raises(InsufficientFunds, match="for gas"):
        await evm.bob.eth.claim_party(b"\x02" * 33, None)
    with pytest.raises(InsufficientFunds, match="claims"):
        await evm.bob.eth.reserved_units(ETHER, RATE)
    assert "for gas" in " ".join((await evm.bob.eth.status()).problems)
    assert (await evm.alice.eth.status()).problems == ()
    await evm.anvil.give(evm.alice.accounts[0], ETHER // 2)
    await evm.mine()
    with pytest.raises(InsufficientFunds, match="not enough ETH"):
        await evm.alice.eth.reserved_units(ETHER, RATE)


async def test_what_pending_locks_will_take_is_not_free(evm: EvmBench) -> None:
    alice = evm.alice.eth
    free = (await alice.balance()).confirmed
    lock = await evm.funded(await evm.leg(alice, 60 * ETHER))
    left = (await alice.balance()).confirmed
    assert left <= free - 60 * ETHER
    with pytest.raises(InsufficientFunds):
        await alice.reserved_units(60 * ETHER, RATE)
    await send(alice, lock.tx)
    await evm.mine()
    assert (await alice.balance()).confirmed > left


@pytest.mark.parametrize("answer", ["paused", "isBlacklisted", "isBlackListed", "isFrozen"])
async def test_what_an_issuer_can_do_closes_gates(evm: EvmBench, answer: str) -> None:
    signature = "paused()" if answer == "paused" else f"{answer}(address)"
    selector = calls.selector(signature).hex()
    assert (await evm.alice.usdc.status()).problems == ()
    # Says yes to this one question, and no to everything else.
    code = f"0x5f3560e01c63{selector}145f5260205ff3"
    real = await evm.anvil.rpc("eth_getCode", "0x" + evm.token.hex(), "latest")
    await evm.anvil.rpc("anvil_setCode", "0x" + evm.token.hex(), code)
    await evm.mine()
    problems = " ".join((await evm.alice.usdc.status()).problems)
    assert ("paused by its issuer" if answer == "paused" else "on the blacklist") in problems
    await evm.anvil.rpc("anvil_setCode", "0x" + evm.token.hex(), real)
    await evm.mine()
    assert (await evm.alice.usdc.status()).problems == ()


async def test_a_token_whose_code_was_replaced_closes_gates_across_restarts(evm: EvmBench) -> None:
    slot = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"  # EIP-1967
    token = "0x" + evm.token.hex()
    assert (await evm.alice.usdc.status()).problems == ()
    await evm.anvil.rpc("anvil_setStorageAt", token, slot, "0x" + "00" * 12 + "99" * 20)
    await evm.mine()
    for _ in range(2):
        assert "was replaced" in " ".join((await evm.alice.usdc.status()).problems)
        evm.alice.open()


async def test_a_token_that_calls_itself_something_else_is_refused(evm: EvmBench) -> None:
    wrong = msgspec.structs.replace(evm.config.tokens[0], symbol="USDC")
    evm.alice.open(tokens=(wrong,))
    with pytest.raises(ChainError, match="calls itself 'TEST'"):
        await evm.alice.usdc.check()
    other = msgspec.structs.replace(evm.config.tokens[0], decimals=18)
    evm.alice.open(tokens=(other,))
    with pytest.raises(ChainError, match="6 decimals"):
        await evm.alice.usdc.check()


async def test_a_node_that_is_gone_is_unknown_and_comes_back(evm: EvmBench) -> None:
    await evm.locked(await evm.leg(evm.alice.eth, ETHER))
    [endpoint] = evm.alice.node.sources._own
    there, endpoint._url = endpoint._url, "http://127.0.0.1:1"
    with pytest.raises(ChainError, match="cannot be reached"):
        await evm.alice.eth.view("leg")
    endpoint._url = there
    assert (await seen(evm.alice.eth)).depth == 2


async def test_what_gas_needs_is_left_behind_when_the_rest_is_sent_on(evm: EvmBench) -> None:
    claims = checksummed(evm.alice.accounts[1])
    [coin] = await evm.alice.eth.unspent((claims,), ())
    assert await evm.alice.eth.unspent(("0x" + "12" * 20,), ()) == ()
    sweep = await evm.alice.eth.build_sweep((coin,), (), checksummed(b"\x77" * 20), RATE)
    await send(evm.alice.eth, sweep)
    await evm.mine()
    assert await evm.anvil.balance(claims) >= evm.config.gas_reserve


async def used_again(evm: EvmBench, *, claimed: bool) -> LegTerms:
    """Bob watches alice's lock until it stands; while he is away it is refunded, or claimed by a
    stranger for him, and 150 blocks later alice uses its slot for another lock."""
    leg = await evm.leg(evm.alice.eth, ETHER, lasts=100)
    await evm.funded(leg, within=50)
    lock = await evm.funded(leg, within=50)
    evm.bob.eth.watch(LegWatch("leg", leg, HASHLOCK, 1))
    await send(evm.alice.eth, lock.tx)
    await evm.mine(2)
    assert (await seen(evm.bob.eth)).depth == 2
    terms = slot_terms_of(leg, HASHLOCK)
    end = calls.claim_for(terms, PREIMAGE) if claimed else calls.refund(terms)
    await evm.mine(12)
    contract = evm.alice.eth.on_chain.contract
    await evm.anvil.send(SOMEONE, contract, end, now=evm.clock.now() + 10)
    evm.clock.advance(20)
    await evm.pass_blocks(150)
    later = msgspec.structs.replace(slot_terms_of(leg, b"\x07" * 32), expiry=2**39)
    lock_again = calls.lock_native(later, evm.clock.now() + 1000)
    locker, now = evm.alice.accounts[0], evm.clock.now() + 10
    await evm.anvil.send(locker, contract, lock_again, now=now, value=later.amount)
    evm.clock.advance(20)
    return leg


@pytest.mark.parametrize("claimed", [True, False])
@pytest.mark.parametrize("restarts", [True, False])
async def test_how_a_lock_ended_whose_slot_was_used_again_is_read_from_old_states(
    evm: EvmBench, *, claimed: bool, restarts: bool
) -> None:
    leg = await used_again(evm, claimed=claimed)
    if restarts:
        evm.bob.open()
        evm.bob.eth.watch(LegWatch("leg", leg, HASHLOCK, 1))
    found = await seen(evm.bob.eth)
    assert found.spend is not None
    wanted = (SpendKind.CLAIM, PREIMAGE) if claimed else (SpendKind.REFUND, None)
    assert (found.spend.kind, found.spend.preimage) == wanted
    assert found.spend.depth > 150
    assert found.depth > found.spend.depth


@pytest.mark.parametrize("restarts", [True, False])
async def test_where_nobody_keeps_old_states_the_end_is_unknown_and_said_so(
    evm: EvmBench, monkeypatch: pytest.MonkeyPatch, *, restarts: bool
) -> None:
    leg = await used_again(evm, claimed=False)
    if restarts:
        evm.bob.open()
        evm.bob.eth.watch(LegWatch("leg", leg, HASHLOCK, 1))
    sources = evm.bob.node.sources
    honest, head = sources.at, await evm.anvil.height()

    async def young(block: Header, asked: Sequence[Call]) -> list[Any]:
        if block.number < head - 130:
            raise StateUnknown(f"block {block.number} has left the chain, or its state the node")
        return await honest(block, asked)

    monkeypatch.setattr(sources, "at", young)
    for _ in range(2):
        with pytest.raises(ChainError) as failed:
            await evm.bob.eth.view("leg")
        assert trouble_of(str(failed.value)) is Trouble.END_UNKNOWN
        assert "no claim of ours ended it" in str(failed.value)
    monkeypatch.setattr(sources, "at", honest)
    found = await seen(evm.bob.eth)
    assert found.spend is not None
    assert found.spend.kind is SpendKind.REFUND


async def test_what_was_remembered_of_a_lock_goes_when_its_watch_ends(evm: EvmBench) -> None:
    leg = await evm.leg(evm.alice.eth, ETHER)
    await evm.locked(leg)
    await seen(evm.alice.eth)
    memory = StoreMemory(evm.alice.store, "evm:31337")
    assert [key for key, _ in await memory.items() if key.startswith("live:")] != []
    evm.alice.eth.unwatch("leg")
    await keep(evm)
    assert [key for key, _ in await memory.items() if key.startswith("live:")] == []
