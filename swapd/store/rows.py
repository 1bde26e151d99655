"""Owns reading and writing of rows, each with its digest (see swapd.store.seals).

Must not know: threads, transactions (a caller has begun one before it writes), files.
Whatever reads a row that carries a digest raises seals.Broken where the two differ.
"""

import sqlite3

from msgspec import Struct

from swapd.ports import JournalRecord
from swapd.store import seals
from swapd.store.seals import Broken, digest

_RECORD = """SELECT swap.swap_id, journal.swap, sequence, at, event, state, journal.digest
    FROM swap JOIN journal ON journal.swap = swap.number"""
_NEWEST = f"{_RECORD} AND journal.sequence = swap.last"


class SwapRow(Struct, frozen=True):
    """A row of `swap`; `digest` None for a swap that has no row yet (`number` 0 then)."""

    number: int
    swap_id: bytes
    last: int
    digest: bytes | None


# --- Swaps ------------------------------------------------------------------------------------


def swap_row(connection: sqlite3.Connection, swap_id: bytes) -> SwapRow:
    """The row of a swap; a swap that begins has none yet."""
    statement = "SELECT number, last, open, head, digest FROM swap WHERE swap_id = ?"
    for number, last, is_open, head, told in connection.execute(statement, (swap_id,)).fetchall():
        if digest("swap", number, swap_id, last, is_open, head) != told:
            raise Broken(f"the row of swap {swap_id.hex()}")
        return SwapRow(number, swap_id, last, told)
    return SwapRow(0, swap_id, 0, None)


def append(
    connection: sqlite3.Connection, row: SwapRow, record: JournalRecord, *, open_swap: bool
) -> None:
    """Writes the next record of a swap."""
    number, last, is_open = row.number, record.sequence, int(open_swap)
    if row.digest is None:
        begin = "INSERT INTO swap (swap_id, last, open) VALUES (?, 0, 1) RETURNING number"
        number = int(connection.execute(begin, (row.swap_id,)).fetchall()[0][0])
    head = digest("journal", number, last, record.at, record.event, record.state)
    connection.execute(
        "INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)",
        (number, last, record.at, record.event, record.state, head),
    )
    new = digest("swap", number, row.swap_id, last, is_open, head)
    connection.execute(
        "UPDATE swap SET last = ?, open = ?, head = ?, digest = ? WHERE number = ?",
        (last, is_open, head, new, number),
    )
    seals.change(connection, "swap", old=row.digest, new=new)


def newest(
    connection: sqlite3.Connection, where: str, *values: object
) -> tuple[JournalRecord, ...]:
    """The newest record of each swap that `where` (of ours, in SQL) chooses."""
    return _records(connection, f"{_NEWEST} {where}", values)


def history(connection: sqlite3.Connection, swap_id: bytes) -> tuple[JournalRecord, ...]:
    """All records of a swap, oldest first."""
    where = "WHERE swap.swap_id = ? ORDER BY sequence"
    found = _records(connection, f"{_RECORD} {where}", (swap_id,))
    row = swap_row(connection, swap_id)
    if [record.sequence for record in found] != list(range(1, row.last + 1)):
        raise Broken(f"a row of swap {swap_id.hex()} is missing")
    return found


def _records(
    connection: sqlite3.Connection, statement: str, values: tuple[object, ...]
) -> tuple[JournalRecord, ...]:
    records = []
    for swap_id, *fields, told in connection.execute(statement, values).fetchall():
        if digest("journal", *fields) != told:
            raise Broken(f"row {fields[1]} of swap {swap_id.hex()}")
        records.append(JournalRecord(swap_id, *fields[1:]))
    return tuple(records)


def remember_hashlock(connection: sqlite3.Connection, hashlock: bytes) -> bool:
    """True when it was new."""
    statement = "INSERT INTO hashlock VALUES (?) ON CONFLICT DO NOTHING"
    is_new = connection.execute(statement, (hashlock,)).rowcount == 1
    if is_new:
        seals.change(connection, "hashlock", old=None, new=digest("hashlock", hashlock))
    return is_new


# --- Values -----------------------------------------------------------------------------------


def value(connection: sqlite3.Connection, space: str, key: str) -> bytes | None:
    """What is at `key`."""
    found = _item(connection, space, key)
    return None if found is None else found[0]


def put(connection: sqlite3.Connection, space: str, key: str, data: bytes) -> None:
    """Writes over what was there."""
    before, new = _item(connection, space, key), digest("item", space, key, data)
    statement = """INSERT INTO item VALUES (?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET value = excluded.value, digest = excluded.digest"""
    connection.execute(statement, (space, key, data, new))
    seals.change(connection, "item", old=before and before[1], new=new)


def delete(connection: sqlite3.Connection, space: str, key: str) -> None:
    """Nothing is there afterwards."""
    before = _item(connection, space, key)
    if before is not None:
        connection.execute("DELETE FROM item WHERE space = ? AND key = ?", (space, key))
        seals.change(connection, "item", old=before[1], new=None)


def items(connection: sqlite3.Connection, space: str) -> tuple[tuple[str, bytes], ...]:
    """All keys and values of a namespace, in the order of the keys."""
    statement = "SELECT key, value, digest FROM item WHERE space = ? ORDER BY key"
    found = connection.execute(statement, (space,)).fetchall()
    for key, data, told in found:
        if digest("item", space, key, data) != told:
            raise Broken(f"the value {key[:100]!r} of {space}")
    return tuple((key, data) for key, data, _ in found)


def _item(connection: sqlite3.Connection, space: str, key: str) -> tuple[bytes, bytes] | None:
    """Value and digest."""
    statement = "SELECT value, digest FROM item WHERE space = ? AND key = ?"
    for data, told in connection.execute(statement, (space, key)).fetchall():
        if digest("item", space, key, data) != told:
            raise Broken(f"the value {key[:100]!r} of {space}")
        return data, told
    return None


# --- Counters ---------------------------------------------------------------------------------


def counter(connection: sqlite3.Connection, name: str) -> tuple[int, bytes | None]:
    """What was given last, 0 for nothing yet, and the row's digest."""
    statement = "SELECT value, digest FROM counter WHERE name = ?"
    for stored, told in connection.execute(statement, (name,)).fetchall():
        if digest("counter", name, stored) != told:
            raise Broken(f"the counter {name}")
        return stored, told
    return 0, None


def next_counter(connection: sqlite3.Connection, name: str, at_least: int) -> int:
    """max(stored + 1, at_least, 1)."""
    stored, old = counter(connection, name)
    return _count(connection, name, max(stored + 1, at_least, 1), old)


def move_counters(connection: sqlite3.Connection, *, by: int, below: int) -> None:
    """Moves every counter below `below` on by `by`."""
    statement = "SELECT name, value, digest FROM counter WHERE value < ?"
    for name, stored, old in connection.execute(statement, (below,)).fetchall():
        _count(connection, name, stored + by, old)


def _count(connection: sqlite3.Connection, name: str, number: int, old: bytes | None) -> int:
    new = digest("counter", name, number)
    connection.execute("INSERT OR REPLACE INTO counter VALUES (?, ?, ?)", (name, number, new))
    seals.change(connection, "counter", old=old, new=new)
    return number


# --- The file itself --------------------------------------------------------------------------


def set_meta(connection: sqlite3.Connection, key: str, text: str | None) -> None:
    """Writes, or with None removes, a row of `meta`."""
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    old = None if found is None else digest("meta", key, found[0])
    connection.execute("DELETE FROM meta WHERE key = ?", (key,))
    if text is not None:
        connection.execute("INSERT INTO meta VALUES (?, ?)", (key, text))
    if seals.exist(connection):
        new = None if text is None else digest("meta", key, text)
        seals.change(connection, "meta", old=old, new=new)


def meta(connection: sqlite3.Connection, key: str) -> str | None:
    """A row of `meta`."""
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if found is None else str(found[0])
