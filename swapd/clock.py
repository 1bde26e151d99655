"""Owns the daemon's time and chance: the wall clock, the test clock of regtest, fresh bytes.

Must not know: what the time is used for; the chains' own times (safety rule 10 adds those).
"""

import os
import time
from collections.abc import Callable
from pathlib import Path


class WallClock:
    """The machine's clock as it is: a step back is shown, not hidden (see safety rule 10)."""

    def now(self) -> int:
        """Unix seconds."""
        return time.time_ns() // 1_000_000_000

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return time.time_ns() // 1_000_000


_MAX_DIGITS = 11
"""Unix seconds up to the year 5138: a slip of the pen must not freeze the clock for ever."""


class ClockFileError(Exception):
    """The clock file cannot be used. `str()` says why."""


class FileClock:
    """A clock that tests move by writing a file: one unix time in ASCII digits. Regtest only.

    It is read at each call and only ever goes forward. Where the file cannot be read (somebody is
    just writing it, say) the last value stays and `complain`, once per cause, is told.
    """

    def __init__(self, path: Path, complain: Callable[[str], None]) -> None:
        """Raises ClockFileError when there is no first value."""
        self._path = path
        self._complain = complain
        self._complaint = ""
        self._now = 0
        self._refresh()

    def now(self) -> int:
        """Unix seconds."""
        try:
            self._refresh()
        except ClockFileError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                self._complain(f"{error}; the time stays at {self._now}")
        return self._now

    def now_ms(self) -> int:
        """Unix milliseconds, always of a whole second."""
        return self.now() * 1000

    def _refresh(self) -> None:
        """Raises ClockFileError."""
        try:
            content = self._path.read_bytes()[:32].strip()
        except OSError as error:
            msg = f"the clock file {self._path} cannot be read: {error.strerror or error}"
            raise ClockFileError(msg) from None
        if not content.isdigit() or len(content) > _MAX_DIGITS:
            msg = f"the clock file {self._path} holds no unix time in ASCII digits"
            raise ClockFileError(msg)
        self._complaint = ""
        self._now = max(self._now, int(content))


def entropy(size: int) -> bytes:
    """Fresh random bytes of the operating system."""
    return os.urandom(size)
