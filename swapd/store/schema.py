"""Owns the tables, and how a file of an older swapd becomes one of today.

Must not know: what values mean, trio.

`PRAGMA user_version` counts the migrations that were applied. They only go forward: the way back
is the copy made beside the file before the first of them runs.
"""

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from swapd.store.errors import StoreNewerError, StoreOtherNetworkError, damaged

APPLICATION_ID = 0x73776170
"""In the file's header ("swap"): tells our files from other programs'."""

Migration = tuple[str, ...]
"""Statements that run in one transaction."""

_FIRST: Migration = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    # One row a swap, in the order they began; `last` is the newest sequence in the journal.
    """CREATE TABLE swap (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        swap_id BLOB NOT NULL UNIQUE,
        last INTEGER NOT NULL,
        open INTEGER NOT NULL CHECK (open IN (0, 1))
    ) STRICT""",
    "CREATE INDEX swap_open ON swap (number) WHERE open = 1",
    """CREATE TABLE journal (
        swap INTEGER NOT NULL REFERENCES swap (number),
        sequence INTEGER NOT NULL CHECK (sequence >= 1),
        at INTEGER NOT NULL,
        event BLOB NOT NULL,
        state BLOB NOT NULL,
        PRIMARY KEY (swap, sequence)
    ) STRICT""",
    # Append-only is not a habit of the code above but a property of the file.
    """CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    """CREATE TRIGGER journal_is_not_deleted BEFORE DELETE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    "CREATE TABLE hashlock (hash BLOB PRIMARY KEY) STRICT, WITHOUT ROWID",
    """CREATE TABLE item (
        space TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (space, key)
    ) STRICT""",
    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
)

MIGRATIONS: tuple[Migration, ...] = (_FIRST,)
"""Only ever appended to."""


def check(
    connection: sqlite3.Connection, path: Path, *, network: str, newest: int = len(MIGRATIONS)
) -> int:
    """The version of the file, 0 for an empty one. Changes nothing.

    Raises:
        StoreNewerError: more than `newest` migrations were applied to it.
        StoreOtherNetworkError: it was made for a network other than `network`.
        StoreDamagedError: another program's file, or broken content.
    """
    version = _pragma(connection, "user_version")
    if version == 0 and not connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
        return 0
    _check_ours(connection, path)
    if version > newest:
        raise StoreNewerError(
            f"{path} has version {version}, this swapd knows versions up to {newest}: "
            "start the newer swapd that wrote it"
        )
    _check_network(connection, path, network)
    return version


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    version: int,
    *,
    network: str,
    migrations: Sequence[Migration] = MIGRATIONS,
) -> None:
    """Bring a file of `version` to the newest one, after a copy of it was made."""
    if 0 < version < len(migrations):
        copy(connection, path.with_name(f"{path.name}.version-{version}"))
    for number, migration in enumerate(migrations[version:], version + 1):
        _apply(connection, migration, number, network)


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StoreDamagedError."""
    found = _pragma(connection, "application_id")
    if found != APPLICATION_ID:
        raise damaged(path, f"application id {found:#x}")
    problems = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    if problems != ["ok"]:
        raise damaged(path, "; ".join(str(problem)[:200] for problem in problems))


def _check_network(connection: sqlite3.Connection, path: Path, network: str) -> None:
    """Raises StoreOtherNetworkError."""
    rows = connection.execute("SELECT value FROM meta WHERE key = 'network'").fetchall()
    found = rows[0][0] if rows else "none"
    if found != network:
        raise StoreOtherNetworkError(
            f"{path} belongs to network {found}, not to {network}: "
            "each network has a data directory of its own"
        )


def _apply(connection: sqlite3.Connection, migration: Migration, number: int, network: str) -> None:
    """All of one migration, with its number, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in migration:
            connection.execute(statement)
        if number == 1:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("INSERT INTO meta VALUES ('network', ?)", (network,))
        connection.execute(f"PRAGMA user_version = {number:d}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def copy(connection: sqlite3.Connection, target: Path) -> None:
    """A complete, durable copy of the open database at `target`, mode 0600; replaces an older
    one only once it is complete. Raises sqlite3.Error, OSError."""
    partial = target.with_name(target.name + ".part")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    destination = sqlite3.connect(partial)
    try:
        connection.backup(destination)
        # The copy is one file on its own, without a -wal beside it.
        destination.execute("PRAGMA journal_mode = DELETE")
    finally:
        destination.close()
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)
    sync_directory(target.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    """A header value that is one integer."""
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
