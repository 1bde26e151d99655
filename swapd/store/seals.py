"""Owns the digests by which damage is found that SQLite itself can't see.

Must not know: what values mean, files, trio.

SQLite finds a page that is not well-formed; a flipped bit in a value, or a whole page as it was
last week, is well-formed. So every row carries a digest of itself, and the table `seal` has, for
each small table, how many rows it has and the sum of their digests, and the number of the newest
commit. Rows of the journal are found missing by their swap's row, which names the newest one. This
is against faults of disks and memory, not against somebody who writes to the file on purpose.
"""

import sqlite3
from collections.abc import Iterable
from hashlib import blake2b

SIZE = 16
"""Bytes of a digest, and of a sum modulo 2^128."""

_MODULUS = 1 << (8 * SIZE)

SEALED = {
    "meta": "SELECT key, value FROM meta",
    "swap": "SELECT number, swap_id, last, open, head FROM swap",
    "item": "SELECT space, key, value FROM item",
    "counter": "SELECT name, value FROM counter",
    "hashlock": "SELECT hash FROM hashlock",
}
"""The tables with a sum, and what of a row is digested."""

OWN_DIGEST = ("swap", "item", "counter")
"""Those whose rows carry their digest too, so that it is held against what is read each time."""

_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"


class Broken(Exception):
    """What is there is not what was written. `str()` says where."""


def digest(table: str, *fields: object) -> bytes:
    """Of one row. Every field counts with its type and length."""
    made = blake2b(digest_size=SIZE, person=table.encode()[:16])
    for field in fields:
        data = field if isinstance(field, bytes) else str(field).encode("utf-8", "surrogateescape")
        made.update(b"%d:%d:" % (_KINDS.get(type(field), 0), len(data)))
        made.update(data)
    return made.digest()


_KINDS = {bytes: 1, str: 2, int: 3}


def add(total: bytes, *, plus: Iterable[bytes] = (), minus: Iterable[bytes] = ()) -> bytes:
    """A sum with digests put in and taken out."""
    number = int.from_bytes(total, "big")
    number += sum(int.from_bytes(one, "big") for one in plus)
    number -= sum(int.from_bytes(one, "big") for one in minus)
    return (number % _MODULUS).to_bytes(SIZE, "big")


class _Sum:
    """The aggregate `digest_sum`."""

    def __init__(self) -> None:
        self._total = bytes(SIZE)

    def step(self, one: bytes, /) -> None:
        """One more digest."""
        self._total = add(self._total, plus=(one,))

    def finalize(self) -> bytes:
        """The sum."""
        return self._total


def teach(connection: sqlite3.Connection) -> None:
    """Gives a connection the functions that migrations use: row_digest, digest_sum."""
    connection.create_function("row_digest", -1, digest, deterministic=True)
    connection.create_aggregate("digest_sum", 1, _Sum)  # type: ignore[arg-type] # typeshed knows sums of numbers only


# --- Writing ----------------------------------------------------------------------------------


def change(
    connection: sqlite3.Connection, table: str, *, old: bytes | None, new: bytes | None
) -> None:
    """Notes in the transaction that a row of `table` went from one digest to another; None stands
    for no row."""
    number, total = _seal(connection, table)
    number += (new is not None) - (old is not None)
    total = add(total, plus=() if new is None else (new,), minus=() if old is None else (old,))
    _write(connection, table, number, total)


def commit(connection: sqlite3.Connection) -> int:
    """Numbers the transaction that is about to be committed."""
    number = _seal(connection, "commit")[0] + 1
    _write(connection, "commit", number, digest("commit", number))
    return number


def close_schema(connection: sqlite3.Connection, version: int) -> None:
    """Notes, within a migration, what the tables look like after it."""
    _write(connection, "schema", version, _schema(connection))


def commits(connection: sqlite3.Connection) -> int:
    """The number of the newest commit. Raises Broken."""
    number, total = _seal(connection, "commit")
    if total != digest("commit", number):
        raise Broken("the number of the newest commit")
    return number


def exist(connection: sqlite3.Connection) -> bool:
    """Whether the file has seals at all; those of the first versions have none."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'seal'").fetchone()
    return found is not None


def _seal(connection: sqlite3.Connection, name: str) -> tuple[int, bytes]:
    statement = "SELECT number, sum FROM seal WHERE name = ?"
    rows: list[tuple[int, bytes]] = connection.execute(statement, (name,)).fetchall()
    if len(rows) != 1:
        raise Broken(f"the seal of {name}")
    return rows[0]


def _write(connection: sqlite3.Connection, name: str, number: int, total: bytes) -> None:
    connection.execute("INSERT OR REPLACE INTO seal VALUES (?, ?, ?)", (name, number, total))


def _schema(connection: sqlite3.Connection) -> bytes:
    rows = connection.execute(_SCHEMA).fetchall()
    return digest("schema", *(field for row in rows for field in row))


# --- Reading ----------------------------------------------------------------------------------


def check_version(connection: sqlite3.Connection, version: int) -> None:
    """Raises Broken unless the last migration left that version."""
    number = _seal(connection, "schema")[0]
    if number != version:
        raise Broken(f"version {version}, but it was made as version {number}")


def check_schema(connection: sqlite3.Connection) -> None:
    """Raises Broken unless tables, indexes and triggers are as the last migration left them."""
    if _seal(connection, "schema")[1] != _schema(connection):
        raise Broken("the tables' definitions")


def check_tables(connection: sqlite3.Connection) -> None:
    """Raises Broken unless every row of every small table is what was written, none is missing
    and none too many."""
    commits(connection)
    for table, statement in SEALED.items():
        digests = [digest(table, *row) for row in connection.execute(statement)]
        if (len(digests), add(bytes(SIZE), plus=digests)) != _seal(connection, table):
            raise Broken(f"rows of table {table}")
    for table in OWN_DIGEST:
        own = sorted(row[0] for row in connection.execute(f"SELECT digest FROM {table}"))  # noqa: S608 - a name of ours
        told = sorted(digest(table, *row) for row in connection.execute(SEALED[table]))
        if own != told:
            raise Broken(f"digests in table {table}")
    last = connection.execute("SELECT max(number) FROM swap").fetchone()[0]
    given = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'swap'").fetchall()
    if [(last,)] != given and (last is not None or given):
        raise Broken("the number given to the newest swap")


_JOURNAL = "SELECT swap, sequence, at, event, state, digest FROM journal WHERE swap = ?"


def check_journal(connection: sqlite3.Connection, number: int, last: int, head: bytes) -> None:
    """Raises Broken unless all rows of a swap, up to `last` with digest `head`, are there and are
    what was written."""
    wanted, newest = 1, b""
    for row in connection.execute(f"{_JOURNAL} ORDER BY sequence", (number,)):
        if row[1] != wanted or digest("journal", *row[:-1]) != row[-1]:
            raise Broken(f"row {wanted} of swap number {number}")
        wanted, newest = wanted + 1, row[-1]
    if wanted != last + 1 or newest != head:
        raise Broken(f"the newest row of swap number {number}")
