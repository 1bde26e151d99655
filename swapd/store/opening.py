"""Owns the way from a path to an open, checked, current database, and what is told of its past.

Must not know: what values mean, trio.

The order is: examine without changing anything; hold what was found against the mark; only then
open for writing, copy and migrate an older version, and take note when the file is one that time
went on without.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog
from msgspec import Struct

from swapd.paths import sync_directory
from swapd.ports import PUT_BACK, StoreError
from swapd.store import checking, errors, mark, rows, schema, seals
from swapd.store.checking import Checked
from swapd.store.schema import Migration

_OLDEST_SQLITE = (3, 37, 0)
"""STRICT tables."""

_MAGIC = b"SQLite format 3\0"
"""How every file of SQLite begins, unless it is empty."""

log = structlog.get_logger("store")


class Opened(Struct, frozen=True):
    """An open database with its mark."""

    connection: sqlite3.Connection
    marker: mark.Marker


def open_database(path: Path, network: str, migrations: Sequence[Migration]) -> Opened:
    """Raises StoreError."""
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        needed = ".".join(map(str, _OLDEST_SQLITE))
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: {needed} is needed")
    with translated(path):
        checked = _examined(path, network, len(migrations))
        why = _put_back(path, checked)
        # Made here, because SQLite would make it readable for everybody; -wal inherits the mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            _configure(connection)
            schema.migrate(
                connection, path, checked.version, network=network, migrations=migrations
            )
            sync_directory(path.parent)
            if why:
                _note_put_back(connection, why)
            return Opened(connection, _marked(connection, path))
        except BaseException:
            connection.close()
            raise


def _examined(path: Path, network: str, newest: int) -> Checked:
    """Raises StoreError."""
    size = path.stat().st_size if path.exists() else 0
    if size == 0:
        log_of = path.with_name(path.name + "-wal")
        if mark.read(path) is not None or (log_of.exists() and log_of.stat().st_size > 0):
            raise errors.gone(path)
        return Checked(version=0)
    checked = checking.examine(path, network=network, newest=newest)
    if checked.version == 0 and mark.read(path) is not None:
        raise errors.gone(path)
    if checked.version == 0 and not path.read_bytes().startswith(_MAGIC):
        raise errors.damaged(path, "a file too short to be a database")
    if not checked.whole:
        log.warning("store.checked_in_part", path=str(path), swaps=checked.swaps)
    return checked


def _put_back(path: Path, checked: Checked) -> str:
    """Why time went on without this file; empty when it did not. Raises StoreDamagedError when it
    is not what ran here last, and nobody said that it should be."""
    known = mark.read(path)
    if checked.version == 0:
        return ""
    if checked.copied is not None:
        return f"it is a copy, {checked.copied}"
    if checked.version < schema.SEALED_VERSION:
        return "" if known is None else "it is of an older version than what ran here last"
    if known is None:
        return "there is no mark that it is the newest"
    if known.database.hex() != checked.database:
        raise errors.another(path)
    if checked.commit < known.commit:
        raise errors.outdated(path, checked.commit, known.commit)
    return ""


def _note_put_back(connection: sqlite3.Connection, why: str) -> None:
    """In one transaction: the file is no copy any more, and whoever works with it is told, until he
    says that he has seen to it (by deleting the value)."""
    log.warning("store.put_back", why=why)
    with _transaction(connection):
        rows.set_meta(connection, schema.COPIED, None)
        rows.set_meta(connection, schema.DATABASE, os.urandom(16).hex())
        rows.put(connection, *PUT_BACK, why.encode())
        seals.commit(connection)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _marked(connection: sqlite3.Connection, path: Path) -> mark.Marker:
    name = rows.meta(connection, schema.DATABASE) or ""
    marker = mark.Marker(path, bytes.fromhex(name))
    marker.write(seals.commits(connection), durably=True)
    sync_directory(path.parent)
    return marker


def _configure(connection: sqlite3.Connection) -> None:
    """Only on a file that is ours: the journal mode is written into it."""
    # Exclusive: no second writer, and no shared-memory file, whose pages a full disk would turn
    # into a SIGBUS.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """What goes wrong with a file becomes StoreError."""
    try:
        yield
    except seals.Broken as error:
        raise errors.damaged(path, f"not as it was written: {error}") from error
    except sqlite3.Error as error:
        raise errors.translate(error, path) from error
    except UnicodeDecodeError as error:  # SQLite quotes broken text as it found it
        raise errors.damaged(path, str(error)) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror or error}") from error
