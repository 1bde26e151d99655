"""What goes wrong with the database, as types, and how SQLite's errors become them.

Must not know: tables, exit codes.
"""

import sqlite3
from pathlib import Path

from swapd.ports import StoreError, StoreFull


class StoreFullError(StoreFull):
    """As SQLite told it."""


class StoreDamagedError(StoreError):
    """The file is no database of ours, or its content is broken; `what` says how, in short."""

    def __init__(self, message: str, what: str = "") -> None:
        super().__init__(message)
        self.what = what or message


class StoreNewerError(StoreError):
    """The file was written by a newer swapd."""


class StoreOtherNetworkError(StoreError):
    """The file belongs to another network."""


class StoreInUseError(StoreError):
    """Another process has the file open."""


_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
BACKUP_NAME = "backup.sqlite3"
"""What `swap-cli backup` writes beside the database when nobody says where."""

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
    """The error for broken content, with the way back."""
    return StoreDamagedError(
        f"{path} is damaged or not swapd's database ({what}). It was left as it is. "
        f"{way_back(path)}",
        what,
    )


def outdated(path: Path, found: int, known: int) -> StoreDamagedError:
    """The error for a database that is whole, but not the newest."""
    return StoreDamagedError(
        f"{path} is older than what ran here last (commit {found} of {known}): the disk lost what "
        f"was written, or an older file was put there. It was left as it is. {way_back(path)} "
        f"{_as_it_is(path)}"
    )


def another(path: Path) -> StoreDamagedError:
    """The error for a database that is whole, but not the one of this place."""
    return StoreDamagedError(
        f"{path} is not the database that ran here last. It was left as it is. {way_back(path)} "
        f"{_as_it_is(path)}"
    )


def _as_it_is(path: Path) -> str:
    return f"To go on from this very file: `swapd restore-backup {path}`"


def gone(path: Path) -> StoreDamagedError:
    """The error for a database that is not there any more."""
    return StoreDamagedError(f"{path} is gone, but a database was in use here. {way_back(path)}")


def way_back(path: Path) -> str:
    """What the operator can do without the file."""
    kept = path.with_name(BACKUP_NAME)
    newest = f" (one is {kept})" if kept.exists() else ""
    return (
        f"Put the newest backup back with `swapd restore-backup FILE`{newest}: it keeps this file "
        "beside it. Then `swapd recover FILE` adds from the recovery file what is newer. Without a "
        f"backup, first move {path.name}, {path.name}-wal and {path.name}-mark away. "
        "See docs/runbook.md"
    )
