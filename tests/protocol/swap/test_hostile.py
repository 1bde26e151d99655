"""What a counterparty, a stranger, a miner or the operator may do; the machine alone."""

import msgspec
import pytest

from protocol.swap.effects import (
    BuildClaim,
    BuildKill,
    BuildLock,
    BuildRefund,
)
from protocol.swap.events import CancelRequested, KillBuilt, LockBuilt
from protocol.swap.explain import summarise
from protocol.swap.facts import Conflict, LockSeen, Restriction, Spend, SpendKind
from protocol.swap.machine import begin, is_closed, step
from protocol.swap.pending import holds_coins, pending
from protocol.swap.reading import LEAST_EXTRA, own_lock, schedule, their_lock
from protocol.swap.states import (
    Dead,
    End,
    Hidden,
    Killing,
    Learned,
    Tx,
)
from protocol.swap.trimming import MAX_LOCKS, MAX_RAW, trimmed, with_shown
from protocol.terms import LegName, Role
from tests.protocol.swap.moments import (
    DEPTH,
    MAKER,
    PAYS,
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
from tests.protocol.swap.toy import PREIMAGE, T0, World, world

# --- Strangers --------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_a_strangers_confirmed_output_never_stands_for_ours_in_the_mempool(role: Role) -> None:
    own, theirs = legs(role)
    strange = lock(own, 5, "strange:0")
    state = at(
        released(role),
        20,
        own=view(strange, lock(own, 0)),
        theirs=view(lock(theirs, DEPTH[theirs])),
    )
    ours = own_lock(state)
    assert ours is not None
    assert ours.depth == 0
    gate = schedule(state).lock_gate_i if role is TAKER else schedule(state).lock_gate_p
    state = at(state, gate - T0, own=view(strange, lock(own, 0)), theirs=view(lock(theirs, 3)))
    assert isinstance(state.own, Killing)
    assert [type(effect) for effect in pending(state)] == [BuildKill]


@pytest.mark.parametrize("role", Role)
def test_dust_neither_keeps_a_swap_open_nor_is_refunded(role: Role) -> None:
    own, theirs = legs(role)
    done = Spend(SpendKind.CLAIM, "claim", DEPTH[theirs], PREIMAGE)
    for units, closed in ((LEAST_EXTRA - 1, True), (LEAST_EXTRA, False)):
        state = at(
            out(role),
            40,
            own=view(lock(own, 4), LockSeen("dust:0", units, 3)),
            theirs=view(lock(theirs, 4, spend=done)),
        )
        assert state.outcome is not None
        assert is_closed(state) is closed
        late = view(lock(own, 9), LockSeen("dust:0", units, 8), median_time=T0 + 10**5)
        state = at(state, 10**5, own=late, theirs=view(lock(theirs, 9, spend=done)))
        assert [type(e) for e in pending(state)] == ([] if closed else [BuildRefund])


def test_a_refund_that_nobody_would_relay_is_not_built() -> None:
    state = at(
        out(TAKER),
        10**5,
        own=view(
            lock(LegName.I, 4),
            LockSeen("extra:0", 10_500, 3),
            median_time=T0 + 10**5,
            fee_floor=120_000,
        ),
        theirs=view(lock(LegName.P, 4, spend=Spend(SpendKind.CLAIM, "c", 3, PREIMAGE))),
    )
    assert state.outcome is not None
    assert pending(state) == ()


@pytest.mark.parametrize("role", Role)
def test_a_view_keeps_what_counts_and_no_more_than_its_bound(role: Role) -> None:
    own, theirs = legs(role)
    state = locked(role)
    dust = tuple(LockSeen(f"dust{n}:0", 500 + n, 9, raw=b"x" * 90_000) for n in range(5_000))
    for leg in (own, theirs):
        small = trimmed(view(*dust, lock(leg, 3), *dust[:0]), state, leg)
        assert len(small.locks) == MAX_LOCKS
        assert any(seen.ref == f"lock-{leg.value}:0" for seen in small.locks)
        assert sum(len(seen.raw) for seen in small.locks) == 0, "kept in the state already"
    fresh = begun(role)
    assert trimmed(view(lock(theirs, 1)), fresh, theirs).locks[0].raw == b"raw"
    huge = lock(theirs, 1, raw=b"x" * (MAX_RAW + 1))
    assert trimmed(view(huge), fresh, theirs).locks[0].raw == b""
    assert trimmed(view(lock(own, 1)), fresh, own).locks[0].raw == b""


def test_a_view_keeps_the_deepest_exact_output_and_one_that_shows_a_preimage() -> None:
    state = begun(MAKER)
    dust = tuple(LockSeen(f"dust{n}:0", 500 + n, 9) for n in range(100))
    shown = LockSeen("shown:0", 1, 1, spend=Spend(SpendKind.CLAIM, "c", 0, PREIMAGE))
    kept = trimmed(view(*dust, shown, lock(LegName.P, 1)), state, LegName.P).locks
    assert [seen.ref for seen in kept[-2:]] == ["shown:0", "lock-p:0"]
    assert [seen.ref for seen in kept[:-2]] == [f"dust{n}:0" for n in range(86, 100)]


def test_a_claim_seen_once_is_shown_again_until_something_else_spends_its_output() -> None:
    claim = Spend(SpendKind.CLAIM, "c", 1, PREIMAGE)
    before = view(lock(LegName.P, 3, spend=claim))
    again = with_shown(view(lock(LegName.P, 4)), before)
    assert again.locks[0].spend == Spend(SpendKind.CLAIM, "c", 0, PREIMAGE)
    refund = Spend(SpendKind.REFUND, "r", 0)
    assert with_shown(view(lock(LegName.P, 4, spend=refund)), before).locks[0].spend == refund
    assert with_shown(view(), before) == view()
    assert with_shown(view(), None) == view()


def test_a_preimage_on_any_output_of_our_leg_is_learned_and_a_false_one_is_not() -> None:
    for shown, learned in ((PREIMAGE, True), (b"\x08" * 32, False), (PREIMAGE[:31], False)):
        strange = LockSeen("strange:0", 5, 1, spend=Spend(SpendKind.CLAIM, "c", 0, shown))
        state = at(
            locked(MAKER),
            30,
            own=view(lock(LegName.P, 1), strange),
            theirs=view(lock(LegName.I, 2)),
        )
        assert isinstance(state.secret, Learned) is learned


# --- The counterparty -------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_a_kill_never_costs_more_than_the_lock_holds(role: Role) -> None:
    """The lock's coins are a thousand times its amount: change is not at stake."""
    own = legs(role)[0]
    state = step(released(role), CancelRequested())
    highest = 0
    for number in range(200):
        chain = view(lock(own, 0), height=1001 + number)
        state = at(state, 100 + number, own=chain, theirs=view())
        for effect in pending(state):
            if isinstance(effect, BuildKill):
                highest = max(highest, effect.fee_rate)
                kill = Tx(b"k", f"k{number}", 1, effect.fee_rate, 1001 + number, "coin:0")
                state = step(state, KillBuilt(kill))
    assert highest * 110 // 1000 <= PAYS[own]


def test_the_initiators_lock_pays_at_least_what_the_terms_ask_for() -> None:
    state = begun(TAKER)
    terms = msgspec.structs.replace(state.agreement.terms, min_fee_rate_i=7_777)
    agreement = msgspec.structs.replace(state.agreement, terms=terms)
    state = at(msgspec.structs.replace(state, agreement=agreement), 1, own=view(), theirs=view())
    assert pending(state) == (BuildLock(7_777),)
    asked = msgspec.structs.replace(terms, min_fee_rate_i=1)
    agreement = msgspec.structs.replace(agreement, terms=asked)
    state = at(msgspec.structs.replace(state, agreement=agreement), 1, own=view(), theirs=view())
    assert pending(state) == (BuildLock(2_000),)


def test_another_lock_of_theirs_is_taken_only_when_the_bound_one_has_vanished() -> None:
    state = locked(MAKER)
    assert state.bound == "lock-i:0"
    deeper = lock(LegName.I, 9, "other:0")
    both = at(state, 30, own=view(lock(LegName.P, 1)), theirs=view(deeper, lock(LegName.I, 2)))
    assert both.bound == "lock-i:0"
    assert their_lock(both) == lock(LegName.I, 2)
    gone = at(both, 40, own=view(lock(LegName.P, 1)), theirs=view(deeper))
    assert gone.bound == "other:0"


def test_a_participant_who_knows_the_preimage_refunds_when_their_lock_has_vanished() -> None:
    times = schedule(begun(MAKER))
    late = view(lock(LegName.P, 9), median_time=times.expiry_p + 1)
    now = times.expiry_p + 2 - T0
    assert now < times.claim_deadline - T0
    there = at(out(MAKER), now, own=late, theirs=view(lock(LegName.I, 9)))
    assert not any(isinstance(effect, BuildRefund) for effect in pending(there))
    gone = at(out(MAKER), now, own=late, theirs=view())
    assert any(isinstance(effect, BuildRefund) for effect in pending(gone))
    being_taken = lock(LegName.I, 9, spend=Spend(SpendKind.REFUND, "r", 0))
    racing = at(out(MAKER), now, own=late, theirs=view(being_taken))
    kinds = {type(effect) for effect in pending(racing)}
    assert {BuildClaim, BuildRefund} <= kinds


def test_from_the_claim_deadline_the_participant_does_both() -> None:
    times = schedule(begun(MAKER))
    late = view(lock(LegName.P, 9), median_time=times.expiry_p + 1)
    for now, both in ((times.claim_deadline - 1, False), (times.claim_deadline, True)):
        state = at(out(MAKER), now - T0, own=late, theirs=view(lock(LegName.I, 9)))
        assert any(isinstance(effect, BuildRefund) for effect in pending(state)) is both
        assert any(isinstance(effect, BuildClaim) for effect in pending(state))


# --- Ends -------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_a_dead_lock_is_no_end_while_their_leg_may_still_become_ours(role: Role) -> None:
    """The kill of our lock became final after the secret was out: the claim goes on."""
    own, theirs = legs(role)
    state = msgspec.structs.replace(out(role), own=Killing(signed(role)))
    final = Conflict("kill", DEPTH[own])
    open_leg = view(lock(theirs, 5))
    state = at(state, 40, own=view(conflict=final), theirs=open_leg)
    assert isinstance(state.own, Dead)
    assert state.outcome is None
    assert any(isinstance(effect, BuildClaim) for effect in pending(state))
    ours = view(lock(theirs, 5, spend=Spend(SpendKind.CLAIM, "c", DEPTH[theirs], PREIMAGE)))
    won = at(state, 50, own=view(conflict=final), theirs=ours)
    assert won.outcome is not None
    assert won.outcome.end is End.COMPLETED
    taken = view(lock(theirs, 5, spend=Spend(SpendKind.REFUND, "r", DEPTH[theirs])))
    lost = at(state, 50, own=view(conflict=final), theirs=taken)
    assert lost.outcome is not None
    assert lost.outcome.end is End.NEVER_FUNDED


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("kind", [SpendKind.REFUND, SpendKind.UNKNOWN])
def test_lost_when_ours_is_claimed_and_theirs_went_elsewhere_for_good(
    role: Role, kind: SpendKind
) -> None:
    own, theirs = legs(role)
    claimed = view(lock(own, 9, spend=Spend(SpendKind.CLAIM, "c", DEPTH[own], PREIMAGE)))
    for depth, end in ((DEPTH[theirs] - 1, None), (DEPTH[theirs], End.LOST)):
        gone = view(lock(theirs, 9, spend=Spend(kind, "x", depth)))
        state = at(out(role), 200, own=claimed, theirs=gone)
        assert (state.outcome.end if state.outcome else None) is end


@pytest.mark.parametrize("role", Role)
def test_lost_when_ours_is_spent_outside_its_script(role: Role) -> None:
    own, theirs = legs(role)
    spent = view(lock(own, 9, spend=Spend(SpendKind.UNKNOWN, "x", DEPTH[own])))
    state = at(locked(role), 50, own=spent, theirs=view(lock(theirs, 1)))
    assert state.outcome is not None
    assert state.outcome.end is End.LOST
    assert "SHA-256" in state.outcome.reason


@pytest.mark.parametrize("role", Role)
def test_no_end_is_told_one_block_before_it_is_final(role: Role) -> None:
    own, theirs = legs(role)
    for short, ended in ((1, False), (0, True)):
        claim = Spend(SpendKind.CLAIM, "c", DEPTH[theirs] - short, PREIMAGE)
        done = at(out(role), 60, own=view(lock(own, 9)), theirs=view(lock(theirs, 9, spend=claim)))
        assert (done.outcome is not None) is ended
        refund = Spend(SpendKind.REFUND, "r", DEPTH[own] - short)
        back = at(locked(role), 60, own=view(lock(own, 9, spend=refund)), theirs=view())
        assert (back.outcome is not None) is ended
        dead = Conflict("by-hand", DEPTH[own] - short)
        never = at(released(role), 15, own=view(conflict=dead), theirs=view(lock(theirs, 3)))
        assert (never.outcome is not None) is ended


# --- The operator -----------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_a_lock_whose_coins_the_operator_spent_is_not_sent_against_him(role: Role) -> None:
    other = view(lock(legs(role)[1], 3))
    spent = at(released(role), 15, own=view(conflict=Conflict("by-hand", 0)), theirs=other)
    assert pending(spent) == ()
    assert "by-hand" in " ".join(summarise(spent).warnings)


@pytest.mark.parametrize("role", Role)
def test_coins_are_promised_from_the_signature_until_the_lock_is_dead(role: Role) -> None:
    held = step(begun(role), LockBuilt(signed(role)))
    for state in (held, released(role), step(released(role), CancelRequested())):
        assert holds_coins(state) == ("coin:0",)
    dead = at(released(role), 15, own=view(conflict=Conflict("k", 3)), theirs=view())
    assert holds_coins(dead) == ()
    assert holds_coins(begin(begun(role).agreement)) == ()


def test_a_hogex_or_coinbase_output_is_not_even_claimed_in_place_of_the_bound_one() -> None:
    for restriction in (Restriction.COINBASE, Restriction.HOGEX):
        fake = lock(LegName.P, 9, "fake:0", restriction=restriction)
        state = at(locked(TAKER), 30, own=view(lock(LegName.I, 3)), theirs=view(fake))
        assert their_lock(state) is None
        assert isinstance(state.secret, Hidden)


def test_the_toy_world_agrees_that_an_honest_pair_completes() -> None:
    w: World = world()
    w.act()
    w.run(8)
    assert {party.state.outcome.end for party in w.parties() if party.state.outcome} == {
        End.COMPLETED
    }
