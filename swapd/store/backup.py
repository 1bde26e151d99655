"""Owns copies of the database: made while it is in use, checked, recognised.

Must not know: what values mean, trio.

A copy says in its table `meta` that it is one (schema.COPIED): whoever opens it as the database
knows that time went on without it, and whoever is about to write over it that it is a backup.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from swapd.paths import sync_directory
from swapd.ports import BackupMade, BackupRefused, StoreError, StoreFull
from swapd.store import checking, schema
from swapd.store.errors import StoreDamagedError


def fill(
    connection: sqlite3.Connection, target: Path, *, at: int, give_way: Callable[[], None]
) -> Path:
    """Copies the open database, whole and durably, to a new file beside `target`, mode 0600.

    `give_way` is called between steps: what the same connection writes in there is in the copy
    too; what it raises ends the copying. Raises sqlite3.Error, OSError.
    """
    partial = target.with_name(target.name + ".part")
    schema.fill(connection, partial, f"made at {at}", give_way)
    return partial


def finish(partial: Path, target: Path, *, network: str, at: int) -> BackupMade:
    """Reads back what `fill` wrote and puts it in place. Raises StoreError, OSError,
    sqlite3.Error; then an older backup at `target` is as it was."""
    try:
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        swaps = checking.examine(
            partial, network=network, newest=len(schema.MIGRATIONS), seconds=None
        ).swaps
        size = partial.stat().st_size
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    sync_directory(target.parent)
    return BackupMade(path=str(target), size=size, swaps=swaps, at=at)


@contextmanager
def explained(target: Path) -> Iterator[None]:
    """What fails while a backup is written, as a StoreError that says so."""
    try:
        yield
    except sqlite3.Error as error:
        full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        kind = StoreFull if full else StoreError
        raise kind(f"no backup was made at {target}: {error}") from error
    except OSError as error:
        kind = StoreFull if error.errno == errno.ENOSPC else StoreError
        raise kind(f"no backup was made at {target}: {error.strerror or error}") from error
    except StoreDamagedError as error:
        message = f"no backup was made at {target}, what was written is not sound: {error.what}"
        raise StoreError(message) from error


def refuse_others(target: Path, *, live: Path, network: str) -> None:
    """Raises BackupRefused unless `target` is free, or an older backup of this network."""
    if not target.is_absolute():
        raise BackupRefused(f"{target}: give the path in full")
    if not target.parent.is_dir():
        raise BackupRefused(f"{target.parent} is no directory: make it first")
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise BackupRefused(f"{target} is not a plain file: name another one")
    if not target.exists():
        return
    if live.exists() and target.samefile(live):
        raise BackupRefused(f"{target} is the database itself: name another file")
    if not is_copy(target, network=network):
        raise BackupRefused(
            f"{target} is not a backup of this daemon's database and is left as it is: "
            "name another file"
        )


def is_copy(path: Path, *, network: str) -> bool:
    """Whether the file is a copy that `make` wrote for this network, sound or not."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            if connection.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
                return False
            found = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    except (sqlite3.Error, UnicodeDecodeError):
        return False
    return schema.COPIED in found and found.get("network") == network
