"""Owns the tables, and how a file of an older swapd becomes one of today.

Must not know: what values mean, trio.

`PRAGMA user_version` counts the migrations that were applied. They only go forward: the way back
is the copy made beside the file before the first of them runs.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from swapd.paths import sync_directory
from swapd.store import rows, seals
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

_SEALS: Migration = (
    # See swapd.store.seals. From here on whoever changes rows keeps their digests and sums true.
    "ALTER TABLE journal ADD COLUMN digest BLOB NOT NULL DEFAULT x''",
    "DROP TRIGGER journal_is_not_changed",
    "UPDATE journal SET digest = row_digest('journal', swap, sequence, at, event, state)",
    """CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END""",
    # `head` is the digest of the newest row of the journal.
    "ALTER TABLE swap ADD COLUMN head BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE swap ADD COLUMN digest BLOB NOT NULL DEFAULT x''",
    """UPDATE swap SET head =
        (SELECT digest FROM journal WHERE journal.swap = number AND sequence = last)""",
    "UPDATE swap SET digest = row_digest('swap', number, swap_id, last, open, head)",
    "ALTER TABLE item ADD COLUMN digest BLOB NOT NULL DEFAULT x''",
    "UPDATE item SET digest = row_digest('item', space, key, value)",
    "ALTER TABLE counter ADD COLUMN digest BLOB NOT NULL DEFAULT x''",
    "UPDATE counter SET digest = row_digest('counter', name, value)",
    "INSERT INTO meta VALUES ('database', lower(hex(randomblob(16))))",
    """CREATE TABLE seal (name TEXT PRIMARY KEY, number INTEGER NOT NULL, sum BLOB NOT NULL)
        STRICT, WITHOUT ROWID""",
    """INSERT INTO seal
        SELECT 'meta', count(*),
            coalesce(digest_sum(row_digest('meta', key, value)), zeroblob(16)) FROM meta""",
    """INSERT INTO seal
        SELECT 'swap', count(*), coalesce(digest_sum(digest), zeroblob(16)) FROM swap""",
    """INSERT INTO seal
        SELECT 'item', count(*), coalesce(digest_sum(digest), zeroblob(16)) FROM item""",
    """INSERT INTO seal
        SELECT 'counter', count(*), coalesce(digest_sum(digest), zeroblob(16)) FROM counter""",
    """INSERT INTO seal
        SELECT 'hashlock', count(*),
            coalesce(digest_sum(row_digest('hashlock', hash)), zeroblob(16)) FROM hashlock""",
    "INSERT INTO seal VALUES ('commit', 1, row_digest('commit', 1))",
)

MIGRATIONS: tuple[Migration, ...] = (_FIRST, _SEALS)
"""Only ever appended to."""

SEALED_VERSION = 2
"""From here on files have seals."""

_PAGES = 256
"""Copied in one step (1 MiB); other calls wait for one step at most."""

DATABASE = "database"
"""Key in `meta`: 16 random bytes in hex, new whenever a file is put back."""

COPIED = "copied"
"""Key in `meta`: this file is a copy, and when it was made. Whoever opens it as the database knows
by it that time went on without it."""


def check(connection: sqlite3.Connection, path: Path, *, newest: int = len(MIGRATIONS)) -> int:
    """The version of the file, 0 for an empty one. Changes nothing.

    Raises:
        StoreNewerError: more than `newest` migrations were applied to it.
        StoreDamagedError: another program's file, or broken content.
    """
    version = _pragma(connection, "user_version")
    if version == 0 and not connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
        return 0
    found = _pragma(connection, "application_id")
    if found != APPLICATION_ID:
        raise damaged(path, f"application id {found:#x}")
    if seals.exist(connection):
        seals.check_version(connection, version)
    elif not 0 < version < SEALED_VERSION:
        raise damaged(path, f"version {version}, but without seals")
    if version > newest:
        raise StoreNewerError(
            f"{path} has version {version}, this swapd knows versions up to {newest}: "
            "start the newer swapd that wrote it"
        )
    return version


def check_network(found: str | None, path: Path, network: str) -> None:
    """Raises StoreOtherNetworkError."""
    if found != network:
        raise StoreOtherNetworkError(
            f"{path} belongs to network {found}, not to {network}: "
            "each network has a data directory of its own"
        )


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    version: int,
    *,
    network: str,
    migrations: Sequence[Migration] = MIGRATIONS,
) -> None:
    """Bring a file of `version` to the newest one, after a copy of it was made."""
    seals.teach(connection)
    if 0 < version < len(migrations):
        target = path.with_name(f"{path.name}.version-{version}")
        copy(connection, target, f"made before version {len(migrations)}")
    for number, migration in enumerate(migrations[version:], version + 1):
        _apply(connection, migration, number, network)


def _apply(connection: sqlite3.Connection, migration: Migration, number: int, network: str) -> None:
    """All of one migration, with its number, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in migration:
            connection.execute(statement)
        if number == 1:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("INSERT INTO meta VALUES ('network', ?)", (network,))
        if seals.exist(connection):
            seals.close_schema(connection, number)
        connection.execute(f"PRAGMA user_version = {number:d}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def fill(
    connection: sqlite3.Connection, partial: Path, when: str, give_way: Callable[[], None]
) -> None:
    """Copies the open database to a new file, mode 0600, that says when it was `made`; not synced.

    `give_way` is called between steps: what the same connection writes in there is in the copy
    too; what it raises ends the copying. Raises sqlite3.Error, OSError; then there is no file.
    """
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(partial, isolation_level=None)) as destination:
            connection.backup(destination, pages=_PAGES, progress=lambda *_: give_way())
            # The copy is one file on its own, without a -wal beside it.
            destination.execute("PRAGMA journal_mode = DELETE").fetchall()
            say_copied(destination, when)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def say_copied(connection: sqlite3.Connection, when: str) -> None:
    """Has a file, in no transaction, say that it is a copy."""
    connection.execute("BEGIN")
    rows.set_meta(connection, COPIED, when)
    connection.execute("COMMIT")


def copy(connection: sqlite3.Connection, target: Path, when: str) -> None:
    """A complete, durable copy of the open database at `target`, mode 0600, that says of itself
    that it is one; replaces an older one only once it is complete. Raises sqlite3.Error, OSError.
    """
    partial = target.with_name(target.name + ".part")
    fill(connection, partial, when, lambda: None)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(target)
    sync_directory(target.parent)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    """A header value that is one integer."""
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
