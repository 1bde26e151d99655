"""Applies a mutant to a copy of the tree and lets worlds look for it.

Owns: the copy, the patch, the budget of each tier, `Verdict`. Must not know: which mutants there
are (`catalogue`), how verdicts are shown.

A mutant is looked for tier by tier, as it asks: worlds of the pure tier, all interleavings of one
swap, worlds of whole daemons, and, for what no world can bring about because another rule stands
behind it, the tests of the code itself. The worlds are the same at each run: a mutant that is
caught once is caught always.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.simulation.explore.scenarios import SCENARIOS
from tests.simulation.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[3]
_COPIED = ("protocol", "swapd", "tests", ".stubs")
_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", ".mypy_cache", ".ruff_cache")

FIRST_SEED = 5_000
BUDGETS = {
    "pure": (FIRST_SEED, 16),
    "mixed": (FIRST_SEED, 12),
    "explore": (0, len(SCENARIOS)),
    "engine": (FIRST_SEED, 30),
    "towers": (FIRST_SEED, 20),
}
"""By tier of worlds, the first one and how many."""


class Verdict(NamedTuple):
    """What became of a mutant: `by` is the tier that caught it, empty when it survived."""

    mutant: Mutant
    by: str
    what: str


def mutated(mutant: Mutant, text: str) -> str:
    """The text with the rule broken. Raises ValueError unless the patch fits exactly once."""
    if text.count(mutant.old) != 1:
        msg = f"mutant {mutant.name!r} fits {mutant.path} {text.count(mutant.old)} times, not once"
        raise ValueError(msg)
    return text.replace(mutant.old, mutant.new)


def unsound(mutants: Sequence[Mutant]) -> str:
    """What the worlds and tests find in the code as it is: empty, or no verdict means anything."""
    # Seeds and tests are the same for all; what is explored is each mutant's own.
    wanted = dict.fromkeys(
        (tier, m.only if tier == "explore" else "") for m in mutants for tier in m.tiers
    )
    paths = tuple(dict.fromkeys(path for mutant in mutants for path in mutant.tests))

    def look(tier: str, only: str) -> str:
        what = _tests(ROOT, paths) if tier == "tests" else _worlds(ROOT, tier, only)
        return what and f"{tier}: {what}"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return next(filter(None, pool.map(look, *zip(*wanted, strict=True))), "")


def hunt(mutant: Mutant) -> Verdict:
    """Breaks the rule in a copy and looks for a violation within the budget."""
    with tempfile.TemporaryDirectory(prefix="swapd-mutant-") as name:
        tree = Path(name)
        for part in _COPIED:
            shutil.copytree(ROOT / part, tree / part, ignore=_IGNORED)
        shutil.copy(ROOT / "pyproject.toml", tree)
        target = tree / mutant.path
        target.write_text(mutated(mutant, target.read_text()))
        for tier in mutant.tiers:
            what = _look(tree, mutant, tier)
            if what:
                return Verdict(mutant, tier, what)
    return Verdict(mutant, "", "survived")


def _look(tree: Path, mutant: Mutant, tier: str) -> str:
    if tier == "tests":
        return _tests(tree, mutant.tests)
    return _worlds(tree, tier, mutant.only)


def _run(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def _worlds(tree: Path, tier: str, only: str) -> str:
    first, count = BUDGETS[tier]
    done = _run(tree, "tests.simulation.mutants.hunt", tier, str(first), str(count), only)
    if done.returncode < 0:
        return "does not come to an end"
    if done.returncode:
        # Not even imported: a rule that is checked at import time.
        return f"does not run: {done.stderr.strip().splitlines()[-1]}"
    return done.stdout.strip().removeprefix("caught ") if done.stdout.startswith("caught") else ""


def _tests(tree: Path, paths: Sequence[str]) -> str:
    done = _run(tree, "pytest", *paths, "-x", "-q", "-p", "no:cacheprovider", "--tb=no")
    if done.returncode == 1:
        failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
        return failed[0].removeprefix("FAILED ") if failed else "a test fails"
    if done.returncode > 1:
        msg = f"{' '.join(paths)} do not run: {done.stdout[-500:]}{done.stderr[-500:]}"
        raise RuntimeError(msg)
    return ""
