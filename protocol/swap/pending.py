"""What a swap owes right now: `pending(state) -> effects`, and when to look again.

Owns: the mapping from a state to its effects. Recovery is loading a state, observing, and
performing what this says. Must not know: transitions (machine), how effects are performed.

Nothing here lets a lock or a secret out: `BroadcastLock` is owed only in `Released`, a claim only
in `Revealed` or `Learned`, and those are journalled first.
"""

from protocol.kinds import sizes_of
from protocol.swap import deadlines, fees, lifting, reading
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
    SeekLock,
)
from protocol.swap.facts import ChainView, LockSeen, Spend, SpendKind
from protocol.swap.fees import Curve
from protocol.swap.states import (
    Held,
    Killing,
    Learned,
    Released,
    Revealed,
    SignedLock,
    SwapState,
    Tx,
    Unfunded,
)
from protocol.terms import Role


def pending(state: SwapState) -> tuple[Effect, ...]:
    """The effects owed on the facts in `state`, most urgent first."""
    effects: list[Effect] = []
    if state.outcome is None:
        effects += _claim(state)
        effects += [SeekLock()] if reading.seeks_lock(state) else []
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
    if view is None or state.restored or reading.unknown_own_lock(state) is not None:
        return []
    own = state.own
    gate_open = state.now < reading.lock_gate(state) and reading.is_healthy(state)
    answered = state.agreement.role is Role.INITIATOR or reading.their_lock_is_final(state)
    wanted = not state.cancelled and not isinstance(state.secret, Learned)
    if isinstance(own, Unfunded) and gate_open and answered and wanted:
        rate = max(fees.first_rate(view), _least_lock_rate(state))
        return [BuildLock(rate)] if rate <= deadlines.dearest_lock(state, view) else []
    # Who spent the lock's coins elsewhere by hand must not be outbid by the lock.
    if not isinstance(own, Released) or view.conflict is not None or not own.lock.coins:
        return []
    seen = reading.own_lock(state)
    if isinstance(state.secret, Revealed):
        return [] if seen is not None else [BroadcastLock(own.lock.tx.raw, own.lock.tx.txid)]
    if not (gate_open and answered) or not _is_hanging(own.lock, seen):
        return []
    return _sent_lock(state, view, own.lock, seen)


def _is_hanging(lock: SignedLock, seen: LockSeen | None) -> bool:
    """Nowhere to be seen, or a version of ours that is not confirmed: not the operator's own."""
    return seen is None or (seen.depth == 0 and seen.ref in lock.refs)


def _sent_lock(
    state: SwapState, view: ChainView, lock: SignedLock, seen: LockSeen | None
) -> list[Effect]:
    """Our lock is not in a block yet: dearer where fees rose or its gate draws near, and sent. What
    is signed is sent even when the wallet can't sign a dearer one."""
    effects: list[Effect] = []
    in_mempool = seen is not None
    replaceable = view.replaces or not in_mempool
    if replaceable and fees.is_due(view, lock.tx, seen=in_mempool):
        curve = deadlines.lock_curve(state, view)
        wanted = min(fees.on_curve(fees.first_rate(view), curve, state.now), curve.cap)
        if wanted >= fees.least_replacing(view, lock.tx):
            effects.append(BuildLock(wanted, lock))
    if seen is None or (reading.txid_of(seen) != lock.tx.txid and replaceable):
        effects.append(BroadcastLock(lock.tx.raw, lock.tx.txid))
    return effects


def _least_lock_rate(state: SwapState) -> int:
    initiator = state.agreement.role is Role.INITIATOR
    return state.agreement.terms.min_fee_rate_i if initiator else 0


def _kill(state: SwapState) -> list[Effect]:
    own, view = state.own, reading.own_view(state)
    if not isinstance(own, Killing) or view is None or isinstance(state.secret, Revealed):
        return []
    if not own.lock.coins:
        return []
    if reading.is_confirmed(reading.own_lock(state)):
        return []
    if view.conflict is not None and (view.conflict.depth > 0 or _is_operators(state, view)):
        return []
    if own.kill is not None and not view.replaces and reading.own_lock(state) is not None:
        # Refused while the lock waits there; dearer ones would only be hoarded.
        return [BroadcastKill(own.kill.raw, own.kill.txid)]
    seen = view.conflict is not None
    if fees.is_due(view, own.kill, seen=seen):
        curve = deadlines.kill_curve(state, view, own.lock)
        rate = fees.next_rate(view, own.kill or own.lock.tx, curve, state.now)
        if fees.is_worth(rate, view, own.kill, seen=seen):
            return [BuildKill(rate)]
    if own.kill is not None and (view.conflict is None or view.conflict.txid != own.kill.txid):
        return [BroadcastKill(own.kill.raw, own.kill.txid)]
    return []


def _is_operators(state: SwapState, view: ChainView) -> bool:
    """The lock's coins are being spent by a transaction that is none of our kills: the operator's
    own, which is as good as one. It is left alone while there is time."""
    if view.conflict is None:
        return False
    participant = state.agreement.role is Role.PARTICIPANT
    late = participant and state.now >= reading.schedule(state).expiry_p
    return view.conflict.txid not in reading.own_kills(state) and not late


def _claim(state: SwapState) -> list[Effect]:
    view, lock = reading.their_view(state), reading.their_lock(state)
    if view is None or lock is None or not isinstance(state.secret, Revealed | Learned):
        return []
    spend = lock.spend
    if spend is not None and spend.depth > 0:
        return []
    seen = spend is not None and spend.kind is SpendKind.CLAIM
    previous = state.claim if state.claim is not None and state.claim.ref == lock.ref else None
    curve = deadlines.claim_curve(state, view, lock)
    fixed = lifting.fixed_version(state, view, previous, spend)
    if fixed is not None:
        return lifting.child(state, view, lock, fixed, curve)
    size = sizes_of(state.agreement.theirs.amount.asset).claim
    rate = _version(state, view, previous, curve, None if seen else spend, size, seen=seen)
    if rate is not None:
        preimage = state.secret.preimage if isinstance(state.secret, Learned) else None
        return [BuildClaim(lock, rate, preimage)]
    if previous is not None and (spend is None or spend.txid != previous.txid):
        return [BroadcastClaim(previous.raw, previous.txid)]
    return []


def _version(
    state: SwapState,
    view: ChainView,
    previous: Tx | None,
    curve: Curve,
    rival: Spend | None,
    size: int,
    *,
    seen: bool,
) -> int | None:
    """The rate of the version of a claim or refund to build now; None to leave it as it is."""
    beating = min(fees.beating(view, rival, size), curve.cap)
    if not view.replaces and rival is None and _is_worth_resending(view, previous):
        return None
    outbid = previous is not None and previous.fee_rate < beating
    if not (outbid or fees.is_due(view, previous, seen=seen)):
        return None
    rate = max(fees.next_rate(view, previous, curve, state.now), beating)
    return rate if fees.is_worth(rate, view, previous, seen=seen) else None


def _is_worth_resending(view: ChainView, previous: Tx | None) -> bool:
    """Where nothing is replaced a version that our node does not show may be in all the others: it
    is sent again as it is, so that it can be lifted; another one would be refused everywhere."""
    return previous is not None and previous.fee_rate >= view.fee_floor - view.fee_increment


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
    if own is not None and (own.depth > 0 or _outlived(state, own)) and wants_refund(state):
        locks.insert(0, own)
    effects: list[Effect] = []
    for lock in locks:
        effects += _refund(state, view, lock)
    return effects


def _outlived(state: SwapState, own: LockSeen) -> bool:
    """Our lock hangs in a mempool beyond its expiry although it is being killed: there nothing
    replaces it. Its refund, as a child, brings it in and takes it back at once."""
    killing = isinstance(state.own, Killing) and state.own.kill is not None
    return killing and own.ref in reading.own_refs(state)


def wants_refund(state: SwapState) -> bool:
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


def _refund(state: SwapState, view: ChainView, lock: LockSeen) -> list[Effect]:
    spend = lock.spend
    if spend is not None and spend.depth > 0:
        return []
    previous = next((tx for tx in state.refunds if tx.ref == lock.ref), None)
    seen = spend is not None and spend.kind is SpendKind.REFUND
    curve = deadlines.refund_curve(state, view, lock)
    fixed = lifting.fixed_version(state, view, previous, spend)
    if fixed is not None:
        return lifting.child(state, view, lock, fixed, curve)
    rival = None if seen else spend
    size = sizes_of(state.agreement.own.amount.asset).refund
    rate = _version(state, view, previous, curve, rival, size, seen=seen)
    if rate is not None:
        rate = lifting.with_parent(state, lock, rate, curve)
        # Below the floor nobody would relay it: wait for cheaper days.
        return [BuildRefund(lock, rate)] if rate >= view.fee_floor else []
    if previous is not None and (spend is None or spend.txid != previous.txid):
        return [BroadcastRefund(previous.raw, previous.txid)]
    return []


def holds_coins(state: SwapState) -> tuple[str, ...]:
    """The wallet coins this swap has promised: reserved until the lock or a conflict is final."""
    own = state.own
    if isinstance(own, Held | Released | Killing) and state.outcome is None:
        return tuple(coin.ref for coin in own.lock.coins)
    return ()
