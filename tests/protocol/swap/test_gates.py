"""When each gate is open, each thing is owed, each time has come; on both sides of the edge."""

import msgspec
import pytest

from protocol.swap.effects import (
    BroadcastLock,
    BuildClaim,
    BuildKill,
    BuildRefund,
    ResendTheirLock,
)
from protocol.swap.events import CancelRequested, LockBuilt
from protocol.swap.facts import Conflict, LockSeen, Restriction, Spend, SpendKind
from protocol.swap.machine import material, step
from protocol.swap.pending import next_deadline, pending
from protocol.swap.reading import schedule, swap_time
from protocol.swap.states import (
    Dead,
    End,
    Held,
    Hidden,
    Killing,
    Outcome,
    Released,
    Revealed,
    SwapState,
    Tx,
    Unfunded,
)
from protocol.terms import LegName, Role, Timing
from tests.protocol.swap.moments import (
    DEPTH,
    MAKER,
    TAKER,
    at,
    begun,
    legs,
    lock,
    locked,
    out,
    released,
    signed,
    view,
)
from tests.protocol.swap.toy import PREIMAGE, T0

# --- Time and eyes ----------------------------------------------------------------------------


def test_a_participant_gives_up_unseen_locks_after_a_minute_but_not_while_it_is_blind() -> None:
    for problems, gone in (((), True), (("the node can't be asked",), False)):
        state = at(begun(MAKER), 60, own=view(), theirs=view(problems=problems))
        assert isinstance(state.own, Dead) is gone
    assert isinstance(at(begun(MAKER), 59, own=view(), theirs=view()).own, Unfunded)
    blind = view(problems=("the node can't be asked",))
    gate = schedule(begun(MAKER)).lock_gate_p
    assert isinstance(at(begun(MAKER), gate - T0, own=view(), theirs=blind).own, Dead)


def test_an_initiator_starts_to_lock_within_its_half_of_the_promise_only() -> None:
    sick = view(problems=("syncing",))
    assert isinstance(at(begun(TAKER), 29, own=sick, theirs=view()).own, Unfunded)
    assert isinstance(at(begun(TAKER), 30, own=sick, theirs=view()).own, Dead)
    held = step(begun(TAKER), LockBuilt(signed(TAKER)))
    assert isinstance(held.own, Held)
    assert isinstance(at(held, 30, own=view(), theirs=view()).own, Dead)


def test_a_lock_of_ours_on_the_chain_is_alive_whatever_we_remember() -> None:
    held = step(begun(TAKER), LockBuilt(signed(TAKER)))
    assert isinstance(at(held, 999, own=view(lock(LegName.I, 1)), theirs=view()).own, Released)


def test_one_bad_timestamp_does_not_close_the_gates_and_time_never_goes_back() -> None:
    assert swap_time(1000, (900, 1500)) == 1500
    assert swap_time(1000, (1000 + 7200,)) == 8200
    assert swap_time(1000, (1000 + 7201, 990)) == 1000
    state = at(released(TAKER), 500, own=view(lock(LegName.I, 1)), theirs=view())
    back = at(state, 100, own=view(lock(LegName.I, 1)), theirs=view())
    assert back.now == T0 + 500


@pytest.mark.parametrize("role", Role)
def test_deadlines_are_told_in_order_and_none_after_the_end(role: Role) -> None:
    state, seen = begun(role), []
    while (due := next_deadline(state)) is not None:
        seen.append(due)
        state = msgspec.structs.replace(state, now=due)
    times = schedule(state)
    gate = times.lock_gate_i if role is TAKER else times.lock_gate_p
    assert seen == [gate, times.reveal_gate, times.expiry_p, times.claim_deadline, times.expiry_i]
    over = step(begun(role), CancelRequested())
    assert over.outcome is not None
    assert next_deadline(over) is None


@pytest.mark.parametrize("role", Role)
def test_what_grows_beyond_final_is_no_news_and_everything_before_is(role: Role) -> None:
    own, theirs = legs(role)

    def rows(depth: int) -> SwapState:
        seen = at(
            locked(role),
            25,
            own=view(lock(own, depth), height=1000 + depth, conflict=Conflict("x", depth)),
            theirs=view(lock(theirs, 2)),
        )
        return material(seen)

    assert rows(DEPTH[own]) == rows(DEPTH[own] + 1) == rows(400)
    assert rows(DEPTH[own]) != rows(DEPTH[own] - 1)


# --- Gates ------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_a_held_lock_is_let_out_only_by_a_look_that_finds_every_gate_open(role: Role) -> None:
    theirs = legs(role)[1]
    held = step(begun(role), LockBuilt(signed(role)))
    good = view() if role is TAKER else view(lock(theirs, DEPTH[theirs]))
    sick = msgspec.structs.replace(good, problems=("syncing",))
    assert isinstance(at(held, 10, own=view(), theirs=good).own, Released)
    for ours, other in ((view(problems=("a fork",)), good), (view(), sick)):
        assert isinstance(at(held, 10, own=ours, theirs=other).own, Held)
    if role is MAKER:
        spent = lock(theirs, 9, spend=Spend(SpendKind.REFUND, "r", 0))
        for seen in (lock(theirs, DEPTH[theirs] - 1), spent):
            assert isinstance(at(held, 10, own=view(), theirs=view(seen)).own, Held)
    gate = schedule(held).lock_gate_i if role is TAKER else schedule(held).lock_gate_p
    assert isinstance(at(held, gate - T0, own=view(), theirs=good).own, Dead)


def test_the_reveal_waits_for_health_a_final_lock_and_our_own_one() -> None:
    times = schedule(begun(TAKER))
    ours, theirs = view(lock(LegName.I, 3)), view(lock(LegName.P, 3))
    sick = {"problems": ("a fork",)}
    refund = Spend(SpendKind.REFUND, "r", 0)
    closed = [
        (30, msgspec.structs.replace(ours, **sick), theirs),
        (30, ours, msgspec.structs.replace(theirs, **sick)),
        (30, ours, view(lock(LegName.P, 2))),
        (30, ours, view(lock(LegName.P, 9, spend=refund))),
        (30, ours, view()),
        (30, view(lock(LegName.I, 0)), theirs),
        (30, view(), theirs),
        (30, view(lock(LegName.I, 9, spend=refund)), theirs),
        (times.reveal_gate - T0, ours, theirs),
    ]
    for when, own, other in closed:
        state = at(locked(TAKER), when, own=own, theirs=other)
        assert isinstance(state.secret, Hidden)
        assert not any(isinstance(effect, BuildClaim) for effect in pending(state))
    last = at(locked(TAKER), times.reveal_gate - T0 - 1, own=ours, theirs=theirs)
    assert last.secret == Revealed(times.reveal_gate - 1)


@pytest.mark.parametrize("role", Role)
def test_our_lock_is_sent_only_while_its_gate_is_open_on_the_facts_just_seen(role: Role) -> None:
    theirs = legs(role)[1]
    good = view() if role is TAKER else view(lock(theirs, DEPTH[theirs]))
    state = at(released(role), 15, own=view(), theirs=good)
    assert [type(effect) for effect in pending(state)] == [BroadcastLock]
    sick = at(released(role), 15, own=view(problems=("a fork",)), theirs=good)
    assert isinstance(sick.own, Released)
    assert pending(sick) == ()
    there = at(released(role), 15, own=view(lock(legs(role)[0], 0)), theirs=good)
    assert pending(there) == ()


def test_a_participants_sent_lock_is_killed_as_soon_as_what_it_answers_is_in_doubt() -> None:
    good = lock(LegName.I, DEPTH[LegName.I])
    refund = Spend(SpendKind.REFUND, "r", 0)
    doubts = [
        view(),
        view(lock(LegName.I, 1)),
        view(lock(LegName.I, 9, spend=refund)),
        view(lock(LegName.I, 9, restriction=Restriction.HOGEX)),
    ]
    hanging = view(lock(LegName.P, 0))
    assert isinstance(at(released(MAKER), 20, own=hanging, theirs=view(good)).own, Released)
    for seen in doubts:
        assert isinstance(at(released(MAKER), 20, own=hanging, theirs=seen).own, Killing)
        confirmed = view(lock(LegName.P, 1))
        assert isinstance(at(released(MAKER), 20, own=confirmed, theirs=seen).own, Released)


def test_a_lock_that_was_seen_may_stay_unconfirmed_for_half_an_hour() -> None:
    """On the standard timing, whose gates leave that much time."""
    state = begun(MAKER)
    terms = state.agreement.terms
    terms = msgspec.structs.replace(
        terms,
        timing=Timing.STANDARD,
        leg_i=msgspec.structs.replace(terms.leg_i, depth=3),
        leg_p=msgspec.structs.replace(terms.leg_p, depth=12),
    )
    agreement = msgspec.structs.replace(state.agreement, terms=terms)
    state = msgspec.structs.replace(state, agreement=agreement)
    assert schedule(state).lock_gate_p > T0 + 1800
    waiting, mined = view(lock(LegName.I, 0)), view(lock(LegName.I, 1))
    assert isinstance(at(state, 1799, own=view(), theirs=waiting).own, Unfunded)
    assert isinstance(at(state, 1800, own=view(), theirs=waiting).own, Dead)
    assert isinstance(at(state, 1800, own=view(), theirs=mined).own, Unfunded)


def test_their_lock_is_bound_at_its_first_confirmation_not_before() -> None:
    assert at(begun(MAKER), 5, own=view(), theirs=view(lock(LegName.I, 0))).bound == ""
    bound = at(begun(MAKER), 5, own=view(), theirs=view(lock(LegName.I, 1)))
    assert (bound.bound, bound.their_raw) == ("lock-i:0", b"raw")
    untold = msgspec.structs.replace(lock(LegName.I, 1), raw=b"")
    named = at(begun(MAKER), 5, own=view(), theirs=view(untold))
    assert (named.bound, named.their_raw) == ("lock-i:0", b"")
    told = at(named, 6, own=view(), theirs=view(lock(LegName.I, 2)))
    assert (told.bound, told.their_raw) == ("lock-i:0", b"raw")
    kept = at(told, 7, own=view(), theirs=view(untold))
    assert kept.their_raw == b"raw"


@pytest.mark.parametrize("role", Role)
def test_a_final_refund_is_no_end_while_their_leg_may_still_become_ours(role: Role) -> None:
    own, theirs = legs(role)
    back = view(lock(own, 9, spend=Spend(SpendKind.REFUND, "r", DEPTH[own])))
    open_leg = at(out(role), 400, own=back, theirs=view(lock(theirs, 9)))
    assert open_leg.outcome is None
    assert any(isinstance(effect, BuildClaim) for effect in pending(open_leg))
    for kind, end in ((SpendKind.CLAIM, End.COMPLETED), (SpendKind.REFUND, End.REFUNDED)):
        spent = lock(theirs, 9, spend=Spend(kind, "x", DEPTH[theirs]))
        over = at(open_leg, 410, own=back, theirs=view(spent))
        assert over.outcome is not None
        assert over.outcome.end is end
    hidden = at(locked(role), 400, own=back, theirs=view(lock(theirs, 1)))
    assert hidden.outcome is not None
    assert hidden.outcome.end is End.REFUNDED


@pytest.mark.parametrize("role", Role)
def test_a_claimed_lock_and_a_vanished_one_are_lost_only_after_the_last_expiry(role: Role) -> None:
    own = legs(role)[0]
    claimed = view(lock(own, 9, spend=Spend(SpendKind.CLAIM, "c", DEPTH[own], PREIMAGE)))
    last = schedule(begun(role)).expiry_i - T0
    assert at(out(role), last, own=claimed, theirs=view()).outcome is None
    lost = at(out(role), last + 1, own=claimed, theirs=view()).outcome
    assert lost is not None
    assert lost.end is End.LOST


@pytest.mark.parametrize("role", Role)
def test_a_final_conflict_does_not_kill_a_lock_that_another_version_made(role: Role) -> None:
    """The operator bumped the lock by hand onto other coins: what pays the script is alive."""
    own, theirs = legs(role)
    bumped = view(lock(own, 4, "bumped:0", ours=True), conflict=Conflict("by-hand", 4))
    state = at(released(role), 30, own=bumped, theirs=view(lock(theirs, 1)))
    assert isinstance(state.own, Released)


@pytest.mark.parametrize("role", Role)
def test_after_the_end_nothing_is_signed_cancelled_or_revealed_any_more(role: Role) -> None:
    over = Outcome(End.COMPLETED, "over", T0)
    ended = msgspec.structs.replace(begun(role), outcome=over)
    assert step(ended, LockBuilt(signed(role))) == ended
    assert step(ended, CancelRequested()) == ended
    if role is TAKER:
        state = msgspec.structs.replace(locked(role), outcome=over)
        seen = at(state, 30, own=view(lock(LegName.I, 3)), theirs=view(lock(LegName.P, 3)))
        assert isinstance(seen.secret, Hidden)


@pytest.mark.parametrize("role", Role)
def test_a_kill_is_owed_neither_for_a_confirmed_lock_nor_beside_a_confirmed_conflict(
    role: Role,
) -> None:
    own, theirs = legs(role)
    state = step(released(role), CancelRequested())
    hanging = at(state, 20, own=view(lock(own, 0)), theirs=view(lock(theirs, 1)))
    assert [type(effect) for effect in pending(hanging)] == [BuildKill]
    for seen in (view(lock(own, 1)), view(conflict=Conflict("kill", 1))):
        alive = at(state, 20, own=seen, theirs=view(lock(theirs, 1)))
        assert isinstance(alive.own, Killing)
        assert pending(alive) == ()


@pytest.mark.parametrize("role", Role)
def test_a_refund_is_owed_for_a_confirmed_lock_that_no_block_spends_after_median_time(
    role: Role,
) -> None:
    own, theirs = legs(role)
    expiry = begun(role).agreement.own.expiry

    def owed(seen: LockSeen, median: int) -> list[type]:
        late = view(seen, median_time=median)
        state = at(locked(role), median - T0, own=late, theirs=view(lock(theirs, 1)))
        return [type(effect) for effect in pending(state) if isinstance(effect, BuildRefund)]

    assert owed(lock(own, 9), expiry) == []
    assert owed(lock(own, 9), expiry + 1) == [BuildRefund]
    assert owed(lock(own, 0), expiry + 1) == []
    for kind in (SpendKind.REFUND, SpendKind.CLAIM):
        spent = lock(own, 9, spend=Spend(kind, "x", 1, PREIMAGE))
        assert owed(spent, expiry + 1) == []


@pytest.mark.parametrize("role", Role)
def test_a_claim_signed_for_another_output_is_built_anew_at_once(role: Role) -> None:
    own, theirs = legs(role)
    old = Tx(b"c", "c", 1, 9_000, 1000, "gone:0")
    state = msgspec.structs.replace(out(role), claim=old)
    state = at(state, 40, own=view(lock(own, 4)), theirs=view(lock(theirs, 4)))
    [build] = [effect for effect in pending(state) if isinstance(effect, BuildClaim)]
    assert build.lock.ref == f"lock-{theirs.value}:0"
    assert build.fee_rate < 9_000, "the price of another output is no measure"


def test_their_lock_is_sent_again_only_while_ours_stands_and_theirs_does_not() -> None:
    fallen = view(lock(LegName.I, 0))
    gone = view()
    for theirs in (fallen, gone):
        stands = at(locked(MAKER), 40, own=view(lock(LegName.P, 2)), theirs=theirs)
        assert ResendTheirLock(b"raw") in pending(stands)
        hangs = at(locked(MAKER), 40, own=view(lock(LegName.P, 0)), theirs=theirs)
        assert ResendTheirLock(b"raw") not in pending(hangs)
    for spend in (None, Spend(SpendKind.REFUND, "r", 0)):
        there = view(lock(LegName.I, 1 if spend is None else 0, spend=spend))
        fine = at(locked(MAKER), 40, own=view(lock(LegName.P, 2)), theirs=there)
        assert ResendTheirLock(b"raw") not in pending(fine)
    unbound = msgspec.structs.replace(locked(MAKER), bound="", their_raw=b"")
    silent = at(unbound, 40, own=view(lock(LegName.P, 2)), theirs=gone)
    assert pending(silent) == ()
