"""An alarm about the recovery file: a place of it that is behind the journal.

Owns: that judgement. Must not know: how the file is written.
"""

from collections.abc import Callable, Sequence

from swapd.alarms.alarm import Alarm
from swapd.ports import RecoveryStatus


class RecoveryAlarms:
    """A source over every place of the recovery file."""

    def __init__(self, status: Callable[[], RecoveryStatus]) -> None:
        self._status = status

    async def look(self) -> Sequence[Alarm]:
        """Places that would not bring back what is open now."""
        remedy = "see to that disk: no lock leaves before the file is abreast of the journal"
        return [
            Alarm("recovery_stale", "critical", place.path, place.error or "never written", remedy)
            for place in self._status().paths
            if not place.ok
        ]
