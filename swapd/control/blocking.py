"""A client of the control socket without an event loop: one call after the other.

Owns: `BlockingClient`. Must not know: what calls do. The command line uses it, because it starts
quickly and stops at once when interrupted.
"""

import contextlib
import itertools
import os
import select
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from msgspec import UNSET, Raw, Struct

from swapd.api import calls
from swapd.control import jsonrpc
from swapd.control.failures import CallError, CannotConnectError, connect_failure

R = TypeVar("R", bound=Struct)

SILENCE_SECONDS = 10.0
_READ_SIZE = 64 * 1024
_MAX_REPLY = 64 * 1024 * 1024


def _nothing() -> None:
    pass


class BlockingClient:
    """A connected client and context manager. Raises CannotConnectError."""

    def __init__(self, path: Path, *, on_silence: Callable[[], None] | None = None) -> None:
        """`on_silence` is told, once, when an answer takes longer than `SILENCE_SECONDS`."""
        self._on_silence = on_silence or _nothing
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(os.fspath(path))
        except OSError as e:
            self._socket.close()
            raise connect_failure(path, e) from e
        self._lines = jsonrpc.Lines(_MAX_REPLY)
        self._ids = itertools.count(1)
        self._notices: list[calls.Notice] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; mutating calls under way go on in the daemon."""
        self._socket.close()

    def call(self, method: str, params: Mapping[str, object] | Struct) -> Any:
        """The result as plain JSON values. Raises CallError for an error reply,
        CannotConnectError when the daemon goes away."""
        return jsonrpc.read_result(self._raw(method, params))

    def ask(self, method: str, params: Mapping[str, object] | Struct, kind: type[R]) -> R:
        """The same as a typed result."""
        return cast("R", jsonrpc.read_result(self._raw(method, params), kind))

    def notices(self) -> Iterator[calls.Notice]:
        """The subscriptions' notifications, for ever. Raises CannotConnectError."""
        while True:
            while self._notices:
                yield self._notices.pop(0)
            self._keep(self._receive())

    def _raw(self, method: str, params: Mapping[str, object] | Struct) -> Raw:
        request_id = next(self._ids)
        try:
            line = jsonrpc.call(request_id, method, params) + b"\n"
        except UnicodeEncodeError:  # as the shell hands over bytes that are no text
            text = "a parameter is not UTF-8 text"
            data = jsonrpc.ErrorData(name="invalid_params", remedy="write it in UTF-8")
            raise CallError(jsonrpc.ErrorBody(-32602, text, data)) from None
        with contextlib.suppress(OSError):  # it may have said why before it closed: read that
            self._socket.sendall(line)
        with contextlib.suppress(ValueError):  # closed meanwhile: reading says so
            if not select.select([self._socket], [], [], SILENCE_SECONDS)[0]:
                self._on_silence()
                self._on_silence = _nothing
        while True:
            message = self._receive()
            if message.id == request_id:
                if message.error is not None:
                    raise CallError(message.error)
                return Raw(b"null") if message.result is UNSET else message.result
            self._keep(message)

    def _keep(self, message: jsonrpc.Incoming) -> None:
        if message.error is not None:
            raise CannotConnectError(message.error.message, message.error.data.remedy)
        if message.params is not UNSET:
            self._notices.append(calls.read_notice(message.method or "", message.params))

    def _receive(self) -> jsonrpc.Incoming:
        while (line := self._lines.next()) is None:
            try:
                data = self._socket.recv(_READ_SIZE)
            except ConnectionResetError:
                data = b""
            except OSError as e:
                text = f"the connection to the daemon broke: {e.strerror}"
                raise CannotConnectError(text) from e
            if not data:
                raise CannotConnectError("the daemon closed the connection")
            self._lines.feed(data)
        return jsonrpc.read_incoming(line)
