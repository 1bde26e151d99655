"""One alarm, and what can find some. Must not know: who finds them, who is told.

Codes are stable: scripts and alert rules rely on them. docs/operate.md lists every one, and a test
compares.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

from msgspec import Struct

Severity = Literal["info", "warning", "critical"]

SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
"""From bad to worse."""


class Alarm(Struct, frozen=True):
    """Something wrong. `code` and `subject` (a ticker, a swap, a path) are its identity: while both
    stay the same it is the same alarm, however `text` changes."""

    code: str
    severity: Severity
    subject: str
    text: str
    remedy: str

    @property
    def key(self) -> tuple[str, str]:
        """Its identity."""
        return self.code, self.subject


Source = Callable[[], Awaitable[Sequence[Alarm]]]
"""Looks, and returns the alarms that hold at this moment; empty when all is well."""


def rank(severity: Severity) -> int:
    """Larger is worse."""
    return SEVERITIES.index(severity)


def worst(alarms: Sequence[Alarm]) -> Severity | None:
    """The worst severity among them; None without any."""
    return max((alarm.severity for alarm in alarms), key=rank, default=None)
