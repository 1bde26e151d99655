"""Owns files with random bytes that a daemon makes for itself once, and keeps: no passphrase guards
them, because no coins of anybody hang on them.

Must not know: what is derived from them.
"""

import os
from pathlib import Path

from swapd.paths import loose_permissions, sync_directory
from swapd.ports import Entropy


class KeptSecretError(Exception):
    """The file can't be used. `str()` says why and what to do."""


def load(path: Path, size: int, entropy: Entropy, *, what: str) -> bytes:
    """The `size` bytes of the file; made, mode 0600, where there is none. `what` names it in
    messages. Raises KeptSecretError."""
    try:
        return _read(path, size, what)
    except FileNotFoundError:
        return _create(path, entropy(size), what)
    except OSError as error:
        msg = f"the {what} {path} cannot be read: {error.strerror or error}"
        raise KeptSecretError(msg) from None


def _read(path: Path, size: int, what: str) -> bytes:
    loose = loose_permissions(path, readable=False)
    if loose:
        raise KeptSecretError(loose)
    with path.open("rb") as file:
        content = file.read(size + 1)
    if len(content) != size:
        raise KeptSecretError(f"{path} is no {what}: it must hold exactly {size} bytes")
    return content


def put(path: Path, secret: bytes) -> None:
    """Writes it, mode 0600, under its name only when it is whole: a crash in between leaves what
    was there. Raises OSError."""
    made = path.with_suffix(".new")
    made.unlink(missing_ok=True)
    handle = os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)
    sync_directory(path.parent)


def _create(path: Path, secret: bytes, what: str) -> bytes:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        put(path, secret)
    except OSError as error:
        msg = f"the {what} {path} cannot be made: {error.strerror or error}"
        raise KeptSecretError(msg) from None
    return secret
