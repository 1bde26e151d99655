"""What a counterparty, a stranger, a miner or the operator may do; the machine alone."""

import msgspec
import pytest

from protocol.swap import fees
from protocol.swap.effects import (
    BroadcastLock,
    BuildClaim,
    BuildKill,
    BuildLock,
    BuildRefund,
    ResendTheirLock,
)
from protocol.swap.events import CancelRequested, KillBuilt, LockBuilt, Observed
from protocol.swap.explain import summarise
from protocol.swap.facts import ChainView, Conflict, LockSeen, Restriction, Spend, SpendKind
from protocol.swap.machine import begin, is_closed, material, step
from protocol.swap.pending import holds_coins, next_deadline, pending
from protocol.swap.reading import LEAST_EXTRA, own_lock, schedule, swap_time, their_lock
from protocol.swap.states import (
    Dead,
    End,
    Held,
    Hidden,
    Killing,
    Learned,
    LockCoin,
    Outcome,
    Released,
    Revealed,
    SignedLock,
    SwapState,
    Tx,
    Unfunded,
)
from protocol.swap.trimming import MAX_LOCKS, MAX_RAW, trimmed, with_shown
from protocol.terms import LegName, Role, Timing, own_leg
from tests.protocol.swap.toy import PREIMAGE, T0, World, world

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
            LockSeen("extra:0", 2_500, 3),
            median_time=T0 + 10**5,
            fee_floor=12_000,
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


def test_a_kill_is_not_urgent_for_an_initiator_and_is_for_a_participant_left_alone() -> None:
    own = Killing(signed(TAKER), Tx(b"k", "k", 1, 60_000, 990, "coin:0"))
    state = msgspec.structs.replace(released(TAKER), own=own)
    state = at(state, 100, own=view(lock(LegName.I, 0)), theirs=view())
    assert [e.fee_rate for e in pending(state) if isinstance(e, BuildKill)] == [64_000]
    own = Killing(signed(MAKER), Tx(b"k", "k", 1, 60_000, 990, "coin:0"))
    state = msgspec.structs.replace(released(MAKER), own=own)
    alone = at(state, 60, own=view(lock(LegName.P, 0)), theirs=view())
    assert [e.fee_rate for e in pending(alone) if isinstance(e, BuildKill)] == [67_000]


@pytest.mark.parametrize("role", Role)
def test_fees_stay_within_a_multiple_of_the_estimate_until_it_is_urgent(role: Role) -> None:
    own, theirs = legs(role)
    dear = Tx(b"c", "c", 1, 63_999, 990, f"lock-{theirs.value}:0")
    state = msgspec.structs.replace(out(role), claim=dear)
    views = {"own": view(lock(own, 4)), "theirs": view(lock(theirs, 4))}
    times = schedule(state)
    deadline = times.reveal_gate if role is TAKER else times.claim_deadline
    calm = at(state, deadline - T0 - 1, **views)
    rates = [e.fee_rate for e in pending(calm) if isinstance(e, BuildClaim)]
    assert rates == [fees.CALM_TIMES * 2000]
    urgent = at(state, deadline - T0, **views)
    rates = [e.fee_rate for e in pending(urgent) if isinstance(e, BuildClaim)]
    assert rates == [63_999 + 6_399 + 1_000]


def test_a_participants_refund_turns_urgent_half_way_to_its_deadline() -> None:
    times = schedule(begun(MAKER))
    half = (times.expiry_p + times.kill_deadline) // 2
    dear = Tx(b"r", "r", 1, 64_000, 990, "lock-p:0")
    state = msgspec.structs.replace(locked(MAKER), refunds=(dear,))
    late = view(lock(LegName.P, 9), median_time=times.expiry_p + 1)
    for now, rates in ((half - 1, []), (half, [64_000 + 6_400 + 1_000])):
        seen = at(state, now - T0, own=late, theirs=view(lock(LegName.I, 9)))
        assert [e.fee_rate for e in pending(seen) if isinstance(e, BuildRefund)] == rates


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


def test_a_participants_hanging_lock_is_killed_as_soon_as_what_it_answers_is_in_doubt() -> None:
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
    bumped = view(lock(own, 4, "bumped:0"), conflict=Conflict("by-hand", 4))
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
    assert build.fee_rate == 2_000


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


def test_rates_follow_the_estimate_and_never_go_under_what_is_relayed() -> None:
    cheap, dear = view(fee_next=500, fee_floor=3_000), view(fee_next=5_000, fee_floor=3_000)
    assert (fees.first_rate(cheap), fees.first_rate(dear)) == (3_000, 5_000)
    built = Tx(b"t", "t", 1, 2_999, 1000, "lock:0")
    assert fees.is_due(dear, built, seen=False), "no node keeps it: it was evicted"
    assert not fees.is_due(dear, built, seen=True)
    relayed = msgspec.structs.replace(built, fee_rate=3_000)
    assert not fees.is_due(dear, relayed, seen=False)
    assert fees.is_due(view(height=1001), relayed, seen=True)
    assert fees.affordable_rate(9_000, 2_310, 131) == 9_000
    assert fees.affordable_rate(99_000, 2_310, 131) == 10_000
    assert fees.affordable_rate(9_000, 900, 131) == 0
