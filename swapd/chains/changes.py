"""How often something that a watcher should know of has changed on a chain.

Owns: the count, and waiting for it to grow. Must not know: what changed.
"""

import trio


class Changes:
    """Counts; whoever waits is woken by each change."""

    def __init__(self) -> None:
        self.count = 0
        self._changed = trio.Event()

    async def wait(self, seen: int) -> int:
        """Returns the count as soon as it differs from `seen`."""
        await trio.lowlevel.checkpoint()
        while self.count == seen:
            await self._changed.wait()
        return self.count

    def bump(self) -> None:
        """Something has changed."""
        self.count += 1
        self._changed.set()
        self._changed = trio.Event()
