"""Runs seeds of a tier on all cores and adds up what came out.

Owns: `Summary`, `campaign`, `replay`. Must not know: worlds, how results are shown.
"""

import importlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Protocol

from tests.simulation.result import Result

TIERS = {
    "pure": "tests.simulation.pure.world",
    "mixed": "tests.simulation.pure.mixed",
    "engine": "tests.simulation.engine",
    "towers": "tests.simulation.engine.watched",
}
"""`mixed` is the pure tier with chains that have accounts; `towers` the engine's with watchtowers,
and clients that are away for long."""

_PORTIONS = 64
"""Into how many portions a campaign is cut: enough for the progress bar to move."""


class Run(Protocol):
    """What a tier offers."""

    def __call__(self, seed: int, *, tell: bool = False) -> Result: ...


def runner(tier: str) -> Run:
    """The `run` of a tier. Raises KeyError for an unknown one."""
    found: Run = importlib.import_module(TIERS[tier]).run
    return found


@dataclass
class Summary:
    """A campaign so far. `failed` are the results with violations, stories left out."""

    tier: str
    seeds: int = 0
    swaps: int = 0
    seconds: float = 0.0
    failed: list[Result] = field(default_factory=list)
    tallies: Counter[str] = field(default_factory=Counter)

    @property
    def violations(self) -> int:
        """All of them."""
        return sum(len(result.violations) for result in self.failed)

    def add(self, other: "Summary") -> None:
        """Takes in another part of the same campaign. `seconds` are of processor time."""
        self.seeds += other.seeds
        self.swaps += other.swaps
        self.seconds += other.seconds
        self.failed += other.failed
        self.tallies.update(other.tallies)


def portion(tier: str, seeds: Sequence[int]) -> Summary:
    """Runs these seeds here, one after another."""
    run, summary = runner(tier), Summary(tier)
    begun = os.times()
    for seed in seeds:
        result = _ended(run, seed)
        summary.seeds += 1
        summary.swaps += result.swaps
        summary.tallies.update(result.tallies)
        if result.violations:
            summary.failed.append(result)
    ended = os.times()
    summary.seconds = ended.user + ended.system - begun.user - begun.system
    return summary


def _ended(run: Run, seed: int) -> Result:
    """A world that breaks down is a failed seed, not the end of the campaign."""
    try:
        return run(seed)
    except Exception as error:  # noqa: BLE001 - whatever it was, the seed tells it again
        return Result(seed, 0, (f"the world broke down: {error!r}"[:300],), (), {})


def campaign(
    tier: str,
    seeds: Sequence[int],
    *,
    workers: int | None = None,
    each: Callable[[Summary], None] = lambda _: None,
) -> Summary:
    """All `seeds` on `workers` processes (default: one per core); `each` hears of each portion."""
    total = Summary(tier)
    size = max(1, min(50, len(seeds) // _PORTIONS + 1))
    parts = [seeds[at : at + size] for at in range(0, len(seeds), size)]
    for part in _run_all(tier, parts, workers or os.cpu_count() or 1):
        total.add(part)
        each(part)
    total.failed.sort(key=lambda result: result.seed)
    return total


def _run_all(tier: str, parts: Iterable[Sequence[int]], workers: int) -> Iterator[Summary]:
    if workers == 1:
        for part in parts:
            yield portion(tier, part)
        return
    with ProcessPoolExecutor(workers) as pool:
        waiting: list[Future[Summary]] = [pool.submit(portion, tier, part) for part in parts]
        for done in as_completed(waiting):
            yield done.result()


def replay(tier: str, seed: int) -> Result:
    """One seed again, with its story."""
    return runner(tier)(seed, tell=True)
