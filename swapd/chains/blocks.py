"""Scanning blocks for watches: raw bytes first, decoded only when something is in them.

Owns: `BlockScanner`, which brings a `WatchState` to a given tip, through reorgs. Must not know:
mempools, what the facts mean.

Works with and without txindex, pruned or not, after any downtime: it needs each block since the
watch began, once. A block's hash is computed from its bytes and linked to the one scanned before,
so that a reorg between two calls cannot slip through.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Final, TypeVar

import trio

from protocol.bitcoin.params import ChainParams
from protocol.bitcoin.scan import MAX_BLOCK_BYTES
from protocol.bitcoin.tx import MAX_TX_BYTES
from protocol.swap import troubles
from protocol.swap.facts import Restriction
from swapd.chains.answers import BadAnswer, block_hash, raw_hex, rows, table
from swapd.chains.leg_watch import WatchState, read_tx
from swapd.chains.rpc import MAX_LARGE_ANSWER, Rpc, RpcError
from swapd.ports import NodeMisconfigured

_HEADER = 80
_CACHED_BLOCKS = 4
_OUT_OF_RANGE: Final = -8
_NOT_FOUND: Final = -5
_BLOCK_SECONDS: Final = 60.0

_Cached = TypeVar("_Cached")


class BlockScanner:
    """Brings watches up to the tip. `watches` lists all of them, to feed several with one fetch."""

    def __init__(
        self, rpc: Rpc, params: ChainParams, watches: Callable[[], Iterable[WatchState]]
    ) -> None:
        self._rpc = rpc
        self._params = params
        self._watches = watches
        self._lock = trio.Lock()
        self._raw: OrderedDict[str, bytes] = OrderedDict()
        self._split: OrderedDict[str, tuple[bytes, ...]] = OrderedDict()

    async def catch_up(self, state: WatchState, tip_height: int, tip_hash: str) -> None:
        """Scans until `state` stands at this tip, or until the chain turns out to have moved (the
        caller compares the tip again). Raises NodeMisconfigured when a block is pruned."""
        if state.hashes and state.cursor == tip_height - 1:
            # As nearly always: one block more, which links to the last one. Nothing else is asked.
            async with self._lock:
                if state.cursor == tip_height - 1:
                    await self._scan(state, tip_height, tip_hash)
        if state.cursor < tip_height or not state.hashes or state.hashes[-1] != tip_hash:
            await self._unwind(state, tip_height)
        while state.cursor < tip_height:
            async with self._lock:
                if not await self._next(state):
                    return

    async def _unwind(self, state: WatchState, tip_height: int) -> None:
        """Drops scanned blocks that are not in the best chain any more."""
        async with self._lock:
            while state.hashes:
                height = state.cursor
                if height <= tip_height and await self._hash_at(height) == state.hashes[-1]:
                    return
                state.drop_block()

    async def _hash_at(self, height: int) -> str | None:
        """Hash of the best chain's block at `height`; None when the chain is shorter."""
        try:
            return block_hash(await self._rpc.call("getblockhash", height))
        except RpcError as error:
            if error.code == _OUT_OF_RANGE:
                return None
            raise

    async def _next(self, state: WatchState) -> bool:
        """Scans the block after the cursor; False when there is none that links to the last."""
        height = state.cursor + 1
        name = await self._hash_at(height)
        return name is not None and await self._scan(state, height, name)

    async def _scan(self, state: WatchState, height: int, name: str) -> bool:
        """Scans a block for `state` and every watch that stands there too; False when it does not
        link to the last one."""
        raw = await self._block(name)
        before = raw[4:36][::-1].hex()
        if state.hashes and state.hashes[-1] != before:
            return False
        group = [
            other
            for other in self._watches()
            if other.cursor == height - 1 and other.hashes[-1:] in ([], [before])
        ]
        if state not in group:  # it was replaced or ended meanwhile; its own caller still asks
            group.append(state)
        hits = [other for other in group if other.matches(raw)]
        transactions = await self._transactions(name) if hits else ()
        for other in hits:
            self._feed(other, transactions, height)
        for other in group:
            other.add_block(name)
        return True

    def _feed(self, state: WatchState, transactions: tuple[bytes, ...], height: int) -> None:
        last = len(transactions) - 1
        for index, raw in enumerate(transactions):
            # In order, because a lock may be spent further down in its own block.
            seen = read_tx(raw) if state.matches(raw) else None
            if seen is None:
                continue
            restriction = Restriction.NONE
            if index == 0:
                restriction = Restriction.COINBASE
            elif self._params.has_mweb and index == last and seen.tx.is_hogex:
                restriction = Restriction.HOGEX
            state.add_tx(seen, height, restriction)

    async def _block(self, name: str) -> bytes:
        if name in self._raw:
            return self._raw[name]
        try:
            answer = await self._rpc.call(
                "getblock", name, 0, timeout=_BLOCK_SECONDS, most=2 * MAX_BLOCK_BYTES + 1000
            )
        except RpcError as error:
            if error.code == _NOT_FOUND:
                raise
            msg = (
                f"the node at {self._rpc.where} does not have block {name} any more "
                f"({error.message}): {troubles.PRUNED_AWAY} of open swaps; raise "
                f"-prune, or download the chain again, or connect a full node"
            )
            raise NodeMisconfigured(msg) from None
        raw = raw_hex(answer, MAX_BLOCK_BYTES)
        if sha256(sha256(raw[:_HEADER]).digest()).digest()[::-1].hex() != name:
            raise BadAnswer(f"the node at {self._rpc.where} answered another block than {name}")
        _remember(self._raw, name, raw)
        return raw

    async def _transactions(self, name: str) -> tuple[bytes, ...]:
        """The raw transactions of a block, in its order."""
        if name not in self._split:
            answer = await self._rpc.call(
                "getblock", name, 2, timeout=_BLOCK_SECONDS, most=MAX_LARGE_ANSWER
            )
            listed = rows(table(answer).get("tx"))
            raws = tuple(raw_hex(table(item).get("hex"), MAX_TX_BYTES) for item in listed)
            _remember(self._split, name, raws)
        return self._split[name]


def _remember(cache: "OrderedDict[str, _Cached]", name: str, value: _Cached) -> None:
    cache[name] = value
    while len(cache) > _CACHED_BLOCKS:
        cache.popitem(last=False)
