"""Owns a TCP proxy between daemons: bytes come late, are stuck as after a lost packet, connections
break. Knows nothing of what the bytes mean.
"""

import random
from dataclasses import dataclass, field
from typing import Final

import trio

_CHUNK: Final = 16 * 1024


@dataclass
class Wire:
    """From a port of its own to `target` while `serve` runs. `delay` seconds for every chunk each
    way; the part `loss` of them is stuck `resent` seconds more, and the part `cut` ends its
    connection. Change them at any time. `carried` counts bytes, `broken` connections."""

    target: tuple[str, int]
    seed: int
    delay: float = 0.0
    loss: float = 0.0
    cut: float = 0.0
    resent: float = 0.6
    port: int = 0
    carried: int = 0
    broken: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    async def serve(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; `started` with the port."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started(self.port)
        await trio.serve_listeners(self._carry, listeners)

    async def _carry(self, client: trio.SocketStream) -> None:
        try:
            async with (
                client,
                await trio.open_tcp_stream(*self.target) as server,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(self._pump, client, server, nursery.cancel_scope)
                nursery.start_soon(self._pump, server, client, nursery.cancel_scope)
        except OSError:
            return  # nobody listens there now

    async def _pump(
        self, source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope
    ) -> None:
        try:
            while chunk := await source.receive_some(_CHUNK):
                await trio.sleep(self._late())
                if self._random.random() < self.cut:
                    self.broken += 1
                    break
                await sink.send_all(chunk)
                self.carried += len(chunk)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # one end is gone: so is the other one, below
        both.cancel()

    def _late(self) -> float:
        return self.delay + (self.resent if self._random.random() < self.loss else 0.0)
