"""Which curve each of our transactions follows: until when it must be mined, what it may cost.

Owns: the deadlines of claims, refunds, kills and locks as fee curves. Must not know: how a rate
follows from a curve (`fees`), what is owed (`pending`).

| transaction | from | must be mined by | at stake |
|---|---|---|---|
| initiator's claim | the reveal | T_P | the other leg |
| participant's claim | the preimage was learned | T_I - S | the other leg |
| participant's refund | T_P | C - O_P | his leg |
| initiator's refund | T_I | worst freeze | time; his leg once he revealed |
| participant's kill | its lock gate | C - O_P | his leg |
| initiator's kill | its lock gate | T_P | time |
| lock | half of the way to its gate | the gate | a fiftieth of it: else it is killed |
"""

from protocol.kinds import Sizes, pays_own_fees, sizes_of
from protocol.limits import ECONOMIC_DIVISOR, SKEW
from protocol.swap import fees, reading
from protocol.swap.facts import ChainView, LockSeen
from protocol.swap.fees import Curve
from protocol.swap.states import Learned, Revealed, SignedLock, SwapState
from protocol.terms import LegTerms, Role

LATE_SHARE = 10
"""Beyond the worst freeze (a kill: T_P) one part in this of the coins may go into the fee."""

LOCK_SHARE = 50
"""A lock pays at most one part in this of its amount to be in time: a kill is cheaper than more."""


def claim_curve(state: SwapState, view: ChainView, lock: LockSeen) -> Curve:
    """Our claim of `lock`."""
    times = reading.schedule(state)
    cap = _affordable(
        view, state.agreement.theirs, lock.units, _sizes(state.agreement.theirs).claim
    )
    if isinstance(state.secret, Revealed):
        return Curve(state.secret.at, times.expiry_p, cap)
    start = state.secret.at if isinstance(state.secret, Learned) else state.now
    return Curve(start, times.expiry_i - SKEW[state.agreement.terms.timing], cap)


def refund_curve(state: SwapState, view: ChainView, lock: LockSeen) -> Curve:
    """The refund of `lock`, an output to our own script. One that is not our lock has no deadline:
    whoever paid it there gave it away."""
    times, leg = reading.schedule(state), state.agreement.own
    cap = _affordable(view, leg, lock.units, _sizes(leg).refund)
    own = reading.own_lock(state)
    is_extra = own is None or own.ref != lock.ref
    participant = state.agreement.role is Role.PARTICIPANT
    if is_extra or not (participant or isinstance(state.secret, Revealed)):
        cap = _patient(view, cap, late=not is_extra and state.now >= times.worst_freeze)
    if participant:
        return Curve(times.expiry_p, times.kill_deadline, cap)
    return Curve(times.expiry_i, times.worst_freeze, cap)


def kill_curve(state: SwapState, view: ChainView, lock: SignedLock) -> Curve:
    """The payment of the lock's coins to ourselves. The other coins of the lock's inputs are
    change: never worth burning for a kill."""
    times, leg = reading.schedule(state), state.agreement.own
    stake = int(leg.amount.units)
    if view.fee_budget is None:  # else its coin is a nonce, which is worth nothing
        stake = min(stake, sum(coin.units for coin in lock.coins))
    cap = _affordable(view, leg, stake, _sizes(leg).kill * len(lock.coins))
    if state.agreement.role is Role.PARTICIPANT:
        return Curve(times.lock_gate_p, times.kill_deadline, cap)
    cap = _patient(view, cap, late=state.now >= times.expiry_p)
    return Curve(times.lock_gate_i, times.expiry_p, cap)


def _patient(view: ChainView, cap: int, *, late: bool) -> int:
    """What is paid where nobody else can take the coins: a calm rate, and once `late` up to a part
    of them. An estimate can be far too low for long: coins must not be frozen by it for ever."""
    return max(fees.calm(view, cap), cap // LATE_SHARE) if late else fees.calm(view, cap)


def lock_curve(state: SwapState, view: ChainView) -> Curve:
    """Our lock, while it hangs: dearer in the second half of the way to its gate."""
    gate, leg = reading.lock_gate(state), state.agreement.own
    cap = fees.calm(view, purse(view, leg) // LOCK_SHARE * 1000 // _sizes(leg).lock)
    return Curve((state.agreement.agreed_at + gate) // 2, gate, cap)


def dearest_lock(state: SwapState, view: ChainView) -> int:
    """The rate above which no lock is signed at all: fees have risen since the terms, and a swap
    that costs more than its economic minimum (rule 14) is better given up; or the account that pays
    could not take back or kill what it locks."""
    leg, sizes = state.agreement.own, _sizes(state.agreement.own)
    most = leg.amount.units * 1000 // (ECONOMIC_DIVISOR * sizes.lock)
    if view.fee_budget is None:
        return most
    whole = view.fee_budget * 1000 // (sizes.lock + sizes.refund + sizes.kill)
    return min(most, whole) if pays_own_fees(leg.amount.asset) else whole


def purse(view: ChainView, leg: LegTerms) -> int:
    """What may be paid in fees at all for a transaction of `leg`, in base units of what fees are
    paid in: what the leg is worth, and what the account that pays has."""
    units = int(leg.amount.units)
    if view.fee_budget is None:
        return units
    return min(view.fee_budget, units) if pays_own_fees(leg.amount.asset) else view.fee_budget


def _affordable(view: ChainView, leg: LegTerms, units: int, size: int) -> int:
    """The dearest rate for `size` where `units` are at stake. Of a token's worth in what fees are
    paid in nothing is known: there the account is the limit."""
    own = units * 1000 // size if pays_own_fees(leg.amount.asset) else None
    rate = fees.affordable_rate(view, units, size)
    return rate if own is None else min(own, rate)


def _sizes(leg: LegTerms) -> Sizes:
    return sizes_of(leg.amount.asset)
