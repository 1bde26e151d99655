"""One swap, explored to a small bound: nothing is violated, and the same is visited each time."""

import pytest

from tests.simulation.explore import judge
from tests.simulation.explore.chain import Table
from tests.simulation.explore.game import Scenario
from tests.simulation.explore.party import Parties
from tests.simulation.explore.scenarios import SCENARIOS, USUAL
from tests.simulation.explore.search import Result, explore

LEAST = {"both honest": 3_000, "taker honest": 50_000, "maker honest": 20_000}
SHORT = 30_000
"""States that fit into the short run."""


def told(result: Result) -> str:
    """The violations, one event a line."""
    return "\n\n".join("\n".join((v.fault, *v.story)) for v in result.violations)


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(each, id=each.name, marks=[pytest.mark.slow] * (LEAST[each.name] > SHORT))
        for each in USUAL
    ],
)
def test_with_one_disturbance_at_any_moment_nothing_is_violated(scenario: Scenario) -> None:
    result = explore(scenario, 1)
    assert result.violations == (), told(result)
    assert result.complete
    assert result.states >= LEAST[scenario.name]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_undisturbed_every_scenario_ends_and_the_same_is_visited_again(scenario: Scenario) -> None:
    first, second = explore(scenario, 0), explore(scenario, 0)
    assert first.violations == (), told(first)
    assert first == second
    assert first.ends > 0


def test_the_terms_have_the_expiries_of_the_safety_rules() -> None:
    parties = Parties(judge.Rules(), Table())
    assert parties.expiry == judge.EXPIRY
    assert parties.units == judge.UNITS


def test_a_violation_is_told_as_the_events_that_lead_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "REVEAL_GATE", 40)
    result = explore(USUAL[0], 0)
    [violation, *_] = result.violations
    assert violation.fault == "the preimage leaves at 44 s, its gate closed at 40 s"
    assert "LockBuilt" in violation.story[0]
    assert "Revealed" in violation.story[-1]
