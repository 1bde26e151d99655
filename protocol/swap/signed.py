"""What can be sent for a swap without signing anything: transactions that its journal holds.

Owns: that selection, for a daemon that has no seed (safety rule 25). Must not know: who sends,
what a whole daemon would sign now (`pending`). Never a lock: what may still leave the daemon is
judged by gates, which a daemon that can't kill has no business to pass.
"""

from protocol.swap import lifting, pending, reading
from protocol.swap.effects import (
    BroadcastChild,
    BroadcastClaim,
    BroadcastKill,
    BroadcastRefund,
    Effect,
    ResendTheirLock,
)
from protocol.swap.facts import LockSeen
from protocol.swap.states import Killing, Learned, Revealed, SwapState, Tx


def sendable(state: SwapState) -> tuple[Effect, ...]:
    """The broadcasts that still make sense on the facts in `state`, most urgent first."""
    effects: list[Effect] = []
    if state.outcome is None:
        effects += _claim(state)
        effects += _kill(state)
    effects += _refunds(state)
    # Resending the other side's lock needs no signature either.
    effects += [each for each in pending.pending(state) if isinstance(each, ResendTheirLock)]
    return tuple(effects)


def _is_missing(lock: LockSeen, ours: Tx) -> bool:
    """Not mined, and not what the mempool shows."""
    spend = lock.spend
    return spend is None or (spend.depth == 0 and spend.txid != ours.txid)


def _children(state: SwapState, lock: LockSeen, ours: Tx) -> list[Effect]:
    if lock.spend is not None and lock.spend.depth > 0:
        return []
    line = lifting.children_of(state, ours)
    return [BroadcastChild(tx.raw, tx.txid, tx.ref) for tx in line]


def _claim(state: SwapState) -> list[Effect]:
    lock, claim = reading.their_lock(state), state.claim
    if lock is None or claim is None or lock.ref != claim.ref:
        return []
    if not isinstance(state.secret, Revealed | Learned):
        return []
    effects: list[Effect] = []
    if _is_missing(lock, claim):
        effects.append(BroadcastClaim(claim.raw, claim.txid))
    return effects + _children(state, lock, claim)


def _kill(state: SwapState) -> list[Effect]:
    own, view = state.own, reading.own_view(state)
    if not isinstance(own, Killing) or own.kill is None or view is None:
        return []
    if reading.is_confirmed(reading.own_lock(state)) or isinstance(state.secret, Revealed):
        return []
    conflict = view.conflict
    if conflict is not None and (conflict.depth > 0 or conflict.txid == own.kill.txid):
        return []
    if conflict is not None and conflict.txid not in reading.own_kills(state):
        return []  # the operator's own: as good as ours
    return [BroadcastKill(own.kill.raw, own.kill.txid)]


def _refunds(state: SwapState) -> list[Effect]:
    view = reading.own_view(state)
    if view is None or not reading.own_expiry_passed(state):
        return []
    own = reading.own_lock(state)
    effects: list[Effect] = []
    for refund in state.refunds:
        lock = next((lock for lock in view.locks if lock.ref == refund.ref), None)
        is_own = own is not None and own.ref == refund.ref
        if lock is None or (is_own and not pending.wants_refund(state)):
            continue
        if _is_missing(lock, refund):
            effects.append(BroadcastRefund(refund.raw, refund.txid))
        effects += _children(state, lock, refund)
    return effects
