"""Everything that is watched on one chain, and the tasks that notice when it changed.

Owns: `Watching`: the watches, the count of changes, the long poll for blocks, the polls of the
mempool. Must not know: wallets, transactions of our own.

A block is noticed by `waitforblockheight`, which also answers when that height came while nobody
was asking (`waitfornewblock` would sleep through it). A tip that was replaced by one of equal
height, and all of the mempool, are noticed by polls while something is watched.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio
from msgspec.structs import replace

from protocol.bitcoin.params import ChainParams
from protocol.bitcoin.tx import OutPoint
from protocol.swap.facts import ChainView, Spend, SpendKind
from swapd.chains.answers import block_hash, table
from swapd.chains.blocks import BlockScanner
from swapd.chains.changes import Changes
from swapd.chains.config import NodeConfig
from swapd.chains.health import Health, NodeInfo
from swapd.chains.leg_watch import WatchState
from swapd.chains.mempool import Entry, Mempool
from swapd.chains.rpc import Rpc, RpcError
from swapd.ports import ChainError, LegWatch, NodeMisconfigured, NodeUnreachable

RECHECK_BLOCKS: Final = 20
"""A full check of the node is repeated after so many blocks, and after each reconnect."""

_ATTEMPTS: Final = 20
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0

_NO_ENTRY: Final = Entry(0, 0)

_log = structlog.get_logger(__name__)


class Watching:
    """The watches of one chain."""

    def __init__(
        self,
        rpc: Rpc,
        params: ChainParams,
        config: NodeConfig,
        health: Health,
        connected: Callable[[], Awaitable[None]],
    ) -> None:
        """`connected` is called when the node answers after it did not, and from time to time:
        it checks the node and repeats what the node forgot."""
        self._rpc = rpc
        self._params = params
        self._config = config
        self._health = health
        self._connected = connected
        self._states: dict[str, WatchState] = {}
        self._blocks = BlockScanner(rpc, params, self._states.values)
        self.mempool = Mempool(rpc)
        self._changes = Changes()
        self._watched = trio.Event()
        self._tip = ""
        self._problems: tuple[str, ...] = ()
        self._flashes: dict[tuple[str, str], Spend] = {}

    # --- changes ---

    def change_count(self) -> int:
        """Grows with each change."""
        return self._changes.count

    async def wait_change(self, seen: int) -> int:
        """Returns as soon as the count differs from `seen`."""
        return await self._changes.wait(seen)

    def _bump(self) -> None:
        self._changes.bump()

    def _note(self, tip: str, problems: tuple[str, ...] | None = None) -> None:
        """Counts a change if the tip or the health is another one than before."""
        told = self._problems if problems is None else problems
        if (tip, told) != (self._tip, self._problems):
            self._tip, self._problems = tip, told
            self._bump()

    # --- watches ---

    def watch(self, watch: LegWatch) -> None:
        """Starts or replaces a watch; the same one again changes nothing."""
        known = self._states.get(watch.watch_id)
        if known is None or known.watch != watch:
            self._states[watch.watch_id] = WatchState(watch)
        self._watched.set()

    def unwatch(self, watch_id: str) -> None:
        """Ends a watch; unknown ones are ignored."""
        self._states.pop(watch_id, None)
        self._flashes = {key: s for key, s in self._flashes.items() if key[0] != watch_id}
        if not self._states:
            self._watched = trio.Event()

    async def view(self, watch_id: str) -> ChainView:
        """The facts of one watch, all of one tip."""
        for _ in range(_ATTEMPTS):
            state = self._states.get(watch_id)
            if state is None:
                msg = f"nothing is watched under the name {watch_id[:80]!r}"
                raise ChainError(msg)
            info = await self._health.look()
            self._note(info.tip_hash, info.problems)
            try:
                await self._blocks.catch_up(state, info.height, info.tip_hash)
            except RpcError as error:
                if error.method not in {"getblock", "getblockhash"}:
                    raise
                continue  # that block has left the chain meanwhile
            await self._look_at_mempool()
            if await self._rpc.call("getbestblockhash") != info.tip_hash:
                continue
            if state.cursor > info.height or state.hashes[-1:] in ([], [info.tip_hash]):
                return self._view_of(state, info, await self._spends_in_mempool(state, info))
        msg = f"the chain of the node at {self._rpc.where} moves faster than it can be read"
        raise NodeUnreachable(msg)

    async def _spends_in_mempool(self, state: WatchState, info: NodeInfo) -> dict[str, Entry]:
        """By txid, the unconfirmed spends of the locks."""
        locks = state.locks(info.height, self.mempool.transactions())
        spends = {lock.spend.txid for lock in locks if lock.spend and lock.spend.depth == 0}
        return await self.mempool.entries(spends) if spends else {}

    def _view_of(self, state: WatchState, info: NodeInfo, entries: dict[str, Entry]) -> ChainView:
        pool = self.mempool.transactions()
        flashes = {
            ref: s for (name, ref), s in self._flashes.items() if name == state.watch.watch_id
        }
        locks = []
        for lock in state.locks(info.height, pool):
            spend = lock.spend or flashes.get(lock.ref)
            if spend is not None and spend.depth == 0:
                entry = entries.get(spend.txid, _NO_ENTRY)
                spend = replace(spend, to_beat=entry.fees, since=entry.since)
            self._flashes.pop((state.watch.watch_id, lock.ref), None)
            locks.append(replace(lock, spend=spend))
        return ChainView(
            tip_height=info.height,
            tip_hash=info.tip_hash,
            tip_time=info.tip_time,
            median_time=info.median_time,
            fee_next=info.fee_next,
            fee_floor=info.fee_floor,
            fee_increment=info.increment,
            replaces=self._params.replaces,
            problems=info.problems,
            locks=tuple(locks),
            conflict=state.conflict(info.height, pool),
        )

    async def _look_at_mempool(self) -> bool:
        """One look for all watches. A claim seen now is kept until its watch was viewed once: it
        may be replaced before anybody asks, but its preimage is known for good (safety rule 8)."""
        states = tuple(self._states.values())
        outpoints: set[OutPoint] = set()
        for state in states:
            outpoints |= state.unsettled
        changed = await self.mempool.look(
            {state.script for state in states},
            outpoints,
            everything=any(not state.has_lock for state in states),
        )
        pool = self.mempool.transactions()
        for state in states:
            for lock in state.locks(0, pool):
                if lock.spend and lock.spend.depth == 0 and lock.spend.kind is SpendKind.CLAIM:
                    self._flashes[state.watch.watch_id, lock.ref] = lock.spend
        if changed:
            self._bump()
        return changed

    # --- tasks ---

    async def run(self) -> None:
        """Follows the node for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_blocks)
            nursery.start_soon(self._follow_mempool)

    async def _follow_blocks(self) -> None:
        pause = _FIRST_PAUSE
        checked_at: int | None = None
        trouble = ""
        while True:
            try:
                info = await self._health.look()
                # Troubles are looked at again each time, so that a remedy shows within seconds.
                due = checked_at is None or abs(info.height - checked_at) >= RECHECK_BLOCKS
                if due or info.problems:
                    await self._check(reconnected=checked_at is None)
                    info = await self._health.look()
                    checked_at = info.height
                self._note(info.tip_hash, info.problems)
                pause, trouble = _FIRST_PAUSE, ""
                await self._wait_block(info.height + 1)
            except ChainError as error:
                checked_at = None
                if str(error) != trouble:
                    trouble = str(error)
                    _log.warning("node_trouble", chain=self._params.title, problem=trouble)
                self._note("", (trouble,))
                await trio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except Exception:  # noqa: BLE001 - logged with its trace
                # A bug in reading one node must not end the swaps of the others.
                checked_at = None
                _log.exception("node_reading_failed", chain=self._params.title)
                self._note("", ("an internal error while reading the node; see the log",))
                await trio.sleep(_LONGEST_PAUSE)

    async def _check(self, *, reconnected: bool) -> None:
        if reconnected:
            self.mempool.forget()
        try:
            await self._connected()
        except NodeMisconfigured as error:
            self._health.misconfigured = str(error)
        else:
            self._health.misconfigured = None

    async def _wait_block(self, height: int) -> None:
        wait = self._config.block_wait
        answer = await self._rpc.call(
            "waitforblockheight", height, int(wait * 1000), timeout=wait + self._config.timeout
        )
        self._note(block_hash(table(answer).get("hash")))

    async def _follow_mempool(self) -> None:
        while True:
            await self._watched.wait()
            started = trio.current_time()
            try:
                self._note(block_hash(await self._rpc.call("getbestblockhash")))
                await self._look_at_mempool()
            except ChainError:
                # Told and mended by the other task; until then there is nothing to see.
                await trio.sleep(_LONGEST_PAUSE / 2)
            except Exception:  # noqa: BLE001 - logged with its trace
                _log.exception("node_reading_failed", chain=self._params.title)
                await trio.sleep(_LONGEST_PAUSE)
            # A busy mempool takes longer to read: leave the node three quarters of the time.
            spent = trio.current_time() - started
            await trio.sleep(max(self._config.mempool_poll, 3 * spent))
