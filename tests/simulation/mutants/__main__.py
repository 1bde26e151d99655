"""`./dev mutants [NAME]`: breaks each safety rule in a copy and checks that it is noticed.

Owns: this command's words. Must not know: how a mutant is applied.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from tests.simulation.mutants.catalogue import CATALOGUE
from tests.simulation.mutants.runner import Verdict, hunt, unsound


def main(words: list[str]) -> int:
    """The exit code: 1 when a mutant survived."""
    wanted = [m for m in CATALOGUE if not words or any(word in m.name for word in words)]
    if not wanted:
        raise SystemExit(f"no mutant is called like {' or '.join(words)}")
    console = Console()
    what = unsound(wanted)
    if what:
        raise SystemExit(f"the code as it is does not pass, so no mutant means anything: {what}")
    verdicts: list[Verdict] = []
    columns = (TextColumn("mutants"), BarColumn(), MofNCompleteColumn())
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("mutants", total=len(wanted))
        for done in as_completed([pool.submit(hunt, mutant) for mutant in wanted]):
            verdict = done.result()
            verdicts.append(verdict)
            # A run that is cut short has still said what it saw.
            console.print(f"{verdict.by or 'NOBODY'}: {verdict.mutant.name}")
            bar.advance(task)
    verdicts.sort(key=lambda verdict: CATALOGUE.index(verdict.mutant))
    table = Table("mutant", "rule", "caught by", "how", title="mutants")
    for mutant, by, what in verdicts:
        table.add_row(mutant.name, mutant.rule, by or "NOBODY", what[:120])
    console.print(table)
    caught = sum(bool(verdict.by) for verdict in verdicts)
    print(f"mutants: {caught} of {len(verdicts)} caught")
    return 0 if caught == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
