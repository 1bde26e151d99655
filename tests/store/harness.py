"""Owns what the store suite needs of each store: to open it, to open it again, to fill its disk."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

from swapd.ports import JournalRecord, Store
from swapd.store.sqlite import SqliteStore
from tests.fakes.store import FakeDisk, FakeStore

NETWORK = "regtest"


def record(swap: int, sequence: int, at: int = 1_790_000_000) -> JournalRecord:
    """A record that can be told from every other one."""
    event = f"event {swap}/{sequence}".encode()
    return JournalRecord(swap_id(swap), sequence, at, event, b"state after " + event)


def swap_id(swap: int) -> bytes:
    """32 bytes whose order is not the order of the numbers."""
    return bytes([(swap * 37 + 5) % 256]) * 31 + bytes([swap])


class Harness(Protocol):
    """One durable place."""

    def opened(self) -> AbstractAsyncContextManager[Store]:
        """The store there; leaving the context is a stop, entering again a restart."""
        ...

    def set_full(self, store: Store, *, full: bool) -> None:
        """Take or give back the space for further writes."""
        ...


class FakeHarness:
    """The store in memory."""

    def __init__(self) -> None:
        self._disk = FakeDisk()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Store]:
        yield FakeStore(self._disk)

    def set_full(self, store: Store, *, full: bool) -> None:
        assert isinstance(store, FakeStore)
        store.full = full


class SqliteHarness:
    """The real one, on a real disk."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "swapd.sqlite3"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Store]:
        store = await SqliteStore.open(self.path, network=NETWORK)
        try:
            yield store
        finally:
            await store.aclose()

    def set_full(self, store: Store, *, full: bool) -> None:
        """SQLite answers a page too many as it answers a full disk: SQLITE_FULL."""
        assert isinstance(store, SqliteStore)
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        limit = pages if full else 2**30
        store._connection.execute(f"PRAGMA max_page_count = {limit}").fetchall()
