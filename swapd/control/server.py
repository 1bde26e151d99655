"""The control server: accepts connections and runs a session for each.

Owns: the listening socket, who may connect, how many. Must not know: what calls do.
"""

import os
from collections.abc import Callable
from pathlib import Path

import structlog
import trio

from swapd.api.errors import ApiError, ErrorName
from swapd.api.operations import Operations
from swapd.control import jsonrpc
from swapd.control.dispatch import Dispatcher
from swapd.control.idempotency import Idempotency
from swapd.control.limits import Limits
from swapd.control.outbox import StalledError
from swapd.control.session import Session
from swapd.control.socketfile import listening, peer_uid, permitted
from swapd.ports import Clock, Store

_log = structlog.get_logger("swapd.control")
_REFUSAL_SECONDS = 1.0


async def serve(
    operations: Operations,
    store: Store,
    clock: Clock,
    path: Path,
    *,
    on_stop: Callable[[], None],
    limits: Limits | None = None,
    own_uid: int | None = None,
    task_status: trio.TaskStatus[Path] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves `operations` at the unix socket `path` until it is cancelled; reports started once
    clients can connect. `on_stop` is called after a client was answered to `stop`. Raises
    ControlSocketError when the socket can't be made, StoreError when the store can't be read."""
    idempotency = Idempotency(store, clock)
    await idempotency.prune()
    with listening(path) as listener:
        async with trio.open_nursery() as nursery:
            dispatcher = Dispatcher(operations, idempotency, nursery, on_stop)
            door = _Door(
                dispatcher,
                limits or Limits(),
                os.geteuid() if own_uid is None else own_uid,
            )
            _log.info("control.listening", path=str(path))
            task_status.started(path)
            await trio.serve_listeners(door.enter, [listener], handler_nursery=nursery)


class _Door:
    """Lets clients in, one session each."""

    def __init__(self, dispatcher: Dispatcher, limits: Limits, own_uid: int) -> None:
        self._dispatcher = dispatcher
        self._limits = limits
        self._own_uid = own_uid
        self._inside = 0

    async def enter(self, stream: trio.SocketStream) -> None:
        """One connection from its beginning to its end; nothing it does reaches others."""
        uid = peer_uid(stream)
        async with stream:
            if not permitted(uid, self._own_uid):
                _log.warning("control.refused", uid=uid)
                await _turn_away(stream, ErrorName.NOT_PERMITTED, f"uid {uid} may not connect")
                return
            if self._inside >= self._limits.clients:
                text = f"{self._limits.clients} clients are connected already"
                await _turn_away(stream, ErrorName.TOO_MANY_CLIENTS, text)
                return
            self._inside += 1
            try:
                await self._run(stream)
            finally:
                self._inside -= 1

    async def _run(self, stream: trio.SocketStream) -> None:
        try:
            async with trio.open_nursery() as nursery:
                session = Session(stream, self._dispatcher, self._limits, nursery)
                await session.run()
        except* StalledError:
            _log.info("control.dropped", reason="the client did not read")
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            _log.debug("control.gone")
        except* Exception as group:  # noqa: BLE001 - see the next line
            # One connection's bug must not end the others, nor the daemon that holds swaps.
            _log.error("control.session_failed", exc_info=group)


async def _turn_away(stream: trio.SocketStream, name: ErrorName, text: str) -> None:
    with trio.move_on_after(_REFUSAL_SECONDS):
        try:
            await stream.send_all(jsonrpc.error_reply(None, ApiError(name, text)) + b"\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
