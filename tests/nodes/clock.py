"""Owns the one clock of a test world: all nodes and all daemons read it, and it only goes forward.

Daemons read a file that holds the unix time as ASCII digits; nodes are told by setmocktime. A node
that is down is skipped: it is started again with the clock's time.
"""

from collections.abc import Iterable
from pathlib import Path

import trio

from tests.nodes.node import Node

BASE_TIME = 1_790_000_000
"""Fixed, so that prepared chains never grow old and no test depends on the day it runs."""


class TestClock:
    """Unix seconds, moved by hand."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    def __init__(self, path: Path, nodes: Iterable[Node], start: int = BASE_TIME) -> None:
        self.path = path
        self._nodes = list(nodes)
        self._now = start
        self._moving = trio.Lock()
        self._write()

    def now(self) -> int:
        """Unix time in seconds, as every node and daemon of this world sees it."""
        return self._now

    async def advance(self, seconds: int) -> int:
        """Move everyone `seconds` forward; returns the new time."""
        async with self._moving:
            await self._set(self._now + seconds)
        return self._now

    async def set(self, when: int) -> None:
        """Move everyone to unix time `when`.

        Raises:
            ValueError: `when` is in the past; blocks would be refused as time-too-new.
        """
        async with self._moving:
            await self._set(when)

    async def _set(self, when: int) -> None:
        if when < self._now:
            raise ValueError(f"the clock only goes forward: {when} is before {self._now}")
        self._now = when
        async with trio.open_nursery() as nursery:
            for node in self._nodes:
                if node.running:
                    nursery.start_soon(node.set_time, when)
        self._write()

    def _write(self) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(f"{self._now}\n", encoding="ascii")
        fresh.replace(self.path)
