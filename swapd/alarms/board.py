"""The alarms that hold now: looks at every source, again and again, and tells of each change.

Owns: when to look, what a broken source means, who is told. Must not know: what sources look at,
how anybody is told. Nothing here can stop or delay a swap: it only reads.
"""

from collections.abc import Callable
from typing import Final

import structlog
import trio
from msgspec import Struct

from swapd.alarms.alarm import Alarm, Severity, Source, worst
from swapd.alarms.damping import Change, Damper
from swapd.ports import Clock

LOOK_SECONDS: Final = 10.0
SOURCE_SECONDS: Final = 20.0
"""A source that takes longer is broken, as one that raises is."""

MOST_ALARMS: Final = 500
"""Held at once: more of them tell nobody anything new."""

log = structlog.get_logger("alarms")

Listener = Callable[[Change, int], None]
"""Told of each change with the unix time since which the alarm holds; must not block."""


class Held(Struct, frozen=True):
    """An alarm and the unix time since which it holds."""

    alarm: Alarm
    since: int


class Board:
    """`run` must be running. Sources and listeners may be added at any time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sources: list[Source] = []
        self._last: dict[Source, tuple[Alarm, ...]] = {}
        self._listeners: list[Listener] = []
        self._damper = Damper()
        self._since: dict[tuple[str, str], int] = {}
        self._wake = trio.Event()

    def add(self, *sources: Source) -> None:
        """Looks at these too, from the next look on."""
        self._sources += sources

    def listen(self, listener: Listener) -> None:
        """Tells `listener` of every change."""
        self._listeners.append(listener)

    def poke(self) -> None:
        """Looks again now."""
        self._wake.set()

    def holding(self) -> tuple[Held, ...]:
        """What holds, the worst first."""
        return tuple(Held(alarm, self._since[alarm.key]) for alarm in self._damper.holding())

    def severity(self) -> Severity | None:
        """The worst that holds; None when nothing does."""
        return worst(self._damper.holding())

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Looks for ever."""
        task_status.started()
        while True:
            self._wake = trio.Event()
            await self.look()
            with trio.move_on_after(LOOK_SECONDS):
                await self._wake.wait()

    async def look(self) -> None:
        """Asks every source once and tells of what changed."""
        async with trio.open_nursery() as nursery:
            for source in self._sources:
                nursery.start_soon(self._ask, source)
        seen = {alarm.key: alarm for source in self._sources for alarm in self._last[source]}
        alarms = list(seen.values())[:MOST_ALARMS]
        for change in self._damper.look(alarms, trio.current_time()):
            self._tell(change)

    async def _ask(self, source: Source) -> None:
        """What a broken source said last stays true, and that it is broken is an alarm."""
        reason = f"no answer within {SOURCE_SECONDS:.0f} s"
        try:
            with trio.move_on_after(SOURCE_SECONDS):
                self._last[source] = tuple(await source())
                return
        except Exception as error:
            reason = repr(error)
            log.exception("alarm.source_failed", source=_name(source))
        broken = Alarm(
            "check_failed",
            "warning",
            _name(source),
            f"this check can't be made: {reason[:300]}",
            "see the log; what it would find is not seen until then",
        )
        kept = [alarm for alarm in self._last.get(source, ()) if alarm.key != broken.key]
        self._last[source] = (*kept, broken)

    def _tell(self, change: Change) -> None:
        alarm = change.alarm
        now = self._clock.now()
        since = self._since.setdefault(alarm.key, now)
        if change.what == "raised":
            since = self._since[alarm.key] = now
        say = log.critical if alarm.severity == "critical" else log.warning
        say = log.info if change.what == "cleared" or alarm.severity == "info" else say
        say(
            f"alarm.{change.what}",
            code=alarm.code,
            severity=alarm.severity,
            subject=alarm.subject,
            text=alarm.text,
            remedy=alarm.remedy,
        )
        for listener in self._listeners:
            try:
                listener(change, since)
            except Exception:
                # Who is told must never keep others from being told.
                log.exception("alarm.listener_failed", code=alarm.code)


def _name(source: Source) -> str:
    return str(getattr(source, "__qualname__", type(source).__name__)).lstrip("_")
