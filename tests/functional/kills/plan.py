"""Owns which kills are tried in which run of which story, and what came of them.

A story that is told once without a kill counts the points; each of them is a cell of the matrix. A
run carries several kills of each party, far apart; one that fails is tried again kill by kill.
Must not know: daemons.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tests.daemons.mortal import Kill
from tests.functional.kills.points import FIRST_ROW, PARTIES

KILLS_PER_RUN: Final = 3
"""Of each party, in one run."""


class Cell(NamedTuple):
    """One kill of one party in one story."""

    story: str
    party: str
    kill: Kill


class Run(NamedTuple):
    """A story told once with `cells`; none of them: to count the points."""

    story: str
    cells: tuple[Cell, ...] = ()

    def kills(self) -> dict[str, tuple[Kill, ...]]:
        """By party, in order. What a kill undid comes again: later ones are counted up."""
        found: dict[str, tuple[Kill, ...]] = {}
        undone: dict[str, Counter[str]] = {}
        for party, (point, nth) in ((cell.party, cell.kill) for cell in self.cells):
            again = undone.setdefault(party, Counter())
            found[party] = (*found.get(party, ()), Kill(point, nth + again[point]))
            again.update(comes_again(point))
        return found


def comes_again(point: str) -> tuple[str, ...]:
    """The points, up to `point`, that a daemon which died at it passes once more: what it had not
    begun, and what it had made but not written down."""
    name = name_of(point)
    if point.startswith("journal:before:") and name.endswith("Built"):
        return (*comes_again(f"effect:after:Build{name.removesuffix('Built')}"), point)
    if point.startswith("effect:after:Build"):
        return f"effect:before:{name}", point
    return (point,) if ":before:" in point else ()


def kills_of(passed: Sequence[str]) -> Iterator[Kill]:
    """Every journal append, and every effect that was not performed before since the last append:
    once more on the same state is the same point."""
    times, performed = Counter[str](), Counter[str]()
    for point in passed:
        times[point] += 1
        if point.startswith("journal:"):
            performed.clear()
        else:
            performed[point] += 1
        if performed[point] <= 1:
            yield Kill(point, times[point])


def name_of(point: str) -> str:
    """The event or effect of a point."""
    return point.rpartition(":")[2]


def runs(
    story: str,
    passed: Mapping[str, Sequence[str]],
    reaches: Mapping[str, Sequence[str]],
    *,
    most: int | None = None,
) -> list[Run]:
    """The runs that try every time (at `most` so many) that a party passed a point of what the
    story `reaches`. What may keep the other side from getting anywhere is tried alone."""
    found, alone = list[list[Cell]](), list[Run]()
    for party in PARTIES:
        rest = []
        for kill in kills_of(passed.get(party, ())):
            cell = Cell(story, party, kill)
            if name_of(kill.point) not in reaches.get(party, ()):
                continue
            if most is not None and kill.nth > most:
                continue
            if name_of(kill.point) in {FIRST_ROW, "CancelRequested"}:
                alone.append(Run(story, (cell,)))
            else:
                rest.append(cell)
        _spread(rest, found)
    return [*alone, *(Run(story, tuple(cells)) for cells in found)]


def _spread(cells: Sequence[Cell], over: list[list[Cell]]) -> None:
    """Deals the cells of one party out, neighbours to different runs."""
    least = -(-len(cells) // KILLS_PER_RUN)
    over += [[] for _ in range(least - len(over))]
    for number, cell in enumerate(cells):
        over[number % len(over)].append(cell)
