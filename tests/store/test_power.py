"""The power fails: all that was acknowledged is there, and nothing by half.

What a disk may do with writes that were not yet synced is done to copies of the files: each sector
is old or new, zeros or noise, and the file long or short. SQLite syncs its log before a commit
returns, and the log again before it writes to the file; between two commits that return, the
sectors that differ are those that may be lost.
"""

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from swapd.ports import StoreError
from swapd.store import rows
from swapd.store.opening import open_database
from swapd.store.schema import MIGRATIONS
from swapd.store.sqlite import SqliteStore
from tests.store.damage import Image, image
from tests.store.harness import NETWORK, record, swap_id

WRITING, FOLDING, LATE = "the log was written", "the log was folded in", "the mark was late"
SECTOR = 512
COMMITS = 20
KEYS = ("a", "b", "c")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where databases are written."""
    return tmp_path / "data" / "swapd.sqlite3"


State = tuple[int, bytes]
"""How many rows there are, and what is at all three keys."""


async def run(place: Path) -> list[tuple[State, Image]]:
    """What is stored, and the files, after each of many commits, with checkpoints in between."""
    Image(b"", None, None).write(place)
    store = await SqliteStore.open(place, network=NETWORK)
    store._connection.execute("PRAGMA wal_autocheckpoint = 20").fetchall()
    value, images = b"", []
    for number in range(1, COMMITS + 1):
        await store.append(record(1, number), open_swap=True)
        images.append(((number, value), image(place)))
        value = b"%d" % number * 300
        await store.put_all("k", dict.fromkeys(KEYS, value))
        images.append(((number, value), image(place)))
    await store.aclose()
    return images


def found(place: Path) -> State:
    """What a start reads. Rows must be right, and the three keys agree."""
    opened = open_database(place, NETWORK, MIGRATIONS)
    try:
        history = rows.history(opened.connection, swap_id(1))
        assert history == tuple(record(1, n + 1) for n in range(len(history)))
        values = {rows.value(opened.connection, "k", key) or b"" for key in KEYS}
        assert len(values) == 1, "one commit by half"
        return len(history), values.pop()
    finally:
        opened.connection.close()
        opened.marker.close()


def mixed(old: bytes, new: bytes, chance: random.Random) -> bytes:
    """Of every sector that differs, what differs is old, new, zeros or noise; the end may be
    missing. What was there before within the same sector stays: SQLite counts on that by default,
    and disks keep to it."""
    parts = []
    for at in range(0, len(new), SECTOR):
        after = new[at : at + SECTOR]
        before = old[at : at + SECTOR].ljust(len(after), b"\0")
        differ = [i for i in range(len(after)) if before[i] != after[i]]
        if differ:
            first, last = differ[0], differ[-1] + 1
            size = last - first
            part = chance.choice(
                [after[first:last], before[first:last], bytes(size), chance.randbytes(size)]
            )
            after = after[:first] + part + after[last:]
        parts.append(after)
    whole = b"".join(parts)
    if len(new) > len(old) and chance.random() < 0.3:
        return whole[: chance.randrange(len(old), len(new))]
    return whole


def cut_off(old: Image, new: Image, chance: random.Random) -> Iterator[tuple[str, Image]]:
    """The files as they may be when the power fails between two commits that returned."""
    log, before = new.log or b"", old.log or b""
    if new.database == old.database:
        yield WRITING, Image(old.database, mixed(before, log, chance), old.mark)
    else:
        database = mixed(old.database, new.database, chance)
        yield FOLDING, Image(database, log, chance.choice([old, new]).mark)
    yield LATE, Image(new.database, new.log, old.mark)


async def test_after_a_power_loss_every_commit_that_returned_is_there_and_none_by_half(
    place: Path,
) -> None:
    chance = random.Random(7)
    seen: dict[str, int] = {}
    for (before, old), (after, new) in pairwise(await run(place)):
        for _ in range(2):
            for what, files in cut_off(old, new, chance):
                files.write(place)
                # The log is whole before anything is folded in, or said of it.
                assert found(place) in ((before, after) if what == WRITING else (after,)), what
                seen[what] = seen.get(what, 0) + 1
    assert len(seen) == 3
    assert min(seen.values()) >= 6


async def test_a_disk_that_lost_what_it_had_confirmed_is_found(place: Path) -> None:
    """Drives do that when their cache has no battery: the whole tail is gone, well-formed."""
    images = await run(place)
    for (_, old), (_, new) in pairwise(images):
        Image(old.database, old.log, new.mark).write(place)
        with pytest.raises(StoreError, match=r"older than what ran here last.*disk lost"):
            open_database(place, NETWORK, MIGRATIONS)
        assert image(place) == Image(old.database, old.log, new.mark)
