"""What a swap owes right now: `pending(state) -> effects`, and when to look again.

Owns: the mapping from a state to its effects. Recovery is loading a state, observing, and
performing what this says. Must not know: transitions (machine), how effects are performed.

Nothing here lets a lock or a secret out: `BroadcastLock` is owed only in `Released`, a claim only
in `Revealed` or `Learned`, and those are journalled first.
"""

from protocol.limits import CLAIM_VBYTES, REFUND_VBYTES
from protocol.swap import fees, reading
from protocol.swap.effects import (
    BroadcastClaim,
    BroadcastKill,
    BroadcastLock,
    BroadcastRefund,
    BuildClaim,
    BuildKill,
    BuildLock,
    BuildRefund,
    Effect,
    ResendTheirLock,
)
from protocol.swap.facts import LockSeen, SpendKind
from protocol.swap.states import (
    Held,
    Killing,
    Learned,
    Released,
    Revealed,
    SwapState,
    Unfunded,
)
from protocol.terms import Role


def pending(state: SwapState) -> tuple[Effect, ...]:
    """The effects owed on the facts in `state`, most urgent first."""
    effects: list[Effect] = []
    if state.outcome is None:
        effects += _claim(state)
        effects += _kill(state)
        effects += _lock(state)
        effects += _resend(state)
    effects += _refunds(state)
    return tuple(effects)


def next_deadline(state: SwapState) -> int | None:
    """The next unix time at which something changes by time alone; None when nothing does."""
    if state.outcome is not None:
        return None
    times = reading.schedule(state)
    candidates = (
        reading.lock_gate(state),
        times.reveal_gate,
        times.expiry_p,
        times.claim_deadline,
        times.expiry_i,
    )
    return min((t for t in candidates if t > state.now), default=None)


def _lock(state: SwapState) -> list[Effect]:
    view = reading.own_view(state)
    if view is None:
        return []
    own = state.own
    gate_open = state.now < reading.lock_gate(state) and reading.is_healthy(state)
    if isinstance(own, Unfunded):
        ready = state.agreement.role is Role.INITIATOR or reading.their_lock_is_final(state)
        if gate_open and ready and not state.cancelled:
            return [BuildLock(max(fees.first_rate(view), _least_lock_rate(state)))]
    # Who spent the lock's coins elsewhere by hand must not be outbid by the lock.
    if isinstance(own, Released) and reading.own_lock(state) is None and view.conflict is None:
        answered = state.agreement.role is Role.INITIATOR or reading.their_lock_is_final(state)
        if (gate_open and answered) or isinstance(state.secret, Revealed):
            return [BroadcastLock(own.lock.tx.raw, own.lock.tx.txid)]
    return []


def _least_lock_rate(state: SwapState) -> int:
    initiator = state.agreement.role is Role.INITIATOR
    return state.agreement.terms.min_fee_rate_i if initiator else 0


def _kill(state: SwapState) -> list[Effect]:
    own, view = state.own, reading.own_view(state)
    if not isinstance(own, Killing) or view is None or isinstance(state.secret, Revealed):
        return []
    if reading.is_confirmed(reading.own_lock(state)):
        return []
    if view.conflict is not None and view.conflict.depth > 0:
        return []
    seen = view.conflict is not None
    if fees.is_due(view, own.kill, seen=seen):
        previous = own.kill or own.lock.tx
        # The other coins of the lock's inputs are change: never worth burning for a kill.
        stake = min(state.agreement.own.amount.units, sum(c.units for c in own.lock.coins))
        vbytes = 110 * len(own.lock.coins)
        rate = fees.next_rate(view, previous, urgent=_is_kill_urgent(state))
        rate = fees.affordable_rate(rate, stake, vbytes)
        if own.kill is None or rate > own.kill.fee_rate:
            return [BuildKill(rate)]
    if own.kill is not None and not seen:
        return [BroadcastKill(own.kill.raw, own.kill.txid)]
    return []


def _claim(state: SwapState) -> list[Effect]:
    view, lock = reading.their_view(state), reading.their_lock(state)
    if view is None or lock is None or not isinstance(state.secret, Revealed | Learned):
        return []
    spend = lock.spend
    if spend is not None and (spend.kind is SpendKind.CLAIM or spend.depth > 0):
        seen, confirmed = True, spend.depth > 0
    else:
        seen, confirmed = False, False
    if confirmed:
        return []
    previous = state.claim if state.claim is not None and state.claim.ref == lock.ref else None
    if fees.is_due(view, previous, seen=seen):
        rate = fees.next_rate(view, previous, urgent=_is_claim_urgent(state))
        rate = fees.affordable_rate(rate, lock.units, CLAIM_VBYTES)
        if previous is None or rate > previous.fee_rate:
            preimage = state.secret.preimage if isinstance(state.secret, Learned) else None
            return [BuildClaim(lock, rate, preimage)]
    if previous is not None and not (seen and spend is not None and spend.txid == previous.txid):
        return [BroadcastClaim(previous.raw, previous.txid)]
    return []


def _resend(state: SwapState) -> list[Effect]:
    """Rule 4: our lock stands and theirs fell out of its chain."""
    if state.agreement.role is Role.INITIATOR or not state.bound:
        return []
    if not reading.is_confirmed(reading.own_lock(state)):
        return []
    theirs = reading.their_lock(state)
    if theirs is not None and (theirs.depth > 0 or theirs.spend is not None):
        return []
    return [ResendTheirLock(state.their_raw)] if state.their_raw else []


def _refunds(state: SwapState) -> list[Effect]:
    view = reading.own_view(state)
    if view is None or not reading.own_expiry_passed(state):
        return []
    locks = list(reading.extra_locks(state))
    own = reading.own_lock(state)
    if own is not None and own.depth > 0 and _wants_refund(state):
        locks.insert(0, own)
    effects: list[Effect] = []
    for lock in locks:
        effects += _refund(state, lock)
    return effects


def _wants_refund(state: SwapState) -> bool:
    """Whether our own lock is ours to take back. Knowing the preimage, the participant takes the
    agreed coins instead, and turns to his refund only when their leg is gone or nearly so."""
    if state.outcome is not None:
        return False
    if not isinstance(state.secret, Learned):
        return True
    theirs = reading.their_lock(state)
    if theirs is None:
        return True
    if theirs.spend is not None and theirs.spend.kind is SpendKind.REFUND:
        return True
    return state.now >= reading.schedule(state).claim_deadline


def _refund(state: SwapState, lock: LockSeen) -> list[Effect]:
    view = reading.own_view(state)
    if view is None or (lock.spend is not None and lock.spend.depth > 0):
        return []
    previous = next((tx for tx in state.refunds if tx.ref == lock.ref), None)
    seen = lock.spend is not None and lock.spend.kind is SpendKind.REFUND
    if fees.is_due(view, previous, seen=seen):
        rate = fees.next_rate(view, previous, urgent=_is_refund_urgent(state))
        rate = fees.affordable_rate(rate, lock.units, REFUND_VBYTES)
        if rate < view.fee_floor:
            return []  # nobody would relay it: wait for cheaper days
        if previous is None or rate > previous.fee_rate:
            return [BuildRefund(lock, rate)]
    if previous is not None and not (
        seen and lock.spend is not None and lock.spend.txid == previous.txid
    ):
        return [BroadcastRefund(previous.raw, previous.txid)]
    return []


def _is_claim_urgent(state: SwapState) -> bool:
    """Past the last moment at which a claim should have been sent."""
    times = reading.schedule(state)
    initiator = state.agreement.role is Role.INITIATOR
    return state.now >= (times.reveal_gate if initiator else times.claim_deadline)


def _is_refund_urgent(state: SwapState) -> bool:
    """Half of the time is gone in which the participant's refund, or kill, must become final."""
    if state.agreement.role is Role.INITIATOR:
        return False
    times = reading.schedule(state)
    return state.now >= (times.expiry_p + times.kill_deadline) // 2


def _is_kill_urgent(state: SwapState) -> bool:
    """As for a refund; and at once when the lock that ours answers is not final any more."""
    if state.agreement.role is Role.INITIATOR:
        return False
    return _is_refund_urgent(state) or not reading.their_lock_is_final(state)


def holds_coins(state: SwapState) -> tuple[str, ...]:
    """The wallet coins this swap has promised: reserved until the lock or a conflict is final."""
    own = state.own
    if isinstance(own, Held | Released | Killing) and state.outcome is None:
        return tuple(coin.ref for coin in own.lock.coins)
    return ()
