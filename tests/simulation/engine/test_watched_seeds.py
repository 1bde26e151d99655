"""A few fresh worlds with towers at every run: clients who rely on them are away."""

import secrets

import pytest

from tests.simulation.engine import watched

WORLDS = 4


def test_no_fresh_world_with_towers_breaks_a_promise() -> None:
    first = secrets.randbelow(10**9)
    for seed in range(first, first + WORLDS):
        result = watched.run(seed)
        if result.violations:
            story = "\n".join(watched.run(seed, tell=True).story)
            again = f"./dev sim TIER=towers SEED={seed}"
            pytest.fail(f"seed {seed}: {result.violations}\n{story}\nagain: {again}")
