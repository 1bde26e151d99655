"""Owns a control server on a real unix socket before a made-up daemon, and raw connections."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio

from swapd.control.limits import Limits
from swapd.control.server import serve
from tests.fakes.clock import FakeClock
from tests.fakes.operations import FakeOperations
from tests.fakes.store import FakeStore


class Wire:
    """A connection on which tests say exactly what they like."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = b""

    async def send(self, *messages: object) -> None:
        """Each message on its own line: bytes as they are, anything else as JSON."""
        lines = [m if isinstance(m, bytes) else json.dumps(m).encode() for m in messages]
        await self.stream.send_all(b"".join(line + b"\n" for line in lines))

    async def receive(self) -> Any:
        """The next line as JSON; None when the server closed the connection."""
        while b"\n" not in self._buffer:
            data = await self.stream.receive_some(65536)
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    async def ask(self, method: str, params: object = None, request_id: object = 1) -> Any:
        """One call and its reply."""
        await self.send(request(method, params, request_id))
        return await self.receive()

    async def result(self, method: str, params: object = None) -> Any:
        """One call that must succeed."""
        reply = await self.ask(method, params)
        assert "error" not in reply, reply
        return reply["result"]

    async def error(self, method: str, params: object = None) -> Any:
        """One call that must fail: the error object."""
        reply = await self.ask(method, params)
        assert "result" not in reply, reply
        return reply["error"]


def request(method: str, params: object = None, request_id: object = 1) -> dict[str, object]:
    """A request as a client writes it."""
    message: dict[str, object] = {"jsonrpc": "2.0", "id": request_id, "method": method}
    if params is not None:
        message["params"] = params
    return message


@dataclass
class Running:
    """A server under way."""

    scope: trio.CancelScope
    ended: trio.Event

    async def stop(self) -> None:
        """Cancels it, as the daemon does, and waits for its end."""
        self.scope.cancel()
        await self.ended.wait()


@dataclass
class House:
    """Starts control servers in one test and connects to them."""

    nursery: trio.Nursery
    path: Path
    operations: FakeOperations = field(default_factory=FakeOperations)
    store: FakeStore = field(default_factory=FakeStore)
    clock: FakeClock = field(default_factory=FakeClock)
    stopped: trio.Event = field(default_factory=trio.Event)
    wires: list[trio.SocketStream] = field(default_factory=list)

    async def open(self, limits: Limits | None = None, own_uid: int | None = None) -> "Running":
        """Starts the server. Raises what `serve` raises before it listens."""
        running = Running(trio.CancelScope(), trio.Event())

        async def run(task_status: trio.TaskStatus[Path]) -> None:
            try:
                with running.scope:
                    await serve(
                        self.operations,
                        self.store,
                        self.clock,
                        self.path,
                        on_stop=self.stopped.set,
                        limits=limits,
                        own_uid=own_uid,
                        task_status=task_status,
                    )
            finally:
                running.ended.set()

        await self.nursery.start(run)
        return running

    async def connect(self) -> Wire:
        """A new connection."""
        stream = await trio.open_unix_socket(os.fspath(self.path))
        self.wires.append(stream)
        return Wire(stream)


@pytest.fixture
async def house(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[House]:
    """Nothing runs yet: see House.open."""
    made = House(nursery, tmp_path / "run" / "swapd.sock")
    yield made
    for stream in made.wires:
        await stream.aclose()


@pytest.fixture
async def wire(house: House) -> Wire:
    """A running server with its usual limits, and a connection to it."""
    await house.open()
    return await house.connect()
