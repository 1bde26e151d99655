"""What each side leaves with its towers, when, and at which fees."""

import msgspec
import pytest

from protocol.codec import encode
from protocol.swap.fees import Curve
from protocol.swap.states import (
    End,
    Hidden,
    Outcome,
    Released,
    Revealed,
    SignedLock,
    Tx,
    Unfunded,
)
from protocol.terms import LegName, Role
from protocol.tower.messages import ticket
from protocol.tower.package import MAX_VARIANTS, Act
from protocol.tower.plan import drafts, ladder
from tests.protocol.tower.samples import (
    PREIMAGE,
    REFS,
    TERMS,
    TIMES,
    held,
    lock,
    package,
    signed,
    state,
    view,
)

TAKER, MAKER = Role.INITIATOR, Role.PARTICIPANT


def acts(found: tuple[object, ...]) -> list[tuple[LegName, Act]]:
    return [(draft.leg, draft.bare.act) for draft in found]  # type: ignore[attr-defined] # drafts


def test_before_his_lock_leaves_the_participant_can_leave_his_refund_and_his_claim() -> None:
    found = drafts(held(MAKER), max_fee_percent=10)
    assert acts(found) == [(LegName.P, Act.REFUND), (LegName.I, Act.CLAIM)]
    assert [[str(point) for point in draft.outpoints] for draft in found] == [
        [REFS[LegName.P]],
        [REFS[LegName.I]],
    ]


def test_before_his_lock_leaves_the_initiator_can_leave_his_refund_only() -> None:
    at = msgspec.structs.replace(held(TAKER), bound="")
    assert acts(drafts(at, max_fee_percent=10)) == [(LegName.I, Act.REFUND)]


def test_nothing_can_be_left_before_a_lock_is_signed_or_after_the_end() -> None:
    for role in Role:
        assert drafts(state(role, own=Unfunded()), max_fee_percent=10) == ()
        ended = state(role, outcome=Outcome(End.COMPLETED, "", 0))
        assert drafts(ended, max_fee_percent=10) == ()


def test_the_preimage_is_in_no_package_before_the_reveal_is_journalled() -> None:
    """Even if a caller gave it by mistake (safety rule 7)."""
    for hidden in (state(TAKER, secret=Hidden()), held(TAKER)):
        found = [signed(d) for d in drafts(hidden, max_fee_percent=10, preimage=PREIMAGE)]
        assert len(found) == 2
        assert not any(PREIMAGE in encode(each) for each in found)
    revealed = state(TAKER, secret=Revealed(TERMS.t0))
    found = [signed(d) for d in drafts(revealed, max_fee_percent=10, preimage=PREIMAGE)]
    assert [each.act for each in found if PREIMAGE in encode(each)] == [Act.CLAIM]


def test_a_dearer_lock_changes_the_subject_and_the_older_versions_stay_covered() -> None:
    at = state(MAKER)
    assert isinstance(at.own, Released)
    lock_ = at.own.lock
    newer = SignedLock(Tx(b"", "ab" * 32, 900, 5_000, 1_001, "ab" * 32 + ":1"), (), lock_.refs)
    bumped = msgspec.structs.replace(at, own=Released(newer))
    before, after = drafts(at, max_fee_percent=10)[0], drafts(bumped, max_fee_percent=10)[0]
    assert before.subject != after.subject
    assert [str(point) for point in after.outpoints] == ["ab" * 32 + ":1", REFS[LegName.P]]
    assert len(signed(after).ways) == 2


def test_fees_that_drift_do_not_change_the_subject_and_the_reveal_does() -> None:
    dearer = state(MAKER, view_i=view(LegName.I, lock(LegName.I), fee_next=9_000))
    one, two = drafts(state(MAKER), max_fee_percent=10), drafts(dearer, max_fee_percent=10)
    assert [d.subject for d in one] == [d.subject for d in two]
    assert one[1].rungs != two[1].rungs
    assert package(TAKER, Act.CLAIM).preimage == b""
    assert package(TAKER, Act.CLAIM, preimage=PREIMAGE).preimage == PREIMAGE


@pytest.mark.parametrize("role", list(Role))
def test_every_claim_is_good_at_once_and_its_dearest_variant_before_its_deadline(
    role: Role,
) -> None:
    end = TIMES.expiry_i if role is MAKER else TIMES.expiry_p
    variants = package(role, Act.CLAIM).ways[0].variants
    free = [v for v in variants if v.fee <= 4 * variants[0].fee]
    assert len(free) >= 2
    assert {v.not_before for v in free} == {0}
    assert all(v.not_before > 0 for v in variants[len(free) :])
    assert 0 < variants[-1].not_before < end


def test_a_participants_refund_reaches_its_dearest_before_his_refund_must_be_final() -> None:
    variants = package(MAKER, Act.REFUND).ways[0].variants
    assert variants[0].not_before == TIMES.expiry_p
    assert TIMES.expiry_p <= variants[-1].not_before <= TIMES.kill_deadline


def test_the_ladder_doubles_from_the_estimate_to_the_cap_in_equal_steps_of_time() -> None:
    # 1000 vbytes at 1, 2, 4, ... units a vbyte; a span of 800 s for 3 doublings to the cap of 9.
    rungs = ladder(
        view(LegName.I, fee_next=1_000),
        Curve(10_000, 10_900, 9_000),
        vbytes=1_000,
        max_fee=9_000,
        lag=60,
        least_time=0,
    )
    assert [rung.fee for rung in rungs] == [1_000, 2_000, 4_000, 8_000, 9_000]
    assert [rung.not_before for rung in rungs] == [0, 0, 0, 10_900 - 60, 10_900 - 60]


def test_a_ladder_of_many_doublings_takes_longer_strides_and_still_ends_at_the_cap() -> None:
    rungs = ladder(
        view(LegName.I, fee_next=1_000),
        Curve(0, 10**6, 2**40),
        vbytes=1_000,
        max_fee=2**40,
        lag=0,
        least_time=0,
    )
    assert len(rungs) <= MAX_VARIANTS
    assert rungs[-1].fee == 2**40
    fees = [rung.fee for rung in rungs]
    assert fees == sorted(set(fees))


def test_where_the_cap_is_below_the_estimate_there_is_one_variant_at_the_cap() -> None:
    rungs = ladder(
        view(LegName.I, fee_next=10**6),
        Curve(0, 100, 500),
        vbytes=1_000,
        max_fee=500,
        lag=0,
        least_time=0,
    )
    assert [(rung.fee, rung.not_before) for rung in rungs] == [(500, 0)]


def test_tickets_differ_by_tower_leg_and_act_and_tell_nothing_of_each_other() -> None:
    salt = b"\x01" * 32
    made = {ticket(salt, tower, leg, act) for tower in ("a", "b") for leg in LegName for act in Act}
    assert len(made) == 8
    assert ticket(b"\x02" * 32, "a", LegName.I, Act.CLAIM) not in made
