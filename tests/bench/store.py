"""A durable, sealed row of the journal beside a bare one, and the examination at start."""

import os
import sqlite3
import tempfile
import time
from pathlib import Path

import trio

from swapd.ports import JournalRecord
from swapd.store.checking import examine
from swapd.store.schema import MIGRATIONS
from swapd.store.sqlite import SqliteStore
from tests.bench.report import Row, spread

ROWS = 1_000
STATE = 2_500
"""Bytes of a state with both locks and a claim in it."""
SWAPS, EACH = 200, 20


async def measure() -> list[Row]:
    """On the disk where temporary files lie."""
    with tempfile.TemporaryDirectory() as folder:
        return [await _appends(Path(folder)), await _start(Path(folder))]


def _record(swap: int, sequence: int) -> JournalRecord:
    event = b"event" * 12
    return JournalRecord(swap.to_bytes(32, "big"), sequence, 1, event, os.urandom(STATE))


async def _appends(folder: Path) -> Row:
    """In turn, so that both have the same disk."""
    store = await SqliteStore.open(folder / "swapd.sqlite3", network="regtest")
    bare = sqlite3.connect(folder / "bare.sqlite3", isolation_level=None, check_same_thread=False)
    bare.execute("PRAGMA journal_mode = WAL").fetchall()
    bare.execute("PRAGMA synchronous = FULL")
    bare.execute("CREATE TABLE journal (swap INTEGER, sequence INTEGER, event BLOB, state BLOB)")
    ours, theirs = [], []
    for sequence in range(1, ROWS + 1):
        record = _record(1, sequence)
        began = time.perf_counter()
        await store.append(record, open_swap=True)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        await trio.to_thread.run_sync(_insert, bare, record)
        theirs.append(time.perf_counter() - began)
    bare.close()
    await store.aclose()
    return Row("one row of the journal, on the disk", spread(ours), spread(theirs))


def _insert(bare: sqlite3.Connection, record: JournalRecord) -> None:
    values = (1, record.sequence, record.event, record.state)
    bare.execute("INSERT INTO journal VALUES (?, ?, ?, ?)", values)


async def _start(folder: Path) -> Row:
    path = folder / "many.sqlite3"
    store = await SqliteStore.open(path, network="regtest")
    for swap in range(SWAPS):
        for sequence in range(1, EACH + 1):
            await store.append(_record(swap, sequence), open_swap=sequence < EACH)
    await store.aclose()
    began = time.process_time()
    checked = examine(path, network="regtest", newest=len(MIGRATIONS), seconds=None)
    took = time.process_time() - began
    what = f"a database of {checked.swaps} swaps examined"
    size = path.stat().st_size
    return Row(what, f"{took * 1000:.0f} ms", note=f"{size // 10**6} MB; processor time")
