"""What goes wrong with the database, as types, and how SQLite's errors become them.

Must not know: tables, exit codes.
"""

import sqlite3
from pathlib import Path

from swapd.ports import StoreError, StoreFull


class StoreFullError(StoreFull):
    """As SQLite told it."""


class StoreDamagedError(StoreError):
    """The file is no database of ours, or its content is broken."""


class StoreNewerError(StoreError):
    """The file was written by a newer swapd."""


class StoreOtherNetworkError(StoreError):
    """The file belongs to another network."""


class StoreInUseError(StoreError):
    """Another process has the file open."""


_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY = 0xFF
"""SQLite's extended codes carry the primary one in their lowest byte."""


def translate(error: sqlite3.Error, path: Path) -> StoreError:
    """Our error for SQLite's, with what to do."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if code == sqlite3.SQLITE_FULL:
        return StoreFullError(
            f"the disk under {path} is full: nothing was written; free some space there"
        )
    if code in _DAMAGED:
        return damaged(path, str(error))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreInUseError(f"{path} is in use by another process: stop that one first")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return StoreError(
            f"{path} cannot be opened for writing ({name}): check owner and mode of the file and "
            "of its directory, and that the disk is not mounted read-only"
        )
    return StoreError(
        f"reading or writing {path} failed ({name}: {error}): check the disk, then start again"
    )


def damaged(path: Path, what: str) -> StoreDamagedError:
    """The error for broken content."""
    return StoreDamagedError(
        f"{path} is damaged or not swapd's database ({what}): keep the file and its -wal, move "
        "both away, and put back the newest copy; swaps newer than it are not in it"
    )
