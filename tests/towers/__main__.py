"""`./dev towers`: clients that are away, with honest towers and rogues, on real nodes; a table.

python -m tests.towers [--only WORD] [PAIR=BTC/ETH]

With a pair the swaps have a leg on a chain of accounts.
"""

import argparse
import sys
import tempfile
import traceback
from pathlib import Path

import trio

from tests.daemons.accounts import AccountFleet
from tests.daemons.fleet import Fleet
from tests.functional.conftest import PARTIES, QUICK, begin_fleet, mend
from tests.matrix.__main__ import mend as mend_accounts
from tests.nodes import World
from tests.towers import accounts
from tests.towers.cases import CASES, Case, play
from tests.towers.stage import Stage

CASE_SECONDS = 300
HEAD = "| client | away from | the other side | towers | end | fee, most allowed | told |"


def row(case: Case, end: str, fee: str, told: str) -> str:
    """One case as a line of the table."""
    other = "goes on" if case.others_do == "claim" else "gone too"
    towers = ", ".join(case.towers)
    cells = (case.client, f"his {case.since}", other, towers, end, fee, told or "-")
    return f"| {' | '.join(cells)} |"


def quiet(line: str) -> bool:
    """Whether a line of a log is more than that somebody has looked."""
    return '"tower.looked"' not in line and '"rogue.impossible"' not in line


async def run(only: str) -> int:
    """Every case on one fleet; how many failed."""
    wanted = [case for case in CASES if only in case.name]
    fleet, failed = Fleet(World(PARTIES), PARTIES, settings=QUICK), 0
    try:
        await begin_fleet(fleet)
        print(HEAD)
        print("|" + "---|" * 7)
        for case in wanted:
            failed += not await _one(fleet, case)
    finally:
        await fleet.kill()
        await fleet.world.stop()
    print(f"towers: {len(wanted)} cases, {failed} failed")
    return failed


async def run_accounts(only: str) -> int:
    """Every case of such a pair on one fleet; how many failed."""
    wanted, failed = accounts.chosen(only), 0
    async with AccountFleet.open(("BTC", "ETH")) as fleet:
        for party in ("maker", "taker"):
            await fleet.world.fund(party, "BTC", 12, 100_000_000)
        await fleet.start()
        print("| pays/gets | client | away from | the other side | towers | end | fee, most |")
        print("|" + "---|" * 7)
        for case in wanted:
            failed += not await _one_on_accounts(fleet, case)
    print(f"towers: {len(wanted)} cases, {failed} failed")
    return failed


async def _one_on_accounts(fleet: AccountFleet, case: accounts.Away) -> bool:
    await mend_accounts(fleet)
    other = "gone too" if case.vanish else "goes on"
    cells = [f"{case.pay}/{case.get}", case.client, f"his {case.since}", other]
    cells.append(", ".join(case.towers))
    with tempfile.TemporaryDirectory() as folder:
        stage = accounts.Towers(fleet, Path(folder))
        try:
            with trio.fail_after(2 * CASE_SECONDS):
                end, fee, most = await accounts.play(stage, case)
        except Exception as error:  # noqa: BLE001 - whatever it was, the other cases go on
            print(f"| {' | '.join(cells)} | FAILED | {type(error).__name__}: {error} |"[:400])
            traceback.print_exc(file=sys.stderr)
            for tower in stage.towers:
                lines = [line for line in tower.log.read_text().splitlines() if quiet(line)]
                sys.stderr.write(f"--- {tower.name}\n" + "\n".join(lines[-40:]) + "\n")
            return False
        finally:
            await stage.close()
    print(f"| {' | '.join(cells)} | {end} | {fee} of {most} |")
    return True


async def _one(fleet: Fleet, case: Case) -> bool:
    await mend(fleet)
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(fleet, Path(folder), watchers="taker2")
        try:
            with trio.fail_after(CASE_SECONDS):
                result = await play(stage, case)
        except Exception as error:  # noqa: BLE001 - whatever it was, the other cases go on
            print(row(case, f"FAILED: {type(error).__name__}", "", str(error)[:300]))
            traceback.print_exc(file=sys.stderr)
            for tower in stage.towers:
                lines = [line for line in tower.log.read_text().splitlines() if quiet(line)]
                sys.stderr.write(f"--- {tower.name}\n" + "\n".join(lines[-40:]) + "\n")
            return False
        finally:
            await stage.close()
    print(row(case, result.end, f"{result.fee} of {result.most}", result.warned))
    return True


def main() -> int:
    """Exit code 0 when all is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # it is a text file
    parser.add_argument("pair", nargs="?", choices=["PAIR=BTC/ETH"], help="with ether in the pair")
    given = parser.parse_args()
    return 1 if trio.run(run_accounts if given.pair else run, given.only) else 0


if __name__ == "__main__":
    sys.exit(main())
