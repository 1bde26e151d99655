"""Targets: what is read back from the disk: journal rows, records, the database file itself.

Owns: samples and calls. Must not know: how inputs are made. A damaged disk is told as StoreError;
nothing damaged is taken for a state.
"""

import sqlite3
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
from msgspec.structs import replace
from trio.testing import MockClock

from protocol.amounts import Units
from protocol.codec import encode
from protocol.errors import DecodeError
from protocol.swap.events import CancelRequested, ClaimBuilt, Event, LockBuilt, Observed
from protocol.swap.facts import ChainView, Conflict, LockSeen, Restriction, Spend, SpendKind
from protocol.swap.machine import begin, is_closed, step
from protocol.swap.states import LockCoin, SignedLock, SwapState, Tx
from protocol.tower.progress import Progress
from swapd.control.idempotency import SPACE, Idempotency, _Record
from swapd.engine import backups, journal
from swapd.engine.backups import Backups, LastBackup
from swapd.engine.locked_swaps import read_progress
from swapd.engine.offers_account import Account, decode_account, encode_account
from swapd.engine.world import World
from swapd.ports import JournalRecord, StoreError
from swapd.store import rows, seals
from swapd.store.mark import Mark, Marker, path_of, read
from swapd.store.opening import open_database, translated
from swapd.store.schema import MIGRATIONS
from tests.engine.swaps.stage import Stage
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.fuzz.shapes import Form
from tests.fuzz.target import REFUSED, Opened, Target, folder
from tests.protocol.market import samples as market

_TXID = "ab" * 32
_SWAP = bytes(range(32))


def views() -> tuple[ChainView, ChainView]:
    """One chain with nothing on it, one with a lock and its claim."""
    spend = Spend(SpendKind.CLAIM, _TXID, 0, bytes(32))
    locks = (
        LockSeen(f"{_TXID}:0", 80_000_000, 3, Restriction.NONE, spend, b"\x02raw"),
        LockSeen(f"{_TXID}:1", 1, 0),
    )
    empty = ChainView(
        tip_height=10,
        tip_hash=_TXID,
        tip_time=1_800_000_000,
        median_time=1_799_999_000,
        fee_next=2_000,
        fee_floor=1_000,
        problems=("slow",),
    )
    conflict = Conflict(_TXID, 1)
    busy = replace(empty, tip_height=12, problems=(), locks=locks, conflict=conflict)
    return empty, busy


def events() -> list[Event]:
    """Of several kinds."""
    tx = Tx(b"\x02raw", _TXID, 500, 2_000, 10, f"{_TXID}:0")
    lock = SignedLock(tx, (LockCoin(f"{_TXID}:5", 100_000_000, b"\x00\x14" + bytes(20)),))
    empty, busy = views()
    return [
        Observed(1_800_000_000, empty, busy),
        LockBuilt(lock),
        ClaimBuilt(tx),
        CancelRequested(),
    ]


def states() -> list[SwapState]:
    """Both roles, at the beginning and later."""
    found = []
    for agreement in Stage(MockClock()).agreement():
        state = begin(agreement)
        found.append(state)
        for event in events()[:2]:
            state = step(state, event)
            found.append(state)
    return found


def _record(*, event: bytes = b"", state: bytes = b"") -> JournalRecord:
    return JournalRecord(swap_id=_SWAP, sequence=2, at=5, event=event, state=state)


def _state(_: ExitStack) -> Opened:
    """What is taken is a state, and the machine can tell what is owed in it."""

    def call(data: bytes) -> None:
        state = journal.load_state(_record(state=data))
        assert encode(state) == data
        is_closed(state)

    return Opened([encode(state) for state in states()], call)


def _event(_: ExitStack) -> Opened:
    def call(data: bytes) -> None:
        event = journal.load_event(_record(event=data))
        assert (encode(event) if event is not None else b"") == data

    return Opened([encode(event) for event in events()], call)


def _idempotency(_: ExitStack) -> Opened:
    """A record of a call. The start of the daemon reads all of them."""

    async def call(data: bytes) -> None:
        store = FakeStore()
        await store.put(SPACE, "key", data)
        await Idempotency(store, FakeClock()).prune()

    records = [_Record("f" * 64, 1_800_000_000), _Record("f" * 64, 1_800_000_000, b"{}")]
    return Opened([msgspec.msgpack.encode(record) for record in records], acall=call)


def _account(_: ExitStack) -> Opened:
    def call(data: bytes) -> None:
        assert encode_account(decode_account(data)) == data

    return Opened([encode_account(account) for account in accounts()], call)


def accounts() -> list[Account]:
    """One of our offers, fresh, and with a swap under way."""
    offer = market.offer()
    account = Account(
        version=1,
        slot=offer.slot,
        sell=offer.sell,
        buy=offer.buy,
        price=offer.price,
        minimum=offer.minimum,
        total=offer.maximum,
        filled=Units(0),
        taken=(),
        created=offer.created,
        expires=offer.expires,
        kinds=offer.kinds,
        timing=offer.timing,
        exposure=offer.exposure,
        depth_sell=offer.depth_sell,
        depth_buy=offer.depth_buy,
        min_fee_rate=offer.min_fee_rate,
        versions=(encode(offer),),
    )
    return [account, account.take(_SWAP, offer.minimum)]


def _database(stack: ExitStack) -> Opened:
    """A whole database file."""
    place = folder(stack)
    path = place / "swapd.sqlite3"

    def call(data: bytes) -> None:
        for leftover in place.iterdir():
            leftover.unlink()
        path.write_bytes(data)
        opened = open_database(path, "regtest", MIGRATIONS)
        try:
            with translated(path):
                found = rows.newest(opened.connection, "LIMIT 5")
                # A file that opens holds what was written to it; an empty one is new.
                assert found == ((_RECORD,) if data else ())
        finally:
            opened.connection.close()
            opened.marker.close()

    return Opened([_good_database(place)], call)


_RECORD = JournalRecord(_SWAP, 1, 5, b"", encode(states()[0]))


def _good_database(place: Path) -> bytes:
    path = place / "good.sqlite3"
    opened = open_database(path, "regtest", MIGRATIONS)
    connection = opened.connection
    connection.execute("BEGIN")
    rows.append(connection, rows.swap_row(connection, _SWAP), _RECORD, open_swap=True)
    seals.commit(connection)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    opened.marker.close()
    content = path.read_bytes()
    assert sqlite3.sqlite_version_info >= (3, 37, 0)
    return content


def _mark(stack: ExitStack) -> Opened:
    """How far the database had come: read as it was written, or not at all."""
    path = folder(stack) / "swapd.sqlite3"
    written = Mark(bytes(16), 2**40)
    marker = Marker(path, written.database)
    marker.write(written.commit, durably=True)
    marker.close()
    good = path_of(path).read_bytes()

    def call(data: bytes) -> None:
        path_of(path).write_bytes(data)
        assert read(path) in (None, written)

    return Opened([good], call)


def _last_backup(_: ExitStack) -> Opened:
    """When the last backup was made. The start of the daemon reads it."""

    async def call(data: bytes) -> None:
        store = FakeStore()
        await store.put(backups.SPACE, backups.KEY, data)
        await Backups(cast("World", SimpleNamespace(store=store)), "").load()

    return Opened([encode(LastBackup(1_800_000_000, "/mnt/backup.sqlite3"))], acall=call)


def _progress(_: ExitStack) -> Opened:
    """A damaged one is none: a locked daemon must not stop at it."""

    def call(data: bytes) -> object:
        found = read_progress(data)
        assert isinstance(found, Progress)
        return REFUSED if found == Progress() else None

    seen = Progress(preimage=bytes(32), due_since=1_800_000_000, sent=3, sent_ref=f"{_TXID}:0")
    return Opened([encode(seen)], call)


TARGETS = (
    Target("journal.state", Form.MSGPACK, _state, (StoreError,), 4),
    Target("journal.event", Form.MSGPACK, _event, (StoreError,), 3),
    Target("store.idempotency", Form.MSGPACK, _idempotency, (StoreError,), 1),
    Target("store.account", Form.MSGPACK, _account, (DecodeError,), 2),
    Target("store.mark", Form.BYTES, _mark, (), 1),
    Target("store.progress", Form.MSGPACK, _progress, (), 1),
    Target("store.last_backup", Form.MSGPACK, _last_backup, (), 1),
    Target("store.database", Form.BYTES, _database, (StoreError,), 0.02, block=100),
)
