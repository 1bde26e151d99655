"""Each mutant still fits the code, and a few of them are caught here and now."""

import pytest

from tests.simulation.explore.scenarios import SCENARIOS
from tests.simulation.mutants.catalogue import CATALOGUE
from tests.simulation.mutants.mutant import Mutant
from tests.simulation.mutants.runner import BUDGETS, ROOT, hunt, mutated

QUICK = (
    "no lock gate",
    "unconfirmed lock forgotten",
    "claims gated",
    "mempool preimage ignored",
    "wall clock alone",
)


def test_there_are_enough_and_no_two_are_called_alike() -> None:
    assert len(CATALOGUE) >= 40
    assert len({mutant.name for mutant in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("mutant", CATALOGUE, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_exactly_once_and_is_still_python(mutant: Mutant) -> None:
    broken = mutated(mutant, (ROOT / mutant.path).read_text())
    compile(broken, mutant.path, "exec")
    assert set(mutant.tiers) <= {*BUDGETS, "tests"}
    assert any(mutant.only in scenario.name for scenario in SCENARIOS)
    assert bool(mutant.tests) == ("tests" in mutant.tiers)
    assert all((ROOT / path).exists() for path in mutant.tests)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", QUICK)
def test_a_broken_rule_is_noticed_by_the_world(name: str) -> None:
    mutant = next(mutant for mutant in CATALOGUE if mutant.name == name)
    assert hunt(mutant).by == mutant.tiers[0]
