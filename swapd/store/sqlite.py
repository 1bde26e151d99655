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

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

import trio

from swapd.ports import BackupMade, JournalRecord, SequenceConflict, StoreError
from swapd.store import backup, errors, rows, seals
from swapd.store.opening import Opened, open_database, translated
from swapd.store.schema import MIGRATIONS, Migration

T = TypeVar("T")


class SqliteStore:
    """A Store in one file. Made by `open`, ended by `aclose`. The first record of a swap has
    sequence 1."""

    def __init__(self, opened: Opened, path: Path, network: str) -> None:
        self._connection = opened.connection
        self._marker = opened.marker
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
        opened = await trio.to_thread.run_sync(open_database, path, network, migrations)
        return cls(opened, path, network)

    async def aclose(self) -> None:
        """Fold the WAL into the file and let go of it. Repeating it does nothing."""
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._close, limiter=self._limiter)

    async def append(self, record: JournalRecord, *, open_swap: bool) -> None:
        """Appends; `record.sequence` must be the next one. Raises SequenceConflict, StoreError."""

        def write(connection: sqlite3.Connection) -> None:
            row = rows.swap_row(connection, record.swap_id)
            if record.sequence != row.last + 1:
                raise SequenceConflict(
                    f"record {record.sequence} of swap {record.swap_id.hex()}: "
                    f"next is {row.last + 1}"
                )
            rows.append(connection, row, record, open_swap=open_swap)

        await self._write(write)

    async def open_swaps(self) -> tuple[JournalRecord, ...]:
        """The newest record of every swap whose last append said `open_swap`, oldest swap first."""
        where = "WHERE swap.open = 1 ORDER BY swap.number"
        return await self._read(lambda connection: rows.newest(connection, where))

    async def swaps(self, *, after: bytes | None, limit: int) -> tuple[JournalRecord, ...]:
        """Newest record of each swap, newest swap first, from behind `after` (a swap id; nothing
        is behind one that does not exist)."""
        behind = "WHERE swap.number < (SELECT number FROM swap WHERE swap_id = ?)"
        where, values = (behind, (after,)) if after is not None else ("", ())
        where += " ORDER BY swap.number DESC LIMIT ?"
        return await self._read(
            lambda connection: rows.newest(connection, where, *values, max(0, limit))
        )

    async def swap(self, swap_id: bytes) -> JournalRecord | None:
        """The newest record of one swap."""
        where = "WHERE swap.swap_id = ?"
        found = await self._read(lambda connection: rows.newest(connection, where, swap_id))
        return found[0] if found else None

    async def history(self, swap_id: bytes) -> tuple[JournalRecord, ...]:
        """All records of one swap, oldest first."""
        return await self._read(lambda connection: rows.history(connection, swap_id))

    async def remember_hashlock(self, hashlock: bytes) -> bool:
        """True when it was new; False when it was seen before (safety rule 6)."""
        return await self._write(lambda connection: rows.remember_hashlock(connection, hashlock))

    async def get(self, space: str, key: str) -> bytes | None:
        """The value at `key`, if there is one."""
        return await self._read(lambda connection: rows.value(connection, space, key))

    async def put(self, space: str, key: str, value: bytes) -> None:
        """Writes over what was there."""
        await self._write(lambda connection: rows.put(connection, space, key, value))

    async def put_all(self, space: str, values: Mapping[str, bytes]) -> None:
        """Writes over what was there; all, or none."""

        def write(connection: sqlite3.Connection) -> None:
            for key, value in values.items():
                rows.put(connection, space, key, value)

        await self._write(write)

    async def put_new(self, space: str, key: str, value: bytes) -> bytes | None:
        """Writes only where nothing was; returns what was there before (None = written)."""

        def write(connection: sqlite3.Connection) -> bytes | None:
            before = rows.value(connection, space, key)
            if before is None:
                rows.put(connection, space, key, value)
            return before

        return await self._write(write)

    async def delete(self, space: str, key: str) -> None:
        """Nothing is there afterwards, whatever was before."""
        await self._write(lambda connection: rows.delete(connection, space, key))

    async def items(self, space: str) -> tuple[tuple[str, bytes], ...]:
        """All keys and values of a namespace, in the order of the keys."""
        return await self._read(lambda connection: rows.items(connection, space))

    async def next_counter(self, name: str, at_least: int) -> int:
        """max(stored + 1, at_least), durably; 0 was never given."""
        return await self._write(lambda connection: rows.next_counter(connection, name, at_least))

    async def move_counters(self, by: int, *, below: int) -> None:
        """Moves every counter that is below `below` on by `by`; all, or none."""
        await self._write(lambda connection: rows.move_counters(connection, by=by, below=below))

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
        return await self._read(lambda connection: rows.counter(connection, name)[0])

    # --- one call at a time -------------------------------------------------------------------

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await trio.to_thread.run_sync(self._guarded, work, limiter=self._limiter)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await trio.to_thread.run_sync(self._committed, work, limiter=self._limiter)

    def _guarded(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """In the thread: `work`, with SQLite's errors made ours."""
        if self._refusal is not None:
            raise StoreError(self._refusal)
        with translated(self._path):
            return work(self._connection)

    def _committed(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """In the thread: `work` in a transaction that is durable, or undone, afterwards."""

        def transaction(connection: sqlite3.Connection) -> T:
            before, number = connection.total_changes, None
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                if connection.total_changes != before:
                    number = seals.commit(connection)
                self._commit(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            if number is not None:
                self._marker.write(number)
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
        with translated(self._path):
            try:
                if clean:
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                self._connection.close()
                self._marker.close()


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
