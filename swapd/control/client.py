"""A client of the control socket under trio: several calls at once, notifications in between.

Owns: `Client`. Must not know: what calls do. For one call after the other without an event loop
see `swapd.control.blocking`.
"""

import itertools
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import trio
from msgspec import UNSET, Raw, Struct

from swapd.api import calls
from swapd.control import jsonrpc
from swapd.control.failures import CallError, CannotConnectError, connect_failure

R = TypeVar("R", bound=Struct)

_READ_SIZE = 64 * 1024
_MAX_REPLY = 64 * 1024 * 1024
_NOTICES = 10_000


@asynccontextmanager
async def open_client(path: Path) -> AsyncIterator["Client"]:
    """A connected client; everything it has under way ends with the block. Raises
    CannotConnectError."""
    try:
        stream = await trio.open_unix_socket(os.fspath(path))
    except OSError as e:
        raise connect_failure(path, e) from e
    client = Client(stream)
    try:
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(client.run)
            try:
                yield client
            finally:
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # What the caller's own block raised, as it was raised there.
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


class Client:
    """See `open_client`. `notices` gives the subscriptions' notifications in order; whoever
    subscribes must read them."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._ids = itertools.count(1)
        self._waiting: dict[int, tuple[trio.Event, list[jsonrpc.Incoming]]] = {}
        self._sending = trio.Lock()
        self._gone: CannotConnectError | None = None
        self._to_reader, self.notices = trio.open_memory_channel[calls.Notice](_NOTICES)

    async def call(self, method: str, params: Mapping[str, object] | Struct) -> Any:
        """The result as plain JSON values. Raises CallError for an error reply,
        CannotConnectError when the daemon goes away."""
        return jsonrpc.read_result(await self._raw(method, params))

    async def ask(self, method: str, params: Mapping[str, object] | Struct, kind: type[R]) -> R:
        """The same as a typed result."""
        return cast("R", jsonrpc.read_result(await self._raw(method, params), kind))

    async def subscribe(
        self, topic: calls.Topic, after: int | None = None
    ) -> calls.SubscribeResult:
        """Notifications of `topic` from now on, or from behind `after`: see `notices`."""
        params = calls.SubscribeParams(topic=topic, after_sequence=after)
        return await self.ask("subscribe", params, calls.SubscribeResult)

    async def _raw(self, method: str, params: Mapping[str, object] | Struct) -> Raw:
        if self._gone is not None:
            raise self._gone
        request_id = next(self._ids)
        arrived = trio.Event()
        box: list[jsonrpc.Incoming] = []
        self._waiting[request_id] = (arrived, box)
        try:
            async with self._sending:
                await self._stream.send_all(jsonrpc.call(request_id, method, params) + b"\n")
            await arrived.wait()
        except trio.BrokenResourceError as e:
            raise CannotConnectError("the daemon closed the connection") from e
        finally:
            del self._waiting[request_id]
        if not box:
            raise self._why_gone()
        if box[0].error is not None:
            raise CallError(box[0].error)
        return Raw(b"null") if box[0].result is UNSET else box[0].result

    def _why_gone(self) -> CannotConnectError:
        return self._gone or CannotConnectError("the daemon closed the connection")

    async def run(self) -> None:
        """Reads until the daemon goes away; then every open call raises CannotConnectError."""
        lines = jsonrpc.Lines(_MAX_REPLY)
        try:
            while data := await self._stream.receive_some(_READ_SIZE):
                lines.feed(data)
                while (line := lines.next()) is not None:
                    await self._take(line)
        except trio.BrokenResourceError:
            pass
        self._gone = self._why_gone()
        for arrived, _ in self._waiting.values():
            arrived.set()
        await self._to_reader.aclose()

    async def _take(self, line: bytes) -> None:
        message = jsonrpc.read_incoming(line)
        if message.method is not None and message.params is not UNSET:
            await self._to_reader.send(calls.read_notice(message.method, message.params))
        elif isinstance(message.id, int) and message.id in self._waiting:
            arrived, box = self._waiting[message.id]
            box.append(message)
            arrived.set()
        elif message.error is not None:
            # Not about one call but about the connection: too many clients, not permitted.
            self._gone = CannotConnectError(message.error.message, message.error.data.remedy)
