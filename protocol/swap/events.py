"""What can happen to a swap. A closed union: every event is legal in every state.

Owns: the events. Must not know: who produced them.

Failure and persistence, for all: an event may be repeated and may come late; the machine ignores
what does not fit. An event that changes the state materially is journalled together with the new
state before any effect of it is performed. A crash right after loses nothing: facts are observed
again, and what we signed is either in the journal or was never used.
"""

from msgspec import Struct

from protocol.swap.facts import ChainView
from protocol.swap.states import SignedLock, Tx


class Observed(Struct, frozen=True, tag="observed"):
    """Both chains as they are now, and the wall clock in unix seconds. Source: the nodes, at each
    tip, mempool event, poll and deadline. `before` is the swap's time before this look. Failure and
    persistence: journalled only when locks, spends or conflicts changed; `before` carries the time
    of the looks between, so that the journal folds to the same state."""

    wall: int
    view_i: ChainView
    view_p: ChainView
    before: int = 0


class LockBuilt(Struct, frozen=True, tag="lock_built"):
    """The node's wallet signed our lock, or a dearer version of one that hangs, on all of its
    coins; nothing was broadcast. Failure and persistence: lost before the journal has it, it is
    signed anew (its coins were never used)."""

    lock: SignedLock


class LockFound(Struct, frozen=True, tag="lock_found"):
    """The wallet holds a lock of ours that hangs unconfirmed and that this swap forgot: now its
    coins are known, so it can be killed. Failure and persistence: lost before the journal has
    it, it is found again."""

    lock: SignedLock


class KillBuilt(Struct, frozen=True, tag="kill_built"):
    """A payment of the lock's coins to ourselves was signed."""

    kill: Tx


class ClaimBuilt(Struct, frozen=True, tag="claim_built"):
    """Our claim was signed. Failure and persistence: exists only after the reveal is journalled."""

    claim: Tx


class RefundBuilt(Struct, frozen=True, tag="refund_built"):
    """A refund of one output of our leg was signed."""

    refund: Tx


class ChildBuilt(Struct, frozen=True, tag="child_built"):
    """A child of a claim or refund of ours was signed."""

    child: Tx


class CancelRequested(Struct, frozen=True, tag="cancel_requested"):
    """The operator wants out. Honoured while our lock is not confirmed, else ignored. `before` is
    the swap's time so far, as in Observed."""

    before: int = 0


Event = (
    Observed
    | LockBuilt
    | LockFound
    | KillBuilt
    | ClaimBuilt
    | RefundBuilt
    | ChildBuilt
    | CancelRequested
)
