"""The dog that watches one input: processor time, and memory by sample.

Owns: the timer and the measure. Must not know: targets. Processor time, not the wall's: a machine
that is busy with other things makes no input slow.
"""

import signal
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Hang(BaseException):
    """An input took more processor time than any may. Not an Exception: no decoder catches it."""


def _bark(_signal: int, _frame: FrameType | None) -> None:
    raise Hang("too much processor time")


@contextmanager
def watching() -> Iterator[Callable[[float], None]]:
    """Gives a function that begins to count anew: when so many seconds of processor time have
    passed without another call, Hang is raised."""
    before = signal.signal(signal.SIGPROF, _bark)
    try:
        yield _arm
    finally:
        _arm(0.0)
        signal.signal(signal.SIGPROF, before)


def _arm(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)


@contextmanager
def measuring() -> Iterator[Callable[[], int]]:
    """Gives a function that tells the most bytes held at once since it was called before."""
    held = 0

    def peak() -> int:
        nonlocal held
        now, most = tracemalloc.get_traced_memory()
        grown, held = most - held, now
        tracemalloc.reset_peak()
        return grown

    tracemalloc.start()
    try:
        peak()
        yield peak
    finally:
        tracemalloc.stop()
