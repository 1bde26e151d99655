"""The stories of swap_machine.json, told to the machine step by step."""

from typing import Final, cast

import pytest

from protocol.signing import Signature
from protocol.swap.agreement import Agreement
from protocol.swap.effects import BuildClaim, BuildKill, BuildLock, BuildRefund
from protocol.swap.events import (
    CancelRequested,
    ClaimBuilt,
    Event,
    KillBuilt,
    LockBuilt,
    Observed,
    RefundBuilt,
)
from protocol.swap.facts import ChainView, Conflict, LockSeen, Restriction, Spend, SpendKind
from protocol.swap.machine import begin, step
from protocol.swap.pending import pending
from protocol.swap.reading import own_view, their_view
from protocol.swap.states import End, LockCoin, SignedLock, SwapState, Tx
from protocol.swap.timelocks import schedule_of
from protocol.terms import LegTerms, Role, own_leg
from tests.protocol.base.vectors import Json, case_id, load
from tests.protocol.swap.toy import PREIMAGE, T0, terms

VECTORS: Final = load("swap_machine")
OWN: Final = "own:0"


def agreement(role: str) -> Agreement:
    signature = Signature(bytes(64))
    return Agreement(terms(), Role(role), signature, signature, bytes(32), "", "", 0, 0, "peer", T0)


def spend_of(case: Json | None) -> Spend | None:
    if case is None:
        return None
    kind = SpendKind(case["kind"])
    shown = PREIMAGE if kind is SpendKind.CLAIM else None
    return Spend(kind, "spend", case["depth"], shown)


def view_of(case: Json, leg: LegTerms, at: int) -> ChainView:
    locks = tuple(
        LockSeen(
            ref=f"{lock['ref']}:0",
            units=lock.get("units", leg.amount.units),
            depth=lock["depth"],
            restriction=Restriction(lock.get("restriction", "none")),
            spend=spend_of(lock.get("spend")),
            raw=b"raw",
            ours=lock["ref"] == "bumped",
        )
        for lock in case.get("locks", [])
    )
    median = T0 + case.get("median", at - 55)
    conflict = Conflict("kill", case["conflict"]) if "conflict" in case else None
    return ChainView(
        tip_height=case.get("height", 100),
        tip_hash="",
        tip_time=median,
        median_time=median,
        fee_next=2000,
        fee_floor=1000,
        problems=tuple(case.get("problems", [])),
        locks=locks,
        conflict=conflict,
    )


def observed(case: Json, state: SwapState) -> Event:
    said, at = state.agreement.terms, case["at"]
    return Observed(
        T0 + at,
        view_of(case.get("i", {}), said.leg_i, at),
        view_of(case.get("p", {}), said.leg_p, at),
    )


def signed(what: str, state: SwapState) -> Event:
    """What the first effect of that kind asks for, done."""
    wanted = f"build_{what}"
    effect = next(owed for owed in pending(state) if owed.__struct_config__.tag == wanted)
    own = cast("ChainView", own_view(state))
    match effect:
        case BuildLock():
            tx = Tx(b"lock", "own", 200, effect.fee_rate, own.tip_height, OWN)
            return LockBuilt(SignedLock(tx, (LockCoin("coin:0", 10**6, b""),)))
        case BuildKill():
            return KillBuilt(Tx(b"kill", "kill", 200, effect.fee_rate, own.tip_height, OWN))
        case BuildRefund():
            height, ref = own.tip_height, effect.lock.ref
            return RefundBuilt(Tx(b"refund", "spend", 200, effect.fee_rate, height, ref))
        case BuildClaim():
            height = cast("ChainView", their_view(state)).tip_height
            return ClaimBuilt(Tx(b"claim", "spend", 200, effect.fee_rate, height, effect.lock.ref))
        case _:
            raise AssertionError(effect)


def event_of(told: Json, state: SwapState) -> Event:
    if "see" in told:
        return observed(told["see"], state)
    if "signed" in told:
        return signed(told["signed"], state)
    return CancelRequested()


def decided(state: SwapState) -> Json:
    """What the vectors speak of."""
    return {
        "own": state.own.__struct_config__.tag,
        "secret": state.secret.__struct_config__.tag,
        "owed": [effect.__struct_config__.tag for effect in pending(state)],
        "end": None if state.outcome is None else state.outcome.end.value,
    }


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda c: f"{c['role']}: {case_id(c)}")
def test_the_machine_decides_what_the_story_says(case: Json) -> None:
    state = begin(agreement(case["role"]))
    for number, told in enumerate(case["story"]):
        state = step(state, event_of(told, state))
        assert decided(state) == told["then"], f"step {number}: {told}"


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda c: f"{c['role']}: {case_id(c)}")
def test_every_step_of_a_story_may_be_told_twice(case: Json) -> None:
    state = begin(agreement(case["role"]))
    for told in case["story"]:
        event = event_of(told, state)
        once = step(state, event)
        assert step(once, event) == once
        state = once


def test_the_stories_stand_on_the_schedule_that_they_name() -> None:
    doors = schedule_of(terms())
    assert own_leg(Role.INITIATOR).value == "i"
    assert [
        door - T0
        for door in (
            doors.lock_gate_i,
            doors.lock_gate_p,
            doors.reveal_gate,
            doors.expiry_p,
            doors.kill_deadline,
            doors.claim_deadline,
            doors.expiry_i,
        )
    ] == [40, 70, 120, 165, 305, 335, 370]


def test_the_stories_reach_every_state_every_effect_and_every_end() -> None:
    then = [told["then"] for case in VECTORS["cases"] for told in case["story"]]
    assert {said["own"] for said in then} == {"unfunded", "held", "released", "killing", "dead"}
    assert {said["secret"] for said in then} == {"hidden", "revealed", "unknown", "learned"}
    assert {said["end"] for said in then} == {None, *(end.value for end in End)}
    owed = {name for said in then for name in said["owed"]}
    stems = ("lock", "kill", "claim", "refund")
    assert owed == {f"{verb}_{stem}" for verb in ("build", "broadcast") for stem in stems} | {
        "resend_their_lock"
    }
