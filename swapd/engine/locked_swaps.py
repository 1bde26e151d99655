"""All swaps of a daemon without its seed: watched, and helped with what was signed before.

Owns: looking at each open swap, sending what its journal and the packages signed ahead hold, and
keeping a preimage that shows. Must not know: the control socket, how it is unlocked.

Nothing is signed here, no lock is sent, and the journal is not written: the swaps stand where they
stood, and a whole daemon takes them up from there. Of the packages only their progress is kept,
before anything leaves, so that a preimage seen once is never lost.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import structlog
import trio
from msgspec.structs import replace

from protocol.assets import AssetId
from protocol.codec import decode, encode
from protocol.errors import RemoteProtocolError
from protocol.swap.facts import ChainView
from protocol.swap.signed import sendable
from protocol.swap.states import SwapState
from protocol.tower.decide import decide
from protocol.tower.package import Package, Watched, is_relayed, read
from protocol.tower.progress import Progress, built
from protocol.tower.relaying import at_stake
from swapd.engine import journal
from swapd.engine.ahead import PROGRESS, SPACE
from swapd.engine.effects import perform
from swapd.engine.observer import Observer
from swapd.engine.swaps import Swaps
from swapd.engine.world import World
from swapd.ports import Broadcast, ChainError, LegWatch, Relay, StoreError

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 30.0
HURRY_SECONDS: Final = 1.0
"""While something is due (safety rule 8)."""

VIEW_SECONDS: Final = 120.0
MAX_PROGRESS: Final = 256 * 1024

_NO_ACCOUNT: Final = (
    "there is no account that pays gas while this daemon is locked: `swap-cli unlock`"
)
_NO_RELAYS: Final[Mapping[AssetId, Relay]] = MappingProxyType({})


def read_progress(stored: bytes | None) -> Progress:
    """What was written down of a package. What can't be read is found again on the chains."""
    if stored is None:
        return Progress()
    try:
        return decode(Progress, stored, max_size=MAX_PROGRESS)
    except RemoteProtocolError:
        log.exception("locked.progress_damaged")
        return Progress()


class LockedSwaps(Swaps):
    """`resume`, then `run`. Shows the swaps as `Swaps` does; none can be begun or given up."""

    def __init__(self, world: World, relays: Mapping[AssetId, Relay] = _NO_RELAYS) -> None:
        """`relays`: the accounts that pay where a spend is a call, by the asset of a leg."""
        super().__init__(world)
        self._relays = relays
        self._states: dict[bytes, SwapState] = {}
        self._observers: dict[bytes, Observer] = {}
        self._packages: dict[str, Package] = {}
        self._troubles: dict[bytes, str] = {}

    async def resume(self) -> int:
        """Loads every open swap and what was signed ahead for it. Raises StoreError."""
        for record in await self._world.store.open_swaps():
            try:
                state = journal.load_state(record)
                self._check_chains(state)
            except StoreError as error:
                self._leave(record.swap_id, str(error))
                continue
            self._states[record.swap_id] = state
            self._observers[record.swap_id] = Observer(self._world)
            self._observers[record.swap_id].watch(state)
        for key, data in await self._world.store.items(SPACE):
            if bytes.fromhex(key.partition("/")[0]) in self._states:
                self._take(key, data)
        await self._reserve()
        return len(self._states)

    def _take(self, key: str, data: bytes) -> None:
        try:
            package = read(data)
        except RemoteProtocolError as error:
            log.critical("locked.package_unreadable", package=key, reason=error.detail)
            return
        self._packages[key] = package
        self._watch(f"{key}/watched", package, package.watched)
        if package.shows is not None:
            self._watch(f"{key}/shows", package, package.shows)

    def _watch(self, name: str, package: Package, watched: Watched) -> None:
        chain = self._world.chains[watched.leg.amount.asset]
        chain.watch(LegWatch(name, watched.leg, package.hashlock, watched.since))

    # --- As others see them -------------------------------------------------------------------

    def open(self) -> tuple[SwapState, ...]:
        states = [state for state in self._states.values() if state.outcome is None]
        return tuple(sorted(states, key=lambda state: state.agreement.agreed_at))

    def live(self, swap_id: bytes) -> SwapState | None:
        return self._states.get(swap_id)

    def trouble(self, swap_id: bytes) -> str:
        return self._troubles.get(swap_id, "")

    def cancel(self, swap_id: bytes) -> bool:  # noqa: ARG002 - a locked daemon decides nothing
        return False

    def packages(self, swap_id: bytes) -> int:
        """How many packages signed ahead there are for a swap."""
        return sum(key.startswith(swap_id.hex()) for key in self._packages)

    # --- The loop -----------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Looks at everything at each change of a chain, until cancelled."""
        task_status.started()
        while True:
            counts = {asset: chain.change_count() for asset, chain in self._world.chains.items()}
            hurry = False
            for swap_id in tuple(self._states):
                hurry = await self._look(swap_id) or hurry
            await self._wait(counts, HURRY_SECONDS if hurry else LOOK_SECONDS)

    async def _wait(self, counts: Mapping[AssetId, int], seconds: float) -> None:
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:

                async def changed(asset: AssetId) -> None:
                    await self._world.chains[asset].wait_change(counts[asset])
                    nursery.cancel_scope.cancel()

                for asset in counts:
                    nursery.start_soon(changed, asset)
                await trio.sleep_forever()

    async def _look(self, swap_id: bytes) -> bool:
        """One swap; whether something is due. A bug in one keeps no other from being looked at."""
        trouble, due = "", False
        try:
            trouble = await self._resend(swap_id)
            for key in [key for key in self._packages if key.startswith(swap_id.hex())]:
                trouble = await self._gas_trouble(self._packages[key]) or trouble
                due = await self._help(key) or due
        except (ChainError, StoreError, trio.TooSlowError) as error:
            trouble = str(error) or "a node does not answer"
        except Exception:
            trouble = "an internal error; see the log"
            log.exception("locked.look_failed", swap=swap_id.hex())
        if trouble and trouble != self._troubles.get(swap_id):
            log.warning("locked.trouble", swap=swap_id.hex(), reason=trouble)
        self._troubles[swap_id] = trouble
        return due

    async def _resend(self, swap_id: bytes) -> str:
        """What the journal holds; what failed."""
        facts = await self._observers[swap_id].look(self._states[swap_id])
        state = replace(
            self._states[swap_id],
            now=max(facts.wall, self._states[swap_id].now),
            view_i=facts.view_i,
            view_p=facts.view_p,
        )
        self._states[swap_id] = state
        trouble = ""
        for effect in sendable(state):
            try:
                await perform(self._world, state, effect)
            except ChainError as error:
                trouble = str(error)
        return trouble

    async def _help(self, key: str) -> bool:
        """One package: observe, decide, write down, send. Whether something is due."""
        package = self._packages[key]
        before = read_progress(await self._world.store.get(PROGRESS, key))
        view = await self._view(package.watched, f"{key}/watched")
        shown = None
        if package.shows is not None and not before.preimage:
            shown = await self._view(package.shows, f"{key}/shows")
        now = self._world.clock.now()
        own = at_stake(package.watched.leg)
        decision = decide(package, before, view, shown, now, grace=0, allowance=own)
        if decision.order is not None:
            tx = await self._relay(package).build(decision.order)
            decision = built(decision, tx.txid, tx.raw)
        if decision.progress != before:
            with trio.CancelScope(shield=True):
                await self._world.store.put(PROGRESS, key, encode(decision.progress))
        chain = self._world.chains[package.watched.leg.amount.asset]
        for raw in decision.send:
            result = await chain.broadcast(raw)
            refused = result.outcome is Broadcast.REJECTED
            (log.warning if refused else log.info)(
                "locked.sent",
                package=key,
                what=decision.why,
                outcome=result.outcome.value,
                reason=result.reason,
            )
        return decision.progress.due_since > 0

    def _relay(self, package: Package) -> Relay:
        """Raises ChainError where there is none."""
        relay = self._relays.get(package.watched.leg.amount.asset)
        if relay is None:
            raise ChainError(_NO_ACCOUNT)
        return relay

    async def _gas_trouble(self, package: Package) -> str:
        """Why a claim or refund by call could not be paid for, said before it is due."""
        if not is_relayed(package):
            return ""
        relay = self._relays.get(package.watched.leg.amount.asset)
        return _NO_ACCOUNT if relay is None else await relay.problem()

    async def _view(self, watched: Watched, name: str) -> ChainView:
        with trio.fail_after(VIEW_SECONDS):
            return await self._world.chains[watched.leg.amount.asset].view(name)
