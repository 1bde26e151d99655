"""How much of a view one swap keeps: anybody can pay a script as often as he likes.

Owns: which outputs stay in a view, and whose raw bytes. Must not know: what is decided from them.

A view goes into the journal with each change. Without a bound a stranger with a few thousand dust
outputs, or one huge transaction, would make rows that can't be written any more, and a swap that
can't be written can't act.
"""

import msgspec

from protocol.swap.facts import ChainView, LockSeen, Restriction
from protocol.swap.reading import own_refs
from protocol.swap.states import SwapState
from protocol.terms import LegName, other_leg

MAX_LOCKS = 16
"""Outputs kept of one leg: the ones that count, and the most valuable of the others."""

MAX_RAW = 64 * 1024
"""Bytes of a counterparty's lock that are kept to send it again (rule 4): a lock with hundreds of
inputs is smaller. A larger one is not kept."""


def trimmed(view: ChainView, state: SwapState, leg: LegName) -> ChainView:
    """`view` of `leg` as `state` needs it. Our own lock, the one bound to the other leg and the
    outputs of the exact amount are always kept before any others; their order stays."""
    theirs = leg is other_leg(state.agreement.role)
    known = (state.bound,) if theirs else own_refs(state)
    exact = state.agreement.terms.leg(leg).amount.units

    def importance(lock: LockSeen) -> tuple[bool, int, bool, int]:
        counts = lock.units == exact and lock.restriction is Restriction.NONE
        shows = lock.spend is not None and lock.spend.preimage is not None
        return lock.ref in known or lock.ours, lock.depth + 1 if counts else 0, shows, lock.units

    kept = {lock.ref for lock in sorted(view.locks, key=importance, reverse=True)[:MAX_LOCKS]}

    def slim(lock: LockSeen) -> LockSeen:
        wanted = theirs and lock.units == exact and (lock.ref not in known or not state.their_raw)
        if wanted and len(lock.raw) <= MAX_RAW:
            return lock
        return msgspec.structs.replace(lock, raw=b"")

    locks = tuple(slim(lock) for lock in view.locks if lock.ref in kept)
    return msgspec.structs.replace(view, locks=locks)


def with_shown(view: ChainView, before: ChainView | None) -> ChainView:
    """`view`, in which a claim that was seen once is shown again while nothing else spends its
    output: its preimage is known for good (rule 8), even if nobody could write it down yet."""
    if before is None:
        return view
    shown = {
        lock.ref: lock.spend
        for lock in before.locks
        if lock.spend is not None and lock.spend.preimage is not None
    }
    locks = tuple(
        msgspec.structs.replace(lock, spend=msgspec.structs.replace(shown[lock.ref], depth=0))
        if lock.spend is None and lock.ref in shown
        else lock
        for lock in view.locks
    )
    return msgspec.structs.replace(view, locks=locks)
