"""When a tower acts, and with what: each rule on both sides of its edge."""

import msgspec
import pytest

from protocol.bitcoin.tx import Transaction, parse_tx
from protocol.swap.facts import ChainView, Spend, SpendKind
from protocol.terms import LegName
from protocol.tower.decide import decide, finish
from protocol.tower.package import Package
from protocol.tower.progress import PATIENCE_BLOCKS, Decision, Progress
from tests.protocol.tower.samples import (
    CLAIM_I,
    CLAIM_P,
    CLAIM_P_REVEALED,
    PREIMAGE,
    REFS,
    REFUND_I,
    REFUND_P,
    TERMS,
    TIMES,
    claimed,
    lock,
    refunded,
    view,
)

replace = msgspec.structs.replace
I, P = LegName.I, LegName.P  # noqa: E741 - the leg of this name
NOW = TERMS.t0 + 100
LATE_P, LATE_I = TERMS.leg_p.expiry + 1, TERMS.leg_i.expiry + 1
GRACE = 20


def look(
    package: Package,
    own: ChainView,
    shown: ChainView | None = None,
    progress: Progress | None = None,
    now: int = NOW,
    grace: int = 0,
) -> Decision:
    return decide(package, progress or Progress(), own, shown, now, grace=grace)


def sent(decision: Decision) -> Transaction:
    """The one transaction that leaves."""
    assert len(decision.send) == 1
    return parse_tx(decision.send[0])


def fee(package: Package, tx: Transaction) -> int:
    return int(package.watched.leg.amount.units) - tx.outputs[0].amount


# --- Claims -----------------------------------------------------------------------------------


def test_a_claim_waits_for_the_preimage_and_uses_it_as_soon_as_it_shows_in_a_mempool() -> None:
    quiet = look(CLAIM_I, view(I, lock(I)), view(P, lock(P)))
    assert quiet.send == ()
    assert quiet.progress.preimage == b""
    decision = look(CLAIM_I, view(I, lock(I)), view(P, lock(P, spend=claimed())))
    assert decision.progress.preimage == PREIMAGE
    assert sent(decision).inputs[0].witness[0] == PREIMAGE


def test_a_preimage_once_seen_is_used_when_it_is_seen_no_more() -> None:
    first = look(CLAIM_I, view(I), view(P, lock(P, spend=claimed())))
    assert first.send == ()
    again = look(CLAIM_I, view(I, lock(I)), view(P, lock(P)), first.progress)
    assert sent(again).inputs[0].witness[0] == PREIMAGE


def test_a_preimage_of_another_hashlock_is_none() -> None:
    strange = Spend(SpendKind.CLAIM, "ee" * 32, 1, b"\x05" * 32)
    decision = look(CLAIM_I, view(I, lock(I)), view(P, lock(P, spend=strange)))
    assert decision.progress.preimage == b""
    assert decision.send == ()


def test_a_preimage_shown_by_a_strangers_output_to_the_script_counts_too() -> None:
    stranger = lock(P, ref="aa" * 32 + ":3", units=1, spend=claimed())
    decision = look(CLAIM_I, view(I, lock(I)), view(P, lock(P), stranger))
    assert sent(decision).inputs[0].witness[0] == PREIMAGE


def test_the_initiators_claim_needs_his_preimage_or_to_have_seen_it() -> None:
    assert look(CLAIM_P, view(P, lock(P))).send == ()
    assert len(look(CLAIM_P_REVEALED, view(P, lock(P))).send) == 1
    # His own claim was in a mempool once and fell out of it.
    seen = look(CLAIM_P, view(P, lock(P, spend=claimed())))
    assert seen.send == ()
    assert len(look(CLAIM_P, view(P, lock(P)), None, seen.progress).send) == 1


def test_after_a_reorganisation_the_other_sides_lock_goes_out_again_with_the_claim() -> None:
    before = look(CLAIM_I, view(I, lock(I)), view(P, lock(P))).progress
    gone = look(CLAIM_I, view(I), view(P, lock(P, spend=claimed())), before)
    assert gone.send[0] == b"the lock"
    assert str(parse_tx(gone.send[1]).inputs[0].outpoint) == REFS[I]


def test_our_clients_own_lock_is_never_sent_again() -> None:
    late = view(P, lock(P), median_time=LATE_P)
    before = look(REFUND_P, late, now=LATE_P).progress
    assert before.lock_raw == b""
    assert look(REFUND_P, view(P, median_time=LATE_P), None, before, LATE_P).send == ()


# --- Refunds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("package", "leg"), [(REFUND_P, P), (REFUND_I, I)])
def test_a_refund_waits_until_median_time_is_beyond_the_expiry(
    package: Package, leg: LegName
) -> None:
    expiry = TERMS.leg(leg).expiry
    late = expiry + 9_999
    assert look(package, view(leg, lock(leg), median_time=expiry), now=late).send == ()
    decision = look(package, view(leg, lock(leg), median_time=expiry + 1), now=late)
    assert sent(decision).lock_time == expiry


def test_a_refund_lets_the_other_sides_claim_go_first_until_its_own_time_runs_out() -> None:
    bitcoin_like = {"replaces": True, "median_time": LATE_P}
    claim = view(P, lock(P, spend=claimed(to_beat=500)), **bitcoin_like)
    assert look(REFUND_P, claim, now=TIMES.claim_deadline - 1).send == ()
    decision = look(REFUND_P, claim, now=TIMES.claim_deadline)
    assert fee(REFUND_P, sent(decision)) > 500


def test_the_initiators_refund_yields_to_nobody() -> None:
    claim = view(I, lock(I, spend=claimed(to_beat=500)), median_time=LATE_I)
    assert fee(REFUND_I, sent(look(REFUND_I, claim, now=LATE_I))) > 500


def test_only_the_output_and_amount_that_were_signed_for_are_spent() -> None:
    late = {"median_time": LATE_P}
    for other in (lock(P, ref="aa" * 32 + ":0"), lock(P, units=5)):
        assert look(REFUND_P, view(P, other, **late), now=LATE_P).send == ()


# --- The client goes first --------------------------------------------------------------------


def test_nothing_is_sent_before_the_client_had_its_chance() -> None:
    own = view(P, lock(P), median_time=LATE_P)
    first = look(REFUND_P, own, now=LATE_P, grace=GRACE)
    assert first.send == ()
    assert look(REFUND_P, own, None, first.progress, LATE_P + GRACE - 1, GRACE).send == ()
    assert len(look(REFUND_P, own, None, first.progress, LATE_P + GRACE, GRACE).send) == 1


def test_a_client_that_acts_is_left_alone_until_blocks_went_by_without_it() -> None:
    def own(height: int) -> ChainView:
        spend = refunded(to_beat=300)
        return view(I, lock(I, spend=spend), median_time=LATE_I, tip_height=height)

    first = look(REFUND_I, own(1000), now=LATE_I)
    assert first.send == ()
    almost = look(REFUND_I, own(999 + PATIENCE_BLOCKS), None, first.progress, LATE_I)
    assert almost.send == ()
    then = look(REFUND_I, own(1000 + PATIENCE_BLOCKS), None, almost.progress, LATE_I)
    assert fee(REFUND_I, sent(then)) > 300


def test_a_client_that_sends_just_what_the_tower_would_send_is_left_alone_too() -> None:
    done = finish(REFUND_I, REFUND_I.ways[0], 0, b"")
    spend = refunded(txid=done.txid.hex(), to_beat=done.fee)
    own = view(I, lock(I, spend=spend), median_time=LATE_I)
    first = look(REFUND_I, own, now=LATE_I)
    assert first.send == ()
    next_block = msgspec.structs.replace(own, tip_height=1001)
    assert look(REFUND_I, next_block, None, first.progress, LATE_I).send == ()


def test_what_is_in_a_block_is_left_alone_and_is_final_at_the_depth_of_the_terms() -> None:
    depth = TERMS.leg_i.depth
    for mined, final in ((1, False), (depth - 1, False), (depth, True)):
        own = view(I, lock(I, spend=claimed(mined)))
        decision = look(CLAIM_I, own, view(P, lock(P, spend=claimed())))
        assert decision.send == ()
        assert decision.progress.final is final


# --- Fees -------------------------------------------------------------------------------------


def test_the_cheapest_variant_that_the_next_block_takes_is_sent_first() -> None:
    fees = [variant.fee for variant in CLAIM_I.ways[0].variants]
    for rate, number in ((0, 0), (2_000, 0), (4_000, 1), (8_000, 2)):
        decision = look(CLAIM_I, view(I, lock(I), fee_next=rate), view(P, lock(P, spend=claimed())))
        assert fee(CLAIM_I, sent(decision)) == fees[number]


def test_a_block_without_it_calls_for_a_dearer_variant_as_far_as_lock_times_allow() -> None:
    shown = view(P, lock(P, spend=claimed()))
    progress, fees = Progress(), []
    for height in range(1000, 1008):
        decision = look(CLAIM_I, view(I, lock(I), tip_height=height), shown, progress)
        fees.append(fee(CLAIM_I, sent(decision)))
        progress = decision.progress
    good = [v.fee for v in CLAIM_I.ways[0].variants if v.not_before < view(I).median_time]
    assert len(good) == 3
    assert fees == [*good, *[good[-1]] * 5]
    late = view(I, lock(I), tip_height=2000, median_time=TERMS.leg_i.expiry)
    assert fee(CLAIM_I, sent(look(CLAIM_I, late, shown, progress))) > good[-1]


def test_the_dearest_variant_never_costs_more_than_the_package_allows() -> None:
    for percent in (1, 10):
        for package in (CLAIM_I, REFUND_I, REFUND_P):
            units = int(package.watched.leg.amount.units)
            dearest = max(v.fee for way in package.ways for v in way.variants)
            assert dearest <= package.max_fee <= units * 10 // 100
        assert percent <= 10


def test_a_rival_is_outbid_at_once() -> None:
    rival = refunded(to_beat=1_000)
    own = view(I, lock(I, spend=rival), median_time=LATE_I)
    decision = look(CLAIM_I, own, view(P, lock(P, spend=claimed())))
    assert fee(CLAIM_I, sent(decision)) > 1_000


def test_where_nodes_keep_what_they_saw_first_a_rival_is_waited_out() -> None:
    own = view(P, lock(P, spend=refunded(to_beat=1_000)))
    assert own.replaces is False
    assert look(CLAIM_P_REVEALED, own).send == ()
    assert len(look(CLAIM_P_REVEALED, view(P, lock(P))).send) == 1


def test_our_own_spend_in_the_mempool_is_not_sent_again_in_the_same_block() -> None:
    shown = view(P, lock(P, spend=claimed()))
    first = look(CLAIM_I, view(I, lock(I)), shown)
    done = finish(CLAIM_I, CLAIM_I.ways[0], 0, PREIMAGE)
    ours = claimed(txid=done.txid.hex(), to_beat=done.fee)
    assert look(CLAIM_I, view(I, lock(I, spend=ours)), shown, first.progress).send == ()
    next_block = view(I, lock(I, spend=ours), tip_height=1001)
    again = look(CLAIM_I, next_block, shown, first.progress)
    assert fee(CLAIM_I, sent(again)) > done.fee
