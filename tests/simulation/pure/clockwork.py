"""What happens next: a queue of calls in virtual time.

Owns: `Clockwork`. Must not know: what the calls do. Same calls, same order, on any machine: what is
due at one second happens in the order in which it was asked for.
"""

import heapq
from collections.abc import Callable


class Clockwork:
    """`now` is true unix seconds; nobody in the world can read it but through a clock that errs."""

    def __init__(self, start: int) -> None:
        self.now = start
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._asked = 0

    def at(self, time: int, call: Callable[[], None]) -> None:
        """Calls `call` at `time`, now at the earliest."""
        self._asked += 1
        heapq.heappush(self._queue, (max(time, self.now), self._asked, call))

    def after(self, seconds: int, call: Callable[[], None]) -> None:
        """Calls `call` in so many seconds."""
        self.at(self.now + seconds, call)

    def run(self, until: int, is_over: Callable[[], bool]) -> None:
        """Until nothing is left to happen before `until`, or `is_over` says so."""
        queue = self._queue
        while queue and queue[0][0] <= until and not is_over():
            self.now, _, call = heapq.heappop(queue)
            call()
