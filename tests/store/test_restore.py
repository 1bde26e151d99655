"""The way back after damage: a backup is put in place, what was there is kept, and it is known."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from swapd.ports import PUT_BACK, StoreError
from swapd.store.errors import StoreDamagedError
from swapd.store.restore import RestoreRefused, restore
from swapd.store.schema import MIGRATIONS
from swapd.store.sqlite import SqliteStore
from tests.store.damage import Image, content, fill, image, log_of
from tests.store.harness import NETWORK, record, swap_id

AT = 1_790_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    place = tmp_path / "data" / "swapd.sqlite3"
    place.parent.mkdir()
    return place


@pytest.fixture
async def backup(path: Path) -> Path:
    """A backup of a database that went on after it."""
    target = path.parent.parent / "backup"
    store = await SqliteStore.open(path, network=NETWORK)
    await fill(store)
    await store.backup(str(target), at=AT)
    await store.append(record(8, 1), open_swap=True)
    await store.aclose()
    return target


def read(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def lose(path: Path) -> None:
    path.unlink()


def mode(path: Path | str) -> int:
    return Path(path).stat().st_mode & 0o777


def damage(path: Path) -> None:
    """Makes the file unreadable in the middle."""
    data = bytearray(path.read_bytes())
    data[8192:12288] = bytes(4096)
    path.write_bytes(data)


async def why(path: Path) -> bytes | None:
    """What the store says about the past of its file."""
    store = await SqliteStore.open(path, network=NETWORK)
    told = await store.get(*PUT_BACK)
    await store.aclose()
    return told


async def test_after_damage_a_backup_is_put_back_and_the_damaged_file_is_kept(
    path: Path, backup: Path
) -> None:
    damage(path)
    broken = read(path)
    with pytest.raises(StoreDamagedError, match="restore-backup"):
        await SqliteStore.open(path, network=NETWORK)
    done = restore(backup, path, network=NETWORK, at=AT + 60, replace=False)
    assert (done.swaps, done.open_swaps, done.made) == (7, 4, f"made at {AT}")
    assert done.set_aside is not None
    assert read(Path(done.set_aside) / path.name) == broken
    assert mode(path) == 0o600
    assert mode(done.set_aside) == 0o700
    store = await SqliteStore.open(path, network=NETWORK)
    assert await store.swap(swap_id(8)) is None
    assert len(await store.history(swap_id(1))) == 5
    assert await store.get(*PUT_BACK) == f"it is a copy, made at {AT}".encode()
    await store.append(record(8, 1), open_swap=True)
    await store.aclose()
    # The note stays until somebody has seen to it; the next start is one like any other.
    store = await SqliteStore.open(path, network=NETWORK)
    assert await store.get(*PUT_BACK) is not None
    await store.delete(*PUT_BACK)
    await store.aclose()
    assert await why(path) is None


async def test_a_lost_database_is_not_taken_for_a_new_one_and_a_backup_replaces_it(
    path: Path, backup: Path
) -> None:
    lose(path)
    with pytest.raises(StoreDamagedError, match=r"is gone.*restore-backup"):
        await SqliteStore.open(path, network=NETWORK)
    assert restore(backup, path, network=NETWORK, at=AT, replace=False).set_aside is None
    assert await why(path) is not None


async def test_an_old_file_that_was_put_there_by_hand_is_refused_and_can_be_accepted(
    path: Path, backup: Path, tmp_path: Path
) -> None:
    """Not a backup: a copy of the file while nothing ran."""
    old = image(path)
    store = await SqliteStore.open(path, network=NETWORK)
    await store.append(record(8, 2), open_swap=True)
    await store.aclose()
    write(path, old.database)
    with pytest.raises(StoreDamagedError, match=r"is older.*restore-backup .*swapd.sqlite3"):
        await SqliteStore.open(path, network=NETWORK)
    assert read(path) == old.database
    restore(path, path, network=NETWORK, at=AT, replace=False)
    told = await why(path)
    assert told is not None
    assert b"not a backup" in told


async def test_a_backup_that_was_put_there_by_hand_is_known_as_one(
    path: Path, backup: Path
) -> None:
    write(path, read(backup))
    assert await why(path) == f"it is a copy, made at {AT}".encode()


async def test_a_file_without_its_mark_is_known_to_be_of_another_time(path: Path) -> None:
    store = await SqliteStore.open(path, network=NETWORK)
    await fill(store)
    await store.aclose()
    lose(path.with_name(path.name + "-mark"))
    told = await why(path)
    assert told is not None
    assert b"no mark" in told


async def test_a_restart_is_no_return_of_an_old_file(path: Path) -> None:
    for number in range(3):
        store = await SqliteStore.open(path, network=NETWORK)
        await store.append(record(number, 1), open_swap=True)
        assert await store.get(*PUT_BACK) is None
        await store.aclose()


async def test_a_sound_database_with_swaps_is_replaced_on_request_only(
    path: Path, backup: Path
) -> None:
    before = image(path)
    with pytest.raises(RestoreRefused, match=r"8 swaps, 5 of them open.*--replace"):
        restore(backup, path, network=NETWORK, at=AT, replace=False)
    assert image(path) == before
    restore(backup, path, network=NETWORK, at=AT, replace=True)
    assert await why(path) is not None


@pytest.mark.parametrize("spoil", ["cut", "flipped", "text", "missing", "mainnet"])
async def test_a_backup_that_is_not_sound_changes_nothing(
    path: Path, backup: Path, spoil: str
) -> None:
    data = read(backup)
    network = NETWORK
    if spoil == "cut":
        write(backup, data[:20_000])
    elif spoil == "flipped":
        at = data.index(b"event")
        write(backup, data[:at] + b"E" + data[at + 1 :])
    elif spoil == "text":
        write(backup, b"shopping list")
    elif spoil == "missing":
        lose(backup)
    else:
        network = "mainnet"
    damage(path)
    before = image(path)
    with pytest.raises(RestoreRefused, match="backup"):
        restore(backup, path, network=network, at=AT, replace=False)
    assert image(path) == before
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, f"{path.name}-mark"]


async def test_a_crash_at_any_moment_of_putting_back_loses_neither_file_nor_backup(
    path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stops, a start either refuses or has the backup, and a second try succeeds."""
    damage(path)
    whole = read(backup)
    start = image(path)
    steps = 0
    while True:
        Image(start.database, start.log, start.mark).write(path)
        log_of(path).write_bytes(b"a log beside it")
        passed = _dying(monkeypatch, after=steps)
        try:
            restore(backup, path, network=NETWORK, at=AT + steps, replace=False)
        except _Died:
            with pytest.raises(StoreError):
                await SqliteStore.open(path, network=NETWORK)
            monkeypatch.undo()
            restore(backup, path, network=NETWORK, at=AT + 500, replace=False)
            assert await why(path) is not None
            kept = [read(file) for file in path.parent.glob("*.replaced-*/swapd.sqlite3")]
            assert kept == [start.database]
            steps += 1
            continue
        assert passed == steps == 3
        break
    assert read(backup) == whole


class _Died(BaseException):
    """The machine stopped here."""


def _dying(monkeypatch: pytest.MonkeyPatch, *, after: int) -> int:
    """Lets so many renames happen and ends the next one; returns how many there are."""
    left = [after]

    def die(real: object) -> object:
        def step(self: Path, target: Path) -> Path:
            if left[0] == 0:
                raise _Died
            left[0] -= 1
            assert callable(real)
            moved: Path = real(self, target)
            return moved

        return step

    monkeypatch.setattr(Path, "rename", die(Path.rename))
    monkeypatch.setattr(Path, "replace", die(Path.replace))
    return 3


def test_nothing_is_restored_from_an_empty_database(path: Path) -> None:
    empty = path.with_name("empty")
    with closing(sqlite3.connect(empty)) as connection:
        connection.execute("PRAGMA user_version = 0")
    with pytest.raises(RestoreRefused, match="empty"):
        restore(empty, path, network=NETWORK, at=AT, replace=False)


async def test_a_copy_made_before_a_migration_can_be_put_back(path: Path, backup: Path) -> None:
    right = content(path)
    store = await SqliteStore.open(
        path,
        network=NETWORK,
        migrations=[*MIGRATIONS, ("CREATE TABLE next (x INTEGER) STRICT",)],
    )
    await store.aclose()
    older = path.with_name(f"swapd.sqlite3.version-{len(MIGRATIONS)}")
    with pytest.raises(StoreError, match="newer"):
        await SqliteStore.open(path, network=NETWORK)
    restore(older, path, network=NETWORK, at=AT, replace=False)
    assert content(path).histories == right.histories
