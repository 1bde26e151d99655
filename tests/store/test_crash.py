"""What the real store promises when its process or its disk dies."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from swapd.ports import StoreError
from swapd.store.errors import StoreInUseError
from swapd.store.sqlite import SqliteStore
from tests.store.harness import NETWORK, record, swap_id

ROOT = Path(__file__).parents[2]


def start_writer(path: Path, what: str) -> subprocess.Popen[str]:
    """The process of writer.py."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.writer", str(path), what],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("kill_after", [1, 7, 40])
async def test_kill_9_while_appending_leaves_all_that_was_acknowledged_and_a_prefix(
    tmp_path: Path, kill_after: int
) -> None:
    path = tmp_path / "swapd.sqlite3"
    with start_writer(path, "append") as writer:
        assert writer.stdout is not None
        acknowledged = 0
        while acknowledged < kill_after:
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = [
            int(line) for line in writer.stdout.read().splitlines(keepends=True) if "\n" in line
        ]
    acknowledged = max([acknowledged, *rest])

    store = await SqliteStore.open(path, network=NETWORK)
    history = await store.history(swap_id(1))
    counter = await store.next_counter("heartbeat", 0)
    await store.aclose()
    assert history == tuple(record(1, sequence + 1) for sequence in range(len(history)))
    assert acknowledged <= len(history) <= acknowledged + 1
    assert counter >= acknowledged + 1


async def test_after_a_write_in_doubt_everything_is_refused_until_it_is_opened_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "swapd.sqlite3"
    with start_writer(path, "fail") as writer:
        said = writer.communicate()[0].splitlines()
    assert [line.split(":")[0] for line in said] == ["first", "then", "then"]
    assert "check the disk" in said[0]
    assert all("in doubt, start swapd again" in line for line in said[1:])

    store = await SqliteStore.open(path, network=NETWORK)
    assert await store.swap(swap_id(1)) == record(1, 1)
    assert await store.get("meta", "big") is None
    await store.aclose()


async def test_a_second_process_is_kept_out(tmp_path: Path) -> None:
    path = tmp_path / "swapd.sqlite3"
    with start_writer(path, "append") as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(StoreInUseError, match="in use by another process"):
            await SqliteStore.open(path, network=NETWORK)
        writer.kill()


async def test_a_closed_store_refuses_and_closes_twice(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "swapd.sqlite3", network=NETWORK)
    await store.aclose()
    await store.aclose()
    with pytest.raises(StoreError, match="closed"):
        await store.get("meta", "k")
