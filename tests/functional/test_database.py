"""Disk damage on a whole daemon: refused with the way back, and that way leads back."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import trio

from tests.daemons.fleet import Fleet
from tests.daemons.process import SwapdProcess
from tests.functional import accounts
from tests.functional.test_vanishing import begin, leg_reaches

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(120)]

DATABASE = 30


async def typed(daemon: SwapdProcess, *words: str) -> tuple[int, str]:
    """`swapd <words>` with this daemon's configuration; exit code and what it said."""
    done = await trio.run_process(
        [*daemon.command(words[0]), *words[1:]],
        check=False,
        capture_stdout=True,
        stderr=subprocess.STDOUT,
    )
    return done.returncode, done.stdout.decode()


async def refused(daemon: SwapdProcess) -> str:
    """Starts a daemon whose database is not as it should be."""
    code, text = await typed(daemon, "run")
    assert code == DATABASE
    assert "Traceback" not in text
    assert len(text.splitlines()) == 1
    return text


def flip_a_bit(database: Path) -> None:
    """In the name of a counter, which is as good a text as any for SQLite."""
    data = bytearray(database.read_bytes())
    data[data.index(b"book-run")] ^= 1
    database.write_bytes(data)
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]


async def test_a_daemon_with_a_damaged_database_says_the_way_back_and_it_leads_back(
    fleet: Fleet,
) -> None:
    daemon = fleet.make("damaged", None)
    database = daemon.folder / "regtest" / "swapd.sqlite3"
    await daemon.start()
    assert (await daemon.call("getinfo"))["last_backup"] is None
    made = await daemon.call("backup")
    assert Path(made["path"]) == daemon.folder / "regtest" / "backup.sqlite3"
    assert (await daemon.call("getinfo"))["last_backup"] == made["made_at"]
    assert await daemon.stop() == 0

    flip_a_bit(database)
    text = await refused(daemon)
    assert f"swapd restore-backup FILE` (one is {made['path']})" in text
    assert "swapd recover FILE" in text
    code, text = await typed(daemon, "restore-backup", made["path"])
    assert code == 0, text
    assert "swapd.sqlite3.replaced-" in text
    await daemon.start()
    events = [line["event"] for line in daemon.events()]
    assert "database.put_back" in events
    assert await daemon.stop() == 0

    database.unlink()
    assert "is gone" in await refused(daemon)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("who", ["maker", pytest.param("taker", marks=pytest.mark.slow)])
async def test_an_early_backup_is_put_back_after_our_lock_and_nothing_is_lost(
    fleet: Fleet, who: str
) -> None:
    """No recovery file is left: what the backup does not know, the chains tell."""
    before = await accounts.balances(fleet)
    swap_id = await begin(fleet)
    daemon = fleet[who]
    made = await daemon.call("backup")
    await leg_reaches(fleet, who, swap_id, "p" if who == "maker" else "i", "unconfirmed")
    await fleet.relay_transactions()
    await fleet.block()
    assert await daemon.stop() == 0
    daemon.recovery.unlink()
    code, text = await typed(daemon, "restore-backup", made["path"], "--replace")
    assert code == 0, text
    # The clock stands still otherwise: a maker that says two things at one moment is dropped.
    await fleet.world.clock.advance(5)
    await daemon.start()
    await fleet.until_ended(swap_id)
    ends = await accounts.ends(fleet, swap_id, "maker", "taker")
    assert set(ends) <= {"completed", "refunded"}
    await accounts.check(fleet, before, swap_id)
