"""`python -m tests.simulation.explore [DEPTH=2] [STATES=n] [ONLY=words] [PROCESSES=1] [FIRST=0]`.

Prints a table: DEPTH disturbances a swap, at most STATES states a scenario, scenarios whose name
has ONLY in it; FIRST=1 stops at the first violation.
The status is 1 when a state violates a rule; the story of each violation is printed below the
table. Must not know: how a search works.
"""

import multiprocessing
import sys
from collections.abc import Iterator

from tests.simulation.explore.runs import Job, run
from tests.simulation.explore.scenarios import SCENARIOS
from tests.simulation.explore.search import Result

DEFAULTS = {"DEPTH": "2", "STATES": str(1 << 62), "ONLY": "", "PROCESSES": "1", "FIRST": "0"}


def runs(jobs: list[Job], processes: int) -> Iterator[tuple[Result, float]]:
    """The results in the order of the jobs."""
    if processes == 1:
        yield from map(run, jobs)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(run, jobs)


def main(arguments: list[str]) -> int:
    """Prints the table; the exit status."""
    settings = DEFAULTS | dict(word.split("=", 1) for word in arguments)
    if unknown := sorted(settings.keys() - DEFAULTS.keys()):
        print(f"no such setting: {', '.join(unknown)}; there are {', '.join(DEFAULTS)}")
        return 2
    depth, limit = int(settings["DEPTH"]), int(settings["STATES"])
    places = [n for n, s in enumerate(SCENARIOS) if settings["ONLY"] in s.name]
    head = f"{'scenario':<38} {'depth':>5} {'states':>10} {'transitions':>11} {'ends':>8}"
    print(f"{head} {'until':>6} {'cpu':>7}  violations")
    results: list[Result] = []
    jobs = [Job(place, depth, limit, settings["FIRST"] == "1") for place in places]
    for result, seconds in runs(jobs, int(settings["PROCESSES"])):
        results.append(result)
        bound = "" if result.complete else "  (stopped at its limit)"
        print(
            f"{result.scenario.name:<38} {result.depth:>5} {result.states:>10,} "
            f"{result.transitions:>11,} {result.ends:>8,} {result.seconds:>4} s "
            f"{seconds:>5.0f} s  {len(result.violations)}{bound}",
            flush=True,
        )
        if result.violations and settings["FIRST"] == "1":
            break
    for result in results:
        for violation in result.violations:
            print(f"\n{result.scenario.name}: {violation.fault}")
            print("\n".join(f"  {line}" for line in violation.story))
    states = sum(result.states for result in results)
    violations = sum(len(result.violations) for result in results)
    print(f"states: {states:,}, violations: {violations}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
