"""Owns the examination of a database file before anybody works with it. It changes nothing.

Must not know: what values mean, trio.

The file is read under a second name, a hard link, beside a copy of its write-ahead log: SQLite
folds the log into the file when it closes it, which must not happen to a damaged one, and does
not when the name it knows is gone.
"""

import contextlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from swapd.ports import StoreError
from swapd.store import errors, schema, seals

CHECK_SECONDS = 20.0
"""For the parts of an examination that grow with all that ever happened. What is left then is read
with its digests when somebody asks for it, and whole by each backup."""

_OURS_TO_EXPLAIN = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_NOMEM,
    }
)
"""What SQLite may answer about a sound file."""


class Checked(Struct, frozen=True):
    """A sound file: its version (0: nothing in it yet), the number of its newest commit and its
    name (0 and "" before version 2), when it was copied if it is a copy, how many swaps and open
    swaps, and whether there was time to read all of it."""

    version: int
    commit: int = 0
    database: str = ""
    copied: str | None = None
    swaps: int = 0
    open_swaps: int = 0
    whole: bool = True


def examine(
    path: Path, *, network: str, newest: int, seconds: float | None = CHECK_SECONDS
) -> Checked:
    """Reads the file and tells what it is; None for `seconds` takes the time it takes.

    Raises StoreDamagedError, StoreNewerError, StoreOtherNetworkError, StoreInUseError, StoreError.
    """
    with _second_name(path) as twin, _judged(path):
        connection = sqlite3.connect(twin, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA cell_size_check = ON")
            return _examine(connection, path, network, newest, seconds)
        finally:
            twin.unlink(missing_ok=True)
            connection.close()


def _examine(
    connection: sqlite3.Connection, path: Path, network: str, newest: int, seconds: float | None
) -> Checked:
    version = schema.check(connection, path, newest=newest)
    if version == 0:
        return Checked(version)
    for table in ("meta", "seal", "swap", "item", "counter", "hashlock"):
        _check_structure(connection, path, table)
    commit = 0
    if seals.exist(connection):
        seals.check_schema(connection)
        seals.check_tables(connection)
        commit = seals.commits(connection)
    meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    schema.check_network(meta.get("network"), path, network)
    rows = _journals(connection, open_swaps=True) if commit else []
    for number, last, head in rows:
        seals.check_journal(connection, number, last, head)
    swaps, open_swaps = connection.execute("SELECT count(*), sum(open) FROM swap").fetchone()
    whole = _check_the_rest(connection, path, seconds, sealed=commit > 0)
    return Checked(
        version=version,
        commit=commit,
        database=meta.get("database", ""),
        copied=meta.get(schema.COPIED),
        swaps=swaps,
        open_swaps=open_swaps or 0,
        whole=whole,
    )


def _check_the_rest(
    connection: sqlite3.Connection, path: Path, seconds: float | None, *, sealed: bool
) -> bool:
    """All pages, and the journals of ended swaps, newest first; False when time ran out."""
    timer = None if seconds is None else threading.Timer(seconds, connection.interrupt)
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        _check_structure(connection, path, None)
        for number, last, head in _journals(connection, open_swaps=False) if sealed else []:
            seals.check_journal(connection, number, last, head)
            if timer is not None and timer.finished.is_set():
                return False
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_INTERRUPT:
            raise
        return False
    finally:
        if timer is not None:
            timer.cancel()
    return True


def _journals(connection: sqlite3.Connection, *, open_swaps: bool) -> list[tuple[int, int, bytes]]:
    statement = "SELECT number, last, head FROM swap WHERE open = ? ORDER BY number DESC"
    return connection.execute(statement, (int(open_swaps),)).fetchall()


def _check_structure(connection: sqlite3.Connection, path: Path, table: str | None) -> None:
    """SQLite's own check of one table with its indexes, or of the whole file. Raises
    StoreDamagedError."""
    pragma = "PRAGMA integrity_check" if table is None else f"PRAGMA integrity_check({table})"
    if table is not None:
        known = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
        if connection.execute(known, (table,)).fetchone() is None:
            return
    problems = [row[0] for row in connection.execute(pragma)]
    if problems != ["ok"]:
        told = "; ".join(str(problem)[:200] for problem in problems[:3])
        raise errors.damaged(path, told)


@contextmanager
def _judged(path: Path) -> Iterator[None]:
    """What is raised while the file is only read is damage, but for what is the system's."""
    try:
        yield
    except StoreError:
        raise
    except seals.Broken as error:
        raise errors.damaged(path, f"not as it was written: {error}") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        if code in _OURS_TO_EXPLAIN:
            raise errors.translate(error, path) from error
        raise errors.damaged(path, str(error)) from error
    except (TypeError, ValueError, OverflowError) as error:  # values of kinds no column holds
        raise errors.damaged(path, f"unreadable values: {error}") from error


@contextmanager
def _second_name(path: Path) -> Iterator[Path]:
    """Another name for the file, with a copy of its log beside it; gone afterwards."""
    twin = path.with_name(path.name + "-checked")
    log, copied = _log_of(path), _log_of(twin)
    twin.unlink(missing_ok=True)
    copied.unlink(missing_ok=True)
    try:
        if log.exists():
            os.close(os.open(copied, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            shutil.copyfile(log, copied)
        try:
            os.link(path, twin)
        except OSError:  # a file system without hard links
            os.close(os.open(twin, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            shutil.copyfile(path, twin)
        yield twin
    finally:
        for name in (twin, copied, twin.with_name(twin.name + "-shm")):
            with contextlib.suppress(OSError):
                name.unlink(missing_ok=True)


def _log_of(database: Path) -> Path:
    return database.with_name(database.name + "-wal")
