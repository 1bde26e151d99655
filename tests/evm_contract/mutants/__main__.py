"""`./dev contract mutants [NAME]`: breaks the contract in one place at a time; forge must notice.

Owns: this command's words. Must not know: how a mutant is compiled or judged.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

from rich.console import Console
from rich.table import Column, Table

from tests.evm_contract import forge
from tests.evm_contract.mutants import ends, locks, runner

CATALOGUE = (*locks.MUTANTS, *ends.MUTANTS)


def main(words: list[str]) -> int:
    """The exit code: 1 when a mutant survived that should not have, or the other way round."""
    wanted = [m for m in CATALOGUE if not words or any(word in m.name for word in words)]
    if not wanted:
        raise SystemExit(f"no mutant is called like {' or '.join(words)}")
    console = Console()
    verdicts: list[runner.Verdict] = []
    with (
        forge.project(fuzz=runner.FUZZ, runs=runner.RUNS, depth=runner.DEPTH) as project,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        what = runner.look(project, runner.codes())
        if what:
            raise SystemExit(f"the contract as it is does not pass, so no mutant counts: {what}")
        for done in as_completed([pool.submit(runner.hunt, project, m) for m in wanted]):
            verdict = done.result()
            verdicts.append(verdict)
            # A run that is cut short has still said what it saw.
            console.print(f"{verdict.by or 'NOBODY'}: {verdict.mutant.name}", soft_wrap=True)
    verdicts.sort(key=lambda verdict: CATALOGUE.index(verdict.mutant))
    table = Table(
        "mutant", "in", Column("caught by", overflow="fold"), title="mutants of the contract"
    )
    for mutant, by in verdicts:
        table.add_row(
            mutant.name, mutant.path, by or (f"nobody: {mutant.same}" if mutant.same else "NOBODY")
        )
    console.print(table)
    caught = sum(bool(verdict.by) for verdict in verdicts)
    same = sum(bool(mutant.same) for mutant, _ in verdicts)
    print(f"mutants: {caught} of {len(verdicts)} caught, {same} are the contract in other words")
    wrong = [mutant for mutant, by in verdicts if bool(by) == bool(mutant.same)]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
