"""Owns the real `Store`: one connection, one call at a time, in a worker thread.

Must not know: what records and values mean.

Durability. The file is in WAL mode with synchronous=FULL: a call that returned has been fsynced.
Cancellation. Each call is one transaction in one thread call that trio never abandons: Cancelled
is raised only before the call has begun, so it means "nothing was written", and a write that has
begun is always waited for and its result returned. A lost answer is impossible in this process.
Failure. A full disk leaves nothing behind and may be tried again. After any other failed commit it
is unknown what a restart would find, so the store refuses all further calls until it is opened
again. The file is locked exclusively while open.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

import trio

from swapd.ports import BackupMade, JournalRecord, SequenceConflict, StoreError
from swapd.store import backup, errors, schema
from swapd.store.schema import MIGRATIONS, Migration

T = TypeVar("T")

_OLDEST_SQLITE = (3, 37, 0)
"""STRICT tables."""

_RECORD = """SELECT swap.swap_id, sequence, at, event, state
    FROM swap JOIN journal ON journal.swap = swap.number"""
_NEWEST = f"{_RECORD} AND journal.sequence = swap.last"


class SqliteStore:
    """A Store in one file. Made by `open`, ended by `aclose`. The first record of a swap has
    sequence 1."""

    def __init__(self, connection: sqlite3.Connection, path: Path, network: str) -> None:
        self._connection = connection
        self._path = path
        self._network = network
        self._limiter = trio.CapacityLimiter(1)
        self._refusal: str | None = None

    @classmethod
    async def open(
        cls, path: Path, *, network: str, migrations: Sequence[Migration] = MIGRATIONS
    ) -> Self:
        """Open or create the database of `network` at `path`, checked and brought up to date.

        Raises StoreError: StoreNewerError, StoreOtherNetworkError, StoreDamagedError,
        StoreInUseError, StoreFullError or without a kind of its own.
        """
        connection = await trio.to_thread.run_sync(_open, path, network, migrations)
        return cls(connection, path, network)

    async def aclose(self) -> None:
        """Fold the WAL into the file and let go of it. Repeating it does nothing."""
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._close, limiter=self._limiter)

    async def append(self, record: JournalRecord, *, open_swap: bool) -> None:
        """Appends; `record.sequence` must be the next one. Raises SequenceConflict, StoreError."""

        def write(connection: sqlite3.Connection) -> None:
            number, last = _swap_row(connection, record)
            if record.sequence != last + 1:
                raise SequenceConflict(
                    f"record {record.sequence} of swap {record.swap_id.hex()}: next is {last + 1}"
                )
            connection.execute(
                "INSERT INTO journal VALUES (?, ?, ?, ?, ?)",
                (number, record.sequence, record.at, record.event, record.state),
            )
            connection.execute(
                "UPDATE swap SET last = ?, open = ? WHERE number = ?",
                (record.sequence, int(open_swap), number),
            )

        await self._write(write)

    async def open_swaps(self) -> tuple[JournalRecord, ...]:
        """The newest record of every swap whose last append said `open_swap`, oldest swap first."""
        return await self._records(f"{_NEWEST} WHERE swap.open = 1 ORDER BY swap.number")

    async def swaps(self, *, after: bytes | None, limit: int) -> tuple[JournalRecord, ...]:
        """Newest record of each swap, newest swap first, from behind `after` (a swap id; nothing
        is behind one that does not exist)."""
        behind = "WHERE swap.number < (SELECT number FROM swap WHERE swap_id = ?)"
        where, values = (behind, (after,)) if after is not None else ("", ())
        return await self._records(
            f"{_NEWEST} {where} ORDER BY swap.number DESC LIMIT ?", *values, max(0, limit)
        )

    async def swap(self, swap_id: bytes) -> JournalRecord | None:
        """The newest record of one swap."""
        found = await self._records(f"{_NEWEST} WHERE swap.swap_id = ?", swap_id)
        return found[0] if found else None

    async def history(self, swap_id: bytes) -> tuple[JournalRecord, ...]:
        """All records of one swap, oldest first."""
        return await self._records(f"{_RECORD} WHERE swap.swap_id = ? ORDER BY sequence", swap_id)

    async def remember_hashlock(self, hashlock: bytes) -> bool:
        """True when it was new; False when it was seen before (safety rule 6)."""

        def write(connection: sqlite3.Connection) -> bool:
            statement = "INSERT INTO hashlock VALUES (?) ON CONFLICT DO NOTHING"
            return connection.execute(statement, (hashlock,)).rowcount == 1

        return await self._write(write)

    async def get(self, space: str, key: str) -> bytes | None:
        """The value at `key`, if there is one."""
        return await self._read(lambda connection: _value(connection, space, key))

    async def put(self, space: str, key: str, value: bytes) -> None:
        """Writes over what was there."""
        statement = (
            "INSERT INTO item VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
        )
        await self._write(lambda connection: _run(connection, statement, space, key, value))

    async def put_new(self, space: str, key: str, value: bytes) -> bytes | None:
        """Writes only where nothing was; returns what was there before (None = written)."""

        def write(connection: sqlite3.Connection) -> bytes | None:
            before = _value(connection, space, key)
            if before is None:
                _run(connection, "INSERT INTO item VALUES (?, ?, ?)", space, key, value)
            return before

        return await self._write(write)

    async def delete(self, space: str, key: str) -> None:
        """Nothing is there afterwards, whatever was before."""
        statement = "DELETE FROM item WHERE space = ? AND key = ?"
        await self._write(lambda connection: _run(connection, statement, space, key))

    async def items(self, space: str) -> tuple[tuple[str, bytes], ...]:
        """All keys and values of a namespace, in the order of the keys."""
        statement = "SELECT key, value FROM item WHERE space = ? ORDER BY key"

        def read(connection: sqlite3.Connection) -> tuple[tuple[str, bytes], ...]:
            return tuple(connection.execute(statement, (space,)).fetchall())

        return await self._read(read)

    async def next_counter(self, name: str, at_least: int) -> int:
        """max(stored + 1, at_least), durably; 0 was never given."""
        statement = """INSERT INTO counter VALUES (?, max(1, ?)) ON CONFLICT DO UPDATE
            SET value = max(value + 1, excluded.value) RETURNING value"""

        def write(connection: sqlite3.Connection) -> int:
            value: int = connection.execute(statement, (name, at_least)).fetchall()[0][0]
            return value

        return await self._write(write)

    async def backup(self, path: str, *, at: int) -> BackupMade:
        """A verified copy at `path`; other calls are let through between its steps.

        Cancelled means that an older backup there is as it was. Raises BackupRefused, StoreError.
        """
        target, turn = Path(path), _Turn(self._limiter)

        @backup.explained(target)
        def fill(connection: sqlite3.Connection) -> Path:
            backup.refuse_others(target, live=self._path, network=self._network)
            return backup.fill(connection, target, at=at, give_way=turn.pass_on)

        @backup.explained(target)
        def finish(partial: Path) -> BackupMade:
            return backup.finish(partial, target, network=self._network, at=at)

        async with turn:
            partial = await trio.to_thread.run_sync(self._guarded, fill)
        # Not to be given up here: the file would stay.
        with trio.CancelScope(shield=True):
            made = await trio.to_thread.run_sync(finish, partial)
        return made  # noqa: RET504 - mypy holds that a scope may swallow what is raised in it

    async def counter(self, name: str) -> int:
        """What `next_counter` gave last, 0 for nothing yet."""
        statement = "SELECT value FROM counter WHERE name = ?"

        def read(connection: sqlite3.Connection) -> int:
            rows: list[tuple[int]] = connection.execute(statement, (name,)).fetchall()
            return rows[0][0] if rows else 0

        return await self._read(read)

    # --- one call at a time -------------------------------------------------------------------

    async def _records(self, statement: str, *values: object) -> tuple[JournalRecord, ...]:
        def read(connection: sqlite3.Connection) -> tuple[JournalRecord, ...]:
            rows = connection.execute(statement, values).fetchall()
            return tuple(JournalRecord(*row) for row in rows)

        return await self._read(read)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await trio.to_thread.run_sync(self._guarded, work, limiter=self._limiter)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await trio.to_thread.run_sync(self._committed, work, limiter=self._limiter)

    def _guarded(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """In the thread: `work`, with SQLite's errors made ours."""
        if self._refusal is not None:
            raise StoreError(self._refusal)
        with _translated(self._path):
            return work(self._connection)

    def _committed(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """In the thread: `work` in a transaction that is durable, or undone, afterwards."""

        def transaction(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                self._commit(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            return result

        return self._guarded(transaction)

    def _commit(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            failure = errors.translate(error, self._path)
            # A full disk stops the commit frame itself. After anything else (a failed fsync) the
            # frame may or may not be on the disk: only a fresh reading of the file can tell.
            if not isinstance(failure, errors.StoreFullError):
                self._refusal = f"a write ended in doubt, start swapd again: {failure}"
            raise

    def _close(self) -> None:
        if self._refusal == _CLOSED:
            return
        clean = self._refusal is None
        self._refusal = _CLOSED
        with _translated(self._path):
            try:
                if clean:
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self._connection.close()


_CLOSED = "the database is closed"


class _Turn:
    """A long work's hold of the connection, which it passes on between its steps."""

    def __init__(self, limiter: trio.CapacityLimiter) -> None:
        self._limiter = limiter
        self._held = False

    async def __aenter__(self) -> None:
        await self._take()

    async def __aexit__(self, *_: object) -> None:
        self._let_go()

    def pass_on(self) -> None:
        """From the work's thread: everybody who waits comes first. Raises trio.Cancelled."""
        trio.from_thread.run(self._again)

    async def _again(self) -> None:
        self._let_go()
        await self._take()

    async def _take(self) -> None:
        await self._limiter.acquire_on_behalf_of(self)
        self._held = True

    def _let_go(self) -> None:
        if self._held:
            self._held = False
            self._limiter.release_on_behalf_of(self)


def _open(path: Path, network: str, migrations: Sequence[Migration]) -> sqlite3.Connection:
    """Raises StoreError."""
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        needed = ".".join(map(str, _OLDEST_SQLITE))
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: {needed} is needed")
    with _translated(path):
        # Made here, because SQLite would make it readable for everybody; -wal inherits the mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            # Exclusive: no second writer, and no shared-memory file, whose pages a full disk would
            # turn into a SIGBUS.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            version = schema.check(connection, path, network=network, newest=len(migrations))
            _configure(connection)
            schema.migrate(connection, path, version, network=network, migrations=migrations)
            schema.sync_directory(path.parent)
        except BaseException:
            connection.close()
            raise
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    """Only on a file that is ours: the journal mode is written into it."""
    connection.execute("PRAGMA journal_mode = WAL").fetchall()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("COMMIT")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors become StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise errors.translate(error, path) from error
    except UnicodeDecodeError as error:  # SQLite quotes broken text as it found it
        raise errors.damaged(path, str(error)) from error
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror or error}") from error


def _swap_row(connection: sqlite3.Connection, record: JournalRecord) -> tuple[int, int]:
    """Number and newest sequence of a record's swap; a swap that begins has none: 0."""
    statement = "SELECT number, last FROM swap WHERE swap_id = ?"
    rows: list[tuple[int, int]] = connection.execute(statement, (record.swap_id,)).fetchall()
    if rows:
        return rows[0]
    begin = "INSERT INTO swap (swap_id, last, open) VALUES (?, 0, 1) RETURNING number"
    return int(connection.execute(begin, (record.swap_id,)).fetchall()[0][0]), 0


def _value(connection: sqlite3.Connection, space: str, key: str) -> bytes | None:
    statement = "SELECT value FROM item WHERE space = ? AND key = ?"
    rows: list[tuple[bytes]] = connection.execute(statement, (space, key)).fetchall()
    return rows[0][0] if rows else None


def _run(connection: sqlite3.Connection, statement: str, *values: object) -> None:
    connection.execute(statement, values)
