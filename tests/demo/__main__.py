"""Runs the demo: exit 0 and `demo ok: swap <id> completed`, or exit 1 with the logs' ends."""

import sys

import trio

from tests.demo.failure import explain
from tests.demo.plans import plan_of
from tests.demo.story import run

INTERRUPTED = 130
USAGE = 2


def main() -> int:
    """The exit code."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # it is a text file
    try:
        plan = plan_of(sys.argv[1:])
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    try:
        swap_id = trio.run(run, plan)
    except Exception as error:  # noqa: BLE001 - the last place: everything is told here
        return explain(error)
    if swap_id is None:
        sys.stderr.write("demo interrupted: everything it started was ended\n")
        return INTERRUPTED
    print(f"demo ok: swap {swap_id} completed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
