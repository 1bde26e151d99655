"""A swap taken over by another life of the daemon: what it forgot, the chains remember."""

import pytest
from msgspec import structs

from protocol.swap.effects import (
    BroadcastLock,
    BuildClaim,
    BuildKill,
    BuildLock,
    BuildRefund,
    Effect,
    SeekLock,
)
from protocol.swap.events import LockBuilt, LockFound
from protocol.swap.explain import Who, summarise
from protocol.swap.facts import ChainView, Spend, SpendKind
from protocol.swap.machine import is_closed, step
from protocol.swap.pending import holds_coins, pending
from protocol.swap.restoring import restored
from protocol.swap.states import (
    End,
    Held,
    Killing,
    Learned,
    Released,
    Revealed,
    SwapState,
    Unfunded,
)
from protocol.terms import Role
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

FOURTEEN_DAYS = 14 * 86400


def owed(state: SwapState, kind: type[Effect]) -> list[Effect]:
    return [effect for effect in pending(state) if isinstance(effect, kind)]


def theirs_final(role: Role) -> ChainView:
    their_leg = legs(role)[1]
    return view(lock(their_leg, DEPTH[their_leg]))


@pytest.mark.parametrize("role", Role)
def test_a_restored_swap_never_locks_although_all_gates_are_open(role: Role) -> None:
    theirs = theirs_final(role)
    fresh = at(begun(role), 5, own=view(), theirs=theirs)
    assert owed(fresh, BuildLock)
    for before in (begun(role), step(begun(role), LockBuilt(signed(role))), released(role)):
        after = at(restored(before), 5, own=view(), theirs=theirs)
        assert not owed(after, BuildLock)
        assert not owed(after, BroadcastLock)


@pytest.mark.parametrize("role", Role)
def test_who_is_told_of_a_restored_swap_without_a_lock_is_not_told_that_it_will_lock(
    role: Role,
) -> None:
    said = summarise(at(restored(begun(role)), 5, own=view(), theirs=theirs_final(role)))
    assert said.who is not Who.US
    assert "we lock nothing" in said.next_action


@pytest.mark.parametrize("role", Role)
def test_a_restored_lock_that_was_only_held_may_have_been_sent_and_is_killed(role: Role) -> None:
    held = step(begun(role), LockBuilt(signed(role)))
    assert isinstance(held.own, Held)
    after = at(restored(held), 5, own=view(), theirs=theirs_final(role))
    assert isinstance(after.own, Killing)
    assert owed(after, BuildKill)
    assert after.outcome is None


@pytest.mark.parametrize("role", Role)
def test_a_lock_that_only_the_chain_remembers_is_refunded_after_its_expiry(role: Role) -> None:
    own_leg, _ = legs(role)
    state = at(restored(begun(role)), 20, own=view(lock(own_leg, 3)), theirs=view())
    assert isinstance(state.own, Released)
    late = state.agreement.own.expiry - T0 + 1
    chain = view(lock(own_leg, 50), median_time=state.agreement.own.expiry + 1)
    state = at(state, late, own=chain, theirs=view())
    assert owed(state, BuildRefund)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("depth", [0, 4])
@pytest.mark.parametrize("again", [False, True])
def test_where_the_agreed_amount_lies_already_no_second_lock_is_made(
    role: Role, depth: int, again: bool
) -> None:
    """Ours, made in a life that nobody told of, or a stranger's: only a restored swap takes it for
    its lock."""
    own_leg, _ = legs(role)
    before = restored(begun(role)) if again else begun(role)
    state = at(before, 5, own=view(lock(own_leg, depth)), theirs=theirs_final(role))
    assert not owed(state, BuildLock)
    assert isinstance(state.own, Released) is (again and depth > 0)


def test_a_participant_that_forgot_its_lock_learns_the_secret_from_its_claim() -> None:
    spend = Spend(SpendKind.CLAIM, "c", 1, PREIMAGE)
    own = view(lock(legs(MAKER)[0], 3, spend=spend))
    state = at(restored(begun(MAKER)), 60, own=own, theirs=theirs_final(MAKER))
    assert isinstance(state.secret, Learned)
    assert owed(state, BuildClaim)


def test_an_initiator_that_forgot_its_reveal_claims_behind_every_gate() -> None:
    own_leg, _ = legs(TAKER)
    hidden = restored(locked(TAKER))
    expiry = hidden.agreement.terms.leg_p.expiry
    claimed = view(lock(own_leg, 9, spend=Spend(SpendKind.CLAIM, "c", 1, PREIMAGE)))
    waits = at(hidden, expiry - T0 - 1, own=view(lock(own_leg, 9)), theirs=theirs_final(TAKER))
    assert not owed(waits, BuildClaim)
    state = at(hidden, expiry - T0 - 1, own=claimed, theirs=theirs_final(TAKER))
    assert isinstance(state.secret, Revealed)
    assert owed(state, BuildClaim)


@pytest.mark.parametrize("role", Role)
def test_never_funded_is_said_only_when_mempools_have_forgotten_any_lock(role: Role) -> None:
    state = restored(begun(role))
    over = state.agreement.terms.leg_i.expiry + FOURTEEN_DAYS - T0
    early = at(state, over - 10, own=view(), theirs=view())
    assert isinstance(early.own, Unfunded)
    assert early.outcome is None
    late = at(state, over + 10, own=view(), theirs=view())
    assert late.outcome is not None
    assert late.outcome.end is End.NEVER_FUNDED
    assert is_closed(late)


@pytest.mark.parametrize("role", Role)
def test_a_lock_without_known_coins_that_fell_out_is_neither_killed_nor_sent(role: Role) -> None:
    own_leg, _ = legs(role)
    state = at(restored(begun(role)), 20, own=view(lock(own_leg, 1)), theirs=view())
    gone = at(state, 30, own=view(), theirs=view())
    assert pending(gone) == (SeekLock(),)
    assert gone.outcome is None
    over = state.agreement.terms.leg_i.expiry + FOURTEEN_DAYS - T0
    assert at(gone, over + 10, own=view(), theirs=view()).outcome is not None


@pytest.mark.parametrize("role", Role)
def test_a_forgotten_lock_that_the_wallet_remembers_is_killed(role: Role) -> None:
    own_leg, _ = legs(role)
    state = at(restored(begun(role)), 20, own=view(), theirs=view())
    assert pending(state) == (SeekLock(),)
    state = step(state, LockFound(signed(role)))
    for own in (view(), view(lock(own_leg, 0))):  # whether our node still shows it or not
        again = at(state, 30, own=own, theirs=view())
        assert isinstance(again.own, Killing)
        assert [type(effect) for effect in pending(again)] == [BuildKill]
        assert holds_coins(again) == tuple(coin.ref for coin in signed(role).coins)


@pytest.mark.parametrize("role", Role)
def test_a_lock_taken_up_from_the_chain_that_fell_out_is_killed_once_its_coins_are_known(
    role: Role,
) -> None:
    own_leg, _ = legs(role)
    state = at(restored(begun(role)), 20, own=view(lock(own_leg, 1)), theirs=view())
    assert pending(state) == (), "nothing is sought while it stands"
    gone = at(state, 30, own=view(), theirs=view())
    found = at(step(gone, LockFound(signed(role))), 31, own=view(), theirs=view())
    assert [type(effect) for effect in pending(found)] == [BuildKill]


@pytest.mark.parametrize("role", Role)
def test_only_a_life_that_may_have_forgotten_asks_the_wallet_for_a_lock(role: Role) -> None:
    found = signed(role)
    other = LockFound(structs.replace(found, tx=structs.replace(found.tx, ref="other:0")))
    for state in (released(role), restored(released(role)), locked(role)):
        looked = at(state, 5, own=view(), theirs=view())
        assert not owed(looked, SeekLock)
        assert step(looked, other) == looked, "a lock that nobody sought changes nothing"


@pytest.mark.parametrize("role", Role)
def test_a_lock_that_the_wallet_sent_and_the_journal_does_not_know_shows_that_it_is_old(
    role: Role,
) -> None:
    fresh = at(begun(role), 5, own=view(), theirs=theirs_final(role))
    assert owed(fresh, BuildLock)
    state = step(fresh, LockFound(signed(role)))
    assert state.restored
    assert not owed(state, BuildLock)
    assert owed(at(state, 6, own=view(), theirs=theirs_final(role)), BuildKill)


@pytest.mark.parametrize("role", Role)
def test_a_restored_swap_under_way_goes_on_to_its_end(role: Role) -> None:
    own_leg, their_leg = legs(role)
    state = restored(out(role))
    assert owed(state, BuildClaim)
    spend = Spend(SpendKind.CLAIM, "mine", DEPTH[their_leg], PREIMAGE)
    theirs = view(lock(their_leg, 9, spend=spend))
    done = at(state, 90, own=view(lock(own_leg, 9)), theirs=theirs)
    assert done.outcome is not None
    assert done.outcome.end is End.COMPLETED


def test_a_participant_that_knows_the_secret_does_not_lock_any_more() -> None:
    """A stranger's gift to its script was claimed: the initiator's leg is there for the taking."""
    gift = lock(legs(MAKER)[0], 1, spend=Spend(SpendKind.CLAIM, "c", 0, PREIMAGE))
    held = step(begun(MAKER), LockBuilt(signed(MAKER)))
    for before in (begun(MAKER), held):
        state = at(before, 5, own=view(gift), theirs=theirs_final(MAKER))
        assert isinstance(state.secret, Learned)
        assert not owed(state, BuildLock)
        assert not owed(state, BroadcastLock)
        assert owed(state, BuildClaim)
