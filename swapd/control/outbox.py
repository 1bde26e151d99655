"""What waits to be sent to one client, bounded.

Owns: the order and the bound of outgoing lines. Must not know: what they say.

Replies are put without waiting, because each was admitted as a request and their number is
bounded; whoever *begins* something for the client (reads its next request, sends an event) waits
for room first. A client that does not read makes no progress, and is dropped by `run`.
"""

import os
from collections import deque

import trio

_PIECE = 128 * 1024
_FAREWELL_SECONDS = 1.0


class StalledError(Exception):
    """The client reads nothing for too long."""


class Outbox:
    """Lines on their way to one client."""

    def __init__(self, stream: trio.SocketStream, high_water: int, stall_seconds: float) -> None:
        self._stream = stream
        self._high_water = high_water
        self._stall_seconds = stall_seconds
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._cut = False
        self._more = trio.Event()
        self._room = trio.Event()
        self._empty = trio.Event()
        self._empty.set()

    def put(self, line: bytes) -> None:
        """Adds a line (without newline). What the kernel takes at once is handed over at once:
        that spares the usual answer a change of tasks."""
        data = line + b"\n"
        if not self._bytes:
            data = data[self._write_now(data) :]
        if data:
            self._waiting.append(data)
            self._bytes += len(data)
            self._empty = trio.Event() if self._empty.is_set() else self._empty
            self._more.set()

    def _write_now(self, data: bytes) -> int:
        try:
            return os.write(self._stream.socket.fileno(), data[:_PIECE])
        except OSError:
            return 0  # full, or broken: the task that sends finds out

    async def wait_room(self) -> None:
        """Returns when less than the high-water mark waits."""
        while self._bytes >= self._high_water:
            self._room = trio.Event() if self._room.is_set() else self._room
            await self._room.wait()

    async def wait_empty(self) -> None:
        """Returns when everything put so far was handed to the socket."""
        await self._empty.wait()

    async def run(self) -> None:
        """Sends for ever. Raises StalledError, and trio's errors of a broken stream. When it is
        cancelled it still tries, for a second, to hand over what is complete: the answer to the
        very call that stops the daemon is among it."""
        try:
            while True:
                await self._more.wait()
                self._more = trio.Event()
                await self._flush(self._stall_seconds)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await self._farewell()
            raise

    async def _flush(self, seconds: float) -> None:
        while self._waiting:
            data = memoryview(b"".join(self._waiting))
            self._waiting.clear()
            self._cut = True
            for start in range(0, len(data), _PIECE):
                # A piece is progress: the stall clock starts again with each.
                with trio.move_on_after(seconds) as scope:
                    await self._stream.send_all(data[start : start + _PIECE])
                if scope.cancelled_caught:
                    raise StalledError
            self._cut = False
            self._bytes -= len(data)
            self._room.set()
        self._empty.set()

    async def _farewell(self) -> None:
        if self._cut:
            return  # half a line is out already: what follows could only be misread
        try:
            await self._flush(_FAREWELL_SECONDS)
        except (StalledError, trio.BrokenResourceError, trio.ClosedResourceError):
            return
