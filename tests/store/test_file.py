"""What the real store promises about its file: whose it is, its version, its state, its mode."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import trio

from swapd.ports import StoreError
from swapd.store import rows as module
from swapd.store.errors import (
    StoreDamagedError,
    StoreFullError,
    StoreNewerError,
    StoreOtherNetworkError,
    translate,
)
from swapd.store.schema import MIGRATIONS
from swapd.store.sqlite import SqliteStore
from tests.store.harness import NETWORK, record, swap_id

NEXT = ("CREATE TABLE next (x INTEGER) STRICT", "INSERT INTO next VALUES (1)")


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A database with one swap in it, closed."""
    path = tmp_path / "swapd.sqlite3"
    store = await SqliteStore.open(path, network=NETWORK)
    await store.append(record(1, 1), open_swap=True)
    await store.put("meta", "k", bytes(100_000))
    await store.aclose()
    return path


def query(path: Path, statement: str) -> object:
    """One value, past the store."""
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else None


def modes(directory: Path) -> dict[str, int]:
    """Permission bits by file name."""
    return {file.name: file.stat().st_mode & 0o777 for file in directory.iterdir()}


async def test_files_are_for_the_owner_only_also_while_open(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "swapd.sqlite3", network=NETWORK)
    await store.put("meta", "k", b"v")
    found = modes(tmp_path)
    await store.aclose()
    assert found == {
        "swapd.sqlite3": 0o600,
        "swapd.sqlite3-wal": 0o600,
        "swapd.sqlite3-mark": 0o600,
    }


async def test_every_commit_is_synchronous_and_in_the_wal(path: Path) -> None:
    store = await SqliteStore.open(path, network=NETWORK)
    pragmas = {
        name: store._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "locking_mode", "foreign_keys")
    }
    await store.aclose()
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL, by SQLite's documentation
        "locking_mode": "exclusive",
        "foreign_keys": 1,
    }


async def test_a_database_of_another_network_is_refused(path: Path) -> None:
    with pytest.raises(StoreOtherNetworkError, match="belongs to network regtest, not to mainnet"):
        await SqliteStore.open(path, network="mainnet")


async def test_a_database_of_a_newer_swapd_is_refused_and_left_alone(path: Path) -> None:
    newer = await SqliteStore.open(path, network=NETWORK, migrations=[*MIGRATIONS, NEXT])
    await newer.aclose()
    before = await trio.Path(path).read_bytes()
    with pytest.raises(
        StoreNewerError, match=rf"version {len(MIGRATIONS) + 1}.*start the newer swapd"
    ):
        await SqliteStore.open(path, network=NETWORK)
    assert await trio.Path(path).read_bytes() == before


async def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "swapd.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    before = await trio.Path(path).read_bytes()
    with pytest.raises(StoreDamagedError, match="not swapd's database"):
        await SqliteStore.open(path, network=NETWORK)
    assert await trio.Path(path).read_bytes() == before


async def test_a_file_that_is_no_database_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "swapd.sqlite3"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreDamagedError, match=r"swapd restore-backup FILE.*swapd recover FILE"):
        await SqliteStore.open(path, network=NETWORK)


async def test_damage_inside_the_file_is_found_at_start(path: Path) -> None:
    page = query(path, "PRAGMA page_size")
    root = query(path, "SELECT rootpage FROM sqlite_schema WHERE name = 'journal'")
    assert isinstance(page, int)
    assert isinstance(root, int)
    with path.open("r+b") as file:
        file.seek((root - 1) * page)
        file.write(b"\xff" * 64)
    with pytest.raises(StoreDamagedError):
        await SqliteStore.open(path, network=NETWORK)


async def test_content_that_breaks_its_own_rules_is_found_at_start(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE swap SET open = 7")
    with pytest.raises(StoreDamagedError, match="CHECK constraint failed in swap"):
        await SqliteStore.open(path, network=NETWORK)


async def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere.*No such file or directory"):
        await SqliteStore.open(tmp_path / "nowhere" / "swapd.sqlite3", network=NETWORK)


async def test_the_journal_is_append_only_for_everybody(path: Path) -> None:
    for statement in ("UPDATE journal SET at = 0", "DELETE FROM journal"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            query(path, statement)
    assert query(path, "SELECT count(*) FROM journal") == 1


async def test_an_older_database_is_copied_and_then_migrated(path: Path) -> None:
    store = await SqliteStore.open(path, network=NETWORK, migrations=[*MIGRATIONS, NEXT])
    assert await store.swap(swap_id(1)) == record(1, 1)
    await store.aclose()
    assert query(path, "PRAGMA user_version") == len(MIGRATIONS) + 1
    assert query(path, "SELECT x FROM next") == 1

    copy = path.with_name(f"swapd.sqlite3.version-{len(MIGRATIONS)}")
    mark = path.with_name("swapd.sqlite3-mark")
    assert modes(path.parent) == dict.fromkeys((path.name, copy.name, mark.name), 0o600)
    await trio.Path(copy).rename(path)
    store = await SqliteStore.open(path, network=NETWORK)
    assert await store.swap(swap_id(1)) == record(1, 1)
    await store.aclose()


async def test_a_migration_that_fails_leaves_the_database_as_it_was(path: Path) -> None:
    broken = (*NEXT, "INSERT INTO nowhere VALUES (1)")
    with pytest.raises(StoreError, match="no such table"):
        await SqliteStore.open(path, network=NETWORK, migrations=[*MIGRATIONS, broken])
    store = await SqliteStore.open(path, network=NETWORK)
    assert await store.swap(swap_id(1)) == record(1, 1)
    await store.aclose()
    assert query(path, "SELECT count(*) FROM sqlite_schema WHERE name = 'next'") == 0


async def test_a_start_that_died_before_the_first_table_is_repeated(tmp_path: Path) -> None:
    path = tmp_path / "swapd.sqlite3"
    path.touch()
    store = await SqliteStore.open(path, network=NETWORK)
    await store.append(record(1, 1), open_swap=True)
    await store.aclose()


async def test_a_write_that_has_begun_is_finished_and_returned_although_cancelled(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()
    original = module.value

    def slow(connection: sqlite3.Connection, space: str, key: str) -> bytes | None:
        token.run_sync_soon(began.set)
        go_on.wait()
        return original(connection, space, key)

    monkeypatch.setattr(module, "value", slow)
    store = await SqliteStore.open(path, network=NETWORK)
    answers: list[bytes | None] = []

    async def write() -> None:
        answers.append(await store.put_new("meta", "new", b"v"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        await began.wait()
        nursery.cancel_scope.cancel()
        go_on.set()
    assert answers == [None]
    assert await store.get("meta", "new") == b"v"
    await store.aclose()


async def test_a_number_that_fits_no_column_is_refused_and_harms_nothing(path: Path) -> None:
    store = await SqliteStore.open(path, network=NETWORK)
    with pytest.raises(OverflowError):
        await store.append(record(2, 1, at=2**63), open_swap=True)
    assert await store.swap(swap_id(2)) is None
    await store.append(record(2, 1), open_swap=True)
    await store.aclose()


def test_a_full_disk_is_the_only_failed_commit_that_is_certain(tmp_path: Path) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    unsynced = sqlite3.OperationalError("disk I/O error")
    unsynced.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    assert isinstance(translate(full, tmp_path), StoreFullError)
    assert not isinstance(translate(unsynced, tmp_path), StoreFullError)
