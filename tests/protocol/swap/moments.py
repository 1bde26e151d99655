"""Moments of a swap, made by hand: states, chains and outputs for tests of single decisions."""

import msgspec

from protocol.swap.events import LockBuilt, Observed
from protocol.swap.facts import ChainView, LockSeen, Spend, SpendKind
from protocol.swap.machine import step
from protocol.swap.states import (
    Learned,
    LockCoin,
    Released,
    Revealed,
    SignedLock,
    SwapState,
    Tx,
)
from protocol.terms import LegName, Role, own_leg
from tests.protocol.swap.toy import PREIMAGE, T0, world

TAKER, MAKER = Role.INITIATOR, Role.PARTICIPANT
PAYS = {LegName.I: 100_000, LegName.P: 700_000}
DEPTH = {LegName.I: 2, LegName.P: 3}
OWN_INPUT = LockCoin("coin:0", 10**9, b"")


def begun(role: Role) -> SwapState:
    """A swap just agreed, as `role` sees it."""
    return getattr(world(), role.value).state  # type: ignore[no-any-return] # a Party by name


def view(*locks: LockSeen, height: int = 1000, **more: object) -> ChainView:
    """A healthy chain with these outputs."""
    seen = ChainView(height, "00" * 32, T0, T0 - 60, 2000, 1000, locks=locks)
    return msgspec.structs.replace(seen, **more)


def lock(leg: LegName, depth: int, ref: str = "", **more: object) -> LockSeen:
    """An output of the exact amount to the script of `leg`."""
    seen = LockSeen(ref or f"lock-{leg.value}:0", PAYS[leg], depth, raw=b"raw")
    return msgspec.structs.replace(seen, **more)


def at(state: SwapState, seconds: int, *, own: ChainView, theirs: ChainView) -> SwapState:
    """The state after a look, `seconds` after the agreement."""
    first = own_leg(state.agreement.role) is LegName.I
    return step(state, Observed(T0 + seconds, *((own, theirs) if first else (theirs, own))))


def signed(role: Role) -> SignedLock:
    """Our lock: 200 base units of fee, out of a coin of 10**9."""
    ref = f"lock-{own_leg(role).value}:0"
    return SignedLock(Tx(b"raw", ref[:-2], 200, 1300, 1000, ref), (OWN_INPUT,))


def legs(role: Role) -> tuple[LegName, LegName]:
    """Own and theirs."""
    return (LegName.I, LegName.P) if role is TAKER else (LegName.P, LegName.I)


def released(role: Role) -> SwapState:
    """Our lock may have left the daemon; the participant's because the other one is final."""
    theirs = legs(role)[1]
    state = step(begun(role), LockBuilt(signed(role)))
    other = view() if role is TAKER else view(lock(theirs, DEPTH[theirs]))
    state = at(state, 10, own=view(), theirs=other)
    assert isinstance(state.own, Released)
    return state


def locked(role: Role) -> SwapState:
    """Both locks are there; the initiator's gate has not been looked at."""
    own, theirs = legs(role)
    depth = 1 if role is TAKER else DEPTH[theirs]
    return at(released(role), 20, own=view(lock(own, 2)), theirs=view(lock(theirs, depth)))


def out(role: Role) -> SwapState:
    """The secret is out: revealed by us or shown to us."""
    own, theirs = legs(role)
    spend = None if role is TAKER else Spend(SpendKind.CLAIM, "c", 0, PREIMAGE)
    state = at(
        locked(role),
        30,
        own=view(lock(own, 3, spend=spend)),
        theirs=view(lock(theirs, DEPTH[theirs])),
    )
    assert isinstance(state.secret, Revealed | Learned)
    return state
