"""`./dev faults`: every reorg point and fault on real nodes, how the swap ended, and a last line.

python -m tests.faults [--only PATTERN] [--without TABLE]
"""

import argparse
import re
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

import trio

from tests.daemons.fleet import Fleet
from tests.faults import (
    apart,
    bumps,
    calls,
    deep,
    evictions,
    judge,
    nodes,
    partitions,
    reorgs,
    wired,
)
from tests.faults.proxied import proxied
from tests.faults.stage import stage
from tests.functional.conftest import mend

Alone = evictions.Crowding | apart.Pulled | apart.Unreached
Called = calls.Call | calls.Methods
Shared = (
    reorgs.Reorg
    | deep.Deep
    | partitions.Partition
    | bumps.Bump
    | nodes.NodeOut
    | nodes.NetworkKilled
    | wired.Bad
)

SHARED: Final[Mapping[str, Sequence[Shared]]] = {
    "reorg": (*reorgs.ALL, *deep.ALL),
    "partition": partitions.ALL,
    "bump": bumps.ALL,
    "node": nodes.OUTAGES,
    "network": (*nodes.NETWORKS, *wired.ALL),
}
CALLED: Final[Mapping[str, Sequence[Called]]] = {"call": calls.ALL}
ALONE: Final[Mapping[str, Sequence[Alone]]] = {"eviction": evictions.ALL, "namespaces": apart.ALL}
"""The first two on one fleet, the second through proxies; the last ones on nodes of their own."""


class Table:
    """Prints a row for each case, and counts."""

    def __init__(self) -> None:
        self.rows = self.fine = 0

    async def row(self, name: str, run: Callable[[], Awaitable[str]]) -> bool:
        """One case; a failure is told and counted, and the table goes on."""
        began = time.perf_counter()
        self.rows += 1
        failed = False
        try:
            result = await run()
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the row's result
            failed = True
            result = "FAILED\n" + "".join(traceback.format_exception(error))
        self.fine += not failed
        print(f"{name}: {result} [{time.perf_counter() - began:.0f} s]", flush=True)
        return not failed


Case = TypeVar("Case")


def _wanted(
    tables: Mapping[str, Sequence[Case]], only: str, without: str
) -> list[tuple[str, Case]]:
    """The cases of some tables that are asked for, with the names of their rows."""
    named = [(f"{t}: {c}", c) for t, cases in tables.items() for c in cases if t != without]
    return [(name, case) for name, case in named if re.search(only, name)]


async def _main(only: str, without: str) -> int:
    table = Table()
    await _on_fleets(table, _wanted(SHARED, only, without), _direct)
    await _on_fleets(table, _wanted(CALLED, only, without), _through_proxies)
    for name, alone in _wanted(ALONE, only, without):
        await table.row(name, alone.run)
    if without:
        print(f"left out: {without}")
    print(f"faults: {table.fine} of {table.rows} fine")
    return 0 if table.fine == table.rows else 1


Work = Callable[[Table, Fleet, list[tuple[str, Case]]], Awaitable[None]]


async def _on_fleets(table: Table, cases: list[tuple[str, Case]], work: Work[Case]) -> None:
    """All cases on one fleet; a new one after each that failed, whatever it left behind."""
    while cases:
        async with stage() as fleet:
            await work(table, fleet, cases)


async def _direct(table: Table, fleet: Fleet, cases: list[tuple[str, Shared]]) -> None:
    async def run(case: Shared) -> str:
        await mend(fleet)
        return await case.run(fleet)

    while cases:
        name, case = cases.pop(0)
        if not await table.row(name, partial(run, case)):
            return


async def _through_proxies(table: Table, fleet: Fleet, cases: list[tuple[str, Called]]) -> None:
    async with proxied(fleet, *judge.BOTH) as proxies:

        async def run(case: Called) -> str:
            await mend(fleet)
            return await case.within(fleet, proxies)

        while cases:
            name, case = cases.pop(0)
            if not await table.row(name, partial(run, case)):
                return


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="only rows that match this (regular expression)")
    parser.add_argument(
        "--without", default="", choices=["", *SHARED, *CALLED, *ALONE], help="not these"
    )
    arguments = parser.parse_args()
    sys.exit(trio.run(_main, arguments.only, arguments.without))
