"""One search as a job for a process of its own.

Owns: the job. Must not know: what is explored.
"""

import gc
import time
from typing import NamedTuple

from tests.simulation.explore.scenarios import SCENARIOS
from tests.simulation.explore.search import Result, explore


class Job(NamedTuple):
    """`place` in the list of scenarios, disturbances, the limit of states, and whether the first
    violation is enough."""

    place: int
    depth: int
    limit: int
    hasty: bool


def run(job: Job) -> tuple[Result, float]:
    """One scenario, and the seconds of this process that it took. Deeper and deeper, so that the
    story of a violation has as few disturbances, and then as little time, as can be."""
    gc.disable()  # nothing here is cyclic, and a collection walks millions of tuples
    began = time.process_time()
    result = explore(SCENARIOS[job.place], 0, job.limit, hasty=job.hasty)
    for depth in range(1, job.depth + 1):
        if not result.violations:
            result = explore(SCENARIOS[job.place], depth, job.limit, hasty=job.hasty)
    gc.enable()
    return result, time.process_time() - began
