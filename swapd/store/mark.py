"""Owns the mark: a small file beside the database that says how far the database had come.

Must not know: tables.

A disk that loses the tail of the write-ahead log, and an operator who puts an old file back, leave
a database that is whole and too old; nothing inside it can tell. The mark names the database and
the number of its newest commit. It is written after each commit has reached the disk and is not
waited for itself, so it can be behind the database and never before it.
"""

import contextlib
import os
from hashlib import blake2b
from pathlib import Path

from msgspec import Struct

_WORD = b"swapd-mark-1"
_CHECK = 16


class Mark(Struct, frozen=True):
    """A database, by the 16 random bytes it carries, and the number of its newest commit."""

    database: bytes
    commit: int


def path_of(database: Path) -> Path:
    """Where the mark of a database lies."""
    return database.with_name(database.name + "-mark")


def read(database: Path) -> Mark | None:
    """The mark beside `database`; None where there is none, or none that can be read.
    Raises OSError."""
    try:
        text = path_of(database).read_bytes()[:200]
    except FileNotFoundError:
        return None
    words = text.split()
    if len(words) != 4 or words[0] != _WORD or words[3] != _check(words[1], words[2]):
        return None
    return Mark(bytes.fromhex(words[1].decode()), int(words[2]))


class Marker:
    """The open mark of an open database."""

    def __init__(self, database: Path, name: bytes) -> None:
        """Raises OSError."""
        self._name = name.hex().encode()
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
        self._file = os.open(path_of(database), flags, 0o600)

    def write(self, commit: int, *, durably: bool = False) -> None:
        """Says that `commit` is on the disk. Raises OSError only where it is to be durable: else
        an older mark is as good, and what it tells of is done."""
        number = b"%020d" % commit
        line = b" ".join((_WORD, self._name, number, _check(self._name, number))) + b"\n"
        if durably:
            os.pwrite(self._file, line, 0)
            os.ftruncate(self._file, len(line))
            os.fsync(self._file)
            return
        with contextlib.suppress(OSError):
            os.pwrite(self._file, line, 0)

    def close(self) -> None:
        """Lets go of it."""
        os.close(self._file)


def _check(*words: bytes) -> bytes:
    return blake2b(b" ".join((_WORD, *words)), digest_size=_CHECK).hexdigest().encode()
