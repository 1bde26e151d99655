"""Whole daemons in some fresh worlds at every run, and in those that once found something.

A failing seed prints its story and the command that replays it.
"""

import os
import secrets

import pytest

from tests.simulation.engine import world
from tests.simulation.engine.regressions import REGRESSIONS

WORLDS = 20
"""In each run of the tests."""
SHARE = 10


def _check(seed: int) -> int:
    result = world.run(seed)
    if result.violations:
        story = "\n".join(world.run(seed, tell=True).story)
        again = f"python -m tests.simulation.engine SEEDS=1 FROM={seed} TELL=1"
        pytest.fail(f"seed {seed}: {result.violations}\n{story}\nagain: {again}")
    return result.swaps


@pytest.mark.parametrize("share", range(WORLDS // SHARE))
def test_no_fresh_world_breaks_a_promise(share: int) -> None:
    told = os.environ.get("SIM_FIRST")
    first = (int(told) if told else secrets.randbelow(10**9)) + share * SHARE
    swaps = sum(_check(seed) for seed in range(first, first + SHARE))
    assert swaps >= SHARE


@pytest.mark.parametrize("seed", sorted(REGRESSIONS))
def test_no_world_that_once_found_something_finds_it_again(seed: int) -> None:
    _check(seed)
