"""What one swap does, told as stories over two toy chains and the real machine."""

import msgspec
import pytest

from protocol.codec import decode, encode
from protocol.swap.events import CancelRequested, LockBuilt
from protocol.swap.explain import Phase, summarise
from protocol.swap.facts import Restriction, SpendKind
from protocol.swap.machine import is_closed, step
from protocol.swap.pending import holds_coins, pending
from protocol.swap.states import Dead, End, Held, Killing, Learned, Released, SignedLock, SwapState
from protocol.terms import LegName
from tests.protocol.swap.toy import T0, Party, ToyTx, World, world


def end(party: Party) -> End | None:
    """How the swap ended for a party."""
    return party.state.outcome.end if party.state.outcome else None


def ends(w: World) -> tuple[End | None, End | None]:
    """For the initiator, for the participant."""
    return end(w.initiator), end(w.participant)


def until_locked(w: World) -> World:
    """Both locks are confirmed once; the initiator has not revealed."""
    w.act()
    for _ in range(3):
        w.block()
    assert isinstance(w.participant.state.own, Released)
    assert w.initiator.state.secret.__class__.__name__ == "Hidden"
    return w


def test_two_honest_parties_complete_in_eight_blocks() -> None:
    w = world()
    w.act()
    w.run(8)
    assert ends(w) == (End.COMPLETED, End.COMPLETED)
    assert w.initiator.story == ["BuildLock", "BroadcastLock", "BuildClaim", "BroadcastClaim"]
    assert w.participant.story == w.initiator.story


def test_the_participant_locks_only_when_the_initiators_lock_is_final() -> None:
    w = world()
    w.act()
    w.block()
    assert w.participant.story == []
    w.block()
    assert w.participant.story == ["BuildLock", "BroadcastLock"]


def test_the_initiator_reveals_only_when_the_participants_lock_is_final() -> None:
    w = until_locked(world())
    w.block()
    assert "BuildClaim" not in w.initiator.story
    w.block()
    assert "BuildClaim" in w.initiator.story


def test_a_participant_that_vanishes_before_locking_costs_the_initiator_only_time() -> None:
    w = world()
    w.participant.online = False
    w.act()
    w.run(60)
    assert end(w.initiator) is End.REFUNDED


def test_a_refund_waits_for_median_time_not_for_the_wall_clock() -> None:
    w = world()
    w.participant.online = False
    w.act()
    w.run(60)
    refund = next(t for t in w.chains[LegName.I].txs.values() if t.kind is SpendKind.REFUND)
    assert refund.height is not None
    mined_at = w.chains[LegName.I].times[refund.height - 1000 - 1 + 20]
    assert mined_at > w.chains[LegName.I].leg.expiry + 50  # six headers later at ten seconds each


def test_an_initiator_that_vanishes_after_both_locks_costs_the_participant_only_time() -> None:
    w = until_locked(world())
    w.initiator.online = False
    w.run(60)
    assert end(w.participant) is End.REFUNDED


def test_a_participant_that_sleeps_after_the_reveal_still_claims_when_it_wakes() -> None:
    w = until_locked(world())
    w.participant.online = False
    w.run(6)
    assert end(w.initiator) is End.COMPLETED
    w.participant.online = True
    w.run(10)
    assert end(w.participant) is End.COMPLETED


def test_the_preimage_is_used_even_when_its_claim_was_evicted_again() -> None:
    w = until_locked(world())
    w.block()
    w.chains[LegName.P].deaf = True
    w.block()  # the claim is only in the mempool now
    claim = next(t for t in w.chains[LegName.P].txs.values() if t.kind is SpendKind.CLAIM)
    assert isinstance(w.participant.state.secret, Learned)
    w.initiator.online = False
    w.chains[LegName.P].drop(claim.txid)
    w.run(6)
    assert end(w.participant) is End.COMPLETED


def test_an_initiators_lock_that_hangs_until_its_gate_is_killed() -> None:
    w = world()
    w.chains[LegName.I].deaf = True
    w.act()
    for _ in range(4):
        w.block()
    assert isinstance(w.initiator.state.own, Killing)
    w.chains[LegName.I].deaf = False
    w.run(10)
    assert ends(w) == (End.NEVER_FUNDED, End.NEVER_FUNDED)
    assert any(t.startswith("kill") for t in w.chains[LegName.I].txs)


def test_a_participants_lock_is_killed_at_once_when_the_counterpart_leaves_its_depth() -> None:
    w = world()
    w.act()
    w.block()
    w.chains[LegName.P].deaf = True
    w.block()
    assert isinstance(w.participant.state.own, Released)
    w.chains[LegName.I].reorg(1)
    w.act()
    assert isinstance(w.participant.state.own, Killing)
    w.chains[LegName.P].deaf = False
    w.run(4)
    assert end(w.participant) is End.NEVER_FUNDED


def test_a_killed_lock_that_confirms_after_all_is_alive_and_refunded() -> None:
    w = world()
    w.participant.online = False
    w.chains[LegName.I].deaf = True
    w.act()
    for _ in range(4):
        w.block()
    lock = w.initiator.state.own
    assert isinstance(lock, Killing)
    chain = w.chains[LegName.I]
    for txid in [t for t in chain.txs if t.startswith("kill")]:
        chain.drop(txid)
    chain.deaf = False
    chain.send(ToyTx(lock.lock.tx.txid, w.initiator.inputs(), pays=100_000))
    w.initiator.online = False
    w.block()
    w.initiator.online = True
    w.run(60)
    assert end(w.initiator) is End.REFUNDED


def test_a_kill_is_rebuilt_dearer_at_every_tip_until_it_confirms() -> None:
    w = world()
    w.chains[LegName.I].deaf = True
    w.act()
    rates = []
    for _ in range(8):
        w.block()
        own = w.initiator.state.own
        if isinstance(own, Killing) and own.kill:
            rates.append(own.kill.fee_rate)
    assert len(rates) >= 4
    assert rates == sorted(set(rates))


def test_a_coinbase_or_hogex_lock_is_never_answered() -> None:
    for restriction in (Restriction.COINBASE, Restriction.HOGEX):
        w = world()
        w.initiator.online = False
        w.chains[LegName.I].send(
            ToyTx("fake", frozenset({"x"}), pays=100_000, restriction=restriction)
        )
        w.run(20)
        assert end(w.participant) is End.NEVER_FUNDED
        assert w.participant.story == []


def test_a_lock_of_one_unit_less_or_more_is_never_answered() -> None:
    for units in (99_999, 100_001):
        w = world()
        w.initiator.online = False
        w.chains[LegName.I].send(ToyTx("fake", frozenset({"x"}), pays=units))
        w.run(20)
        assert end(w.participant) is End.NEVER_FUNDED
        assert w.participant.story == []


def test_the_initiator_does_not_reveal_for_a_lock_of_the_wrong_amount() -> None:
    w = world()
    w.participant.online = False
    w.act()
    w.block()
    w.chains[LegName.P].send(ToyTx("fake", frozenset({"x"}), pays=699_999))
    w.run(60)
    assert "BuildClaim" not in w.initiator.story
    assert end(w.initiator) is End.REFUNDED


def test_nothing_is_locked_or_revealed_while_a_node_has_problems() -> None:
    w = world()
    w.chains[LegName.P].problems = ("headers are ahead of blocks",)
    w.act()
    w.block()
    assert w.initiator.story == []
    w.chains[LegName.P].problems = ()
    w.act()
    assert w.initiator.story == ["BuildLock", "BroadcastLock"]


def test_no_reveal_after_the_reveal_gate() -> None:
    w = until_locked(world())
    w.initiator.online = False
    w.now = T0 + 115
    w.block()
    w.initiator.online = True
    w.act()
    assert "BuildClaim" not in w.initiator.story
    w.run(60)
    assert ends(w) == (End.REFUNDED, End.REFUNDED)


def test_after_the_reveal_no_gate_and_no_problem_stops_a_claim() -> None:
    w = until_locked(world())
    w.block()
    w.chains[LegName.P].deaf = True
    w.block()
    w.chains[LegName.P].problems = ("tip is old",)
    claim = next(t for t in w.chains[LegName.P].txs.values() if t.kind is SpendKind.CLAIM)
    w.chains[LegName.P].drop(claim.txid)
    w.act()
    again = [t for t in w.chains[LegName.P].txs.values() if t.kind is SpendKind.CLAIM]
    assert len(again) == 1


def test_a_daemon_that_was_down_does_not_send_yesterdays_lock() -> None:
    w = world()
    w.turn(w.initiator)
    w.chains[LegName.I].drop(next(iter(w.chains[LegName.I].txs)))
    w.initiator.online = False
    w.now += 14 * 3600
    w.initiator.online = True
    w.initiator.story.clear()
    w.act()
    assert "BroadcastLock" not in w.initiator.story
    assert "BroadcastKill" in w.initiator.story


def test_a_lock_that_never_left_the_daemon_is_simply_dropped() -> None:
    w = world()
    w.chains[LegName.P].problems = ("unreachable",)
    w.act()
    lock = LockBuilt(_some_lock())
    w.apply(w.initiator, lock)
    assert isinstance(w.initiator.state.own, Held)
    w.now += 60
    w.act()
    assert isinstance(w.initiator.state.own, Dead)
    assert end(w.initiator) is End.NEVER_FUNDED
    assert w.chains[LegName.I].txs == {}


def _some_lock() -> SignedLock:
    other = world()
    other.turn(other.initiator)
    own = other.initiator.state.own
    assert isinstance(own, Released)
    return own.lock


def test_cancel_before_the_lock_confirms_kills_it_and_afterwards_is_ignored() -> None:
    w = world()
    w.act()
    w.apply(w.initiator, CancelRequested())
    assert isinstance(w.initiator.state.own, Killing)
    late = until_locked(world())
    before = late.initiator.state
    late.apply(late.initiator, CancelRequested())
    assert late.initiator.state == before


def test_the_operator_spending_the_locks_coin_ends_as_never_funded_when_final() -> None:
    w = world()
    w.chains[LegName.I].deaf = True
    w.act()
    chain = w.chains[LegName.I]
    chain.deaf = False
    chain.send(ToyTx("by-hand", w.initiator.inputs()))
    w.block()
    assert end(w.initiator) is None
    assert "by-hand" in " ".join(summarise(w.initiator.state).warnings)
    w.block()
    assert end(w.initiator) is End.NEVER_FUNDED


def test_an_operators_bump_of_the_lock_under_another_txid_is_the_lock() -> None:
    w = world()
    w.chains[LegName.I].deaf = True
    w.act()
    w.chains[LegName.I].send(ToyTx("bumped", w.initiator.inputs(), pays=100_000))
    w.chains[LegName.I].deaf = False
    w.run(10)
    assert ends(w) == (End.COMPLETED, End.COMPLETED)


def test_a_second_output_of_ours_is_swept_back_after_expiry() -> None:
    w = world()
    w.act()
    w.chains[LegName.I].send(ToyTx("second", frozenset({"y"}), pays=50_000))
    w.run(8)
    assert end(w.initiator) is End.COMPLETED
    assert not is_closed(w.initiator.state)
    w.run(60)
    assert is_closed(w.initiator.state)
    back = [t for t in w.chains[LegName.I].txs.values() if t.spends == frozenset({"second:0"})]
    assert [t.kind for t in back] == [SpendKind.REFUND]


def test_a_reorg_within_depth_of_the_participants_lock_only_delays() -> None:
    w = until_locked(world())
    w.chains[LegName.P].reorg(1)
    w.act()
    w.run(12)
    assert ends(w) == (End.COMPLETED, End.COMPLETED)


def test_when_the_initiators_lock_falls_out_the_participant_sends_it_again() -> None:
    w = until_locked(world())
    lock = next(t for t in w.chains[LegName.I].txs.values() if t.pays)
    w.chains[LegName.I].reorg(3)
    w.chains[LegName.I].drop(lock.txid)
    w.initiator.online = False
    w.turn(w.participant)
    assert "ResendTheirLock" in w.participant.story


def test_after_its_reveal_the_initiator_sends_a_fallen_lock_again_instead_of_killing_it() -> None:
    w = until_locked(world())
    w.block()
    w.block()
    assert "BuildClaim" in w.initiator.story
    lock = next(t for t in w.chains[LegName.I].txs.values() if t.pays)
    w.chains[LegName.I].reorg(5)
    w.chains[LegName.I].drop(lock.txid)
    w.initiator.story.clear()
    w.turn(w.initiator)
    assert "BroadcastLock" in w.initiator.story
    assert "BuildKill" not in w.initiator.story


def test_lost_is_reported_when_a_reorg_deeper_than_depth_undoes_the_claimed_leg() -> None:
    w = until_locked(world())
    w.participant.online = False
    w.run(3)
    chain = w.chains[LegName.P]
    claim = next(t for t in chain.txs.values() if t.kind is SpendKind.CLAIM)
    w.initiator.online = False
    chain.drop(claim.txid)
    lock = next(t for t in chain.txs.values() if t.pays)
    stolen = ToyTx("refund-by-force", frozenset({f"{lock.txid}:0"}), kind=SpendKind.REFUND)
    stolen.height = chain.height - 5
    chain.txs[stolen.txid] = stolen
    w.participant.online = True
    own = next(t for t in w.chains[LegName.I].txs.values() if t.pays)
    taken = ToyTx("claim-by-participant", frozenset({f"{own.txid}:0"}), kind=SpendKind.CLAIM)
    taken.height = w.chains[LegName.I].height - 5
    w.chains[LegName.I].txs[taken.txid] = taken
    state = msgspec.structs.replace(w.initiator.state, outcome=None)
    w.initiator.state = step(state, w.look(w.initiator))
    assert end(w.initiator) is End.LOST
    assert "reorganised too deep" in w.initiator.state.outcome.reason  # type: ignore[union-attr] # checked the line before


def test_coins_are_held_from_the_signature_until_the_end() -> None:
    w = world()
    assert holds_coins(w.initiator.state) == ()
    w.act()
    assert holds_coins(w.initiator.state) == ("coin-i",)
    w.run(10)
    assert holds_coins(w.initiator.state) == ()


def test_every_state_of_a_story_survives_being_encoded_and_owes_the_same() -> None:
    w = world()
    w.act()
    for _ in range(9):
        w.block()
        for party in w.parties():
            again = decode(SwapState, encode(party.state), max_size=1 << 20)
            assert again == party.state
            assert pending(again) == pending(party.state)


def test_the_summary_names_a_phase_in_every_step_and_ends_in_the_outcome() -> None:
    w = world()
    w.act()
    phases = [summarise(w.initiator.state).phase]
    for _ in range(9):
        w.block()
        phases.append(summarise(w.initiator.state).phase)
    assert phases[0] is Phase.LOCKING
    assert Phase.LOCKED in phases
    assert Phase.CLAIMING in phases
    assert phases[-1] is Phase.COMPLETED


@pytest.mark.parametrize("blocks", range(9))
def test_whoever_vanishes_after_any_block_the_other_loses_nothing(blocks: int) -> None:
    for leaver in ("initiator", "participant"):
        w = world()
        w.act()
        for _ in range(blocks):
            w.block()
        getattr(w, leaver).online = False
        w.run(80)
        stayed = w.participant if leaver == "initiator" else w.initiator
        assert end(stayed) in {End.COMPLETED, End.REFUNDED, End.NEVER_FUNDED}
