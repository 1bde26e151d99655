"""`python -m tests.simulation.mutants.hunt TIER FIRST COUNT`: runs worlds until one is violated.

Owns: this one loop, run inside a mutated copy of the tree. Must not know: mutants.

Prints one line: `caught SEED WHAT` or `survived`. A world that breaks down counts as caught: code
that raises where it must not is noticed.
"""

import resource
import sys

from tests.simulation.runs import runner

MOST_CPU_SECONDS = 400
"""Of processor time, many times what the worlds need: a mutant that never ends is noticed, too."""


def main(tier: str, first: int, count: int) -> str:
    """The line to print."""
    run = runner(tier)
    for seed in range(first, first + count):
        try:
            result = run(seed)
        except Exception as error:  # noqa: BLE001 - whatever breaks was noticed
            return f"caught {seed} {type(error).__name__}: {error}"
        if result.violations:
            return f"caught {seed} {result.violations[0]}"
    return "survived"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_SECONDS, MOST_CPU_SECONDS))
    sys.stdout.write(
        main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])).replace("\n", " ") + "\n"
    )
