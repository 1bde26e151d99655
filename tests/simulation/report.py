"""How a campaign is told: a bar while it runs, tables and one line when it is done.

Owns: words and looks. Must not know: worlds, processes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.result import Result
from tests.simulation.runs import Summary

_SHOWN = 5
_STORY_LINES = 400


def last_line(summaries: list[Summary]) -> str:
    """What everybody looks for."""
    seeds = sum(s.seeds for s in summaries)
    swaps = sum(s.swaps for s in summaries)
    violations = sum(s.violations for s in summaries)
    return f"sim: {swaps} swaps, {seeds} seeds, {violations} violations"


def command(tier: str, seed: int) -> str:
    """What replays a seed."""
    return f"./dev sim TIER={tier} SEED={seed}"


@contextmanager
def progress(console: Console, tier: str, seeds: int) -> Iterator[Callable[[Summary], None]]:
    """A bar over the seeds of one tier."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("seeds"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(tier, total=seeds)
        yield lambda part: bar.advance(task, part.seeds)


def show_summary(console: Console, summary: Summary) -> None:
    """What happened in one tier, and how fast."""
    table = Table(title=f"{summary.tier} tier", show_header=False)
    for name, count in sorted(summary.tallies.items()):
        table.add_row(name, f"{count:,}")
    per_second = summary.swaps / summary.seconds if summary.seconds else 0
    table.add_row("swaps a second and core", f"{per_second:,.0f}")
    console.print(table)


def show_failure(console: Console, tier: str, result: Result) -> None:
    """One failing seed: what is wrong, its story, the command that replays it."""
    console.rule(f"seed {result.seed} of the {tier} tier")
    for line in result.story[-_STORY_LINES:]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for wrong in result.violations[:20]:
        console.print(f"VIOLATION {wrong}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"again: {command(tier, result.seed)}", markup=False, soft_wrap=True)


def shown(summary: Summary) -> list[Result]:
    """The failures worth a whole story."""
    return summary.failed[:_SHOWN]
