"""Serves the figures to Prometheus: HTTP/1.1, GET /metrics, and nothing else.

Owns: the listening socket and its bounds. Must not know: figures. Only this machine can reach it
unless the operator insists, for it tells what is at stake.
"""

from collections.abc import Callable
from typing import Final

import h11
import structlog
import trio

from swapd.ports import ListenError

MOST_CONNECTIONS: Final = 8
REQUEST_SECONDS: Final = 10.0
MOST_REQUEST: Final = 16 * 1024
"""Bytes of a request that are read before it is refused."""

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

log = structlog.get_logger("metrics")


async def serve(
    host: str,
    port: int,
    render: Callable[[], bytes],
    *,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Until cancelled; `started` with the port. Raises ListenError."""
    try:
        listeners = await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        message = f"metrics can't be served at {host} port {port}: {error.strerror or error}"
        raise ListenError(message) from error
    room = trio.CapacityLimiter(MOST_CONNECTIONS)

    async def enter(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                room.acquire_on_behalf_of_nowait(stream)
            except trio.WouldBlock:
                return
            try:
                with trio.move_on_after(REQUEST_SECONDS):
                    await _answer(stream, render)
            except (trio.BrokenResourceError, trio.ClosedResourceError, h11.ProtocolError):
                return
            except Exception:
                # A bug in a figure must not end the daemon that holds swaps.
                log.exception("metrics.failed")
            finally:
                room.release_on_behalf_of(stream)

    bound = listeners[0].socket.getsockname()[1]
    log.info("metrics.listening", host=host, port=bound)
    task_status.started(int(bound))
    await trio.serve_listeners(enter, listeners)


async def _answer(stream: trio.SocketStream, render: Callable[[], bytes]) -> None:
    """One request, one reply, and the connection ends."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MOST_REQUEST)
    try:
        request = await _request(stream, connection)
    except h11.RemoteProtocolError as error:
        await _reply(stream, connection, error.error_status_hint, b"bad request\n")
        return
    if request is None:
        return
    if request.method not in {b"GET", b"HEAD"}:
        await _reply(stream, connection, 405, b"GET only\n")
    elif request.target.split(b"?")[0] != b"/metrics":
        await _reply(stream, connection, 404, b"see /metrics\n")
    else:
        body = render()
        await _reply(stream, connection, 200, body, bare=request.method == b"HEAD")


async def _request(stream: trio.SocketStream, connection: h11.Connection) -> h11.Request | None:
    """The head of the request; None when the client left. A body is not waited for."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        connection.receive_data(await stream.receive_some(MOST_REQUEST))


async def _reply(
    stream: trio.SocketStream,
    connection: h11.Connection,
    status: int,
    body: bytes,
    *,
    bare: bool = False,
) -> None:
    headers = [
        ("Content-Type", CONTENT_TYPE),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    events: list[h11.Event] = [h11.Response(status_code=status, headers=headers)]
    if not bare:
        events.append(h11.Data(data=body))
    events.append(h11.EndOfMessage())
    for event in events:
        data = connection.send(event)
        if data:
            await stream.send_all(data)
