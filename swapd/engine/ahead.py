"""Signs ahead what a daemon without its seed will need: our own keyless watchtower's packages.

Owns: which packages of each swap lie in the store, signed anew when what they spend changes.
Must not know: what is done with them (engine.locked_swaps), towers of others.

A machine that starts again with nobody there to type the passphrase must not miss a deadline
(safety rule 25). So refunds and claims of every open swap are signed as soon as they can be, at
many fees, in the form of a tower's packages (rule 22): a refund is void before its expiry, a claim
of somebody else's preimage is no transaction without it. They lie beside the journal, which holds
as much. A package that can't be signed or stored is tried again; a swap never waits for it.
"""

from typing import Final

import structlog
import trio

from protocol.codec import encode
from protocol.swap.states import Revealed, SwapState
from protocol.terms import LegName
from protocol.tower.package import Act
from protocol.tower.plan import Draft, drafts
from swapd.engine.packing import packed
from swapd.engine.swaps import Swaps
from swapd.engine.world import World
from swapd.ports import PortError

log = structlog.get_logger(__name__)

SPACE: Final = "ahead"
"""In the store: encoded packages by `key_of`."""

PROGRESS: Final = "ahead-progress"
"""In the store: how far the watcher got with each, by the same key."""

MAX_FEE_PERCENT: Final = 50
"""The dearest variant of a package: by then the alternative is to lose the coins."""

RETRY_SECONDS: Final = 5.0


def key_of(swap_id: bytes, leg: LegName, act: Act) -> str:
    """The name of a package in the store; those of a swap begin with its id in hex."""
    return f"{swap_id.hex()}/{leg.value}/{act.value}"


class Ahead:
    """`follow` is told of every change of a swap; `run` must be running."""

    def __init__(self, world: World, swaps: Swaps) -> None:
        self._world = world
        self._swaps = swaps
        self._changed: dict[bytes, SwapState] = {}
        self._subjects: dict[str, tuple[object, ...]] = {}
        self._wake = trio.Event()

    def follow(self, state: SwapState, _sequence: int) -> None:
        """A listener of Swaps."""
        self._changed[state.agreement.swap_id] = state
        self._wake.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled. Packages of an earlier run are made anew: fees have moved."""
        for state in self._swaps.open():
            self._changed.setdefault(state.agreement.swap_id, state)
        self._wake.set()
        task_status.started()
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            if not await self._turn():
                await trio.sleep(RETRY_SECONDS)
                self._wake.set()

    async def _turn(self) -> bool:
        """Brings the store to what the swaps are. False when something is left to do."""
        done = True
        while self._changed:
            swap_id, state = self._changed.popitem()
            try:
                await self._keep(state)
            except Exception as error:
                # Nothing here is worth a swap; a bug shows in the log, a full disk passes.
                if isinstance(error, PortError):
                    log.warning("ahead.failed", swap=swap_id.hex(), reason=str(error))
                else:
                    log.exception("ahead.failed", swap=swap_id.hex())
                done = False
                self._changed.setdefault(swap_id, state)
                break
        return done

    async def _keep(self, state: SwapState) -> None:
        """Raises StoreError, SigningError."""
        swap_id = state.agreement.swap_id
        if state.outcome is not None:
            await self._forget(swap_id)
            return
        for draft in drafts(state, max_fee_percent=MAX_FEE_PERCENT, preimage=self._shown(state)):
            key = key_of(swap_id, draft.leg, draft.bare.act)
            if self._subjects.get(key) != draft.subject:
                await self._store(key, state, draft)
                self._subjects[key] = draft.subject

    def _shown(self, state: SwapState) -> bytes:
        """Rule 7: the preimage only after its reveal was journalled, which this state is."""
        if not isinstance(state.secret, Revealed):
            return b""
        return self._world.signer.preimage(state.agreement.salt, state.agreement.swap_id)

    async def _store(self, key: str, state: SwapState, draft: Draft) -> None:
        store = self._world.store
        sequence = await store.next_counter("ahead", 1)
        package = await packed(self._world.signer, state, draft, sequence)
        await store.put(SPACE, key, encode(package))

    async def _forget(self, swap_id: bytes) -> None:
        store = self._world.store
        for leg in LegName:
            for act in Act:
                key = key_of(swap_id, leg, act)
                self._subjects.pop(key, None)
                await store.delete(SPACE, key)
                await store.delete(PROGRESS, key)
