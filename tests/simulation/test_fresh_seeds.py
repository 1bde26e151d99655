"""A share of fresh worlds at every run, every seed that ever failed, and the same seed twice."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import report, runs
from tests.simulation.pure.world import World

ROOT = Path(__file__).resolve().parents[2]
FRESH_SEEDS = 15
"""Of the pure tier, by count and not by time; `./dev sim TIER=pure` plays as many as one likes."""

FRESH_MIXED = 2
"""Of the worlds with accounts, in which the rest is the pure tier's."""

ALWAYS_SEEDS = range(40, 43)
_DIGEST = """
import hashlib
from tests.simulation.runs import runner
for seed in range(900, 903):
    told = runner("pure")(seed, tell=True)
    print(seed, hashlib.sha256(repr((told.story, told.violations)).encode()).hexdigest())
"""


def kept() -> list[tuple[str, int]]:
    lines = Path(__file__).with_name("regressions.txt").read_text().splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    return [(tier, int(seed)) for tier, seed, *_ in words]


@pytest.mark.timeout(900)
def test_no_fresh_world_is_violated() -> None:
    first = secrets.randbelow(10**12)
    summary = runs.campaign("pure", range(first, first + FRESH_SEEDS), workers=2)
    told = [
        line
        for failed in summary.failed[:2]
        for line in (
            *runs.replay("pure", failed.seed).story,
            *failed.violations,
            report.command("pure", failed.seed),
        )
    ]
    assert not summary.failed, "\n".join(told)
    assert summary.swaps > 20 * FRESH_SEEDS
    # A world in which nothing happens proves nothing.
    for what in ("completed", "refunded", "never_funded", "crash", "reorg", "rogue initiator"):
        assert summary.tallies[what] > 0, what


@pytest.mark.timeout(300)
def test_no_fresh_world_with_accounts_is_violated() -> None:
    first = secrets.randbelow(10**12)
    summary = runs.campaign("mixed", range(first, first + FRESH_MIXED), workers=2)
    told = [(failed.violations, report.command("mixed", failed.seed)) for failed in summary.failed]
    assert not told
    assert summary.tallies["completed"] > 0
    assert summary.tallies["refunded"] + summary.tallies["never_funded"] > 0


@pytest.mark.parametrize(("tier", "seed"), kept())
def test_a_seed_that_failed_once_does_not_fail_again(tier: str, seed: int) -> None:
    result = runs.runner(tier)(seed)
    assert result.violations == (), report.command(tier, seed)


def test_one_seed_tells_one_story_whatever_the_hash_seed() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", _DIGEST],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": str(salt), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in (1, 2)
    ]
    assert told[0] == told[1]
    assert len(told[0].splitlines()) == 3


@pytest.mark.parametrize("seed", ALWAYS_SEEDS)
def test_looking_only_when_something_changed_ends_as_looking_always(seed: int) -> None:
    """Ends and what was sent by purpose; fees may differ where a curve rose between two looks."""

    def ends(*, always: bool) -> dict[tuple[str, str], object]:
        world = World(seed, always=always)
        world.run()
        assert list(world.violations()) == []
        return {
            (swap.name, side.diary.role): (
                [end for _, end in side.diary.ends],
                sorted({purpose for _, purpose, _, _ in side.diary.sent}),
            )
            for swap in world.swaps
            for side in swap.sides
        }

    assert ends(always=False) == ends(always=True)
