"""Virtual time: what will happen when, and the jumps from one happening to the next.

Owns: the heap of future acts, the story's clock. Must not know: what acts do.

Time stands still while anybody can still do something. Then it jumps to the next act; every timer
that was due on the way fires at that moment, so that a sleeping daemon costs one step, not many.
"""

import heapq
import math
from collections.abc import Callable

import trio
import trio.testing

from tests.nodes.clock import BASE_TIME

GRID = 2.5
"""Seconds: things happen at multiples of it, so that many fall into one step."""


class Timeline:
    """`clock` must be the clock that trio runs by. Unix seconds everywhere."""

    def __init__(self, clock: trio.testing.MockClock) -> None:
        self._clock = clock
        self._acts: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0

    def now(self) -> float:
        """The true time, which nobody in the world knows exactly."""
        return BASE_TIME + self._clock.current_time()

    def at(self, when: float, act: Callable[[], None]) -> None:
        """`act()` at that time, or as soon as the world rests if it has passed."""
        self._number += 1
        steps = math.ceil(round((when - BASE_TIME) / GRID, 6))
        heapq.heappush(self._acts, (BASE_TIME + steps * GRID, self._number, act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """`act()` so many seconds from now."""
        self.at(self.now() + seconds, act)

    async def run(self, is_over: Callable[[], bool]) -> None:
        """From act to act, until it is over or nothing is planned any more."""
        await trio.testing.wait_all_tasks_blocked()
        while self._acts and not is_over():
            when = self._acts[0][0]
            if when > self.now():
                self._clock.jump(when - self.now())
            while self._acts and self._acts[0][0] <= when:
                heapq.heappop(self._acts)[2]()
            await trio.testing.wait_all_tasks_blocked()
