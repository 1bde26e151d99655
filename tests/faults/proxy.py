"""Owns an RPC proxy between one swapd and one of its nodes, which does to chosen calls what a bad
node, a bad network or a bad moment does. Knows JSON-RPC, and nothing of what methods mean.

One HTTP exchange is one thing that can go wrong; a batch goes wrong as a whole, by any of its
calls.
"""

import enum
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from tests.faults.http import answer, read_message
from tests.nodes import Node

_MISC_ERROR: Final = -1


class Harm(enum.StrEnum):
    """What happens to an exchange."""

    REFUSED = "connection cut before the node heard of it"
    SILENT = "never answered, the node never heard of it"
    DEAF = "done by the node, never answered"
    TORN = "done by the node, answer cut in half"
    ERROR = "answered with an error, the node never heard of it"
    BUSY = "answered with an error though the node did it"
    GARBAGE = "answered with something that is not JSON"
    LATE = "answered late"


@dataclass
class Fault:
    """`times` exchanges with `method` (any, if empty), the next ones after `skip`, get `harm`."""

    harm: Harm
    method: str = ""
    times: int = 1
    skip: int = 0
    done: int = field(default=0, init=False)

    def __str__(self) -> str:
        return f"{self.method or 'any call'}: {self.harm}"

    def strikes(self, methods: list[str]) -> bool:
        """Whether this exchange is one of those; counts it."""
        if (self.method and self.method not in methods) or self.done >= self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.done += 1
        return True


class RpcProxy:
    """Stands in for `node` at a port of its own while `serve` runs. `calls` counts the methods
    that came by, `faults` is what to do to them now, `armed` all that ever was."""

    def __init__(self, node: Node, *, late: float = 1.0) -> None:
        self.calls: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.armed: list[Fault] = []
        self.port = 0
        self._node = node
        self._late = late

    def arm(self, fault: Fault) -> None:
        """From now on."""
        self.faults.append(fault)
        self.armed.append(fault)

    def reset(self) -> None:
        """Harms nothing any more, and counts anew."""
        self.faults.clear()
        self.armed.clear()
        self.calls.clear()

    async def serve(
        self,
        host: str = "127.0.0.1",
        *,
        task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Until cancelled; `started` with the port."""
        listeners = await trio.open_tcp_listeners(0, host=host)
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started(self.port)
        await trio.serve_listeners(self._handle, listeners)

    async def _handle(self, client: trio.SocketStream) -> None:
        try:
            async with client:
                await self._exchange(client)
        except (trio.BrokenResourceError, OSError, ValueError):
            return  # one of the two is gone, and the other one sees that

    async def _exchange(self, client: trio.SocketStream) -> None:
        request = await read_message(client)
        if request is None:
            return
        head, body = request
        calls = _calls(body)
        self.calls.update(methods := [str(call.get("method")) for call in calls])
        struck = next((fault for fault in self.faults if fault.strikes(methods)), None)
        harm = struck.harm if struck is not None else None
        match harm:
            case Harm.REFUSED:
                return
            case Harm.SILENT:
                await _until_gone(client)
            case Harm.ERROR:
                await client.send_all(_error(body, calls))
            case Harm.GARBAGE:
                await client.send_all(answer(b"<html>503 Service Unavailable</html>"))
            case _:
                await self._forward(client, head, body, harm)

    async def _forward(
        self, client: trio.SocketStream, head: bytes, body: bytes, harm: Harm | None
    ) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", self._node.rpc_port) as node:
            response = None
            # A node's long poll ends with its caller, or the node would wait for it when it stops.
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_cancel_when_gone, client, nursery.cancel_scope)
                await node.send_all(head + body)
                response = await read_message(node)
                nursery.cancel_scope.cancel()
            if response is None:
                return
        match harm:
            case Harm.DEAF:
                await _until_gone(client)
            case Harm.TORN:
                whole = b"".join(response)
                await client.send_all(whole[: len(whole) - len(response[1]) // 2 - 1])
            case Harm.BUSY:
                await client.send_all(_error(body, _calls(body)))
            case _:
                if harm is Harm.LATE:
                    await trio.sleep(self._late)
                await client.send_all(b"".join(response))


async def _until_gone(client: trio.SocketStream) -> None:
    """Until the caller gives up."""
    while await client.receive_some(1024):
        pass


async def _cancel_when_gone(client: trio.SocketStream, scope: trio.CancelScope) -> None:
    await _until_gone(client)
    scope.cancel()


def _calls(body: bytes) -> list[dict[str, Any]]:
    found = json.loads(body)
    return found if isinstance(found, list) else [found]


def _error(body: bytes, calls: list[dict[str, Any]]) -> bytes:
    """Every call of the request refused, in the shape in which it was made."""
    error = {"code": _MISC_ERROR, "message": "Input/output error"}
    refused = [{"result": None, "error": error, "id": call.get("id")} for call in calls]
    if body.lstrip().startswith(b"["):
        return answer(json.dumps(refused).encode())
    return answer(json.dumps(refused[0]).encode(), "500 Internal Server Error")
