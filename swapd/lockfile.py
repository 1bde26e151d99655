"""Owns the lock on a data directory: two daemons with one seed and journal would lose coins.

Must not know: what is in the directory. The kernel holds the lock (flock) and drops it when the
process ends, however it ends; the file itself stays and means nothing.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LockError(Exception):
    """The data directory cannot be locked. `str()` says why and what to do."""


class AlreadyLockedError(LockError):
    """Another process holds the lock; `pid` when it can be told."""

    def __init__(self, path: Path, pid: int | None) -> None:
        who = f"process {pid}" if pid is not None else "another process"
        super().__init__(
            f"the data directory {path.parent} is in use by {who}: "
            "stop that one, or choose another data_dir"
        )
        self.pid = pid


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` while in the block. Raises AlreadyLockedError, LockError."""
    try:
        # Not inherited by the network process: it must not outlive us holding the lock.
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LockError(f"{path} cannot be opened: {error.strerror or error}") from error
    try:
        _take(handle, path)
        yield
    finally:
        os.close(handle)


def _take(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AlreadyLockedError(path, _holder(handle)) from None
    except OSError as error:
        raise LockError(
            f"{path} cannot be locked ({error.strerror}): "
            "the data directory must be on a local disk"
        ) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)


def _holder(handle: int) -> int | None:
    """The process id in the file; a holder that was started this very moment may not be in it."""
    digits = os.pread(handle, 20, 0).strip()
    return int(digits) if digits.isdigit() else None
