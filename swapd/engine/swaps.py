"""All swaps of this daemon: started, resumed, listed, kept apart.

Owns: one runner per open swap, the coins they hold, the stream of their changes.
Must not know: the market, adapters. A swap that fails never takes another one down.
"""

from collections.abc import Callable, Mapping

import structlog
import trio

from protocol.assets import AssetId
from protocol.swap.agreement import Agreement
from protocol.swap.machine import begin, is_closed
from protocol.swap.pending import holds_coins
from protocol.swap.states import SwapState
from swapd.engine import journal
from swapd.engine.runner import Runner
from swapd.engine.world import World
from swapd.ports import ChainError, JournalRecord, StoreError

log = structlog.get_logger(__name__)

RESTART_SECONDS = 5.0
"""A runner that stopped on a bug of ours is started again after so long, from its journal."""

Listener = Callable[[SwapState, int], None]


class Swaps:
    """Every swap. `run` must be running; `resume` comes before the network opens."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._runners: dict[bytes, Runner] = {}
        self._listeners: list[Listener] = []
        self._coins: Mapping[AssetId, trio.Lock] = {asset: trio.Lock() for asset in world.chains}
        self._unattended: dict[bytes, str] = {}
        self._nursery: trio.Nursery | None = None
        self._changed = trio.Event()

    def listen(self, listener: Listener) -> None:
        """`listener(state, sequence)` after every journalled change of any swap; must not block."""
        self._listeners.append(listener)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Holds the runners; ends when cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._keep_reserved)
            task_status.started()
            await trio.sleep_forever()

    async def resume(self) -> int:
        """Starts every open swap from the journal; returns how many. One that can't be run is in
        `unattended` and never keeps the others from being run. Raises StoreError."""
        runners = []
        for record in await self._world.store.open_swaps():
            try:
                state = journal.load_state(record)
                self._check_chains(state)
            except StoreError as error:
                self._leave(record.swap_id, str(error))
                continue
            await self._check_history(record)
            runners.append(self._add(state, record.sequence, resumed=True))
        # All coins are known to be promised before the first runner can choose any.
        await self._reserve()
        for runner in runners:
            self._start(runner)
        return len(runners)

    async def _check_history(self, record: JournalRecord) -> None:
        """The stored state is what counts; a history that an older swapd wrote, or that the clock
        was set back in, may fold to another one. That is worth a line, never a swap."""
        try:
            journal.replay(await self._world.store.history(record.swap_id))
        except StoreError as error:
            log.warning("swap.history_differs", swap=record.swap_id.hex(), reason=str(error))

    def _check_chains(self, state: SwapState) -> None:
        """Raises StoreError for a swap on a chain that is not configured any more."""
        for leg in (state.agreement.own, state.agreement.theirs):
            if leg.amount.asset not in self._world.chains:
                message = f"no node is configured for {leg.amount.asset}: configure it again"
                raise StoreError(message)

    def _leave(self, swap_id: bytes, reason: str) -> None:
        log.critical("swap.unattended", swap=swap_id.hex(), reason=reason)
        self._unattended[swap_id] = reason

    def unattended(self) -> Mapping[bytes, str]:
        """Open swaps that nobody looks after, and why: the operator must act."""
        return self._unattended

    async def start(self, agreement: Agreement) -> None:
        """Journals a new swap and runs it. On disk when this returns. Raises StoreError."""
        state = begin(agreement)
        if agreement.swap_id in self._runners:
            message = "this swap is running already"
            raise StoreError(message)
        at = self._world.clock.now()
        with trio.CancelScope(shield=True):
            await journal.write(self._world.store, state, None, sequence=1, at=at)
        self._start(self._add(state, 1))
        self._tell(state, 1)

    def poke(self, swap_id: bytes) -> None:
        """A running swap looks again now; others are ignored."""
        runner = self._runners.get(swap_id)
        if runner is not None:
            runner.poke()

    def cancel(self, swap_id: bytes) -> bool:
        """Asks a running swap to give up; False when there is none of that id."""
        runner = self._runners.get(swap_id)
        if runner is None:
            return False
        runner.request_cancel()
        return True

    def open(self) -> tuple[SwapState, ...]:
        """The states of all swaps that have no outcome yet, oldest first. One that ended may still
        run for a while, to sweep back what a stranger paid to its script."""
        states = [runner.state for runner in self._runners.values() if runner.state.outcome is None]
        return tuple(sorted(states, key=lambda state: state.agreement.agreed_at))

    def live(self, swap_id: bytes) -> SwapState | None:
        """The state of a running swap, with its newest views."""
        runner = self._runners.get(swap_id)
        return runner.state if runner else None

    def trouble(self, swap_id: bytes) -> str:
        """What failed last in a running swap, empty when all is well."""
        runner = self._runners.get(swap_id)
        return runner.trouble if runner else ""

    async def get(self, swap_id: bytes) -> tuple[SwapState, int, int] | None:
        """State, sequence and time of the last change of any swap, running or ended."""
        record = await self._world.store.swap(swap_id)
        return None if record is None else self._from_record(record)

    async def page(
        self, *, after: bytes | None, limit: int
    ) -> tuple[tuple[SwapState, int, int], ...]:
        """Swaps newest first, from behind `after`; each as `get` returns it."""
        records = await self._world.store.swaps(after=after, limit=limit)
        return tuple(self._from_record(record) for record in records)

    def _from_record(self, record: JournalRecord) -> tuple[SwapState, int, int]:
        state = self.live(record.swap_id) or journal.load_state(record)
        return state, record.sequence, record.at

    def locked(self, asset: AssetId) -> int:
        """Units of `asset` that are promised to, or locked in, running swaps."""
        return sum(
            state.agreement.own.amount.units
            for state in self.open()
            if state.agreement.own.amount.asset == asset
        )

    def _add(self, state: SwapState, sequence: int, *, resumed: bool = False) -> Runner:
        runner = Runner(
            self._world,
            state,
            sequence,
            changed=self._on_change,
            coins=self._coins,
            resumed=resumed,
        )
        self._runners[state.agreement.swap_id] = runner
        return runner

    def _start(self, runner: Runner) -> None:
        if self._nursery is None:
            message = "Swaps.run is not running"
            raise RuntimeError(message)
        self._nursery.start_soon(self._supervise, runner)

    async def _supervise(self, runner: Runner) -> None:
        """A bug in one swap must not stop another, nor this one's refund: start it again."""
        while not is_closed(runner.state):
            try:
                await runner.run()
            except Exception:
                log.exception("swap.runner_failed", swap=runner.swap_id.hex())
                runner.trouble = "an internal error; see the log"
                await trio.sleep(RESTART_SECONDS)
        self._runners.pop(runner.swap_id, None)
        self._changed.set()

    def _on_change(self, runner: Runner) -> None:
        self._changed.set()
        self._tell(runner.state, runner.sequence)

    def _tell(self, state: SwapState, sequence: int) -> None:
        for listener in self._listeners:
            try:
                listener(state, sequence)
            except Exception:
                # Who merely looks on must never stop a swap.
                log.exception("swap.listener_failed", swap=state.agreement.swap_id.hex())

    async def _keep_reserved(self) -> None:
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            await self._reserve()

    async def _reserve(self) -> None:
        """Tells each chain which coins the journal holds."""
        for asset, chain in self._world.chains.items():
            async with self._coins[asset]:
                refs = frozenset(
                    ref
                    for state in self.open()
                    if state.agreement.own.amount.asset == asset
                    for ref in holds_coins(state)
                )
                try:
                    await chain.set_reserved(refs)
                except ChainError as error:
                    log.warning("chain.reserve_failed", chain=chain.ticker, reason=str(error))
