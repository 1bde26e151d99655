"""What our transactions pay: on curves to their own deadlines, never frozen, never beyond reason.

The expected rates are powers of two and straight lines between them, worked out by hand.
"""

import msgspec
import pytest

from protocol.swap import deadlines, fees, lifting
from protocol.swap.effects import (
    BroadcastChild,
    BroadcastClaim,
    BroadcastLock,
    BuildChild,
    BuildClaim,
    BuildKill,
    BuildLock,
    BuildRefund,
)
from protocol.swap.events import ChildBuilt, KillBuilt, LockBuilt
from protocol.swap.explain import summarise
from protocol.swap.facts import Conflict, LockSeen, Spend, SpendKind
from protocol.swap.fees import Curve
from protocol.swap.machine import step
from protocol.swap.pending import holds_coins, pending
from protocol.swap.reading import schedule
from protocol.swap.states import Killing, LockCoin, Released, SignedLock, SwapState, Tx
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
from tests.protocol.swap.toy import PREIMAGE, T0

Priced = BuildLock | BuildKill | BuildClaim | BuildRefund


def rates(state: SwapState, kind: type[Priced]) -> list[int]:
    return [effect.fee_rate for effect in pending(state) if isinstance(effect, kind)]


def test_a_curve_doubles_in_equal_steps_of_time_and_ends_at_all_that_is_at_stake() -> None:
    curve = Curve(1_000, 2_000, 9_000)  # 1,000 doubles three times below 9,000
    points = {0: 1_000, 1_000: 1_000, 1_333: 1_999, 1_334: 2_004, 1_500: 3_000, 1_667: 4_004}
    assert {now: fees.on_curve(1_000, curve, now) for now in points} == points
    assert [fees.on_curve(1_000, curve, now) for now in (1_999, 2_000, 9_999)] == [
        7_988,
        9_000,
        9_000,
    ]
    assert fees.on_curve(5_000, curve, 1_500) == 5_000, "less than one doubling is left"
    assert fees.on_curve(20_000, curve, 2_000) == 20_000, "the estimate is above the cap"
    assert fees.on_curve(0, curve, 1_500) == 0


def test_a_curve_never_falls_and_never_jumps_by_more_than_its_step() -> None:
    curve, before = Curve(0, 36_000, 7_000_000), 5_000
    for now in range(0, 36_000, 60):
        rate = fees.on_curve(5_000, curve, now)
        assert before <= rate <= before + before // 20
        before = rate


def test_rates_follow_the_estimate_and_never_go_under_what_is_relayed() -> None:
    cheap, dear = view(fee_next=500, fee_floor=3_000), view(fee_next=5_000, fee_floor=3_000)
    assert (fees.first_rate(cheap), fees.first_rate(dear)) == (3_000, 5_000)
    built = Tx(b"t", "t", 1, 2_999, 1000, "lock:0")
    assert fees.is_due(dear, built, seen=False), "no node keeps it: it was evicted"
    assert not fees.is_due(dear, built, seen=True)
    relayed = msgspec.structs.replace(built, fee_rate=3_000)
    assert not fees.is_due(dear, relayed, seen=False)
    assert fees.is_due(view(height=1001), relayed, seen=True)
    assert fees.affordable_rate(dear, 2_310, 131) == 10_000
    assert fees.affordable_rate(dear, 900, 131) == 0
    assert fees.next_rate(cheap, relayed, Curve(0, 10, 10**6), 0) == 4_000
    assert fees.next_rate(dear, relayed, Curve(0, 10, 10**6), 0) == 5_000
    assert fees.next_rate(dear, relayed, Curve(0, 10, 10**6), 10) == 160_000, "step by step"
    assert fees.next_rate(dear, relayed, Curve(0, 10, 2_500), 5) == 2_500


@pytest.mark.parametrize("role", Role)
def test_a_claim_rises_to_all_it_brings_and_is_there_at_its_deadline(role: Role) -> None:
    own, theirs = legs(role)
    times = schedule(begun(role))
    end = times.expiry_p if role is TAKER else times.expiry_i - 5
    cap = (PAYS[theirs] - 1_000) * 1000 // 139
    state, seen, last = out(role), [], 0
    for number, moment in enumerate(range(T0 + 40, end + 20, 10)):
        chain = view(lock(theirs, 4 + number), height=1002 + number)
        state = at(state, moment - T0, own=view(lock(own, 4 + number)), theirs=chain)
        [rate] = rates(state, BuildClaim)
        assert last < rate <= cap
        claim = Tx(b"c", f"c{number}", 1, rate, 1002 + number, f"lock-{theirs.value}:0")
        state, last = msgspec.structs.replace(state, claim=claim), rate
        seen.append((moment, rate))
        if rate == cap:
            break
    assert seen[0][1] < 20_000, "no reason to be dear at once"
    assert last == cap
    assert seen[-1][0] - 10 < end <= seen[-1][0]


def test_a_participants_refund_is_at_its_cap_when_it_must_be_mined() -> None:
    times = schedule(begun(MAKER))
    cap = (PAYS[LegName.P] - 1_000) * 1000 // 131
    late = view(lock(LegName.P, 9), height=1001, median_time=times.kill_deadline)
    theirs = view(lock(LegName.I, 9))
    before = Tx(b"r", "r", 1, cap // 8 + 1, 1000, f"lock-{LegName.P.value}:0")
    state = msgspec.structs.replace(locked(MAKER), refunds=(before,))
    state = at(state, times.kill_deadline - T0, own=late, theirs=theirs)
    assert rates(state, BuildRefund) == [cap]
    soon = view(lock(LegName.P, 9), median_time=times.expiry_p + 1)
    state = at(locked(MAKER), times.expiry_p - T0, own=soon, theirs=theirs)
    [rate] = rates(state, BuildRefund)
    assert 2_000 <= rate < 2_400, "a second after its start"


def test_an_initiators_refund_burns_no_more_than_patience_unless_it_is_contested() -> None:
    times = schedule(begun(TAKER))
    late = view(lock(LegName.I, 99), median_time=times.worst_freeze - 1)
    state = at(locked(TAKER), times.worst_freeze - 1 - T0, own=late, theirs=view())
    assert rates(state, BuildRefund) == [pytest.approx(fees.CALM_TIMES * 2_000, rel=0.05)]
    tried = Tx(b"r", "r", 1, 64_000, 990, f"lock-{LegName.I.value}:0")
    frozen = msgspec.structs.replace(locked(TAKER), refunds=(tried,))
    frozen = at(frozen, times.worst_freeze - T0, own=late, theirs=view())
    tenth = (PAYS[LegName.I] - 1_000) * 1000 // 131 // 10
    assert rates(frozen, BuildRefund) == [tenth], "the estimate must be wrong"
    cap = (PAYS[LegName.I] - 1_000) * 1000 // 131
    before = Tx(b"r", "r", 1, cap // 8 + 1, 990, f"lock-{LegName.I.value}:0")
    state = msgspec.structs.replace(out(TAKER), refunds=(before,))
    state = at(state, times.worst_freeze - T0, own=late, theirs=view())
    assert rates(state, BuildRefund) == [cap]


def test_a_kill_has_a_deadline_for_a_participant_and_time_for_an_initiator() -> None:
    own = Killing(signed(TAKER), Tx(b"k", "k", 1, 63_500, 990, "coin:0"))
    state = msgspec.structs.replace(released(TAKER), own=own)
    state = at(state, 164, own=view(lock(LegName.I, 0)), theirs=view())
    assert rates(state, BuildKill) == [64_000], "thirty-two times the estimate"
    state = at(state, 900, own=view(lock(LegName.I, 0)), theirs=view())
    assert rates(state, BuildKill) == [(PAYS[LegName.I] - 1_000) * 1000 // 110 // 10]
    own = Killing(signed(MAKER), Tx(b"k", "k", 1, 60_000, 990, "coin:0"))
    state = msgspec.structs.replace(released(MAKER), own=own)
    alone = at(state, 60, own=view(lock(LegName.P, 0)), theirs=view())
    assert rates(alone, BuildKill) == [61_000]
    times = schedule(begun(MAKER))
    due = at(state, times.kill_deadline - T0, own=view(lock(LegName.P, 0)), theirs=view())
    assert rates(due, BuildKill) == [8 * 60_000]
    own = msgspec.structs.replace(own, kill=Tx(b"k", "k", 1, 6_000_000, 990, "coin:0"))
    state = msgspec.structs.replace(released(MAKER), own=own)
    due = at(state, times.kill_deadline - T0, own=view(lock(LegName.P, 0)), theirs=view())
    assert rates(due, BuildKill) == [(PAYS[LegName.P] - 1_000) * 1000 // 110]


@pytest.mark.parametrize("role", Role)
def test_who_comes_back_after_the_deadline_does_not_burn_his_coins_on_the_first_try(
    role: Role,
) -> None:
    own, theirs = legs(role)
    state = at(out(role), 10**6, own=view(lock(own, 99)), theirs=view(lock(theirs, 99)))
    paid, height = [], 1000
    for _ in range(3):
        [rate] = rates(state, BuildClaim)
        claim = Tx(b"c", f"c{height}", 1, rate, height, f"lock-{theirs.value}:0")
        height += 1
        chain = view(lock(theirs, 99), height=height)
        state = msgspec.structs.replace(state, claim=claim)
        state = at(state, 10**6, own=view(lock(own, 99)), theirs=chain)
        paid.append(rate)
    cap = (PAYS[theirs] - 1_000) * 1000 // 139
    assert paid == [64_000, min(512_000, cap), min(4_096_000, cap)]


@pytest.mark.parametrize("role", Role)
def test_our_spend_outbids_what_the_other_side_has_in_the_mempool_at_once(role: Role) -> None:
    own, theirs = legs(role)
    ours = Tx(b"c", "c", 700, 5_000, 1001, f"lock-{theirs.value}:0")
    state = msgspec.structs.replace(out(role), claim=ours)
    rival = Spend(SpendKind.REFUND, "r", 0, to_beat=13_900)
    chain = view(lock(theirs, 4, spend=rival), height=1001)
    state = at(state, 50, own=view(lock(own, 4)), theirs=chain)
    assert rates(state, BuildClaim) == [139_000 + 1_000], "as if it had 100 vbytes only"
    mined = msgspec.structs.replace(rival, depth=1)
    chain = view(lock(theirs, 4, spend=mined), height=1001)
    assert rates(at(state, 50, own=view(lock(own, 4)), theirs=chain), BuildClaim) == []
    greedy = msgspec.structs.replace(rival, to_beat=10**9)
    chain = view(lock(theirs, 4, spend=greedy), height=1001)
    state = at(state, 50, own=view(lock(own, 4)), theirs=chain)
    assert rates(state, BuildClaim) == [(PAYS[theirs] - 1_000) * 1000 // 139]


def hanging(role: Role, seconds: int, *, height: int = 1001, **more: object) -> SwapState:
    own, theirs = legs(role)
    other = view() if role is TAKER else view(lock(theirs, DEPTH[theirs]))
    return at(released(role), seconds, own=view(lock(own, 0), height=height, **more), theirs=other)


def test_a_lock_that_hangs_follows_the_estimate_and_rises_towards_its_gate() -> None:
    assert rates(hanging(TAKER, 15, fee_next=1_000), BuildLock) == [], "fees are as they were"
    assert rates(hanging(TAKER, 15, fee_next=9_000), BuildLock) == [9_000], "fees rose"
    assert rates(hanging(TAKER, 15, height=1000, fee_next=9_000), BuildLock) == [], "no block yet"
    [late] = rates(hanging(TAKER, 38, fee_next=1_300), BuildLock)
    share = PAYS[LegName.I] // deadlines.LOCK_SHARE * 1000 // 153
    assert 2_300 < late <= share
    dear = hanging(TAKER, 15, fee_next=1_500_000)
    assert rates(dear, BuildLock) == [share], "a lock is not worth more"
    fresh = at(begun(TAKER), 5, own=view(fee_next=70_000), theirs=view())
    assert pending(fresh) == (), "153 vB would cost more than a tenth of it"
    operators = view(lock(LegName.I, 0, ref="bumped:0", ours=True), height=1001, fee_next=9_000)
    bumped = at(released(TAKER), 15, own=operators, theirs=view())
    assert pending(bumped) == (), "the operator raised the fee by hand"
    spent = view(height=1001, fee_next=9_000, conflict=Conflict("x", 0))
    assert pending(at(released(TAKER), 15, own=spent, theirs=view())) == ()
    kept = hanging(TAKER, 15, fee_next=9_000, replaces=False)
    assert pending(kept) == (), "no node would take the place of it"
    kill = at(hanging(TAKER, 15), 41, own=view(lock(LegName.I, 0)), theirs=view())
    assert isinstance(kill.own, Killing), "the gate has closed"


def dearer(state: SwapState, *coins: LockCoin) -> SwapState:
    tx = Tx(b"raw2", "lock-2", 1_400, 9_000, 1001, "lock-2:0")
    return step(state, LockBuilt(SignedLock(tx, coins)))


@pytest.mark.parametrize("role", Role)
def test_every_version_of_a_lock_is_our_lock_and_only_a_shared_coin_makes_a_version(
    role: Role,
) -> None:
    own, theirs = legs(role)
    state = hanging(role, 20)
    coin, more = signed(role).coins[0], LockCoin("coin:1", 5, b"")
    assert dearer(state, more) == state, "both could confirm"
    assert dearer(state, coin, more) == state, "a spend of the other coin would kill one only"
    state = dearer(state, coin)
    assert isinstance(state.own, Released)
    first = f"lock-{own.value}:0"
    assert state.own.lock.refs == ("lock-2:0", first)
    assert holds_coins(state) == (coin.ref,)
    assert BroadcastLock(b"raw2", "lock-2") in pending(state), "the old one is what nodes know"
    other = view() if role is TAKER else view(lock(theirs, DEPTH[theirs]))
    old = at(state, 30, own=view(lock(own, 1)), theirs=other)
    assert pending(old) == (), "the older one confirmed: nothing is sent"
    assert dearer(old, coin) == old, "a confirmed lock has no more versions"


def test_a_sent_lock_is_not_bumped_when_what_it_answers_is_not_final() -> None:
    own = view(lock(LegName.P, 0), height=1001, fee_next=9_000)
    state = at(released(MAKER), 20, own=own, theirs=view(lock(LegName.I, 1)))
    assert isinstance(state.own, Killing)
    assert rates(state, BuildLock) == []


def test_a_claim_that_nothing_replaces_is_lifted_by_children_on_its_curve() -> None:
    ref = f"lock-{LegName.P.value}:0"
    claim = Tx(b"c", "c", 278, 2_000, 1001, ref)  # 139 vB at 2 a vB
    state = msgspec.structs.replace(out(TAKER), claim=claim)

    def looked(state: SwapState, height: int, rate: int, since: int = 0) -> SwapState:
        spend = Spend(SpendKind.CLAIM, "c", 0, PREIMAGE, to_beat=278, since=since)
        chain = view(lock(LegName.P, 4, spend=spend), height=height, fee_next=rate, replaces=False)
        return at(state, 30, own=view(lock(LegName.I, 4)), theirs=chain)

    assert pending(looked(state, 1002, 2_000)) == (), "it pays enough"
    assert pending(looked(state, 1001, 9_000)) == (), "no block came yet"
    [patience] = pending(looked(state, 1003, 2_000))
    assert patience == BuildChild("c:0", 700_000 - 278, 2 * 249 - 278), "miners may have lost it"
    young = looked(state, 1003, 2_000, since=T0 + 30 - 129)
    assert pending(young) == (), "our node would not hand out the parent yet"
    state = looked(state, 1002, 9_000)
    [child] = pending(state)
    # (139 + 110) vB at the wanted rate, less what the claim pays.
    curve = deadlines.claim_curve(state, view(), lock(LegName.P, 4))
    wanted = fees.on_curve(9_000, curve, T0 + 30)
    assert wanted == 9_000, "at the moment of the reveal the curve begins"
    assert child == BuildChild("c:0", 700_000 - 278, wanted * 249 // 1000 - 278)
    state = step(state, ChildBuilt(Tx(b"d", "d", 2_000, 9_000, 1002, "c:0")))
    assert pending(looked(state, 1002, 9_000)) == (BroadcastChild(b"d", "d", "c:0"),)
    [grandchild] = pending(looked(state, 1003, 40_000))
    assert isinstance(grandchild, BuildChild)
    assert (grandchild.parent, grandchild.units) == ("d:0", 700_000 - 278 - 2_000)


def test_a_lock_that_hangs_beyond_its_expiry_is_taken_back_by_a_child() -> None:
    times = schedule(begun(MAKER))
    kill = Tx(b"k", "k", 1, 60_000, 1001, "coin:0")
    sent_lock = signed(MAKER)
    state = msgspec.structs.replace(released(MAKER), own=Killing(sent_lock, kill))
    own = view(lock(LegName.P, 0), height=1001, median_time=times.expiry_p + 1, replaces=False)
    state = at(state, times.expiry_p - T0, own=own, theirs=view())
    [rate] = rates(state, BuildRefund)
    # The lock pays 200 for 153 vB; both together shall pay what a refund alone would.
    alone = view(lock(LegName.P, 9), height=1001, median_time=times.expiry_p + 1)
    [usual] = rates(at(locked(MAKER), times.expiry_p - T0, own=alone, theirs=view()), BuildRefund)
    assert 131 * rate + 200_000 == pytest.approx(usual * (131 + 153), abs=2_000)
    strangers = view(
        LockSeen("other:0", PAYS[LegName.P], 0),
        height=1001,
        median_time=times.expiry_p + 1,
        replaces=False,
    )
    state = at(state, times.expiry_p - T0, own=strangers, theirs=view())
    assert rates(state, BuildRefund) == [], "not ours"


def test_an_older_kill_of_ours_that_is_mined_is_not_told_as_a_strangers() -> None:
    state = at(released(TAKER), 45, own=view(lock(LegName.I, 0)), theirs=view())
    for name in ("k1", "k2"):
        state = step(state, KillBuilt(Tx(b"k", name, 1, 2_000, 1000, "lock-i:0")))
    for txid, told in (("k1", False), ("k2", False), ("x", True)):
        seen = view(height=1001, conflict=Conflict(txid, 1))
        summary = summarise(at(state, 50, own=seen, theirs=view()))
        assert any("not our lock" in warning for warning in summary.warnings) is told
    assert [(tx.txid, tx.raw) for tx in state.replaced] == [("k1", b"")]


def test_where_nothing_is_replaced_a_claim_is_sent_again_and_an_older_version_is_lifted() -> None:
    ref = f"lock-{LegName.P.value}:0"
    old, new = (
        Tx(b"old", "old", 278, 2_000, 1001, ref),
        Tx(b"new", "new", 556, 4_000, 1002, ref),
    )

    def looked(state: SwapState, spend: Spend | None, floor: int = 2_000) -> SwapState:
        chain = view(
            lock(LegName.P, 4, spend=spend),
            height=1004,
            fee_next=9_000,
            fee_floor=floor,
            replaces=False,
        )
        return at(state, 30, own=view(lock(LegName.I, 4)), theirs=chain)

    alone = msgspec.structs.replace(out(TAKER), claim=old)
    assert pending(looked(alone, None)) == (BroadcastClaim(b"old", "old"),)
    assert rates(looked(alone, None, 5_000), BuildClaim) == [9_000], "nobody would relay it"
    both = msgspec.structs.replace(alone, claim=new, replaced=(old,))
    seen = Spend(SpendKind.CLAIM, "old", 0, PREIMAGE)
    [child] = pending(looked(both, seen))
    assert isinstance(child, BuildChild)
    assert (child.parent, child.units) == ("old:0", 700_000 - 278)
    assert lifting.is_of_claim(both, "old:0")
    assert not lifting.is_of_claim(both, "lock-i:0")


def test_a_lock_is_sent_although_a_dearer_one_is_wanted() -> None:
    state = at(released(TAKER), 15, own=view(height=1001, fee_next=9_000), theirs=view())
    assert [type(effect) for effect in pending(state)] == [BuildLock, BroadcastLock]
