"""Every event in every state, for both roles: never an exception, and only what is allowed moves.

The states are combined from every value that each part can have, legal together or not: what is on
a disk or comes from a node must never be able to stop the machine.
"""

import functools
import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import decode, encode
from protocol.swap.effects import (
    BroadcastClaim,
    BroadcastKill,
    BroadcastLock,
    BuildClaim,
    BuildKill,
    BuildLock,
)
from protocol.swap.events import (
    CancelRequested,
    ChildBuilt,
    ClaimBuilt,
    Event,
    KillBuilt,
    LockBuilt,
    Observed,
    RefundBuilt,
)
from protocol.swap.explain import summarise
from protocol.swap.facts import ChainView, Conflict, LockSeen, Restriction, Spend, SpendKind
from protocol.swap.machine import is_closed, material, step
from protocol.swap.pending import holds_coins, next_deadline, pending
from protocol.swap.reading import schedule
from protocol.swap.restoring import restored
from protocol.swap.states import (
    Dead,
    End,
    Held,
    Hidden,
    Killing,
    Learned,
    LockCoin,
    Outcome,
    OwnLock,
    Released,
    Revealed,
    Secret,
    SignedLock,
    SwapState,
    Tx,
    Unfunded,
    Unknown,
)
from protocol.terms import Role
from tests.protocol.swap.toy import PREIMAGE, T0, world

TX = Tx(b"raw", "tx", 200, 2_000, 1000, "lock:0")
LOCK = SignedLock(TX, (LockCoin("coin:0", 10**7, b""),))
OWN: tuple[OwnLock, ...] = (
    Unfunded(),
    Held(LOCK),
    Released(LOCK),
    Killing(LOCK),
    Killing(LOCK, TX),
    Dead(),
    Dead(LOCK, TX),
)
SECRETS: dict[Role, tuple[Secret, ...]] = {
    Role.INITIATOR: (Hidden(), Revealed(T0)),
    Role.PARTICIPANT: (Unknown(), Learned(PREIMAGE, "c", T0)),
}
OUTCOMES = (None, Outcome(End.COMPLETED, "", T0))
STAGES: dict[str, set[str]] = {
    "Unfunded": {"Unfunded", "Held", "Released", "Dead"},
    "Held": {"Held", "Released", "Killing", "Dead"},
    "Released": {"Released", "Killing", "Dead"},
    "Killing": {"Killing", "Dead"},
    "Dead": {"Dead"},
}
"""What our own lock may become in one step; Held passes Released when it is killed at once, and
Unfunded becomes Released when the chain shows a lock that the state does not know."""


def spends() -> list[Spend | None]:
    return [
        None,
        *(
            Spend(kind, "x", depth, PREIMAGE if kind is SpendKind.CLAIM else None)
            for kind in SpendKind
            for depth in (0, 1, 9)
        ),
    ]


def chain_views(units: int) -> list[ChainView]:
    """Chains with every kind of lock, spent in every way, healthy or not, early or late."""
    found: list[tuple[LockSeen, ...]] = []
    for spend, depth in itertools.product(spends(), (0, 1, 9)):
        if spend is None or spend.depth <= depth:
            found.append((LockSeen("lock:0", units, depth, spend=spend),))
    found += [(), (LockSeen("other:0", units, 5),), (LockSeen("dust:0", 1, 5),)]
    found += [(LockSeen("fake:0", units, 5, Restriction.COINBASE),)]
    views = [ChainView(1000, "00", T0, T0 - 60, 2_000, 1_000, locks=locks) for locks in found]
    late = msgspec.structs.replace(views[0], median_time=T0 + 10**6)
    sick = msgspec.structs.replace(views[0], problems=("sick",))
    spent = msgspec.structs.replace(views[-1], conflict=Conflict("y", 9))
    return [*views, late, sick, spent]


@functools.cache
def states(role: Role) -> list[SwapState]:
    agreement = getattr(world(), role.value).state.agreement
    return [
        SwapState(
            agreement=agreement,
            own=own,
            secret=secret,
            now=T0,
            bound=bound,
            their_raw=b"raw" if bound else b"",
            claim=claim,
            refunds=refunds,
            cancelled=cancelled,
            outcome=outcome,
        )
        for own, secret, bound, claim, refunds, cancelled, outcome in itertools.product(
            OWN, SECRETS[role], ("", "lock:0"), (None, TX), ((), (TX,)), (False, True), OUTCOMES
        )
    ]


def check(before: SwapState, event: Event) -> SwapState:
    """One step, and all that must hold of it whatever the state was."""
    after = step(before, event)
    owed = pending(after)
    summarise(after)
    next_deadline(after)
    holds_coins(after)
    material(after)
    assert type(after.own).__name__ in STAGES[type(before.own).__name__]
    if isinstance(before.secret, Revealed | Learned):
        assert after.secret == before.secret, "what is out can't be taken back"
    if not isinstance(event, Observed):
        assert after.secret == before.secret or isinstance(after.secret, Learned)
        assert not (isinstance(before.own, Held) and isinstance(after.own, Released)), "no look"
    if before.outcome is not None:
        assert after.outcome == before.outcome, "an end is an end"
        assert not any(isinstance(effect, BuildLock | BuildClaim | BuildKill) for effect in owed)
    if is_closed(after):
        assert owed == ()
    for effect in owed:
        if isinstance(effect, BuildLock | BroadcastLock):
            assert not after.restored
        if isinstance(effect, BroadcastLock):
            assert isinstance(after.own, Released)
        if isinstance(effect, BuildKill | BroadcastKill):
            assert isinstance(after.own, Killing)
        if isinstance(effect, BuildClaim | BroadcastClaim):
            assert isinstance(after.secret, Revealed | Learned)
    return after


@pytest.mark.parametrize("role", Role)
def test_every_event_is_legal_in_every_state(role: Role) -> None:
    events: list[Event] = [
        LockBuilt(LOCK),
        KillBuilt(TX),
        ClaimBuilt(TX),
        RefundBuilt(TX),
        ChildBuilt(TX),
        CancelRequested(),
    ]
    own, theirs = chain_views(100_000), chain_views(700_000)
    events += [Observed(T0 + 10, i, theirs[0]) for i in own]
    events += [Observed(T0 + 10, own[0], p) for p in theirs]
    events += [Observed(T0 + when, own[4], theirs[4]) for when in (40, 70, 120, 400, 10**6)]
    for state in states(role):
        for event in events:
            check(state, event)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(list(Role)))
def test_any_facts_at_any_time_keep_the_rules_and_survive_the_disk(
    data: st.DataObject, role: Role
) -> None:
    state = data.draw(st.sampled_from(states(role)))
    if data.draw(st.booleans()):
        state = restored(state)
    views = st.sampled_from(chain_views(100_000)), st.sampled_from(chain_views(700_000))
    for _ in range(data.draw(st.integers(1, 5))):
        when = T0 + data.draw(st.integers(-100, 3000))
        event = Observed(when, data.draw(views[0]), data.draw(views[1]))
        state = check(state, event)
        again = decode(SwapState, encode(state), max_size=1 << 20)
        assert again == state
        assert step(again, event) == step(state, event)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_look_ever_reveals_outside_the_gate_or_to_less_than_a_final_lock(
    data: st.DataObject,
) -> None:
    """Read from the facts alone, not with the machine's own questions."""
    state = data.draw(st.sampled_from(states(Role.INITIATOR)))
    i = data.draw(st.sampled_from(chain_views(100_000)))
    p = data.draw(st.sampled_from(chain_views(700_000)))
    when = data.draw(st.integers(0, 500))
    after = step(state, Observed(T0 + when, i, p))
    public = any(s.spend is not None and s.spend.preimage for s in (*i.locks, *p.locks))
    if isinstance(state.secret, Hidden) and isinstance(after.secret, Revealed) and not public:
        deep = [s for s in p.locks if s.units == 700_000 and s.depth >= 3 and s.spend is None]
        assert deep
        assert deep[0].restriction is Restriction.NONE
        assert not i.problems
        assert not p.problems
        assert T0 + when < schedule(state).reveal_gate
        assert any(s.units == 100_000 and s.depth > 0 and s.spend is None for s in i.locks)
