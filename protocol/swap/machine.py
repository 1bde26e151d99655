"""The swap machine: `step(state, event) -> state`, pure and total, for both roles.

Owns: every decision. Must not know: how effects are performed, nodes, keys, clocks.

Theory of operation. Three small machines, coupled by the views:

    our own lock   Unfunded -> Held -> Released -> Killing -> Dead
                                 \\________\\__________/^ (a conflict is final)
    the secret     Hidden -> Revealed        (initiator)
                   Unknown -> Learned        (participant)
    the end        None -> completed | refunded | never funded | lost

`Held -> Released` is the decision that our lock may leave the daemon, `Hidden -> Revealed` that the
preimage may. Both are taken only in a step that has just observed both chains, with every gate
re-evaluated (rule 9), and are journalled before `pending` owes the broadcast. Everything else is
read from the views, so a reorg needs no transition of its own: a lock that went back to the mempool
is simply not confirmed any more, and what is owed follows.

A lock that confirms although it was being killed is alive: `Killing` with a confirmed lock is
treated as locked (rule 1).
"""

from typing import assert_never

import msgspec

from protocol.limits import FIRST_CONFIRMATION_SECONDS, RELEASE_SECONDS
from protocol.swap import reading
from protocol.swap.agreement import Agreement
from protocol.swap.events import (
    CancelRequested,
    ChildBuilt,
    ClaimBuilt,
    Event,
    KillBuilt,
    LockBuilt,
    LockFound,
    Observed,
    RefundBuilt,
)
from protocol.swap.facts import ChainView, Conflict, LockSeen, Spend, SpendKind
from protocol.swap.states import (
    Dead,
    End,
    Held,
    Hidden,
    Killing,
    Learned,
    Outcome,
    Released,
    Revealed,
    SignedLock,
    SwapState,
    Tx,
    Unfunded,
    Unknown,
)
from protocol.terms import Role

EXTRA_SECONDS = 14 * 86400
"""After this long beyond the last expiry a stranger's output keeps no ended swap open: if fees
never let it be swept back, it is not worth watching for."""

MAX_REPLACED = 100
"""Older versions remembered: rebuilt at each tip, that is more blocks than a deadline is away."""


def begin(agreement: Agreement) -> SwapState:
    """The state of a swap whose terms both sides have just signed."""
    initiator = agreement.role is Role.INITIATOR
    return SwapState(
        agreement=agreement,
        own=Unfunded(),
        secret=Hidden() if initiator else Unknown(),
        now=agreement.agreed_at,
    )


def step(state: SwapState, event: Event) -> SwapState:
    """The state after `event`. Never raises; an event that does not fit changes nothing."""
    match event:
        case Observed():
            return _observed(state, event)
        case LockBuilt():
            return _with_lock(state, event.lock)
        case LockFound():
            # Who did not seek one has an older journal than he knows: that swap only watches.
            if reading.seeks_lock(state) or isinstance(state.own, Unfunded):
                return msgspec.structs.replace(state, own=Released(event.lock), restored=True)
        case KillBuilt():
            if isinstance(state.own, Killing):
                own = Killing(state.own.lock, event.kill)
                return msgspec.structs.replace(
                    _replacing(state, state.own.kill, event.kill), own=own
                )
        case ClaimBuilt():
            if isinstance(state.secret, Revealed | Learned):
                return msgspec.structs.replace(
                    _replacing(state, state.claim, event.claim), claim=event.claim
                )
        case RefundBuilt():
            return _with_refund(state, event)
        case ChildBuilt():
            known = {tx.txid for tx in state.children}
            spends = isinstance(state.secret, Revealed | Learned) or bool(state.refunds)
            if spends and event.child.txid not in known:
                return msgspec.structs.replace(state, children=(*state.children, event.child))
        case CancelRequested():
            return _cancel(state, event)
        case _:
            assert_never(event)
    return state


def is_closed(state: SwapState) -> bool:
    """Nothing is owed any more: the end is reached and no extra output waits to be swept back."""
    if state.outcome is None:
        return False
    if _is_long_over(state):
        return True
    depth = state.agreement.own.depth
    extras = reading.extra_locks(state)
    return all(lock.spend is not None and lock.spend.depth >= depth for lock in extras)


def material(state: SwapState) -> SwapState:
    """The part of a state whose change must be journalled: without time, tips, fee rates, and
    without what grows beyond final."""
    terms = state.agreement.terms
    return msgspec.structs.replace(
        state,
        now=0,
        view_i=_lasting(state.view_i, terms.leg_i.depth),
        view_p=_lasting(state.view_p, terms.leg_p.depth),
    )


def _lasting(view: ChainView | None, final: int) -> ChainView | None:
    if view is None:
        return None
    conflict = view.conflict
    return msgspec.structs.replace(
        view,
        locks=tuple(_capped(lock, final) for lock in view.locks),
        conflict=conflict and Conflict(conflict.txid, min(conflict.depth, final)),
        tip_height=0,
        tip_hash="",
        tip_time=0,
        median_time=0,
        fee_next=0,
        fee_floor=0,
        fee_increment=0,
        fee_budget=None,
        problems=(),
    )


def _capped(lock: LockSeen, final: int) -> LockSeen:
    spend = lock.spend
    if spend is not None:
        spend = msgspec.structs.replace(spend, depth=min(spend.depth, final), to_beat=0, since=0)
    return msgspec.structs.replace(lock, depth=min(lock.depth, final), spend=spend, raw=b"")


def _with_lock(state: SwapState, lock: SignedLock) -> SwapState:
    """A first lock is held; a dearer version may leave like the one it replaces, of which it must
    spend exactly the coins: only so can never both confirm, and whatever kills one kills both
    (rule 2)."""
    own = state.own
    if isinstance(own, Unfunded) and state.outcome is None:
        return msgspec.structs.replace(state, own=Held(lock))
    if not isinstance(own, Released) or reading.is_confirmed(reading.own_lock(state)):
        return state
    shares = {coin.ref for coin in own.lock.coins} == {coin.ref for coin in lock.coins}
    known = {own.lock.tx.txid, *(tx.txid for tx in state.replaced)}
    if not shares or lock.tx.txid in known:
        return state
    # On a chain with slots all versions of a lock are one entry.
    earlier = tuple(ref for ref in own.lock.refs if ref != lock.tx.ref)
    newer = msgspec.structs.replace(lock, earlier=earlier)
    return msgspec.structs.replace(_replacing(state, own.lock.tx, lock.tx), own=Released(newer))


def _with_refund(state: SwapState, event: RefundBuilt) -> SwapState:
    if reading.signed_lock(state) is None:
        return state
    older = next((tx for tx in state.refunds if tx.ref == event.refund.ref), None)
    others = tuple(tx for tx in state.refunds if tx is not older)
    return msgspec.structs.replace(
        _replacing(state, older, event.refund), refunds=(*others, event.refund)
    )


def _replacing(state: SwapState, older: Tx | None, newer: Tx) -> SwapState:
    """`state`, in which `newer` takes the place of `older`."""
    if older is None or older.txid == newer.txid:
        return state
    kept = msgspec.structs.replace(older, raw=b"")
    return msgspec.structs.replace(state, replaced=(*state.replaced, kept)[-MAX_REPLACED:])


def _cancel(state: SwapState, event: CancelRequested) -> SwapState:
    if state.outcome is not None or reading.is_confirmed(reading.own_lock(state)):
        return state
    now = event.before or state.now
    return _settle(msgspec.structs.replace(state, cancelled=True, now=now))


def _observed(state: SwapState, event: Observed) -> SwapState:
    terms = state.agreement.terms
    known = (
        reading.told_time(terms.leg_i, event.view_i),
        reading.told_time(terms.leg_p, event.view_p),
        event.before or state.now,
    )
    state = msgspec.structs.replace(
        state,
        view_i=event.view_i,
        view_p=event.view_p,
        now=reading.swap_time(event.wall, known),
    )
    return _settle(state, fresh=True)


def _settle(state: SwapState, *, fresh: bool = False) -> SwapState:
    """Takes every decision that the state calls for. `fresh`: both views were observed just now,
    so locks and secrets may be let out."""
    state = _bind(_learn(state))
    state = _judge_own_lock(state, fresh=fresh)
    if fresh:
        state = _reveal(state)
    return _end(state)


def _bind(state: SwapState) -> SwapState:
    """Exactly one outpoint is bound to their leg (rule 2), and again only if it vanished. Its
    transaction may be told only later."""
    lock = reading.their_lock(state)
    if lock is None or lock.depth < 1:
        return state
    if lock.ref == state.bound and (state.their_raw or not lock.raw):
        return state
    return msgspec.structs.replace(state, bound=lock.ref, their_raw=lock.raw or state.their_raw)


def _learn(state: SwapState) -> SwapState:
    """Rule 8: a preimage seen for any time anywhere is kept and used."""
    if not isinstance(state.secret, Unknown):
        return state
    found = reading.learned_preimage(state)
    if found is None:
        return state
    return msgspec.structs.replace(state, secret=Learned(*found, state.now))


def _judge_own_lock(state: SwapState, *, fresh: bool) -> SwapState:
    own = state.own
    match own:
        case Dead():
            return state
        case Unfunded():
            found = reading.unknown_own_lock(state) if state.restored else None
            if found is not None and found.depth > 0 and state.outcome is None:
                return msgspec.structs.replace(state, own=_adopted(found))
            return _dead(state) if _too_late_to_start(state) else state
        case Held():
            if reading.own_lock(state) is not None:
                return msgspec.structs.replace(state, own=Released(own.lock))
            if _too_late_to_start(state):
                return _dead(state)
            if fresh and _may_lock(state):
                return msgspec.structs.replace(state, own=Released(own.lock))
            return state
        case Released():
            if _conflict_is_final(state) or _is_forgotten(state):
                return _dead(state)
            if _must_kill(state):
                return msgspec.structs.replace(state, own=Killing(own.lock))
            return state
        case Killing():
            over = _conflict_is_final(state) or _is_forgotten(state)
            return _dead(state) if over else state
        case _:
            assert_never(own)


def _adopted(found: LockSeen) -> Released:
    """A lock that only the chain remembers. Without its coins it can't be killed or made dearer."""
    tx = Tx(found.raw, reading.txid_of(found), 0, 0, 0, found.ref)
    return Released(SignedLock(tx, ()))


def _is_forgotten(state: SwapState) -> bool:
    """A lock whose coins we don't know has been nowhere to be seen until mempools forgot it."""
    lock = reading.signed_lock(state)
    unknown = lock is not None and not lock.coins and reading.own_lock(state) is None
    return unknown and _is_long_over(state)


def _is_long_over(state: SwapState) -> bool:
    return state.now > state.agreement.terms.leg_i.expiry + EXTRA_SECONDS


def _dead(state: SwapState) -> SwapState:
    own = state.own
    lock = own.lock if isinstance(own, Held | Released | Killing) else None
    kill = own.kill if isinstance(own, Killing) else None
    return msgspec.structs.replace(state, own=Dead(lock, kill))


def _conflict_is_final(state: SwapState) -> bool:
    """Another spend of one of the lock's inputs is final: the lock can never confirm (rule 1)."""
    view = reading.own_view(state)
    if view is None or view.conflict is None or reading.is_confirmed(reading.own_lock(state)):
        return False
    return view.conflict.depth >= state.agreement.own.depth


def _too_late_to_start(state: SwapState) -> bool:
    """Nothing of ours has left the daemon, or so this state believes: whether to give up."""
    if state.restored:
        return _is_long_over(state)
    if state.cancelled or state.now >= reading.lock_gate(state):
        return True
    agreed = state.agreement.agreed_at
    if state.agreement.role is Role.INITIATOR:
        return state.now >= agreed + RELEASE_SECONDS
    lock = reading.their_lock(state)
    if lock is None:
        view = reading.their_view(state)
        # While we can't see, a taker who locked in time must not wait for his expiry in vain.
        blind = view is not None and bool(view.problems)
        patience = reading.seen_within(state.agreement.theirs)
        return state.now >= agreed + patience and not blind
    return lock.depth == 0 and state.now >= agreed + FIRST_CONFIRMATION_SECONDS


def _may_lock(state: SwapState) -> bool:
    """The lock gate, on the facts just observed (rules 4, 9, 10)."""
    if not reading.is_healthy(state) or state.now >= reading.lock_gate(state):
        return False
    # Who knows the secret claims their leg; a lock of his own would only be a gift.
    if state.restored or isinstance(state.secret, Learned):
        return False
    if state.agreement.role is Role.INITIATOR:
        return True
    return reading.their_lock_is_final(state)


def _must_kill(state: SwapState) -> bool:
    """Rule 1: a lock that may be in the air, unconfirmed, when it must not be. After our reveal
    it is sent again instead: the other side is owed it."""
    if reading.is_confirmed(reading.own_lock(state)) or isinstance(state.secret, Revealed):
        return False
    if state.cancelled or state.restored or state.now >= reading.lock_gate(state):
        return True
    if state.agreement.role is Role.INITIATOR:
        return False
    lock = reading.their_lock(state)
    return lock is None or lock.depth < state.agreement.theirs.depth or lock.spend is not None


def _reveal(state: SwapState) -> SwapState:
    """The reveal gate: the counter-leg is exact, final and unspent, our own lock stands, and a
    claim can still be mined and final before the counter-leg expires. Who sees his preimage on a
    chain revealed it in a life that this state does not know: no gate may stop his claim."""
    if not isinstance(state.secret, Hidden) or state.outcome is not None:
        return state
    if reading.is_preimage_public(state):
        return msgspec.structs.replace(state, secret=Revealed(state.now))
    own = reading.own_lock(state)
    if own is None or not reading.is_confirmed(own) or own.spend is not None:
        return state
    if not reading.is_healthy(state) or not reading.their_lock_is_final(state):
        return state
    if state.now >= reading.schedule(state).reveal_gate:
        return state
    return msgspec.structs.replace(state, secret=Revealed(state.now))


# --- The end ----------------------------------------------------------------------------------


def _end(state: SwapState) -> SwapState:
    if state.outcome is not None:
        return state
    found = _verdict(state)
    if found is None:
        return state
    return msgspec.structs.replace(state, outcome=Outcome(found[0], found[1], state.now))


def _verdict(state: SwapState) -> tuple[End, str] | None:
    own, theirs = reading.own_lock(state), reading.their_lock(state)
    own_depth, their_depth = state.agreement.own.depth, state.agreement.theirs.depth
    their_spend = theirs.spend if theirs else None
    if reading.spend_is_final(their_spend, SpendKind.CLAIM, their_depth):
        return End.COMPLETED, "our claim is final"
    if isinstance(state.own, Dead):
        if _their_leg_is_open(state, theirs):
            return None
        return End.NEVER_FUNDED, _why_never_funded(state)
    spend = own.spend if own else None
    if reading.spend_is_final(spend, SpendKind.UNKNOWN, own_depth):
        return End.LOST, "our lock was spent outside its script: SHA-256 or signatures are broken"
    if reading.spend_is_final(spend, SpendKind.REFUND, own_depth):
        if _their_leg_is_open(state, theirs):
            return None
        return End.REFUNDED, "our refund is final"
    their_leg_is_gone = _is_taken_back(their_spend, their_depth) or (
        theirs is None and state.now > state.agreement.terms.leg_i.expiry
    )
    if reading.spend_is_final(spend, SpendKind.CLAIM, own_depth) and their_leg_is_gone:
        return End.LOST, _why_lost(state)
    return None


def _their_leg_is_open(state: SwapState, theirs: LockSeen | None) -> bool:
    """The secret is out and their leg may still become ours: wait for how it ends."""
    if not isinstance(state.secret, Revealed | Learned) or theirs is None:
        return False
    return not _is_taken_back(theirs.spend, state.agreement.theirs.depth)


def _is_taken_back(spend: Spend | None, depth: int) -> bool:
    """Their lock can't become ours any more: something that is not our claim spent it."""
    return any(
        reading.spend_is_final(spend, kind, depth) for kind in (SpendKind.REFUND, SpendKind.UNKNOWN)
    )


def _why_never_funded(state: SwapState) -> str:
    if state.restored and reading.own_view(state) is not None and _is_long_over(state):
        return "restored, and no lock of ours was seen until long after the last expiry"
    if state.cancelled:
        return "cancelled before our lock could confirm"
    if reading.signed_lock(state) is None and state.view_i is None:
        return "given up before anything was locked"
    if state.agreement.role is Role.PARTICIPANT and reading.their_lock(state) is None:
        return "the taker's lock was not seen in time"
    return "no lock of ours can confirm any more"


def _why_lost(state: SwapState) -> str:
    if state.agreement.role is Role.INITIATOR:
        return (
            "the other side refunded its leg before our claim was final, after the reveal: we were "
            "offline or censored beyond the stated margin, or the chain reorganised too deep"
        )
    return (
        "the other side claimed our leg and refunded its own: we were offline or censored beyond "
        "the stated margin, or a chain reorganised too deep"
    )
