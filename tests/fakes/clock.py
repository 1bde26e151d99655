"""Owns a clock that tests move by hand, and entropy that repeats."""

import hashlib

from tests.nodes.clock import BASE_TIME


class FakeClock:
    """Unix time that stands still until it is told to move; only forward, like the real ones."""

    def __init__(self, start: int = BASE_TIME) -> None:
        self._ms = start * 1000

    def now(self) -> int:
        """Unix seconds."""
        return self._ms // 1000

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return self._ms

    def advance(self, seconds: float) -> int:
        """Move forward; returns the new time in seconds. Raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError(f"the clock only goes forward, not by {seconds} s")
        self._ms += round(seconds * 1000)
        return self.now()

    def set(self, when: int) -> None:
        """Move to unix time `when`. Raises ValueError when that is in the past."""
        self.advance(when - self._ms / 1000)


class FakeEntropy:
    """Bytes that look random, never repeat within one source, and are the same for one name."""

    def __init__(self, name: str = "entropy") -> None:
        self._name = name
        self._calls = 0

    def __call__(self, size: int) -> bytes:
        """`size` fresh bytes."""
        self._calls += 1
        return hashlib.shake_256(f"{self._name}/{self._calls}".encode()).digest(size)
