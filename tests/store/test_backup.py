"""What a backup promises: complete, verified, private, made while others write."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import trio

from swapd.ports import BackupRefused, StoreError
from swapd.store import backup as module
from swapd.store import schema
from swapd.store.sqlite import SqliteStore
from tests.store.harness import NETWORK, record, swap_id

AT = 1_790_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "swapd.sqlite3"


def held(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of a database, past the store, but for the note that it is a copy."""
    selects = {
        "swap": "SELECT * FROM swap ORDER BY number",
        "journal": "SELECT * FROM journal ORDER BY swap, sequence",
        "hashlock": "SELECT * FROM hashlock ORDER BY hash",
        "item": "SELECT * FROM item ORDER BY space, key",
        "counter": "SELECT * FROM counter ORDER BY name",
    }
    with closing(sqlite3.connect(f"{file.as_uri()}?immutable=1", uri=True)) as connection:
        return {name: connection.execute(text).fetchall() for name, text in selects.items()}


async def fill(store: SqliteStore, *, swaps: int = 3) -> None:
    """Something in every table."""
    for number in range(swaps):
        await store.append(record(number, 1), open_swap=True)
        await store.append(record(number, 2), open_swap=number % 2 == 0)
    await store.remember_hashlock(b"h" * 32)
    await store.put("meta", "k", b"v")
    await store.next_counter("heartbeat", AT)


async def test_a_backup_holds_all_and_is_one_private_file(path: Path) -> None:
    store = await SqliteStore.open(path, network=NETWORK)
    await fill(store)
    made = await store.backup(str(path.with_name("copy")), at=AT)
    names = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    await store.aclose()
    copy = path.with_name("copy")
    assert held(copy) == held(path)
    assert (made.path, made.swaps, made.at) == (str(copy), 3, AT)
    assert made.size == copy.stat().st_size
    assert names["copy"] == 0o600
    assert not [name for name in names if name.startswith("copy") and name != "copy"]


async def test_others_write_while_a_backup_is_made_and_what_they_wrote_is_in_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_PAGES", 1)
    store = await SqliteStore.open(path, network=NETWORK)
    for number in range(100):
        await store.put("big", str(number), bytes([number]) * 5000)
    during: list[int] = []
    made = trio.Event()

    async def write() -> None:
        while not made.is_set():
            during.append(len(during))
            await store.append(record(1, len(during)), open_swap=True)
            await store.put("big", str(len(during) % 100), b"new" * 1000)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        await store.backup(str(path.with_name("copy")), at=AT)
        made.set()
    last = await store.swap(swap_id(1))
    await store.aclose()
    assert last is not None
    copied = held(path.with_name("copy"))["journal"]
    everything = held(path)["journal"]
    assert copied == everything[: len(copied)]
    # One step a page, 200 pages: were writers kept out, two or three would be there.
    assert len(copied) > 20


async def test_a_second_backup_replaces_the_first(path: Path) -> None:
    store = await SqliteStore.open(path, network=NETWORK)
    await fill(store)
    await store.backup(str(path.with_name("copy")), at=AT)
    await store.append(record(9, 1), open_swap=True)
    await store.backup(str(path.with_name("copy")), at=AT + 1)
    await store.aclose()
    assert held(path.with_name("copy")) == held(path)


def another_program(place: Path) -> None:
    with closing(sqlite3.connect(place)) as connection:
        connection.execute("CREATE TABLE theirs (x)")


def a_live_database(place: Path) -> None:
    """Ours, but nobody said that it is a copy."""
    with closing(sqlite3.connect(place, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE meta (key TEXT, value TEXT)")
        connection.execute("INSERT INTO meta VALUES ('network', 'regtest')")
        connection.execute("PRAGMA application_id = 0x73776170")


def a_backup_of_mainnet(place: Path) -> None:
    with closing(sqlite3.connect(place, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE meta (key TEXT, value TEXT)")
        connection.execute("INSERT INTO meta VALUES ('network', 'mainnet'), ('copied', '1')")
        connection.execute("PRAGMA application_id = 0x73776170")


@pytest.mark.parametrize(
    "put",
    [
        lambda place: place.write_bytes(b"my thesis"),
        lambda place: place.mkdir(),
        lambda place: place.symlink_to(place.with_name("elsewhere")),
        another_program,
        a_live_database,
        a_backup_of_mainnet,
    ],
    ids=["text", "directory", "link", "another program", "a database in use", "another network"],
)
async def test_what_is_not_a_backup_of_ours_is_never_written_over(path: Path, put: object) -> None:
    store = await SqliteStore.open(path, network=NETWORK)
    target = path.with_name("target")
    assert callable(put)
    put(target)
    before = target.read_bytes() if target.is_file() else None
    with pytest.raises(BackupRefused):
        await store.backup(str(target), at=AT)
    await store.aclose()
    assert (target.read_bytes() if target.is_file() else None) == before


async def test_the_database_itself_is_never_written_over(path: Path) -> None:
    store = await SqliteStore.open(path, network=NETWORK)
    await fill(store)
    for name in (str(path), str(path.parent / "." / path.name)):
        with pytest.raises(BackupRefused, match="the database itself"):
            await store.backup(name, at=AT)
    assert await store.swap(swap_id(1)) == record(1, 2)
    await store.aclose()


async def test_a_place_that_is_missing_or_relative_is_refused(path: Path) -> None:
    store = await SqliteStore.open(path, network=NETWORK)
    with pytest.raises(BackupRefused, match="make it first"):
        await store.backup(str(path.parent / "nowhere" / "copy"), at=AT)
    with pytest.raises(BackupRefused, match="in full"):
        await store.backup("copy", at=AT)
    await store.aclose()


async def test_a_copy_that_reads_back_wrong_replaces_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await SqliteStore.open(path, network=NETWORK)
    await fill(store)
    target = path.with_name("copy")
    await store.backup(str(target), at=AT)
    before = target.read_bytes()
    filled = module.fill

    def spoil(*args: object, **named: object) -> Path:
        partial = filled(*args, **named)  # type: ignore[arg-type] # handed through as it came
        data = bytearray(partial.read_bytes())
        data[4096:8192] = bytes(4096)
        partial.write_bytes(data)
        return partial

    monkeypatch.setattr(module, "fill", spoil)
    with pytest.raises(StoreError, match="no backup was made"):
        await store.backup(str(target), at=AT + 1)
    assert target.read_bytes() == before
    assert sorted(file.name for file in path.parent.iterdir() if "part" in file.name) == []
    assert await store.swap(swap_id(1)) == record(1, 2)
    await store.aclose()


async def test_a_backup_that_is_cancelled_leaves_the_older_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_PAGES", 1)
    store = await SqliteStore.open(path, network=NETWORK)
    await store.put("big", "k", bytes(1_000_000))
    target = path.with_name("copy")
    await store.backup(str(target), at=AT)
    before = target.read_bytes()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: store.backup(str(target), at=AT + 1))
            await store.get("big", "k")
            scope.cancel()
    assert scope.cancelled_caught
    assert target.read_bytes() == before
    assert not list(path.parent.glob("*.part"))
    await store.put("meta", "k", b"v")  # and the store works on
    await store.aclose()
