"""Where facts come from: the operator's own node, or what two endpoints say alike.

Owns: `Sources`: which word is believed, the newest block that is, asking at a block by its hash.
Must not know: contracts, swaps.

A hosted endpoint can lie, lag and lose its mind, so alone it is no source of facts (safety rule 7).
Everything that decides is asked *at a block named by its hash*, where honest nodes can't differ;
what differs, or what too few can say, is unknown: NodeUnreachable, never a guess. While an own node
answers, nobody else is asked; while none does, or none keeps the state of an old block, two hosted
endpoints may stand in for it.
"""

import enum
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import trio

from protocol.swap import troubles
from swapd.chains.evm.answers import Header, header, quantity
from swapd.chains.evm.rpc import MAX_ANSWER, Call, Endpoint, RpcError
from swapd.ports import Broadcast, BroadcastResult, ChainError, NodeMisconfigured, NodeUnreachable

T = TypeVar("T")

QUORUM: Final = 2
"""Hosted endpoints that must say the same."""

_LAG: Final = 5.0
"""Seconds that others get once somebody has answered: the slow one is not waited for longer than
that where nobody needs it."""

_KNOWN: Final = ("already known", "already imported", "known transaction", "alreadyknown")
_MINED: Final = ("nonce too low", "old nonce", "nonce is too low")

_REVERTED: Final = re.compile(
    r"revert|opcode|invalid jump|out of gas|stack (und|ov)er|e?vm error|vm exec"
)
"""How nodes say that it was the contract that failed and not they. Geth's own code for it is 3."""
_REVERT_CODE: Final = 3


class StateUnknown(NodeUnreachable):
    """A block has left the chain, or the state at it those who are asked."""


class Refusal(enum.Enum):
    """What stands in place of an answer: the contract itself refused the call."""

    REVERTED = "reverted"


class Sources:
    """All endpoints of one chain."""

    def __init__(self, endpoints: Sequence[Endpoint], chain_id: int) -> None:
        """Raises NodeMisconfigured where they could never decide anything."""
        own = [each for each in endpoints if each.own]
        hosted = [each for each in endpoints if not each.own]
        if not own and len(hosted) < QUORUM:
            msg = (
                f"chain {chain_id} has one endpoint that is not your own node, which could tell us "
                "anything: name a second one of another operator, or run a node (own = true)"
            )
            raise NodeMisconfigured(msg)
        self._own, self._hosted = tuple(own), tuple(hosted)
        self.chain_id = chain_id
        self._proven: set[Endpoint] = set()

    @property
    def where(self) -> str:
        """The endpoints, for messages."""
        return ", ".join(each.where for each in (*self._own, *self._hosted))

    @property
    def has_own(self) -> bool:
        """Whether a node of the operator's own is among them."""
        return bool(self._own)

    # --- facts ---

    async def head(self) -> Header:
        """The newest block that is a fact: of an own node its newest, of hosted ones the newest
        that two have in their chains."""
        if self._own:
            try:
                head: Header = await self._first(self._own, _latest)
            except NodeUnreachable:
                if len(self._hosted) < QUORUM:
                    raise
            else:
                return head
        return await self._newest(_latest)

    async def finalized(self) -> Header | None:
        """The newest block that the chain itself says is final; None before there is one."""
        if self._own:
            try:
                found: Header | None = await self._first(self._own, _finalized)
            except NodeUnreachable:
                if len(self._hosted) < QUORUM:
                    raise
            else:
                return found
        return await self._newest(_finalized)

    async def _newest(self, ask: Callable[[Endpoint], Any]) -> Header:
        """The newest block such that two hosted endpoints are there or beyond, and agree on it."""
        heads = [head for head in await self._all(self._hosted, ask) if head is not None]
        if len(heads) < QUORUM:
            raise _too_few(len(heads))
        height = sorted((head.number for head in heads), reverse=True)[QUORUM - 1]
        found: Header = await self._agreed(
            self._hosted, lambda node: _numbered(node, height), f"block {height}"
        )
        return found

    async def block(self, number: int) -> Header | None:
        """The block of the best chain at a height; None where there is none."""

        async def ask(node: Endpoint) -> Header | None:
            return await _block(node, hex(number))

        found: Header | None = await self._told(ask, f"block {number}")
        return found

    async def at(self, block: Header, calls: Sequence[Call]) -> list[Any]:
        """The answers to calls whose last parameter, the block, is left out, at that very block;
        Refusal.REVERTED where a called contract says no. Raises StateUnknown when that block has
        left the chain, or its state the nodes: nothing else keeps one from reading a state."""
        named = {"blockHash": block.name, "requireCanonical": True}
        asked = [(method, (*params, named)) for method, params in calls]

        async def ask(node: Endpoint) -> list[Any]:
            return [_at(block, node, answer) for answer in await node.batch(asked)]

        answers: list[Any] = await self._told(ask, f"the state at block {block.number}")
        return answers

    async def told(self, calls: Sequence[Call], what: str) -> list[Any]:
        """The answers to calls that name no block, or one by its hash: receipts, whole blocks. What
        is refused is not told: NodeUnreachable."""

        async def ask(node: Endpoint) -> list[Any]:
            answers = await node.batch(calls)
            for answer in answers:
                if isinstance(answer, RpcError):
                    raise NodeUnreachable(f"{node.where} does not tell {what}: {answer.message}")
            return answers

        answers: list[Any] = await self._told(ask, what)
        return answers

    async def _told(self, ask: Callable[[Endpoint], Any], what: str) -> Any:
        if self._own:
            try:
                return await self._first(self._own, ask)
            except NodeUnreachable:
                if len(self._hosted) < QUORUM:
                    raise
        return await self._agreed(self._hosted, ask, what)

    # --- hints ---

    async def hints(self, *calls: Call, most: int = MAX_ANSWER) -> list[list[Any]]:
        """What every endpoint that answers says, own ones first: for what no decision but one of
        cost or haste hangs on (fees, mempools). `most` bounds an answer's bytes. Raises
        NodeUnreachable when nobody answers."""

        async def ask(node: Endpoint) -> list[Any]:
            return await node.batch(list(calls), most=most)

        nodes = self._own or self._hosted
        found = await self._all(nodes, ask)
        if not found and self._own and self._hosted:
            found = await self._all(self._hosted, ask)
        if not found:
            raise NodeUnreachable(f"no endpoint of chain {self.chain_id} answers ({self.where})")
        return found

    # --- broadcasting ---

    async def broadcast(self, raw: bytes) -> BroadcastResult:
        """Hands a transaction to every endpoint; the best outcome of any."""

        async def send(node: Endpoint) -> BroadcastResult:
            try:
                await node.call("eth_sendRawTransaction", "0x" + raw.hex())
            except RpcError as error:
                return judged(error.message)
            return BroadcastResult(Broadcast.ACCEPTED)

        results: list[BroadcastResult] = await self._all((*self._own, *self._hosted), send)
        if not results:
            msg = f"no endpoint of chain {self.chain_id} took the transaction ({self.where})"
            raise NodeUnreachable(msg)
        order = (Broadcast.ACCEPTED, Broadcast.ALREADY_KNOWN, Broadcast.REJECTED)
        return min(results, key=lambda result: order.index(result.outcome))

    # --- asking several ---

    async def _prove(self, node: Endpoint) -> None:
        """An endpoint of another chain is never asked anything else."""
        if node in self._proven:
            return
        found = quantity(await node.call("eth_chainId"))
        if found != self.chain_id:
            msg = f"{node.where} {troubles.ANOTHER_CHAIN}, {found}, not on {self.chain_id}"
            raise NodeMisconfigured(msg)
        self._proven.add(node)

    async def _first(self, nodes: Sequence[Endpoint], ask: Callable[[Endpoint], Any]) -> Any:
        """The answer of the first node that gives one. Raises RpcError, ChainError."""
        trouble: ChainError | None = None
        for node in nodes:
            try:
                await self._prove(node)
                return await ask(node)
            except RpcError:
                raise
            except StateUnknown as error:
                trouble = error
            except ChainError as error:
                self._proven.discard(node)
                trouble = error
        if trouble is None or isinstance(trouble, NodeMisconfigured | StateUnknown):
            raise trouble or NodeUnreachable(f"chain {self.chain_id} has no endpoint")
        raise NodeUnreachable(str(trouble))

    async def _all(self, nodes: Sequence[Endpoint], ask: Callable[[Endpoint], Any]) -> list[Any]:
        """What the nodes answer, in their order; those that fail, or lag far behind, are left out.
        Raises NodeMisconfigured where one is on another chain and nobody answers, StateUnknown
        where that keeps too many from answering."""
        found: dict[int, Any] = {}
        wrong: list[NodeMisconfigured] = []
        blank: list[StateUnknown] = []

        async def one(index: int, node: Endpoint) -> None:
            try:
                await self._prove(node)
                found[index] = await ask(node)
            except NodeMisconfigured as error:
                wrong.append(error)
            except StateUnknown as error:
                blank.append(error)
            except ChainError:
                self._proven.discard(node)
            if len(found) >= min(QUORUM, len(nodes)):
                nursery.cancel_scope.deadline = min(
                    nursery.cancel_scope.deadline, trio.current_time() + _LAG
                )

        async with trio.open_nursery() as nursery:
            for index, node in enumerate(nodes):
                nursery.start_soon(one, index, node)
        if wrong and not found:
            raise wrong[0]
        if blank and len(found) < QUORUM:
            raise blank[0]
        return [found[index] for index in sorted(found)]

    async def _agreed(
        self, nodes: Sequence[Endpoint], ask: Callable[[Endpoint], Any], what: str
    ) -> Any:
        """What QUORUM of the nodes say alike."""
        found = await self._all(nodes, ask)
        for answer in found:
            if sum(other == answer for other in found) >= QUORUM:
                return answer
        if len(found) < QUORUM:
            raise _too_few(len(found))
        raise NodeUnreachable(f"the endpoints ({self.where}) {troubles.DO_NOT_AGREE} {what}")


def _at(block: Header, node: Endpoint, answer: Any) -> Any:
    """An answer about the state at a block, judged. Raises StateUnknown."""
    if not isinstance(answer, RpcError):
        return answer
    if answer.method == "eth_call" and _is_revert(answer):
        return Refusal.REVERTED
    msg = f"block {block.number} {troubles.STATE_GONE} {node.where}: {answer.message}"
    raise StateUnknown(msg)


def _is_revert(error: RpcError) -> bool:
    return error.code == _REVERT_CODE or _REVERTED.search(error.message.lower()) is not None


def _too_few(count: int) -> NodeUnreachable:
    who = "no endpoint answers" if count == 0 else "only one endpoint answers"
    return NodeUnreachable(f"{who} and {troubles.TOO_FEW_ANSWER}")


async def _latest(node: Endpoint) -> Header:
    found = await _block(node, "latest")
    if found is None:
        raise NodeUnreachable(f"{node.where} has no block yet")
    return found


async def _finalized(node: Endpoint) -> Header | None:
    """None where the node knows of none, in whatever words it says so."""
    try:
        return await _block(node, "finalized")
    except RpcError:
        return None


async def _numbered(node: Endpoint, height: int) -> Header:
    found = await _block(node, hex(height))
    if found is None:
        raise NodeUnreachable(f"{node.where} does not have block {height} yet")
    return found


async def _block(node: Endpoint, name: str) -> Header | None:
    answer = await node.call("eth_getBlockByNumber", name, False)  # noqa: FBT003 - positional JSON
    return None if answer is None else header(answer)


def judged(message: str) -> BroadcastResult:
    """What a node's refusal of a transaction means."""
    words = message.lower()
    if any(known in words for known in _KNOWN):
        return BroadcastResult(Broadcast.ALREADY_KNOWN)
    return BroadcastResult(Broadcast.REJECTED, message)


def is_used_nonce(reason: str) -> bool:
    """Whether a node refused because another transaction with this nonce is in a block."""
    return any(known in reason.lower() for known in _MINED)
