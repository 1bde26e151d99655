"""Each mutant of the contract still fits the sources."""

import pytest

from tests.evm_contract.compiler import contract_sources
from tests.evm_contract.mutants.__main__ import CATALOGUE
from tests.evm_contract.mutants.mutant import Mutant, mutated


def test_there_are_enough_and_no_two_are_called_alike() -> None:
    assert len(CATALOGUE) >= 100
    assert len({mutant.name for mutant in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("mutant", CATALOGUE, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_as_often_as_it_says_and_changes_something(mutant: Mutant) -> None:
    text = contract_sources()[mutant.path]
    assert mutated(mutant, text) != text
