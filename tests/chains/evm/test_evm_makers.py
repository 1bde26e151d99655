"""The other side's lock, kept as it was sent: what a reorganisation took out goes again."""

from collections.abc import Sequence
from typing import Any

import pytest

from protocol.evm import calls
from protocol.evm.legs import slot_terms_of
from swapd.chains.evm.rpc import Call, RpcError
from swapd.ports import Broadcast, LegWatch
from tests.chains.evm.bench import ETHER, HASHLOCK, EvmBench, Side, seen, send, unseen
from tests.nodes.anvil import SOMEONE

pytestmark = pytest.mark.nodes
RAW = "eth_getRawTransactionByHash"


def answering(side: Side, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    """The side's node answers these methods so; a change that is callable gets the true answer."""
    [endpoint] = side.node.sources._own
    honest = endpoint.batch

    async def batch(asked: Sequence[Call], **limits: int) -> list[Any]:
        answers = await honest(asked, **limits)
        told = []
        for (method, _), answer in zip(asked, answers, strict=True):
            change = changes.get(method, answer)
            told.append(change(answer) if callable(change) else change)
        return told

    monkeypatch.setattr(endpoint, "batch", batch)


def refused(method: str) -> RpcError:
    return RpcError("http://node", method, -32601, "the method does not exist")


@pytest.mark.parametrize("raw_is_told", [True, False])
async def test_their_lock_that_a_reorganisation_took_out_can_be_sent_again(
    evm: EvmBench, monkeypatch: pytest.MonkeyPatch, *, raw_is_told: bool
) -> None:
    if not raw_is_told:
        answering(evm.bob, monkeypatch, {RAW: refused(RAW)})
    lock = await evm.locked(await evm.leg(evm.alice.eth, ETHER))
    found = await seen(evm.bob.eth)
    assert (found.raw, found.txid) == (lock.tx.raw, lock.tx.txid)
    evm.clock.advance(10)
    await evm.anvil.reorg(2, evm.clock.now())
    assert await unseen(evm.bob.eth)
    assert (await evm.bob.eth.broadcast(found.raw)).outcome is Broadcast.ACCEPTED
    await evm.mine(2)
    for chain in (evm.alice.eth, evm.bob.eth):
        assert (await seen(chain)).depth == 2


async def test_our_own_lock_is_in_our_journal_and_not_asked_for(evm: EvmBench) -> None:
    await evm.locked(await evm.leg(evm.alice.eth, ETHER))
    assert (await seen(evm.alice.eth)).raw == b""


async def test_what_only_names_a_lock_is_not_taken_for_it(evm: EvmBench) -> None:
    leg = await evm.leg(evm.alice.eth, ETHER)
    lock = await evm.funded(leg)
    # Who sees a lock in mempools can be in its block before it, naming all that it names.
    data = calls.lock_native(slot_terms_of(leg, HASHLOCK), evm.clock.now() + 500)
    fee = {"maxFeePerGas": hex(10**12), "maxPriorityFeePerGas": hex(10**11)}
    asked = {"from": "0x" + SOMEONE.hex(), "to": "0x" + "77" * 20, "data": "0x" + data.hex()}
    stranger = await evm.anvil.rpc("eth_sendTransaction", asked | fee)
    await send(evm.alice.eth, lock.tx)
    evm.bob.eth.watch(LegWatch("leg", leg, HASHLOCK, 1))
    await evm.mine()
    block = await evm.anvil.rpc("eth_getBlockByNumber", "latest", False)
    assert block["transactions"] == [stranger, "0x" + lock.tx.txid]
    found = await seen(evm.bob.eth)
    assert (found.txid, found.raw) == (lock.tx.txid, lock.tx.raw)


@pytest.mark.parametrize("told", ["0x02c0", "0x", 7, None])
async def test_bytes_of_another_name_are_not_the_lock(
    evm: EvmBench, monkeypatch: pytest.MonkeyPatch, told: Any
) -> None:
    def worse(block: dict[str, Any]) -> dict[str, Any]:
        return block | {"transactions": [tx | {"nonce": "0x63"} for tx in block["transactions"]]}

    answering(evm.bob, monkeypatch, {RAW: told, "eth_getBlockByHash": worse})
    lock = await evm.locked(await evm.leg(evm.alice.eth, ETHER))
    found = await seen(evm.bob.eth)
    assert (found.depth, found.txid, found.raw) == (2, lock.tx.txid, b"")


@pytest.mark.parametrize("told", [None, 7, {"transactions": [7]}, refused("eth_getBlockByHash")])
async def test_a_node_that_tells_no_transactions_keeps_no_lock_from_being_seen(
    evm: EvmBench, monkeypatch: pytest.MonkeyPatch, told: Any
) -> None:
    asked: list[Any] = []

    def telling(block: Any) -> Any:
        asked.append(block)
        return told

    answering(evm.bob, monkeypatch, {"eth_getBlockByHash": telling})
    await evm.locked(await evm.leg(evm.alice.eth, ETHER))
    for _ in range(9):
        found = await seen(evm.bob.eth)
        assert (found.depth, found.txid, found.raw) == (2, "", b"")
    assert len(asked) < 9, "a whole block is not asked for for ever"
