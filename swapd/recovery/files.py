"""Recovery files on disks: replaced atomically, read within bounds.

Owns: paths and bytes. Must not know: what the bytes mean.
"""

import os
from contextlib import suppress
from pathlib import Path

from swapd.paths import sync_directory
from swapd.ports import RecoveryError
from swapd.recovery.content import MAX_FILE


def write(path: Path, data: bytes) -> None:
    """Puts `data` at `path`, mode 0600: the old file, or the new one, whole, whatever happens.
    Durable when this returns. Raises RecoveryError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        sync_directory(path.parent)
    except OSError as error:
        message = (
            f"{path} cannot be written ({error.strerror or error}): is it mounted, with space?"
        )
        raise RecoveryError(message) from error


def read(path: Path) -> bytes | None:
    """The file's bytes, None where none is. Raises RecoveryError."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RecoveryError(f"{path} cannot be read: {error.strerror or error}") from error
