"""`python -m tests.simulation.mutants.hunt TIER FIRST COUNT ONLY`: worlds until one is violated.

Owns: these two loops, run inside a mutated copy of the tree. Must not know: mutants.

FIRST and COUNT are seeds; for the exploration, places in its list of scenarios, of which the one
called ONLY is taken, or those with ONLY in their names. Prints one line: `caught SEED WHAT` or
`survived`. A world that breaks down counts as caught: code that raises where it must not is
noticed.
"""

import gc
import resource
import sys
from collections.abc import Iterator

from tests.simulation.explore.game import Scenario
from tests.simulation.explore.scenarios import SCENARIOS
from tests.simulation.explore.search import explore
from tests.simulation.runs import runner

MOST_CPU_SECONDS = 400
"""Of processor time, many times what the worlds need: a mutant that never ends is noticed, too."""

DISTURBANCES = 1


def main(tier: str, first: int, count: int, only: str) -> str:
    """The line to print."""
    places = range(first, first + count)
    if tier == "explore":
        alike = [SCENARIOS[place] for place in places if only in SCENARIOS[place].name]
        called = [scenario for scenario in alike if scenario.name == only]
        return next(_explored(called or alike), "survived")
    return next(_simulated(tier, places), "survived")


def _simulated(tier: str, seeds: range) -> Iterator[str]:
    run = runner(tier)
    for seed in seeds:
        try:
            result = run(seed)
        except Exception as error:  # noqa: BLE001 - whatever breaks was noticed
            yield f"caught {seed} {type(error).__name__}: {error}"
            return
        if result.violations:
            yield f"caught {seed} {result.violations[0]}"


def _explored(scenarios: list[Scenario]) -> Iterator[str]:
    """Undisturbed first, which takes moments; each search ends with its first violation."""
    gc.disable()  # nothing here is cyclic, and a collection walks millions of tuples
    for depth in range(DISTURBANCES + 1):
        for scenario in scenarios:
            try:
                result = explore(scenario, depth, hasty=True)
            except Exception as error:  # noqa: BLE001 - whatever breaks was noticed
                yield f"caught {scenario.name}: {type(error).__name__}: {error}"
                return
            for violation in result.violations:
                yield f"caught {scenario.name}, {depth} disturbed: {violation.fault}"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_SECONDS, MOST_CPU_SECONDS))
    tier, first, count, only = sys.argv[1:]
    line = main(tier, int(first), int(count), only)
    sys.stdout.write(line.replace("\n", " ") + "\n")
