"""Alarms about watchtowers: one that does not answer, one that does not hold what it should, and a
swap that no tower looks after.

Owns: those judgements. Must not know: how towers are talked to.
"""

from collections.abc import Callable, Iterator, Sequence

from swapd.alarms.alarm import Alarm
from swapd.engine.towers import TowerStatus


class TowerAlarms:
    """A source over our towers; `status` tells of each, `uncovered` of swaps."""

    def __init__(
        self,
        status: Callable[[], tuple[TowerStatus, ...]],
        uncovered: Callable[[], tuple[tuple[bytes, str], ...]],
    ) -> None:
        self._status, self._uncovered = status, uncovered

    async def look(self) -> Sequence[Alarm]:
        """What holds now."""
        found = [alarm for status in self._status() for alarm in _of(status)]
        remedy = "stay online until a tower holds it: `swap-cli towers` tells what keeps them"
        for swap_id, what in self._uncovered():
            text = f"no tower holds our {what}"
            found.append(Alarm("tower_missing", "warning", swap_id.hex()[:16], text, remedy))
        return found


def _of(status: TowerStatus) -> Iterator[Alarm]:
    name = status.tower.peer_id
    if status.trouble:
        remedy = "tell its operator, or name another one; other towers and this daemon go on"
        yield Alarm("tower_down", "warning", name, status.trouble, remedy)
    elif status.faults:
        remedy = "do not rely on it: tell its operator, or name another one"
        yield Alarm("tower_stale", "warning", name, "; ".join(status.faults), remedy)
