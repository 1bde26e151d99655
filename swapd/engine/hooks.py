"""Named points in the life of a swap, so that tests can stop a daemon exactly there.

Owns: the points and the one observer. Must not know: what an observer does. Without an observer a
point costs one comparison.
"""

from collections.abc import Callable

_observer: Callable[[str], None] | None = None


def observe(observer: Callable[[str], None] | None) -> None:
    """Have `observer` called with the name of each point; None ends it."""
    global _observer  # noqa: PLW0603 - one observer per process is the point
    _observer = observer


def point(name: str) -> None:
    """A point was reached: `journal:before:<event>`, `effect:after:<effect>`, ..."""
    if _observer is not None:
        _observer(name)
