"""The socket's file: who may reach it, and what happens to one that is left over.

Owns: creation, permission and removal. Must not know: what is said on it.

Being allowed to open the file *is* the authentication: directory 0700, socket 0600, and the
kernel's word for who connected (SO_PEERCRED) besides.
"""

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

MAX_PATH = 107
"""Bytes of a unix socket's path on Linux (unix(7): 108 with the final zero)."""

_BACKLOG = 128
_UCRED = struct.Struct("3i")  # pid, uid, gid: socket(7)


class ControlSocketError(Exception):
    """The control socket can't be made. `str()` says why and what to do."""


@contextmanager
def listening(path: Path) -> Iterator[trio.SocketListener]:
    """A listening socket at `path`, reachable for our user only; removed at the end. Raises
    ControlSocketError."""
    if len(os.fsencode(path)) > MAX_PATH - len(_suffix()):
        text = f"the path {path} is too long for a unix socket: choose a shorter data directory"
        raise ControlSocketError(text)
    _prepare_directory(path.parent)
    _refuse_occupied(path)
    sock, inode = _bind(path)
    try:
        yield trio.SocketListener(trio.socket.from_stdlib_socket(sock))
    finally:
        sock.close()
        with contextlib.suppress(OSError):
            if path.stat().st_ino == inode:
                path.unlink()


def _bind(path: Path) -> tuple[socket.socket, int]:
    """The listening socket and its file's inode."""
    temporary = path.with_name(path.name + _suffix())
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        temporary.unlink(missing_ok=True)
        sock.bind(os.fspath(temporary))
        temporary.chmod(0o600)
        sock.listen(_BACKLOG)
        inode = temporary.stat().st_ino
        # Renaming replaces a dead socket at once: there is no moment with a wrong mode or none.
        temporary.rename(path)
    except OSError as e:
        sock.close()
        temporary.unlink(missing_ok=True)
        raise ControlSocketError(f"can't make the control socket {path}: {e.strerror}") from e
    return sock, inode


def _suffix() -> str:
    return f".{os.getpid()}"


def _prepare_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
        if found.st_uid != os.geteuid():
            text = f"{directory} belongs to another user (uid {found.st_uid}): give it to yours"
            raise ControlSocketError(text)
        if stat.S_IMODE(found.st_mode) & 0o077:
            directory.chmod(0o700)
    except OSError as e:
        raise ControlSocketError(f"can't use the directory {directory}: {e.strerror}") from e


def _refuse_occupied(path: Path) -> None:
    """Raises ControlSocketError when somebody answers at `path`, or it is not a socket."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        text = f"{path} exists and is not a socket: move it away"
        raise ControlSocketError(text)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0)  # a full queue of somebody alive must not hold us up
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except BlockingIOError:
            pass
        except OSError as e:
            text = f"can't tell whether {path} is in use: {e.strerror}"
            raise ControlSocketError(text) from e
    text = f"another daemon answers at {path}: stop it, or choose another data directory"
    raise ControlSocketError(text)


def peer_uid(stream: trio.SocketStream) -> int:
    """The user at the other end, as the kernel knows it."""
    raw = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    uid: int = _UCRED.unpack(raw)[1]
    return uid


def permitted(uid: int, own_uid: int) -> bool:
    """Our own user, and root (who could read our memory anyway)."""
    return uid in (own_uid, 0)
