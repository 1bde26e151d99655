"""One EVM chain as it is at this moment: head, what is final, what gas costs, and every reason not
to lock or reveal now.

Owns: `NodeInfo`, the problems of safety rules 10 and 27 that concern the whole chain.
Must not know: contracts, tokens, swaps.
"""

from typing import Any, Final

from msgspec import Struct

from protocol.swap import troubles
from swapd.chains.answers import BadAnswer, rows, short, table
from swapd.chains.evm.answers import Header, amount, quantity
from swapd.chains.evm.blocks import Blocks
from swapd.chains.evm.config import EvmConfig
from swapd.chains.evm.fees import PERCENTILE, GasPrice, estimate, stressed
from swapd.chains.evm.rpc import Call, RpcError
from swapd.chains.evm.sources import Sources
from swapd.ports import ChainError, Clock, NodeMisconfigured, NodeUnreachable

MIN_PEERS: Final = 4
FEE_BLOCKS: Final = 10

_HINTS: Final[tuple[Call, ...]] = (
    ("eth_syncing", ()),
    ("net_peerCount", ()),
    ("web3_clientVersion", ()),
)


class NodeInfo(Struct, frozen=True):
    """One look. `final` is the newest block that the chain says is final, None where nobody asks
    for it or there is none."""

    head: Header
    final: Header | None
    price: GasPrice
    problems: tuple[str, ...]
    peers: int
    version: str
    synced: bool


class Health:
    """Looks at one chain. `misconfigured` is what the last full check found, kept by the caller."""

    def __init__(self, sources: Sources, blocks: Blocks, config: EvmConfig, clock: Clock) -> None:
        self._sources = sources
        self._blocks = blocks
        self._config = config
        self._clock = clock
        self._seen: NodeInfo | None = None
        self.misconfigured: str | None = None

    async def look(self) -> NodeInfo:
        """What is new is asked once per head; what time makes worse is judged anew. Raises
        NodeMisconfigured for a foreign chain, NodeUnreachable."""
        head = await self._blocks.follow()
        seen = self._seen
        if seen is None or seen.head != head:
            seen = await self._asked(head)
            self._seen = seen
        problems = [
            *self._time_problems(head),
            *self._final_problems(head, seen.final),
            *seen.problems,
            *filter(None, [self.misconfigured]),
        ]
        return NodeInfo(
            head=head,
            final=seen.final,
            price=seen.price,
            problems=tuple(dict.fromkeys(problems)),
            peers=seen.peers,
            version=seen.version,
            synced=seen.synced,
        )

    async def _asked(self, head: Header) -> NodeInfo:
        final = await self._final(head)
        history: Call = ("eth_feeHistory", (hex(FEE_BLOCKS), head_name(head), [PERCENTILE]))
        told = await self._sources.hints(history, *_HINTS)
        price = self._price(head, [answers[0] for answers in told])
        problems: list[str] = []
        synced = True
        if self._sources.has_own:
            syncing = told[0][1]
            synced = isinstance(syncing, RpcError) or syncing is False
            if not synced:
                problems.append(
                    f"the node of chain {self._config.params.number} is {troubles.CATCHING_UP}"
                )
        peers = _peers(told[0][2]) if self._sources.has_own else None
        if peers is not None and peers < MIN_PEERS and not self._config.params.is_dev:
            problems.append(
                f"the node has {peers} peers; {MIN_PEERS} are wanted, {troubles.FEW_PEERS}"
            )
        return NodeInfo(
            head=head,
            final=final,
            price=price,
            problems=tuple(problems),
            peers=peers or 0,
            version=_version(told[0][3]),
            synced=synced,
        )

    async def _final(self, head: Header) -> Header | None:
        if self._config.pace.finality == 0:
            return None
        final = await self._sources.finalized()
        if final is None or final.number > head.number:
            return None
        return final if await self._blocks.holds(final) else None

    def _price(self, head: Header, histories: list[Any]) -> GasPrice:
        bounds = {"least_tip": self._config.least_tip, "most_fee": self._config.most_fee}
        found = []
        for history in histories:
            try:
                found.append(_from_history(history, **bounds))
            except ChainError:
                continue
        if not found:
            return stressed(head.base_fee, **bounds)
        # The dearer word of several: one that is far too low freezes coins, this costs little.
        return max(found, key=lambda price: price.next_rate)

    def _time_problems(self, head: Header) -> list[str]:
        now, config = self._clock.now(), self._config
        problems = []
        if now < head.time - config.pace.early:
            problems.append(f"{troubles.CLOCK_IS_BEHIND} newest block: set the clock")
        if config.stale and now - head.time > config.stale:
            problems.append(
                f"{troubles.NO_BLOCK} {max(1, config.stale // 60)} minutes: is the node connected?"
            )
        return problems

    def _final_problems(self, head: Header, final: Header | None) -> list[str]:
        """Blocks that nobody finalizes close gates; no claim ever waits for them."""
        lag = self._config.pace.finality
        if lag == 0 or (final is not None and head.time - final.time <= lag):
            return []
        if final is None:
            return [f"the node {troubles.NO_FINALITY}: nothing is ever as deep as it must be"]
        return [f"{troubles.NOTHING_FINAL} {lag // 60} minutes"]

    async def check(self) -> None:
        """Every endpoint that answers is on the right chain. Raises NodeMisconfigured."""
        try:
            await self._sources.head()
        except NodeMisconfigured as error:
            self.misconfigured = str(error)
            raise
        except NodeUnreachable:
            raise
        self.misconfigured = None


def head_name(head: Header) -> str:
    """A block as fee histories take it: by its height."""
    return hex(head.number)


def _from_history(history: object, *, least_tip: int, most_fee: int) -> GasPrice:
    if isinstance(history, RpcError):
        raise history
    found = table(history)
    bases = [amount(each) for each in rows(found.get("baseFeePerGas"))]
    if not bases:
        raise BadAnswer("a fee history without base fees")
    rewards = found.get("reward")
    tips = [amount(rows(each)[0]) for each in rows(rewards) if rows(each)] if rewards else []
    return estimate(bases, tips, least_tip=least_tip, most_fee=most_fee)


def _peers(answer: object) -> int | None:
    """None where the node does not tell."""
    try:
        return None if isinstance(answer, RpcError) else quantity(answer)
    except BadAnswer:
        return None


def _version(answer: object) -> str:
    try:
        return "" if isinstance(answer, RpcError) else short(answer)
    except BadAnswer:
        return ""
