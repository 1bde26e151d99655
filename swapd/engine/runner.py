"""Runs one swap to its end: observe, step, journal, act, wait; again.

Owns: the loop and its patience. Must not know: decisions (protocol.swap), adapters.

Order is everything here. The new state is on disk before any effect of it is performed. An effect
that produced something (a signature) is journalled and the chains are observed anew before the next
effect, so that a gate is always judged on fresh facts. When the journal can't be written nothing
new leaves the daemon, but claims, refunds and kills that are on disk already are still sent.
"""

from collections.abc import Callable, Mapping

import msgspec
import structlog
import trio

from protocol.assets import AssetId
from protocol.swap import troubles
from protocol.swap.effects import (
    BroadcastChild,
    BroadcastClaim,
    BroadcastKill,
    BroadcastLock,
    BroadcastRefund,
    BuildKill,
    BuildLock,
    Effect,
)
from protocol.swap.events import CancelRequested, Event, LockFound, Observed
from protocol.swap.explain import phase_of
from protocol.swap.machine import is_closed, material, step
from protocol.swap.pending import next_deadline, pending
from protocol.swap.restoring import restored
from protocol.swap.states import Held, SwapState, Unfunded
from protocol.terms import LegName, Role, own_leg
from swapd.engine import journal
from swapd.engine.effects import perform, seek_lock
from swapd.engine.observer import Observer
from swapd.engine.world import World
from swapd.ports import PUT_BACK, ChainError, RecoveryError, StoreError

log = structlog.get_logger(__name__)

LOOK_SECONDS = 30.0
"""Observed again at least so often, whatever the nodes say."""

RETRY_SECONDS = 2.0
"""Patience after something failed; twice as long after each failure in a row, up to a look."""

CLOCK_SECONDS = 1.0
"""How often the clock is compared with the next deadline."""

STEPS_AT_ONCE = 16
"""Effects performed in a row before the loop waits: a bound, far above what a swap needs."""

_SAFE_WITHOUT_JOURNAL = (BroadcastClaim, BroadcastRefund, BroadcastKill, BroadcastChild)


REVEAL_SECONDS = 10
"""How long a first claim waits for the recovery file."""


class Runner:
    """One swap in flight. `changed` is called after each journalled state, with its sequence."""

    def __init__(
        self,
        world: World,
        state: SwapState,
        sequence: int,
        *,
        changed: Callable[["Runner"], None],
        coins: Mapping[AssetId, trio.Lock],
        resumed: bool = False,
    ) -> None:
        self.state = state
        self._resumed = resumed
        self._material = material(state)
        self.sequence = sequence
        self.trouble = ""
        self._world = world
        self._observer = Observer(world)
        self._changed = changed
        self._coins = coins
        self._cancel = False
        self._facts: Observed | None = None
        self._poked = trio.Event()
        self._reveal_is_told = False
        self._secured = ""

    @property
    def swap_id(self) -> bytes:
        """32 bytes."""
        return self.state.agreement.swap_id

    def poke(self) -> None:
        """Look again now."""
        self._poked.set()

    def request_cancel(self) -> None:
        """The operator wants out; what is possible is decided by the machine."""
        self._cancel = True
        self.poke()

    async def run(self) -> None:
        """Until the swap is closed. Failures of the world are waited out, never raised."""
        structlog.contextvars.bind_contextvars(swap=self.swap_id.hex())
        self._observer.watch(self.state)
        if self._resumed:
            await self._judge_age()
        patience = RETRY_SECONDS
        while True:
            counts = self._counts()
            self._poked = trio.Event()
            calm = await self._turn()
            if is_closed(self.state):
                break
            await self._wait(counts, LOOK_SECONDS if calm else patience)
            patience = RETRY_SECONDS if calm else min(2 * patience, LOOK_SECONDS)
        self._observer.unwatch(self.state)
        outcome = self.state.outcome
        if outcome is not None:
            log.info("swap.ended", end=outcome.end.value, reason=outcome.reason)

    async def _judge_age(self) -> None:
        """Before a swap without a sent lock goes on after a start: if its wallet has sent one, this
        database is older than what ran here last, as after a snapshot of the whole disk, in which
        nothing else says so. Waits for a node that has caught up: nothing is at stake, or it is
        only there to be seen."""
        if self.state.restored or not isinstance(self.state.own, Unfunded | Held):
            return
        chain = self._observer.chain(self.state, own_leg(self.state.agreement.role))
        found: LockFound | None = None
        while True:
            try:
                if (await chain.status()).synced:
                    found = await seek_lock(chain, self.state)
                    break
                self.trouble = f"the {chain.ticker} node is not synced yet"
            except ChainError as error:
                self.trouble = f"the {chain.ticker} node {troubles.CANT_BE_ASKED}: {error}"
            await trio.sleep(RETRY_SECONDS)
        self.trouble = ""
        if found is not None:
            await self._go_on_as_restored(found)

    async def _go_on_as_restored(self, found: LockFound) -> None:
        """This swap watches from now on, the daemon too; the next start settles the rest."""
        why = "its database is older than what ran here last; start it again"
        await self._world.store.put(*PUT_BACK, why.encode())
        self._world.mode.only_watch(why)
        state = step(restored(self.state), found)
        at, sequence = self._world.clock.now(), self.sequence + 1
        with trio.CancelScope(shield=True):
            await journal.write(self._world.store, state, None, sequence=sequence, at=at)
        self.state, self.sequence, self._material = state, sequence, material(state)
        self._changed(self)
        self._observer.watch(state)

    async def _turn(self) -> bool:
        """Observes and acts until nothing more is owed. False when something failed."""
        trouble = ""
        for _ in range(STEPS_AT_ONCE):
            self._facts = await self._observer.look(self.state)
            try:
                if self._cancel:
                    await self._apply(CancelRequested(self.state.now))
                    self._cancel = False
                await self._apply(self._facts)
                produced, trouble = await self._act()
            except StoreError as error:
                self.trouble = f"{troubles.CANT_BE_WRITTEN}: {error}"
                await self._without_journal(error)
                return False
            if not produced:
                break
        self.trouble = trouble
        return not trouble

    async def _act(self) -> tuple[bool, str]:
        """Performs what is owed; True as soon as one effect produced an event (look again), and
        what failed. One that fails never keeps another one from being tried."""
        trouble = ""
        for effect in pending(self.state):
            name = type(effect).__name__
            if isinstance(effect, BuildLock | BroadcastLock) and self._world.mode.may_lock():
                continue  # judged at every look: what only watches never locks, its kills go on
            try:
                if await self._perform(effect):
                    return True, trouble
            except (ChainError, RecoveryError) as error:
                trouble = str(error)
                log.warning("swap.effect_failed", effect=name, reason=trouble)
            except StoreError:
                raise
            except Exception:
                trouble = f"an internal error in {name}; see the log"
                log.exception("swap.effect_broke", effect=name)
        return False, trouble

    async def _perform(self, effect: Effect) -> bool:
        if isinstance(effect, BuildLock | BuildKill):
            # Coins are chosen and journalled under one lock: never the same ones for two swaps.
            async with self._coins[self.state.agreement.own.amount.asset]:
                return await self._build(effect)
        if isinstance(effect, BroadcastLock) and self._secured != effect.txid:
            # Without it the loss of this machine would be the loss of the lock. It may have taken
            # its time: the gates are judged on facts of the moment in which the lock leaves.
            await self._world.recovery.secure()
            self._secured = effect.txid
            return True
        if isinstance(effect, BroadcastClaim) and self.state.agreement.role is Role.INITIATOR:
            await self._tell_of_the_reveal()
        return await self._build(effect)

    async def _tell_of_the_reveal(self) -> None:
        """Has the recovery file know that the secret is out, if that can be had in a moment: a life
        that does not know would obey the reveal gate. No claim waits longer."""
        if self._reveal_is_told:
            return
        self._reveal_is_told = True
        with trio.move_on_after(REVEAL_SECONDS):
            try:
                await self._world.recovery.secure()
            except RecoveryError as error:
                log.critical("swap.reveal_not_in_recovery_file", reason=str(error))

    async def _build(self, effect: Effect) -> bool:
        event = await perform(self._world, self.state, effect)
        if event is None:
            return False
        await self._apply(event)
        self._observer.watch(self.state)
        return True

    async def _apply(self, event: Event) -> None:
        """One step: journalled first, then true."""
        new = step(self.state, event)
        lasting = material(new)
        if lasting != self._material:
            sequence = self.sequence + 1
            with trio.CancelScope(shield=True):
                at = self._world.clock.now()
                await journal.write(self._world.store, new, event, sequence=sequence, at=at)
            before, after = phase_of(self.state), phase_of(new)
            self.state, self.sequence, self._material = new, sequence, lasting
            log.info(
                "swap.advanced",
                event_name=type(event).__name__,
                seq=sequence,
                before=before.value,
                after=after.value,
            )
            self._changed(self)
        self.state = new

    async def _without_journal(self, error: StoreError) -> None:
        """Freeze what is new; keep sending what is already on disk, by the newest facts."""
        log.critical("swap.journal_failed", reason=str(error))
        state, facts = self.state, self._facts
        if facts is not None:
            state = msgspec.structs.replace(state, view_i=facts.view_i, view_p=facts.view_p)
        for effect in pending(state):
            if isinstance(effect, _SAFE_WITHOUT_JOURNAL):
                try:
                    await perform(self._world, state, effect)
                except ChainError as failure:
                    log.warning("swap.effect_failed", reason=str(failure))

    def _counts(self) -> dict[LegName, int]:
        return {leg: self._observer.chain(self.state, leg).change_count() for leg in LegName}

    def _next_deadline(self) -> int | None:
        """Unix seconds. Counted from the last look: a state that could not be journalled stands
        still, and a deadline that it has not taken in would be due again and again."""
        looked = self._facts.wall if self._facts is not None else self.state.now
        return next_deadline(msgspec.structs.replace(self.state, now=max(self.state.now, looked)))

    async def _wait(self, counts: dict[LegName, int], seconds: float) -> None:
        """Until a chain changed, somebody poked, a deadline passed, or `seconds` went by."""
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:

                async def chain(leg: LegName) -> None:
                    await self._observer.chain(self.state, leg).wait_change(counts[leg])
                    nursery.cancel_scope.cancel()

                async def poked() -> None:
                    await self._poked.wait()
                    nursery.cancel_scope.cancel()

                async def deadline() -> None:
                    due = self._next_deadline()
                    # The clock may be a test clock: no timer can tell when it will be due.
                    while due is None or self._world.clock.now() < due:  # noqa: ASYNC110 - see above
                        await trio.sleep(CLOCK_SECONDS)
                    nursery.cancel_scope.cancel()

                for leg in LegName:
                    nursery.start_soon(chain, leg)
                nursery.start_soon(poked)
                nursery.start_soon(deadline)
