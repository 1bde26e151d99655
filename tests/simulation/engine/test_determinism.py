"""One seed is one world: on this machine, on any, whatever Python's hash seed."""

import subprocess
import sys
from pathlib import Path

from tests.simulation.engine import world

ROOT = Path(__file__).resolve().parents[3]
STORY = (
    "import hashlib; from tests.simulation.engine import world\n"
    "told = [line for seed in (3, 8) for line in world.run(seed, tell=True).story]\n"
    "print(len(told), hashlib.sha256('\\n'.join(told).encode()).hexdigest())"
)


def _told_with(hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", STORY],
        cwd=ROOT,
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_seed_tells_the_same_story_in_two_processes_with_different_hash_seeds() -> None:
    first, second = _told_with("1"), _told_with("2")
    assert first == second
    assert int(first.split()[0]) > 100


def test_a_seed_tells_the_same_story_twice_in_one_process() -> None:
    first, second = world.run(5, tell=True), world.run(5, tell=True)
    assert first == second
    assert first.story


def test_different_seeds_tell_different_stories() -> None:
    assert world.run(5, tell=True).story != world.run(6, tell=True).story
