"""Owns the matrix: what came of every kill, as text.

Must not know: how it came about.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from tests.daemons.mortal import Kill
from tests.functional.kills.account_stories import BY_NAME
from tests.functional.kills.arena import NOT_PASSED
from tests.functional.kills.plan import Cell, name_of
from tests.functional.kills.points import PARTIES, POINTS, UNREACHABLE

FAILED = "FAILED"
_WIDTH = 38


class Matrix:
    """Results by cell, and what must be among them."""

    def __init__(self, unreachable: Mapping[tuple[str, str], str] = {}) -> None:
        """`unreachable`: besides what no story at all gets to."""
        self._unreachable = {**UNREACHABLE, **unreachable}
        self.results: dict[Cell, str] = {}
        self.reasons: dict[str, str] = {}
        self._told: set[str] = set()

    def count(self, story: str, passed: Mapping[str, Iterable[str]]) -> None:
        """A story was told without a kill and passed these points. One that the story is there for
        and that was not passed is a failed cell, and so is one that is on no list."""
        self._told.add(story)
        reaches = BY_NAME[story].reaches
        for party in PARTIES:
            seen = set(passed.get(party, ()))
            names = {name_of(point) for point in seen}
            for name in reaches.get(party, ()):
                if name not in names:
                    self.fail(f"{story}: {party}: {name}", "the story no longer gets there")
            for point in sorted(seen - set(POINTS)):
                self.fail(f"{story}: {party}: {point}", "a point that is on no list")

    def fail(self, what: str, reason: str) -> None:
        """Something that must be seen to, and why."""
        self.reasons[what] = reason

    def note(self, results: Mapping[Cell, str]) -> None:
        """What came of some kills."""
        self.results.update(results)

    def missing(self) -> Iterator[tuple[str, str]]:
        """(party, point) on the list, reachable, and tried in no story."""
        tried = {
            (cell.party, cell.kill.point)
            for cell, result in self.results.items()
            if result != NOT_PASSED
        }
        for party in PARTIES:
            for point in POINTS:
                known = (party, name_of(point)) in self._unreachable
                if (party, point) not in tried and not known:
                    yield party, point

    def rows(self) -> Iterator[str]:
        """The table."""
        by_story = dict[str, dict[Kill, dict[str, str]]]()
        for cell, result in self.results.items():
            by_story.setdefault(cell.story, {}).setdefault(cell.kill, {})[cell.party] = result
        for story in BY_NAME:
            if story not in by_story:
                continue
            yield ""
            yield f"{story:<{_WIDTH}}" + "".join(f"{party:<14}" for party in PARTIES).rstrip()
            for kill, found in sorted(by_story[story].items(), key=_order):
                cells = "".join(f"{found.get(party, '-'):<14}" for party in PARTIES)
                yield f"  {kill!s:<{_WIDTH - 2}}{cells}".rstrip()

    def summary(self, *, whole: bool) -> Iterator[str]:
        """Counts, what can't be reached, what failed; the last line is the verdict."""
        ends = Counter(self.results.values())
        yield ""
        yield "ends: " + ", ".join(f"{ends[end]} {end}" for end in sorted(ends))
        for (party, name), reason in self._unreachable.items():
            yield f"out of reach: {name} of the {party}: {reason}"
        missing = list(self.missing()) if whole else []
        for party, point in missing:
            yield f"FORGOTTEN: {point} of the {party} was tried in no story"
        for what, reason in self.reasons.items():
            yield f"{FAILED} {what}: {reason}"
        again = ends[NOT_PASSED]
        tried = len(self.results) - again + len(missing)
        points = len({(cell.party, cell.kill.point) for cell in self.results})
        yield f"{points} points of {2 * len(POINTS)} (both parties) in {len(self._told)} stories"
        if again:
            yield f"{again} repetitions did not come again in the run that was to die there"
        failed = ends[FAILED] + len(missing)
        others = len(self.reasons) - ends[FAILED]
        verdict = f"kill points: {tried - failed} of {tried} fine"
        yield verdict + (f", {others} other failures" if others > 0 else "")

    def is_fine(self, *, whole: bool) -> bool:
        """Nothing failed, nothing was forgotten."""
        return not self.reasons and not (whole and any(self.missing()))


def _order(row: tuple[Kill, object]) -> tuple[int, int]:
    kill = row[0]
    known = POINTS.index(kill.point) if kill.point in POINTS else len(POINTS)
    return known, kill.nth
