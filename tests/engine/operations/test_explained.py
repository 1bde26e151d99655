"""swap.explain in every recorded situation: who acts, until when, what is at risk, what to do."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from trio.testing import MockClock

from protocol.swap.advice import Around
from protocol.swap.restoring import restored
from protocol.swap.timelocks import Schedule
from protocol.terms import LegName
from protocol.tower.messages import Stage as Reached
from protocol.tower.package import Act
from swapd.api import calls
from swapd.engine.operations.explaining import explanation
from swapd.engine.operations.swap_views import in_words
from swapd.engine.tower_talk import TowerAddress
from swapd.engine.towers import PackageStatus, TowerStatus
from tests.engine.operations.situations import ALL, Facts, Situation, party_of
from tests.engine.operations.stage import ASSETS, desk
from tests.engine.swaps.stage import GET, PAY, Stage, times_of


def moment(times: Schedule, name: str) -> int:
    """The unix time of a fact's `away`."""
    if name in {"", "ever"}:
        return 0 if name == "" else 2**31 - 1
    return int(getattr(times, name))


def advice(found: calls.SwapExplainResult, code: str) -> calls.AdviceView:
    """The advice of that code. Raises AssertionError when it is not given."""
    given = {a.code: a for a in found.advice}
    assert code in given, given
    return given[code]


def check(found: calls.SwapExplainResult, facts: Facts, times: Schedule) -> None:
    told = advice(found, facts.code)
    assert told.severity == facts.severity
    assert facts.remedy in told.remedy
    assert found.next_actor == facts.who
    assert found.at_risk == facts.risk
    assert found.safe_unattended_until == moment(times, facts.away)
    stake = PAY if facts.whose == "taker" else GET
    shown = int(found.at_stake.units) if found.at_stake else 0
    assert shown == (stake if facts.risk == "coins" else 0)
    words = msgspec.json.encode(found).decode()
    assert "hour" not in words, "regtest knows no hours"


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name.replace(" ", "_"))
async def test_in_every_recorded_situation_the_advice_is_right(
    mock_clock: MockClock, case: Situation
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await case.scene(stage)
        party = party_of(stage, case.facts)
        params = calls.SwapExplainParams(swap_id=swap.swap_id.hex())
        found = await desk(party).operations.swap_explain(params)
    check(found, case.facts, times_of(swap))


@pytest.mark.parametrize(
    ("around", "code", "severity", "remedy"),
    [
        (Around(0, towers=("tower 1 lacks the claim",)), "tower_stale", "warning", "stay on"),
        (Around(0, stand_in=("tower 1",)), "tower_stands_in", "info", "needs us"),
        (Around(0, watch_only="a newer daemon"), "watch_only", "warning", "end the other daemon"),
        (Around(0, locked=True), "locked", "critical", "swap-cli unlock"),
        (Around(0, trouble="the BTC node refused BroadcastLock"), "refused", "warning", "reason"),
    ],
    ids=["tower_stale", "stand_in", "watch_only", "locked", "refused"],
)
async def test_what_is_known_around_a_swap_is_told_with_it(
    mock_clock: MockClock, around: Around, code: str, severity: str, remedy: str
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await stage.agree()
        state = stage.taker.state(swap.swap_id)
    told = advice(explanation(ASSETS, state, around), code)
    assert told.severity == severity
    assert remedy in told.remedy


async def test_a_restored_swap_says_that_it_only_ends_what_was_begun(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await stage.agree()
        await stage.block()
        state = restored(stage.taker.state(swap.swap_id))
    told = advice(explanation(ASSETS, state, Around(0)), "restored")
    assert told.severity == "info"
    assert "never start the old machine" in told.remedy


async def test_a_swap_that_goes_well_has_no_warnings_at_any_block(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await stage.agree()
        params = calls.SwapExplainParams(swap_id=swap.swap_id.hex())
        for _ in range(15):
            for party in stage.parties():
                found = await desk(party).operations.swap_explain(params)
                assert {a.severity for a in found.advice} <= {"info"}, found.advice
            await stage.block()
        found = await desk(stage.taker).operations.swap_explain(params)
    assert found.phase == "completed"
    assert (found.acts, found.costs, found.at_risk) == ((), (), calls.AtRisk.NOTHING)


async def test_who_can_act_until_when_follows_the_schedule_of_the_terms(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await stage.agree()
        for _ in range(4):
            await stage.block()
        params = calls.SwapExplainParams(swap_id=swap.swap_id.hex())
        taken = await desk(stage.taker).operations.swap_explain(params)
        made = await desk(stage.maker).operations.swap_explain(params)
    times = times_of(swap)
    assert [(a.who, a.since, a.until) for a in taken.acts] == [
        ("us", 0, times.reveal_gate),
        ("us", times.expiry_i + 60, 0),
    ]
    assert [(a.who, a.since, a.until) for a in made.acts] == [
        ("counterparty", 0, 0),
        ("us", 0, times.claim_deadline),
        ("us", times.expiry_p + 60, times.kill_deadline),
    ]
    # 139 vB of claim and 131 vB of refund at the fake node's estimate of 5 per vbyte
    assert {(c.what, c.amount.units) for c in taken.costs} == {("claim", "695"), ("refund", "655")}


def test_waits_are_told_in_units_that_fit() -> None:
    assert [in_words(s) for s in (60, 900, 3600, 10_800)] == [
        "60 seconds",
        "15 minutes",
        "60 minutes",
        "3 hours",
    ]


async def test_deadlines_on_regtest_are_told_in_seconds(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await stage.agree()
        params = calls.SwapGetParams(swap_id=swap.swap_id.hex())
        shown = (await desk(stage.taker).operations.swap_get(params)).swap
    meanings = {d.name: d.meaning for d in shown.deadlines}
    assert meanings["expiry_i"].endswith("possible about 60 seconds after this")


def test_the_operators_table_has_every_situation_with_its_facts() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "runbook.md").read_text(encoding="utf-8")
    for case in ALL:
        facts = case.facts
        row = f"| {case.name} ({facts.whose}) | `{facts.code}` | {facts.who} | {facts.risk} |"
        assert row in text, case.name


def tower(name: str, swap_id: bytes, *, held: bool, trouble: str = "") -> TowerStatus:
    """A tower with one package of a swap."""
    package = PackageStatus(swap_id, LegName.I, Act.CLAIM, held, Reached.WAITING, "")
    return TowerStatus(TowerAddress(name, ()), frozenset({Act.CLAIM}), 0, trouble, (), (package,))


async def test_towers_stand_in_only_where_they_proved_to_hold_this_swaps_packages(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        swap = await stage.agree()
        operations = desk(stage.taker).operations
        mine, other = swap.swap_id, bytes(32)
        told = (
            tower("good", mine, held=True),
            tower("lacking", mine, held=False),
            tower("down", mine, held=True, trouble="it does not answer"),
            tower("elsewhere", other, held=False),
        )
        operations._c = replace(operations._c, towers=lambda: told)
        params = calls.SwapExplainParams(swap_id=mine.hex())
        found = await operations.swap_explain(params)
    assert advice(found, "tower_stands_in").what.endswith("for us: 1")
    stale = advice(found, "tower_stale").what
    assert "lacking" in stale
    assert "it does not answer" in stale
    assert "elsewhere" not in stale
