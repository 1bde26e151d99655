"""Owns putting a backup in the place of the database.

Must not know: what values mean, trio, who asks. The caller holds the data directory's lock.

What was in place is never thrown away: it moves, with its log, into a directory of its own. Should
the machine die in between, nothing is in place, and a start says so.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct

from swapd.paths import sync_directory
from swapd.ports import StoreError
from swapd.store import checking, mark, rows, schema
from swapd.store.checking import Checked
from swapd.store.errors import StoreDamagedError
from swapd.store.schema import MIGRATIONS


class RestoreRefused(StoreError):
    """Nothing was changed. `str()` says why and what to do."""


class Restored(Struct, frozen=True):
    """What was put in place, when it says it was made, how many swaps and open swaps it knows, and
    where what it replaced is now (None: there was nothing, or it is the same file)."""

    database: str
    made: str
    swaps: int
    open_swaps: int
    set_aside: str | None


def restore(file: Path, database: Path, *, network: str, at: int, replace: bool) -> Restored:
    """Puts a verified copy of `file` in the place of `database`; `file` itself stays as it is.

    A `file` that is the database is accepted as it is, old or not. A sound database with swaps in
    it is only replaced with `replace`. `at` (unix seconds) names what is set aside.
    Raises RestoreRefused, StoreError.
    """
    if not file.is_file():
        raise RestoreRefused(f"there is no file {file}")
    partial = database.with_name(database.name + ".part")
    same = database.exists() and file.samefile(database)
    with _explained(file):
        _take_in(file, partial)
        try:
            checked = _examine(partial, network)
            if checked.version == 0:
                raise RestoreRefused(f"{file} is empty")
            if not same and not replace:
                _refuse_if_sound(database, network)
            _sign(partial)
            aside = _set_aside(database, at)
            partial.replace(database)
            sync_directory(database.parent)
        finally:
            for name in (partial, _log_of(partial)):
                name.unlink(missing_ok=True)
    return Restored(
        database=str(database),
        made=checked.copied or "not said",
        swaps=checked.swaps,
        open_swaps=checked.open_swaps,
        set_aside=None if aside is None else str(aside),
    )


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """What fails, as a StoreError that says what was not done."""
    try:
        yield
    except RestoreRefused:
        raise
    except StoreDamagedError as error:
        message = f"{file} is no sound backup, try an older one ({error.what})"
        raise RestoreRefused(message) from error
    except StoreError as error:
        raise RestoreRefused(f"{file} can't be put back: {error}") from error
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{file} was not put back: {error}") from error


def _take_in(file: Path, partial: Path) -> None:
    """A private copy on our disk, with the log that may lie beside a file that was no backup."""
    for source, target in ((file, partial), (_log_of(file), _log_of(partial))):
        target.unlink(missing_ok=True)
        if source.exists():
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            shutil.copyfile(source, target)


def _examine(path: Path, network: str) -> Checked:
    return checking.examine(path, network=network, newest=len(MIGRATIONS), seconds=None)


def _refuse_if_sound(database: Path, network: str) -> None:
    """Raises RestoreRefused."""
    if not database.exists():
        return
    try:
        there = _examine(database, network)
    except StoreError:
        return
    if there.swaps:
        raise RestoreRefused(
            f"{database} is sound and knows {there.swaps} swaps, {there.open_swaps} of them open: "
            "if an older file is to take its place all the same, add --replace"
        )


def _sign(partial: Path) -> None:
    """Makes one durable file of it that says that time went on without it."""
    with closing(sqlite3.connect(partial, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        if rows.meta(connection, schema.COPIED) is None:
            schema.say_copied(connection, "not a backup, but put back as one")
    with partial.open("rb") as file:
        os.fsync(file.fileno())


def _set_aside(database: Path, at: int) -> Path | None:
    """Moves database and log away, and copies the mark: while that lies there and no database, a
    start refuses, so that a crash in here never ends in a new, empty database."""
    log, marked = _log_of(database), mark.path_of(database)
    if not any(name.exists() for name in (database, log)):
        return None
    directory = database.with_name(f"{database.name}.replaced-{at}")
    directory.mkdir(mode=0o700)
    if marked.exists():
        shutil.copy2(marked, directory / marked.name)
    for name in (database, log):
        if name.exists():
            name.rename(directory / name.name)
            sync_directory(database.parent)
    sync_directory(directory)
    return directory


def _log_of(database: Path) -> Path:
    return database.with_name(database.name + "-wal")
