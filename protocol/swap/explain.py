"""A swap in words: where it is, who acts next, until when it may be left alone.

Owns: `Summary` and how it follows from a state. Must not know: formatting, units, languages of
clients. Everything here is derived from the state; nothing decides.
"""

import enum

from msgspec import Struct

from protocol.swap import reading
from protocol.swap.facts import LockSeen, SpendKind
from protocol.swap.states import (
    Dead,
    End,
    Held,
    Killing,
    Learned,
    Revealed,
    SwapState,
    Unfunded,
)
from protocol.terms import Role


class Phase(enum.StrEnum):
    """Where a swap is; the last four are ends."""

    AGREED = "agreed"
    LOCKING = "locking"
    LOCKED = "locked"
    CLAIMING = "claiming"
    REFUNDING = "refunding"
    KILLING = "killing"
    COMPLETED = "completed"
    REFUNDED = "refunded"
    NEVER_FUNDED = "never_funded"
    LOST = "lost"


class Who(enum.StrEnum):
    """Who acts next."""

    US = "us"
    COUNTERPARTY = "counterparty"
    CHAIN = "chain"
    NOBODY = "nobody"


class Summary(Struct, frozen=True):
    """`next_action` says what happens next, `safe_until` until when (unix seconds) nothing bad
    happens if we are off; 0 means stay on. `warnings` are what the operator should know."""

    phase: Phase
    who: Who
    next_action: str
    safe_until: int
    warnings: tuple[str, ...]


def summarise(state: SwapState) -> Summary:
    """The summary of a swap on the facts in `state`."""
    phase = phase_of(state)
    who, action = _next(state, phase)
    return Summary(phase, who, action, _safe_until(state, phase), _warnings(state))


def phase_of(state: SwapState) -> Phase:
    """Where the swap is."""
    if state.outcome is not None:
        return Phase(state.outcome.end.value)
    own = reading.own_lock(state)
    if own is not None and own.spend is not None and own.spend.kind is SpendKind.REFUND:
        return Phase.REFUNDING
    if isinstance(state.secret, Revealed | Learned):
        return Phase.CLAIMING
    if isinstance(state.own, Killing) and not reading.is_confirmed(own):
        return Phase.KILLING
    if isinstance(state.own, Unfunded | Held | Dead):
        return Phase.AGREED
    if not reading.is_confirmed(own):
        return Phase.LOCKING
    return Phase.REFUNDING if reading.own_expiry_passed(state) else Phase.LOCKED


def _depth(lock: LockSeen | None, needed: int) -> str:
    return f"{min(lock.depth, needed) if lock else 0} of {needed} confirmations"


def _next(state: SwapState, phase: Phase) -> tuple[Who, str]:
    if state.outcome is not None:
        text = {
            End.COMPLETED: "Done: the coins we bought are ours.",
            End.REFUNDED: "Done: our coins are back, less network fees.",
            End.NEVER_FUNDED: "Done: nothing of ours was or can be locked.",
            End.LOST: "Coins were lost: the reason names what was assumed and did not hold.",
        }[state.outcome.end]
        return Who.NOBODY, text
    if phase is Phase.CLAIMING:
        return _next_claiming(state)
    if phase is Phase.REFUNDING:
        return Who.CHAIN, "Our refund is on its way; it needs confirmations."
    if phase is Phase.KILLING:
        return Who.CHAIN, "Our lock was not confirmed in time; its coins are paid back to us."
    if phase is Phase.AGREED and state.restored:
        text = "Restored: we lock nothing, and watch until no lock of ours can turn up any more."
        return Who.CHAIN, text
    if state.agreement.role is Role.INITIATOR:
        return _next_initiator(state, phase)
    return _next_participant(state, phase)


def _next_claiming(state: SwapState) -> tuple[Who, str]:
    theirs = reading.their_lock(state)
    if theirs is None:
        again = ", and we send it again" if state.agreement.role is Role.PARTICIPANT else ""
        return Who.CHAIN, f"The other side's lock fell out of its chain: it must come back{again}."
    spend = theirs.spend
    if spend is None:
        return Who.US, "We send our claim of the other side's coins now."
    needed = state.agreement.theirs.depth
    return Who.CHAIN, f"Our claim has {min(spend.depth, needed)} of {needed} confirmations."


def _next_initiator(state: SwapState, phase: Phase) -> tuple[Who, str]:
    own, theirs = reading.own_lock(state), reading.their_lock(state)
    if phase is Phase.AGREED:
        return Who.US, "We lock our coins as soon as both nodes are healthy."
    if phase is Phase.LOCKING:
        return Who.CHAIN, "Our lock waits for its first confirmation."
    if own is not None and own.depth < state.agreement.own.depth:
        return Who.CHAIN, f"Our lock has {_depth(own, state.agreement.own.depth)}."
    if state.now >= reading.schedule(state).reveal_gate:
        return Who.CHAIN, "It is too late to claim safely; our coins come back after the expiry."
    if theirs is None:
        return Who.COUNTERPARTY, "The maker locks next; if not, our coins come back by themselves."
    if theirs.depth < state.agreement.theirs.depth:
        return Who.CHAIN, f"The maker's lock has {_depth(theirs, state.agreement.theirs.depth)}."
    return Who.US, "The maker's lock is final; we claim as soon as both nodes are healthy."


def _next_participant(state: SwapState, phase: Phase) -> tuple[Who, str]:
    theirs = reading.their_lock(state)
    if phase is Phase.AGREED:
        if theirs is None:
            return Who.COUNTERPARTY, "The taker locks first."
        if not reading.their_lock_is_final(state):
            needed = state.agreement.theirs.depth
            return Who.CHAIN, f"The taker's lock has {_depth(theirs, needed)}."
        return Who.US, "The taker's lock is final; we lock as soon as both nodes are healthy."
    if phase is Phase.LOCKING:
        return Who.CHAIN, "Our lock waits for its first confirmation."
    return Who.COUNTERPARTY, "The taker claims next; if not, our coins come back by themselves."


def _safe_until(state: SwapState, phase: Phase) -> int:
    """Until when being off costs nothing (safety.md, "online")."""
    if state.outcome is not None:
        return 2**31 - 1
    times = reading.schedule(state)
    if phase is Phase.AGREED:
        return reading.lock_gate(state)
    if phase in {Phase.CLAIMING, Phase.KILLING, Phase.LOCKING, Phase.REFUNDING}:
        if phase is Phase.CLAIMING and state.agreement.role is Role.PARTICIPANT:
            return times.claim_deadline
        return 0
    if state.agreement.role is Role.INITIATOR:
        return times.expiry_i
    own, theirs = reading.own_lock(state), reading.their_lock(state)
    deep = own is not None and own.depth >= state.agreement.own.depth
    if not deep or theirs is None or theirs.depth < state.agreement.theirs.depth:
        return 0  # one may fall out of its chain: ours must then be killed, theirs sent again
    return min(times.expiry_p, times.kill_deadline)


def _warnings(state: SwapState) -> tuple[str, ...]:
    found: list[str] = []
    for view in (state.view_i, state.view_p):
        if view is not None:
            found += view.problems
    own_view = reading.own_view(state)
    conflict = own_view.conflict if own_view is not None else None
    if (
        state.outcome is None
        and conflict is not None
        and conflict.txid not in reading.own_kills(state)
    ):
        found.append(f"an input of our lock is spent by {conflict.txid}, which is not our lock")
    if state.outcome is None and reading.extra_locks(state):
        found.append("more than one output pays our script; the others are swept back after expiry")
    if state.bound and state.outcome is None:
        theirs = reading.their_lock(state)
        if theirs is None or theirs.depth == 0:
            again = "; it is sent again" if state.agreement.role is Role.PARTICIPANT else ""
            found.append("the other side's lock fell out of its chain" + again)
    return tuple(found)
