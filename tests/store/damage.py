"""Owns a database with something of everything in it, and what must be read from it.

Must not know: how damage is found.
"""

import random
import shutil
from pathlib import Path

from msgspec import Struct

from swapd.ports import JournalRecord
from swapd.store import rows
from swapd.store.mark import path_of
from swapd.store.opening import open_database
from swapd.store.schema import MIGRATIONS
from swapd.store.sqlite import SqliteStore
from tests.store.harness import NETWORK, swap_id

SPACES = ("offer", "salt", "meta", "idempotency")


class Content(Struct, frozen=True):
    """All that a store can tell."""

    open_swaps: tuple[JournalRecord, ...]
    newest: tuple[JournalRecord, ...]
    histories: tuple[tuple[JournalRecord, ...], ...]
    items: tuple[tuple[tuple[str, bytes], ...], ...]
    counters: tuple[tuple[str, int], ...]
    hashlocks: tuple[bytes, ...]


class Image(Struct, frozen=True):
    """The bytes of the three files; `log` and `mark` may be missing."""

    database: bytes
    log: bytes | None
    mark: bytes | None

    def write(self, path: Path) -> None:
        """Puts them at `path`, in place of what was there."""
        shutil.rmtree(path.parent, ignore_errors=True)
        path.parent.mkdir()
        path.write_bytes(self.database)
        if self.log is not None:
            log_of(path).write_bytes(self.log)
        if self.mark is not None:
            path_of(path).write_bytes(self.mark)


def log_of(path: Path) -> Path:
    """Where the write-ahead log of a database lies."""
    return path.with_name(path.name + "-wal")


def image(path: Path) -> Image:
    """The files as they are now."""
    log, mark = log_of(path), path_of(path)
    return Image(
        path.read_bytes(),
        log.read_bytes() if log.exists() else None,
        mark.read_bytes() if mark.exists() else None,
    )


async def fill(store: SqliteStore, *, seed: int = 1) -> None:
    """Swaps with short and with long rows, open and ended; values, counters, hashlocks; and pages
    that are free again."""
    chance = random.Random(seed)
    for sequence in range(1, 6):
        for number in range(7):
            state = chance.randbytes(chance.choice((40, 900, 5000)))
            record = JournalRecord(swap_id(number), sequence, 1_790_000_000, b"event", state)
            await store.append(record, open_swap=sequence < 5 or number % 3 != 0)
    for number in range(40):
        await store.put("salt", str(number), chance.randbytes(32))
        await store.remember_hashlock(chance.randbytes(32))
        await store.next_counter(f"counter {number % 7}", number)
    for number in range(4):
        await store.put("idempotency", str(number), chance.randbytes(9000))
    for number in range(3):
        await store.delete("idempotency", str(number))
    await store.put("offer", "1", chance.randbytes(3000))


def content(path: Path) -> Content:
    """All that a start at `path` would work with. Raises StoreError."""
    opened = open_database(path, NETWORK, MIGRATIONS)
    connection = opened.connection
    try:
        everything = rows.newest(connection, "ORDER BY swap.number")
        return Content(
            rows.newest(connection, "WHERE swap.open = 1 ORDER BY swap.number"),
            everything,
            tuple(rows.history(connection, swap_id(number)) for number in range(7)),
            tuple(rows.items(connection, space) for space in SPACES),
            tuple(connection.execute("SELECT name, value FROM counter ORDER BY name").fetchall()),
            tuple(h for (h,) in connection.execute("SELECT hash FROM hashlock ORDER BY hash")),
        )
    finally:
        connection.close()
        opened.marker.close()
