"""What can go wrong with a call, for clients.

Owns: the two exceptions of both clients. Must not know: sockets.
"""

import errno
from pathlib import Path

from swapd.control.jsonrpc import ErrorBody


class CannotConnectError(Exception):
    """The daemon can't be reached, or went away. `remedy` says what to do."""

    def __init__(self, message: str, remedy: str = "is the daemon running? see its log") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class CallError(Exception):
    """The daemon answered with an error; the fields are those of its error table."""

    def __init__(self, body: ErrorBody) -> None:
        super().__init__(body.message)
        self.code = body.code
        self.message = body.message
        self.name = body.data.name
        self.retryable = body.data.retryable
        self.remedy = body.data.remedy
        self.detail = body.data.detail


def connect_failure(path: Path, error: OSError) -> CannotConnectError:
    """Why `path` can't be connected to, in words."""
    if error.errno == errno.ENOENT:
        return CannotConnectError(
            f"no daemon here: there is no socket {path}",
            "start it with `swapd run`, or name its place with --network, --datadir or --socket",
        )
    if error.errno == errno.ECONNREFUSED:
        return CannotConnectError(
            f"nobody answers at {path}: the daemon is not running", "start it with `swapd run`"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return CannotConnectError(
            f"you may not open {path}", "run this as the user that runs the daemon"
        )
    return CannotConnectError(f"can't connect to {path}: {error.strerror or error}")
