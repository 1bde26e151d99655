"""When an alarm begins and ends, so that what flaps does not ring all night. Pure.

Owns: `Damper`. Must not know: clocks (seconds are arguments), who is told.

A critical alarm begins at once, any other when it is still there `RAISE_SECONDS` later. One ends
when it was not seen for `CLEAR_SECONDS`, twice as long for each time that it came back within the
hour. It grows worse at once, and milder only after as long as it would take to end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from msgspec import Struct

from swapd.alarms.alarm import Alarm, Severity, rank

RAISE_SECONDS: Final = 15.0
CLEAR_SECONDS: Final = 60.0
MEMORY_SECONDS: Final = 3600.0
MOST_DOUBLINGS: Final = 5
"""32 minutes at most until a flapping alarm is believed to be over."""

What = Literal["raised", "changed", "cleared"]


class Change(Struct, frozen=True):
    """What to tell of one alarm."""

    what: What
    alarm: Alarm


@dataclass
class _Track:
    """One identity. `raised` are the moments at which it began, of the last hour."""

    alarm: Alarm
    first: float
    seen: float
    bad: float
    is_raised: bool = False
    raised: list[float] = field(default_factory=list)


class Damper:
    """Turns what is seen at each look into what holds."""

    def __init__(self) -> None:
        self._tracks: dict[tuple[str, str], _Track] = {}

    def holding(self) -> tuple[Alarm, ...]:
        """What was raised and not cleared, the worst first."""
        held = [track.alarm for track in self._tracks.values() if track.is_raised]
        return tuple(sorted(held, key=lambda alarm: (-rank(alarm.severity), *alarm.key)))

    def look(self, seen: Sequence[Alarm], now: float) -> tuple[Change, ...]:
        """Takes in one look at all sources; `now` in seconds of a clock that only grows."""
        changes = []
        for alarm in seen:
            change = self._see(alarm, now)
            if change is not None:
                changes.append(Change(change, self._tracks[alarm.key].alarm))
        keys = {alarm.key for alarm in seen}
        for key in [key for key in self._tracks if key not in keys]:
            track = self._tracks[key]
            if track.is_raised and now - track.seen >= self._patience(track, now):
                track.is_raised = False
                changes.append(Change("cleared", track.alarm))
            if not track.is_raised:
                self._forget(key, now)
        return tuple(changes)

    def _see(self, alarm: Alarm, now: float) -> What | None:
        track = self._tracks.setdefault(alarm.key, _Track(alarm, now, now, now))
        if not track.is_raised:
            if now - track.seen > RAISE_SECONDS:
                track.first = now  # an earlier, single sight
            track.alarm, track.seen, track.bad = alarm, now, now
            return self._raise(track, now)
        before, track.seen = track.alarm.severity, now
        if rank(alarm.severity) >= rank(before):
            track.bad = now
        track.alarm = self._with(alarm, self._severity(track, alarm, now))
        return None if track.alarm.severity == before else "changed"

    def _raise(self, track: _Track, now: float) -> What | None:
        if track.alarm.severity != "critical" and now - track.first < RAISE_SECONDS:
            return None
        track.is_raised = True
        track.raised = [moment for moment in track.raised if now - moment < MEMORY_SECONDS] + [now]
        return "raised"

    def _severity(self, track: _Track, alarm: Alarm, now: float) -> Severity:
        milder = rank(alarm.severity) < rank(track.alarm.severity)
        if milder and now - track.bad < self._patience(track, now):
            return track.alarm.severity
        return alarm.severity

    @staticmethod
    def _with(alarm: Alarm, severity: Severity) -> Alarm:
        return Alarm(alarm.code, severity, alarm.subject, alarm.text, alarm.remedy)

    @staticmethod
    def _patience(track: _Track, now: float) -> float:
        again = sum(now - moment < MEMORY_SECONDS for moment in track.raised) - 1
        return CLEAR_SECONDS * 2.0 ** max(0, min(again, MOST_DOUBLINGS))

    def _forget(self, key: tuple[str, str], now: float) -> None:
        """Only what may come back within the hour is worth remembering."""
        track = self._tracks[key]
        recent = track.raised and now - track.raised[-1] < MEMORY_SECONDS
        if not recent and now - track.seen > RAISE_SECONDS:
            del self._tracks[key]
