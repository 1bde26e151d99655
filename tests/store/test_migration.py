"""From a database of the first version to today's: copied first, all or nothing."""

import base64
import shutil
import sqlite3
import zlib
from pathlib import Path

import pytest

from swapd.ports import PUT_BACK
from swapd.store.restore import restore
from swapd.store.schema import MIGRATIONS
from swapd.store.sqlite import SqliteStore
from tests.store.harness import NETWORK, record, swap_id

WRITTEN_BY_VERSION_1 = (
    "eNrt3c9v22QYB/D3tV2nTtuZMUURikZf8WNN2nRbOgk0TSDS1tuiZUmXJup2Cm76rumaOl3sbExclsGZE+LMnQMg"
    "Dpy48QdwmjjAJu2wA9I4IS4Mife1nTTp0nYHDmv1/Si24/d9Yj95X9upnbZevpbf8Di72Wxt2R47R14jikI+YowQ"
    "oohhnOwwxKD1zdNwIO5de5sMp5DTNTphfkEmjCYxvzrWMfmxMxOPxjsT3479MjYZ/cl4Gv1SVAEAAAAcVe2JSDyR"
    "oJ2sZ682eK3ZdjzeCifjCyUrW7ZYOTuft1hYyJKOvcVZ2bpeZkul3NVs6Qa7Yt1Iszt2o81ZrlC2LlklViiWWaGS"
    "z6fYcrmUWyin2UqufLlYKbNScSW32JkZi8RjMfrgvL9e8RPflhyiA2uUJSwZZSF3266FK+4uPd2r3OT39qoKEpvP"
    "F+eHVPa9BZb015CWy0r5Ad3kp8b1+IUYJRvOGv/Evd0QiVXtttf056syzWpGjsc+jkbiJ0/Szgn/XdVtt95o1ja7"
    "U2Pg3XVLWVI+C/Lry2avhjttRBLnE6MPTnitjfV13rrVbLccu1HdcKtO06uu8Qb3+FpY2l1hKXdJdsrwWDZvXSyW"
    "LLZo5S0RXCx043qNNG9dyhXYsqhfEGlkc8tWMjtfLIncprw674azDZfZ29vcWZttOo17U6kLzCqIhEf3TbhWt531"
    "l0w4jO0mXFlazP7/CT+Y0f1d4vNZvxPD2HASGejC7nL6tlFx5vHCPsBK1kWrZBUWrOUgIOm0t1Z5K7WzGbr8dps7"
    "tRf3H7Zw2Vq4IjbNbsCHH7BM3wvFOdLul+xU8jvc8fba8l3P9l5ytxA5p3spDu4asxE9nk3stWt0+y8TPhktjujx"
    "yRi9F4SL5Vabov3lEz1s2Vxh0brOelWydwfajK1cFm3J/DrRFEuaHp+ZoTf8vgrX38101+zIQN/tqvSPamkxl+rY"
    "in9o+uzdYJli5XJQB1/tp9RrriC3Xk/0t162Ui7mCuLFV61COT2woVQ31gbbn1UKuWsVayeqYbv79a/fCHttMWEl"
    "S55Niy1m1wFN3e+A5ueWkWN5dj0qPybq1G+Tzjm/Tba4Z8tBGWgTWcKSvQPxkA+HgQP0Hge4qDyJN/8k4gEAAAAA"
    "AAAAR8JxNZFwuHe32dps8XWPu96EKFXM74j5qxgBAAAAAAAAwCvhlDJC8nS0uD9FPUVlnDG9P6pG/fP/H4n5mxgB"
    "AAAAAAAAwKvkHTVPD7oGoLyt5g+8ACC//6fm30Q8AAAAAAAAAOBIGaVqjMr/OKAEf///nJjPcQUAAAAAAAAA4MjR"
    "CVFVw5Df/+vH/iXmQ/Mb875ZMVNiBgAAAAAAAOAomdZ1SrU331PUW99fuB/cvmHuzLngVg32TXn7lV7h9EgYq/TH"
    "zg2LnUtpOjVkbH9oZlhoJqXqhlxsXwaZYRmIwpQShCr9oXPDQueSVDdkAv2RmWGRGfn9v24+JOY/5l/mM/Op+UjM"
    "AAAAAAAAAMAhENEopYqqB1NlRNeoQRVN1wxKVdWfKIqmGYYR/P7/70Q8AAAAAAAAAOAwekvJ1w8Q3P/vB2I+FiMA"
    "AAAAAAAAeFVMK1rseN61G5696h5gkmqxKbbFPdvh3t1ma3OWbzdr9cz7588Ggvv/PSLmH2IEAAAAAAAAAIfQmBY7"
    "ToMrBUpMi00ZL1wJCM7/nxDzifkM7QUAAAAAAABwWEXVN6j/7/5c5XV1cqTO7Za3ym2Pfv3zUuPT/wBsrM2C"
)
"""A whole file that the swapd before seals wrote, packed: two swaps of three rows, the second one
ended; a hashlock, two values, two counters."""

Files = dict[str, bytes]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """That file."""
    place = tmp_path / "data" / "swapd.sqlite3"
    place.parent.mkdir()
    place.write_bytes(zlib.decompress(base64.b64decode("".join(WRITTEN_BY_VERSION_1))))
    return place


async def check(path: Path) -> None:
    """All that was in it is there, by the store's own reading, and goes on."""
    store = await SqliteStore.open(path, network=NETWORK)
    assert await store.history(swap_id(1)) == tuple(record(1, n) for n in (1, 2, 3))
    assert await store.history(swap_id(2)) == tuple(record(2, n) for n in (1, 2, 3))
    assert await store.open_swaps() == (record(1, 3),)
    assert await store.remember_hashlock(b"h" * 32) is False
    assert await store.get("meta", "network-epoch") == b"1790000000"
    assert await store.get("salt", "ab") == b"s" * 32
    assert await store.counter("heartbeat") == 1_790_000_000_123
    assert await store.next_counter("events", 1) == 3
    await store.append(record(1, 4), open_swap=True)
    await store.aclose()
    store = await SqliteStore.open(path, network=NETWORK)
    assert await store.swap(swap_id(1)) == record(1, 4)
    await store.aclose()


def version(path: Path) -> int:
    """PRAGMA user_version, from the header, by SQLite's documentation of its format."""
    return int.from_bytes(path.read_bytes()[60:64], "big")


def files(directory: Path) -> Files:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def lay(directory: Path, found: Files) -> None:
    shutil.rmtree(directory)
    directory.mkdir()
    for name, data in found.items():
        (directory / name).write_bytes(data)


async def test_a_database_of_version_1_becomes_one_of_today(path: Path) -> None:
    before = files(path.parent)["swapd.sqlite3"]
    assert version(path) == 1
    await check(path)
    assert version(path) == len(MIGRATIONS)
    copy = path.with_name("swapd.sqlite3.version-1")
    assert version(copy) == 1
    # But for the note that it is a copy, the way back is what was there.
    restored = path.with_name("other.sqlite3")
    restore(copy, restored, network=NETWORK, at=1, replace=False)
    lay(path.parent, {"swapd.sqlite3": files(path.parent)["other.sqlite3"]})
    store = await SqliteStore.open(path, network=NETWORK)
    assert await store.get(*PUT_BACK) is not None
    assert await store.history(swap_id(1)) == tuple(record(1, n) for n in (1, 2, 3))
    await store.aclose()
    lay(path.parent, {"swapd.sqlite3": before})
    await check(path)


async def test_a_crash_anywhere_in_a_migration_or_its_copy_loses_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies on the disk at every statement of any connection, as kill -9 would leave it."""
    seen: list[Files] = []
    connect = sqlite3.connect

    def traced(*args: object, **named: object) -> sqlite3.Connection:
        connection = connect(*args, **named)  # type: ignore[call-overload] # handed through as it came
        assert isinstance(connection, sqlite3.Connection)
        connection.set_trace_callback(lambda _: seen.append(files(path.parent)))
        return connection

    monkeypatch.setattr(sqlite3, "connect", traced)
    store = await SqliteStore.open(path, network=NETWORK)
    monkeypatch.undo()
    await store.aclose()
    kinds = {key: found for found in seen for key in [tuple(sorted(found.items()))]}
    assert len(kinds) > 10
    assert any("swapd.sqlite3.version-1.part" in found for found in kinds.values())
    for found in kinds.values():
        lay(path.parent, found)
        if "swapd.sqlite3.version-1" in found:
            assert version(path.with_name("swapd.sqlite3.version-1")) == 1
        await check(path)
        left = {file.name for file in path.parent.iterdir()}
        assert left - {"swapd.sqlite3-mark"} == {"swapd.sqlite3", "swapd.sqlite3.version-1"}
