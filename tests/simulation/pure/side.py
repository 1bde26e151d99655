"""One side of one swap: the real machine, its journal, and its effects on the simulated chains.

Owns: `Side`: look, step, journal, act, in the order that the daemon's runner keeps; and what it
tells the diary. Must not know: what others do, when troubles come.

The runner of the daemon is mirrored, not used: nothing is performed that is not journalled, each
effect that produced an event is followed by a fresh look, and with a full disk only what is on disk
is still sent.
"""

import hashlib
from typing import TYPE_CHECKING

import msgspec

from protocol.codec import decode, encode
from protocol.swap import reading
from protocol.swap.agreement import Agreement
from protocol.swap.effects import (
    BroadcastChild,
    BroadcastClaim,
    BroadcastKill,
    BroadcastRefund,
    BuildChild,
    BuildClaim,
    Effect,
    ResendTheirLock,
)
from protocol.swap.events import CancelRequested, Event, Observed
from protocol.swap.facts import ChainView, Conflict, LockSeen, Restriction, Spend, SpendKind
from protocol.swap.machine import begin, is_closed, material, step
from protocol.swap.pending import next_deadline, pending
from protocol.swap.restoring import restored
from protocol.swap.states import Released, Revealed, SwapState, Unfunded, Unknown
from protocol.swap.trimming import trimmed, with_shown
from protocol.terms import LegName, other_leg, own_leg
from tests.simulation.checks import acting
from tests.simulation.checks.records import Diary
from tests.simulation.ledger import SimTx
from tests.simulation.pure import account_eyes, hands
from tests.simulation.pure.chain import SimChain
from tests.simulation.pure.daemon import LOST, Crash, NodeError, StoreFull

if TYPE_CHECKING:
    from tests.simulation.pure.daemon import Daemon
    from tests.simulation.pure.world import Swap

_SAFE_WITHOUT_JOURNAL = (BroadcastClaim, BroadcastRefund, BroadcastKill)
_STEPS_AT_ONCE = 16
_RETRY = 30
_NO_BLOCK, _CLOCK = "no block", "clock"
_MAX_STATE = 1 << 20
_KINDS = {"claim": SpendKind.CLAIM, "refund": SpendKind.REFUND}
_NOTHING = ChainView(0, "", 0, 0, 0, 0)


class Side:
    """`state` is what the machine knows, `journal` what is on disk: (event, state) pairs."""

    def __init__(self, daemon: "Daemon", swap: "Swap", agreement: Agreement, diary: Diary) -> None:
        self.daemon = daemon
        self.world = daemon.world
        self.swap = swap
        self.diary = diary
        self.agreement = agreement
        self.own_leg, self.their_leg = own_leg(agreement.role), other_leg(agreement.role)
        self.own = self.world.chains[swap.leg(self.own_leg).family]
        self.theirs = self.world.chains[swap.leg(self.their_leg).family]
        self.state = begin(agreement)
        self.journal: list[tuple[Event | None, SwapState]] = [(None, self.state)]
        self.is_closed = False
        self._is_done = False
        self.built = 0
        self.promised: frozenset[str] = frozenset()
        self._material = material(self.state)
        self._due = False
        self._cancel = False
        self._deadline = 0
        self._clock_right_at = 0
        self._seen: dict[LegName, ChainView] = {}
        self._frozen: dict[LegName, ChainView] = {}
        self._flashes: dict[str, Spend] = {}
        self._facts: Observed | None = None
        daemon.sides.append(self)

    @property
    def label(self) -> str:
        """For stories."""
        return f"{self.swap.name} {self.diary.role} ({self.daemon.name})"

    # --- when to look ---

    def poke(self) -> None:
        """Something may concern us: look in a moment."""
        if not self._due and not self.is_closed and self.daemon.is_up:
            self._due = True
            self.world.work.after(self.daemon.latency, self._wake)

    def cancel(self) -> None:
        """The operator wants out."""
        self._cancel = True
        self.poke()

    def flash(self, ref: str, spend: Spend) -> None:
        """The node saw a claim in its mempool; it is shown once even if it goes again."""
        if self.daemon.is_up and self.daemon.trouble.get(self.own.family) != "error":
            self._flashes[ref] = spend

    def restore(self, forgets: str = "") -> None:
        """After a crash: what was encoded on disk is all there is; after the loss of the machine,
        what some recovery file holds; after an old backup was put back, any older row."""
        stored = self.journal[-1][1]
        if forgets and stored.outcome is None:
            stored = restored(self._recovered() if forgets == LOST else self._older())
            self.journal.append((None, stored))
            if isinstance(stored.own, Unfunded) and self.diary.forgot_at is None:
                self._forget()
        self.state = decode(SwapState, encode(stored), max_size=_MAX_STATE)
        if self.state != stored:
            self.diary.faults.append("the journal decodes to another state")
        self._material = material(self.state)
        self._seen.clear()
        self._frozen.clear()
        self._flashes.clear()
        self._due = False
        self._deadline = 0
        self.poke()

    def _recovered(self) -> SwapState:
        """A row that the file may have ended with: none is older than the newest lock that left,
        nor than the reveal of a claim that did."""
        rows = [state for _, state in self.journal]
        least = 0
        for index, (before, state) in enumerate(zip([None, *rows], rows, strict=False)):
            own = before.own if before is not None else None
            newer = isinstance(state.own, Released) and state.own != own
            out = isinstance(state.secret, Revealed) and state.claim is not None
            if newer or (out and not (before is not None and before.claim is not None)):
                least = index
        return self.daemon.losses.choice(rows[least:])

    def _forget(self) -> None:
        self.diary.forgot_at = len(self.diary.sent)
        locks = [txid for _, purpose, txid, _ in self.diary.sent if purpose == "lock"]
        if not locks:
            self._done()  # it only watches, for longer than a world lasts

    def _older(self) -> SwapState:
        """A row of any backup since the swap began."""
        return self.daemon.losses.choice([state for _, state in self.journal])

    def _done(self) -> None:
        """The world waits for it no longer."""
        if not self._is_done:
            self._is_done = True
            self.world.closed(self)

    def _wake(self) -> None:
        self._due = False
        if not self.daemon.is_up or self.is_closed:
            return
        try:
            effects, calm = self._turn()
        except Crash:
            self.daemon.crash(self.world.short_absence())
            return
        if not calm and self.world.always:
            self.world.work.after(_RETRY, self.poke)
        self._plan(effects)

    def _plan(self, effects: tuple[Effect, ...]) -> None:
        state, work = self.state, self.world.work
        if is_closed(state):
            self.is_closed = self.diary.closed = True
            self.world.tell(f"{self.label} is closed")
            for chain in (self.own, self.theirs):
                chain.wants_blocks.pop(self.poke, None)
            self._done()
            return
        due = next_deadline(state)
        if due is not None and due != self._deadline:
            self._deadline = due
            work.at(due - self.daemon.offset, self.poke)
            work.at(due - self.daemon.offset + 1, self.poke)
        for leg in LegName:
            view = reading.view_of(state, leg)
            own = leg is self.own_leg
            if view is not None and _CLOCK in view.problems:
                # A stale node keeps telling it after the clock is right: look again, not at once.
                proven = view.median_time - self._early(self.chain_of(leg))
                soon = max(1, self.world.unit // (60 if self.world.setting.paces else 5))
                right = work.now + max(soon, proven - self.daemon.wall + 1)
                if not work.now < self._clock_right_at <= right:  # one such call at a time
                    self._clock_right_at = right
                    work.at(right, self.poke)
            chain = self.own if own else self.theirs
            owed = any(_concerns(effect, own=own) for effect in effects)
            if owed or self.world.always or _is_unsettled(view, own=own):
                chain.wants_blocks[self.poke] = None
            else:
                chain.wants_blocks.pop(self.poke, None)

    # --- the runner, mirrored ---

    def _turn(self) -> tuple[tuple[Effect, ...], bool]:
        effects: tuple[Effect, ...] = ()
        calm = True
        for _ in range(_STEPS_AT_ONCE):
            self._facts = self._look()
            try:
                if self._cancel:
                    self._apply(CancelRequested(before=self.state.now))
                    self._cancel = False
                self._apply(self._facts)
                effects = pending(self.state)
                produced, calm = self._act(effects)
            except StoreFull:
                self._without_journal()
                return effects, False
            if not produced:
                break
        return effects, calm

    def _act(self, effects: tuple[Effect, ...]) -> tuple[bool, bool]:
        calm = True
        for effect in effects:
            try:
                self.daemon.point()
                event = hands.perform(self, effect)
                self.daemon.point()
            except NodeError:
                calm = False
                continue
            if event is not None:
                self._apply(event)
                return True, calm
        return False, calm

    def _apply(self, event: Event) -> None:
        new = step(self.state, event)
        if new is self.state:
            return
        if _is_same(self.state, new) and not self.world.careful:
            self.state = new
            return
        lasting = material(new)
        if lasting != self._material:
            self.daemon.point()
            if self.daemon.disk_full:
                raise StoreFull
            if self.world.careful and material(step(self.journal[-1][1], event)) != lasting:
                self.diary.faults.append("a row of the journal does not follow from the one before")
            self.journal.append((event, new))
            old, self.state, self._material = self.state, new, lasting
            self._note(old, new)
            self.daemon.point()
        self.state = new

    def _without_journal(self) -> None:
        state, facts = self.state, self._facts
        if facts is not None:
            state = msgspec.structs.replace(state, view_i=facts.view_i, view_p=facts.view_p)
        for effect in pending(state):
            if isinstance(effect, _SAFE_WITHOUT_JOURNAL):
                try:
                    hands.perform(self, effect)
                except NodeError:
                    continue

    def _note(self, old: SwapState, new: SwapState) -> None:
        """What just became true for good goes into the diary, and before the judges."""
        now = self.world.work.now
        if isinstance(new.own, Released) and not new.own.lock.coins:
            adopted = new.own.lock.tx
            named = self.own.accounts is not None
            self.diary.adopted.add(f"{adopted.txid}:0" if named else adopted.ref)
        if isinstance(new.secret, Revealed) and not isinstance(old.secret, Revealed):
            acting.judge_reveal(self.diary, self.truth, now)
            self.world.tell(f"{self.label} reveals")
        if new.outcome is not None and old.outcome is None:
            end = new.outcome.end.value
            self.diary.ends.append((now, end))
            if self.world.violated is None:
                acting.judge_end(self.diary, self.truth, end)
            self.world.tallies[end] += 1
            self.world.tell(f"{self.label} ends: {end}, {new.outcome.reason}")
        if self.world.keeps_story and type(new.own) is not type(old.own):
            self.world.tell(f"{self.label}: own lock is {type(new.own).__name__.lower()}")

    @property
    def truth(self) -> acting.Truth:
        """Both ledgers, for the judges."""
        return acting.Truth(self.own.ledger, self.theirs.ledger)

    # --- the observer, mirrored ---

    def chain_of(self, leg: LegName) -> SimChain:
        """Where a leg lies."""
        return self.own if leg is self.own_leg else self.theirs

    def _look(self) -> Observed:
        views = {leg: self._view(leg) for leg in LegName}
        now = self.state.now
        return Observed(self.daemon.wall, views[LegName.I], views[LegName.P], before=now)

    def _view(self, leg: LegName) -> ChainView:
        chain = self.chain_of(leg)
        trouble = self.daemon.trouble.get(chain.family)
        if trouble is None:
            self._frozen.pop(leg, None)
            return self._remembered(leg, self._fresh(leg, chain, ()))
        if trouble == "problem":
            return self._remembered(leg, self._fresh(leg, chain, ("trouble",)))
        if trouble == "lie":
            return self._remembered(
                leg, _boasting(self._fresh(leg, chain, ("rival branch",)), self)
            )
        if trouble == "stale":
            if leg not in self._frozen:
                self._frozen[leg] = self._fresh(leg, chain, ("behind",))
            return self._remembered(leg, self._frozen[leg])
        last = self._seen.get(leg) or reading.view_of(self.state, leg) or _NOTHING
        return msgspec.structs.replace(last, problems=("no answer",))

    def _remembered(self, leg: LegName, view: ChainView) -> ChainView:
        if leg is self.own_leg and isinstance(self.state.secret, Unknown):
            view = with_shown(view, self._seen.get(leg))
        if self.world.careful or len(view.locks) > 1:
            view = trimmed(view, self.state, leg)
        self._seen[leg] = view
        return view

    def _early(self, chain: SimChain) -> int:
        """How far the clock of a chain with accounts may run ahead."""
        pace = self.world.setting.paces.get(chain.family)
        return pace.early if pace is not None else 0

    def _fresh(self, leg: LegName, chain: SimChain, problems: tuple[str, ...]) -> ChainView:
        ledger = chain.ledger
        tip = ledger.tip
        wall = self.daemon.wall
        if wall < tip.median_time - self._early(chain):
            problems = (*problems, _CLOCK)
        if wall - tip.time > self.world.stale_after[chain.family]:
            problems = (*problems, _NO_BLOCK)
        if chain.has_rival:
            problems = (*problems, "rival branch")
        if chain.accounts is not None:
            return account_eyes.view_of(self, chain.accounts, leg, chain.fees, problems)
        fee_next, fee_floor = chain.fees
        paid = ledger.paying(self.swap.leg(leg).script)
        own = leg is self.own_leg
        return ChainView(
            tip_height=tip.height,
            tip_hash=tip.block_id,
            tip_time=tip.time,
            median_time=tip.median_time,
            fee_next=fee_next,
            fee_floor=fee_floor,
            fee_increment=ledger.increment,
            replaces=ledger.replaces,
            problems=problems,
            locks=tuple(self._lock(chain, *each, own=own) for each in paid) if paid else (),
            conflict=self._conflict(chain) if own else None,
        )

    def _lock(
        self, chain: SimChain, ref: str, units: int, depth: int, is_coinbase: bool, *, own: bool
    ) -> LockSeen:
        spend = self.spend_of(chain, ref, self.agreement.terms.hashlock)
        if own and len(self.swap.preimage) != 32 and depth and spend is None:
            # What a careless node makes of a witness: nothing in it is to be believed.
            return LockSeen(
                ref, units, depth, spend=Spend(SpendKind.CLAIM, "x", 0, self.swap.preimage)
            )
        if own and self._flashes:
            flash = self._flashes.pop(ref, None)
            spend = spend or flash
        restriction = Restriction.COINBASE if is_coinbase else Restriction.NONE
        txid = ref[: ref.rindex(":")]
        ours = own and self._is_ours(chain, txid)
        return LockSeen(ref, units, depth, restriction, spend, txid.encode(), ours=ours)

    def _is_ours(self, chain: SimChain, txid: str) -> bool:
        """The transaction spends a coin of our signed lock."""
        lock, tx = reading.signed_lock(self.state), chain.ledger.transaction(txid)
        if lock is None or tx is None:
            return False
        return any(coin.ref in tx.spends for coin in lock.coins)

    @staticmethod
    def spend_of(chain: SimChain, ref: str, hashlock: bytes) -> Spend | None:
        """What spends a lock, as a node reads it."""
        found = chain.ledger.spender(ref)
        if found is None:
            return None
        tx, depth = found
        return read_spend(chain, tx, depth, hashlock)

    def _conflict(self, chain: SimChain) -> Conflict | None:
        lock = reading.signed_lock(self.state)
        if lock is None:
            return None
        found: Conflict | None = None
        leg = self.swap.leg(self.own_leg)
        for coin in lock.coins:
            spender = chain.ledger.spender(coin.ref)
            if spender is not None and (leg.script, leg.units) not in spender[0].outputs:
                if found is None or spender[1] > found.depth:
                    found = Conflict(spender[0].txid, spender[1])
        return found


def read_spend(chain: SimChain, tx: SimTx, depth: int, hashlock: bytes) -> Spend:
    """A spend of an HTLC as a node reads it: a preimage is shown only if it opens the hashlock."""
    kind, preimage = SpendKind.UNKNOWN, None
    if isinstance(tx.raw, tuple):
        kind = _KINDS[tx.raw[0]]
        if kind is SpendKind.CLAIM:
            preimage = tx.raw[1]
            if hashlib.sha256(preimage).digest() != hashlock:
                kind, preimage = SpendKind.UNKNOWN, None
    to_beat = 0
    if depth == 0:
        pool = chain.ledger.pool
        family = pool.descendants((tx.txid,)) if tx.txid in pool.txs else ()
        to_beat = sum(pool.txs[txid].fee for txid in family)
    return Spend(kind, tx.txid, depth, preimage, to_beat)


def _is_unsettled(view: ChainView | None, *, own: bool) -> bool:
    """Something of ours waits for a block there, or the node for any: look at each."""
    if view is None or _NO_BLOCK in view.problems:
        return True
    if view.conflict is not None and (view.conflict.depth == 0 or not view.conflict.txid):
        return True  # no transaction of a later block tells that a deadline is long past
    ours = SpendKind.REFUND if own else SpendKind.CLAIM
    for lock in view.locks:
        if own and lock.depth == 0:
            return True
        spend = lock.spend
        if spend is not None and spend.depth == 0 and spend.kind is ours:
            return True
    return False


def _concerns(effect: Effect, *, own: bool) -> bool:
    """Whether an effect that is owed may change with a block of our own chain, or of theirs."""
    if isinstance(effect, BuildChild | BroadcastChild):
        return True
    return own is not isinstance(effect, BuildClaim | BroadcastClaim | ResendTheirLock)


def _is_same(old: SwapState, new: SwapState) -> bool:
    """Nothing but time, tips and fee rates can have changed: a shortcut."""
    if (
        new.own is not old.own
        or new.secret is not old.secret
        or new.outcome is not old.outcome
        or new.claim is not old.claim
        or new.refunds is not old.refunds
        or new.children is not old.children
        or new.cancelled is not old.cancelled
        or new.bound != old.bound
    ):
        return False
    for one, other in ((old.view_i, new.view_i), (old.view_p, new.view_p)):
        if one is None or other is None:
            return False
        if one.locks != other.locks or one.conflict != other.conflict:
            return False
    return True


def _boasting(view: ChainView, side: Side) -> ChainView:
    """A node on a branch of its own: longer than the best chain, with unspent locks deeper."""
    more = max(side.swap.deal.leg_i.depth, side.swap.deal.leg_p.depth)
    locks = tuple(
        msgspec.structs.replace(lock, depth=lock.depth + more) if lock.spend is None else lock
        for lock in view.locks
    )
    height = view.tip_height + more
    return msgspec.structs.replace(view, locks=locks, tip_height=height)
