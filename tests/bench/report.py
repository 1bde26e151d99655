"""Owns how a figure is said: one row of the table and one JSON line each."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One figure. `peer` is what it is held against in the same run, `goal` what was aimed for."""

    what: str
    value: str
    peer: str = ""
    goal: str = ""
    note: str = ""


def milliseconds(seconds: float) -> str:
    """As a person reads it."""
    return f"{seconds * 1000:.2f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def spread(seconds: Sequence[float]) -> str:
    """p50 and p99 of several."""
    return f"p50 {milliseconds(p50(seconds))}, p99 {milliseconds(p99(seconds))}, n={len(seconds)}"


def p50(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def p99(values: Sequence[float]) -> float:
    """The value that 99 in 100 do not exceed (the largest of fewer than 100)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def show(rows: Sequence[Row]) -> None:
    """The table, then the JSON lines."""
    table = Table("what", "swapd", "beside, same run", "goal", "note")
    for row in rows:
        table.add_row(row.what, row.value, row.peer, row.goal, row.note)
    Console(width=160).print(table)
    for row in rows:
        print(json.dumps(asdict(row)))
