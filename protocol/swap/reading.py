"""What the views mean for a swap: the questions that the machine and `pending` ask alike.

Owns: which output is the lock, whether it is final, which gates are open.
Must not know: transitions, effects.
"""

import hashlib

from protocol.limits import RESERVATION_SECONDS, UNSEEN_BLOCKS
from protocol.swap.facts import ChainView, LockSeen, Restriction, Spend, SpendKind
from protocol.swap.states import (
    Dead,
    Held,
    Killing,
    Released,
    SignedLock,
    SwapState,
    Unfunded,
)
from protocol.swap.timelocks import Schedule, schedule_of
from protocol.terms import LegName, LegTerms, Role

CLOCK_TRUST_SECONDS = 2 * 3600
"""Times further than this above the wall clock are ignored (rule 10)."""

LEAST_EXTRA = 10_000
"""Base units below which another output to our script is left alone: to bring it back would cost
more than it holds, and dust must not keep a swap open."""


def swap_time(wall: int, known: tuple[int, ...]) -> int:
    """Rule 10: the latest of the wall clock and `known` times, ignoring any that is more than two
    hours above the wall clock, so that one bad timestamp can't close the gates for ever."""
    return max(wall, *(t for t in known if t <= wall + CLOCK_TRUST_SECONDS), 0)


def seen_within(leg: LegTerms) -> int:
    """How long after the agreement the lock of `leg`, sent in time, is seen: in mempools at once;
    on a chain with accounts a slot says nothing before a block does."""
    blocks = UNSEEN_BLOCKS * leg.pace.interval if leg.pace is not None else 0
    return RESERVATION_SECONDS + blocks


def told_time(leg: LegTerms, view: ChainView) -> int:
    """The time that a chain proves: its own, less what its clock may run ahead."""
    return view.median_time - (leg.pace.early if leg.pace is not None else 0)


def schedule(state: SwapState) -> Schedule:
    """The expiries and gates of the swap."""
    return schedule_of(state.agreement.terms)


def role(state: SwapState) -> Role:
    """Ours."""
    return state.agreement.role


def view_of(state: SwapState, leg: LegName) -> ChainView | None:
    """The newest view of the chain of `leg`."""
    return state.view_i if leg is LegName.I else state.view_p


def own_view(state: SwapState) -> ChainView | None:
    """The chain we lock on."""
    return state.view_i if state.agreement.role is Role.INITIATOR else state.view_p


def their_view(state: SwapState) -> ChainView | None:
    """The chain we claim on."""
    return state.view_p if state.agreement.role is Role.INITIATOR else state.view_i


def signed_lock(state: SwapState) -> SignedLock | None:
    """Our lock, where one is signed and not dead."""
    own = state.own
    return own.lock if isinstance(own, Held | Released | Killing) else None


def _exact(view: ChainView | None, leg: LegTerms) -> tuple[LockSeen, ...]:
    if view is None or not view.locks:
        return ()
    units, free = leg.amount.units, Restriction.NONE
    return tuple([lock for lock in view.locks if lock.units == units and lock.restriction is free])


def txid_of(lock: LockSeen) -> str:
    """The transaction that made a lock, as far as its chain tells; empty where it does not."""
    name, _, index = lock.ref.partition(":")
    return lock.txid or (name if ":" not in index else "")


def own_lock(state: SwapState) -> LockSeen | None:
    """Our lock as the chain shows it: a version that we signed, or the one that took its place when
    the operator bumped it by hand: it spends a coin of ours. Anybody can pay our script: a
    stranger's output must not hide that ours is unconfirmed."""
    signed = signed_lock(state)
    if signed is None:
        return None
    exact = _exact(own_view(state), state.agreement.own)
    refs = signed.refs
    ours = [lock for lock in exact if lock.ours or lock.ref in refs]
    return max(ours, key=lambda lock: (lock.depth, lock.ref == refs[0]), default=None)


def unknown_own_lock(state: SwapState) -> LockSeen | None:
    """An output of the exact amount to our own script although this state knows of no lock of ours:
    a stranger's, or, where an older state was put back, the chain remembers what it does not. The
    deepest one."""
    if not isinstance(state.own, Unfunded):
        return None
    exact = _exact(own_view(state), state.agreement.own)
    return max(exact, key=lambda lock: lock.depth, default=None)


def seeks_lock(state: SwapState) -> bool:
    """Whether a lock of ours may hang unconfirmed whose coins this state does not know: where an
    older state was put back, only the wallet remembers it."""
    if not state.restored or state.outcome is not None:
        return False
    own = state.own
    if isinstance(own, Released | Killing):
        return not own.lock.coins and not is_confirmed(own_lock(state))
    return isinstance(own, Unfunded) and not is_confirmed(unknown_own_lock(state))


def own_refs(state: SwapState) -> tuple[str, ...]:
    """The outputs that are our signed lock, whichever version confirms."""
    signed = signed_lock(state)
    return signed.refs if signed else ()


def their_lock(state: SwapState) -> LockSeen | None:
    """The counterparty's one output of the exact amount that can be spent in time: the bound one
    while it exists, else the deepest. Coinbase and HogEx outputs never count (rule 3)."""
    exact = _exact(their_view(state), state.agreement.theirs)
    for lock in exact:
        if lock.ref == state.bound:
            return lock
    return max(exact, key=lambda lock: lock.depth, default=None)


def extra_locks(state: SwapState) -> tuple[LockSeen, ...]:
    """Other confirmed outputs to our own script that are worth their refund: ignored for
    decisions, swept back (rule 2)."""
    view, lock = own_view(state), own_lock(state)
    if view is None or signed_lock(state) is None:
        return ()
    return tuple(
        other
        for other in view.locks
        if other.depth > 0
        and other.units >= LEAST_EXTRA
        and (lock is None or other.ref != lock.ref)
    )


def own_kills(state: SwapState) -> frozenset[str]:
    """The txids of all versions of our kill, and of whatever else of ours was replaced."""
    own = state.own
    newest = own.kill if isinstance(own, Killing | Dead) else None
    signed = (*state.replaced, newest) if newest is not None else state.replaced
    return frozenset(tx.txid for tx in signed)


def is_confirmed(lock: LockSeen | None) -> bool:
    """In a block now."""
    return lock is not None and lock.depth > 0


def their_lock_is_final(state: SwapState) -> bool:
    """Deep enough by the terms and unspent, even in a mempool."""
    lock = their_lock(state)
    return lock is not None and lock.depth >= state.agreement.theirs.depth and lock.spend is None


def spend_is_final(spend: Spend | None, kind: SpendKind, depth: int) -> bool:
    """`spend` is of that kind and `depth` deep."""
    return spend is not None and spend.kind is kind and spend.depth >= depth


def is_healthy(state: SwapState) -> bool:
    """Both chains are known and neither has a reason not to lock or reveal (rule 10)."""
    views = (state.view_i, state.view_p)
    return all(view is not None and not view.problems for view in views)


def lock_gate(state: SwapState) -> int:
    """The time from which our lock must not be in the air unconfirmed."""
    times = schedule(state)
    return times.lock_gate_i if role(state) is Role.INITIATOR else times.lock_gate_p


def own_expiry_passed(state: SwapState) -> bool:
    """A refund of our leg can be in the next block: median time past is beyond the expiry."""
    view = own_view(state)
    return view is not None and view.median_time > state.agreement.own.expiry


def learned_preimage(state: SwapState) -> tuple[bytes, str] | None:
    """A preimage that a spend of our own leg shows now, and the txid that shows it."""
    view = own_view(state)
    if view is None:
        return None
    return _shown(view, state.agreement.terms.hashlock)


def is_preimage_public(state: SwapState) -> bool:
    """Any spend on either chain shows it now, ours or theirs."""
    hashlock = state.agreement.terms.hashlock
    views = (state.view_i, state.view_p)
    return any(view is not None and _shown(view, hashlock) is not None for view in views)


def _shown(view: ChainView, hashlock: bytes) -> tuple[bytes, str] | None:
    for lock in view.locks:
        shown = lock.spend.preimage if lock.spend is not None else None
        if lock.spend is not None and shown is not None and _opens(shown, hashlock):
            return shown, lock.spend.txid
    return None


def _opens(preimage: bytes, hashlock: bytes) -> bool:
    return len(preimage) == 32 and hashlib.sha256(preimage).digest() == hashlock
