"""Whatever byte of the files goes wrong: it is found at start, or what is read is right."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from swapd import exitcodes
from swapd.failures import explain
from swapd.ports import StoreError
from swapd.store import checking
from swapd.store.errors import StoreDamagedError
from swapd.store.schema import MIGRATIONS
from swapd.store.sqlite import SqliteStore
from tests.store.damage import Content, Image, content, fill, image
from tests.store.harness import NETWORK, record

PAGE = 4096
HEADER = 100
"""Bytes of the file's header, by SQLite's documentation of its format."""
LOG_HEADER, FRAME_HEADER = 32, 24
"""Bytes of the log's header and of each frame's, by the same."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where databases are written."""
    return tmp_path_factory.mktemp("damage") / "data" / "swapd.sqlite3"


@pytest.fixture
async def closed(place: Path) -> Image:
    """A database that was closed in order: everything is in the file."""
    Image(b"", None, None).write(place)
    store = await SqliteStore.open(place, network=NETWORK)
    await fill(store)
    await store.aclose()
    return image(place)


@pytest.fixture
async def killed(place: Path) -> Image:
    """A database whose process died: half is in the file, the rest in the log."""
    Image(b"", None, None).write(place)
    store = await SqliteStore.open(place, network=NETWORK)
    await fill(store, seed=2)
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    for number in range(8):
        await store.put("salt", f"late {number}", bytes([number]) * 700)
    dead = image(place)
    await store.aclose()
    return dead


def verdict(place: Path, found: Image, right: Content) -> str:
    """What a start makes of damaged files: "found", "right", or what is wrong with it."""
    found.write(place)
    try:
        told = content(place)
    except StoreError as error:
        explained = explain(error)
        assert explained is not None
        assert explained[1] == exitcodes.DATABASE
        if "swapd restore-backup FILE" not in explained[0]:
            return f"no remedy: {explained[0]}"
        left = image(place)
        if left != found:
            return "the damaged files were changed"
        return "found"
    return "right" if told == right else "wrong"


def flipped(data: bytes, at: int, mask: int) -> bytes:
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def places_in_pages(size: int, chance: random.Random, each: int) -> Iterator[int]:
    """The header of the file, and `each` bytes of the header and of the rest of every page."""
    yield from range(HEADER)
    for page in range(0, size, PAGE):
        start = page + (HEADER if page == 0 else 0)
        yield from chance.sample(range(start, start + 8), min(each, 8))
        yield from (chance.randrange(start, page + PAGE) for _ in range(each))


def places_in_frames(size: int, chance: random.Random, each: int) -> Iterator[int]:
    """The header of the log, some bytes of every frame's, and `each` of the rest of every frame."""
    yield from range(LOG_HEADER)
    for frame in range(LOG_HEADER, size, FRAME_HEADER + PAGE):
        yield from chance.sample(range(frame, frame + FRAME_HEADER), min(3 * each, FRAME_HEADER))
        start = frame + FRAME_HEADER
        yield from (chance.randrange(start, start + PAGE) for _ in range(each))


def judge(place: Path, damaged: Iterator[tuple[int, Image]], right: Content) -> dict[str, int]:
    """How often which verdict; anything wrong is told with its place."""
    counts: dict[str, int] = {}
    for at, found in damaged:
        told = verdict(place, found, right)
        assert told in ("found", "right"), f"byte {at}: {told}"
        counts[told] = counts.get(told, 0) + 1
    return counts


@pytest.mark.parametrize(("seed", "each"), [(3, 3), pytest.param(4, 200, marks=pytest.mark.slow)])
async def test_a_flipped_byte_in_any_page_is_found_or_does_not_matter(
    place: Path, closed: Image, seed: int, each: int
) -> None:
    closed.write(place)
    right = content(place)
    chance = random.Random(seed)

    def damaged() -> Iterator[tuple[int, Image]]:
        for at in places_in_pages(len(closed.database), chance, each):
            changed = flipped(closed.database, at, chance.randrange(1, 256))
            yield at, Image(changed, None, closed.mark)

    counts = judge(place, damaged(), right)
    # What does not matter are free pages, and what is free in others.
    assert counts["found"] > counts["right"]


@pytest.mark.parametrize(("seed", "each"), [(5, 3), pytest.param(6, 200, marks=pytest.mark.slow)])
async def test_a_flipped_byte_in_any_frame_of_the_log_is_found_or_does_not_matter(
    place: Path, killed: Image, seed: int, each: int
) -> None:
    log = killed.log
    assert log is not None
    assert len(log) > 8 * (FRAME_HEADER + PAGE)
    killed.write(place)
    right = content(place)
    assert ("late 7", b"\x07" * 700) in right.items[1]
    chance = random.Random(seed)

    def damaged() -> Iterator[tuple[int, Image]]:
        for at in places_in_frames(len(log), chance, each):
            changed = flipped(log, at, chance.randrange(1, 256))
            yield at, Image(killed.database, changed, killed.mark)

    counts = judge(place, damaged(), right)
    assert counts["found"] > 100


async def test_a_page_of_zeros_of_ones_or_of_another_time_is_found(
    place: Path, closed: Image
) -> None:
    """What disks give back for a sector that they lost, or never wrote."""
    closed.write(place)
    right = content(place)
    store = await SqliteStore.open(place, network=NETWORK)
    await fill_more(store)
    await store.aclose()
    later = image(place)
    new = content(place)
    later = image(place)
    pages = range(0, len(closed.database), PAGE)
    changed = [at for at in pages if closed.database[at:][:PAGE] != later.database[at:][:PAGE]]
    assert len(changed) > 5

    def damaged() -> Iterator[tuple[int, Image]]:
        for at in pages:
            for page in (bytes(PAGE), b"\xff" * PAGE):
                yield at, Image(spliced(closed.database, at, page), None, closed.mark)

    counts = judge(place, damaged(), right)
    assert counts["found"] > 1.5 * len(pages)

    def stale() -> Iterator[tuple[int, Image]]:
        for at in changed:
            page = closed.database[at : at + PAGE]
            yield at, Image(spliced(later.database, at, page), None, later.mark)

    counts = judge(place, stale(), new)
    assert counts["found"] > 5


async def fill_more(store: SqliteStore) -> None:
    """What a day more would write, without a new page where that can be."""
    for number in range(7):
        await store.append(record(number, 6), open_swap=False)
    for number in range(7):
        await store.next_counter(f"counter {number}", 1000)
        await store.put("salt", str(number), b"new")
    await store.remember_hashlock(b"new" * 10)


def spliced(data: bytes, at: int, part: bytes) -> bytes:
    return data[:at] + part + data[at + len(part) :]


async def test_a_file_or_log_that_is_too_short_is_found(place: Path, killed: Image) -> None:
    log = killed.log
    assert log is not None
    killed.write(place)
    right = content(place)
    shorter = [
        Image(killed.database[:size], killed.log, killed.mark)
        for size in (0, 1, 511, 512, 4096, 8192, len(killed.database) - PAGE)
    ]
    shorter += [
        Image(killed.database, log[:size], killed.mark)
        for size in (0, 1, 31, 32, 56, 5000, len(log) - 1, len(log) - PAGE)
    ]
    shorter += [Image(killed.database, None, killed.mark), Image(b"", None, killed.mark)]
    verdicts = [verdict(place, found, right) for found in shorter]
    assert set(verdicts) <= {"found", "right"}, verdicts
    # A log without its last frame's end has lost a write that was acknowledged.
    assert verdicts[7:] == ["found"] * 10


async def test_the_log_of_another_database_beside_it_is_found(place: Path, killed: Image) -> None:
    killed.write(place)
    right = content(place)
    Image(b"", None, None).write(place)
    store = await SqliteStore.open(place, network=NETWORK)
    await fill(store, seed=9)
    foreign = image(place)
    await store.aclose()
    assert verdict(place, Image(killed.database, foreign.log, killed.mark), right) == "found"


async def test_a_mark_that_is_damaged_costs_nothing_but_care(place: Path, closed: Image) -> None:
    mark = closed.mark
    assert mark is not None
    closed.write(place)
    right = content(place)
    for at in range(0, len(mark), 13):
        Image(closed.database, None, flipped(mark, at, 1 << at % 8)).write(place)
        told = content(place)
        # As after putting a backup back: counters moved on, nothing else is different.
        assert told.histories == right.histories
        assert all(new[1] >= old[1] for old, new in zip(right.counters, told.counters, strict=True))


async def test_what_there_was_no_time_for_at_start_is_found_when_it_is_read(
    place: Path, closed: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second swap has ended; its row is damaged and a start has no time for the whole file."""
    closed.write(place)
    right = content(place)
    ended = next(row for row in right.newest if row not in right.open_swaps)
    at = closed.database.index(ended.state[:32])
    Image(flipped(closed.database, at, 4), None, closed.mark).write(place)
    monkeypatch.setattr(checking, "_check_the_rest", lambda *_, **__: False)
    store = await SqliteStore.open(place, network=NETWORK)
    assert await store.open_swaps() == right.open_swaps
    for reading in (store.swap(ended.swap_id), store.history(ended.swap_id)):
        with pytest.raises(StoreDamagedError, match=ended.swap_id.hex()):
            await reading
    # No backup is made of what is damaged: it reads everything, whatever time that takes.
    monkeypatch.undo()
    with pytest.raises(StoreError, match="no backup was made"):
        await store.backup(str(place.with_name("backup")), at=1)
    await store.aclose()


async def test_an_examination_that_runs_out_of_time_says_so(place: Path, closed: Image) -> None:
    closed.write(place)
    newest = len(MIGRATIONS)
    checked = checking.examine(place, network=NETWORK, newest=newest, seconds=0)
    assert not checked.whole
    assert checking.examine(place, network=NETWORK, newest=newest, seconds=None).whole
