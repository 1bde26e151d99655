"""Owns a store in memory with the port's contract, and ways to make it fail at a chosen moment.

`FakeDisk` is what survives a crash: `FakeStore(disk)` again is a restart. Every call is a trio
checkpoint *before* its effect, as with the real store: Cancelled means nothing was written.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import trio

from swapd.ports import BackupMade, BackupRefused, JournalRecord, SequenceConflict, StoreError


@dataclass
class FakeDisk:
    """What is durable. `journal` keeps swaps in the order of their first record."""

    journal: dict[bytes, list[JournalRecord]] = field(default_factory=dict)
    open: set[bytes] = field(default_factory=set)
    hashlocks: set[bytes] = field(default_factory=set)
    values: dict[tuple[str, str], bytes] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    backups: dict[str, "FakeDisk"] = field(default_factory=dict)


class FakeStore:
    """A Store in memory. The first record of a swap has sequence 1.

    `before_write` and `after_write` are called with the name of the operation ("append", "put",
    ...): raise in the first to lose the write, in the second to crash just after it is durable.
    `full = True` makes every write raise StoreError, like a full disk.
    """

    def __init__(self, disk: FakeDisk | None = None) -> None:
        self.disk = FakeDisk() if disk is None else disk
        self.full = False
        self.writes = 0
        self.before_write: Callable[[str], None] = lambda _: None
        self.after_write: Callable[[str], None] = lambda _: None

    async def _about_to_write(self, what: str) -> None:
        await trio.lowlevel.checkpoint()
        if self.full:
            raise StoreError("the disk is full: free some space, then start swapd again")
        self.before_write(what)

    def _written(self, what: str) -> None:
        self.writes += 1
        self.after_write(what)

    async def append(self, record: JournalRecord, *, open_swap: bool) -> None:
        await self._about_to_write("append")
        rows = self.disk.journal.get(record.swap_id, [])
        if record.sequence != len(rows) + 1:
            raise SequenceConflict(
                f"record {record.sequence} of swap {record.swap_id.hex()}: next is {len(rows) + 1}"
            )
        self.disk.journal[record.swap_id] = [*rows, record]
        if open_swap:
            self.disk.open.add(record.swap_id)
        else:
            self.disk.open.discard(record.swap_id)
        self._written("append")

    async def open_swaps(self) -> tuple[JournalRecord, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(rows[-1] for key, rows in self.disk.journal.items() if key in self.disk.open)

    async def swaps(self, *, after: bytes | None, limit: int) -> tuple[JournalRecord, ...]:
        await trio.lowlevel.checkpoint()
        newest_first = list(reversed(self.disk.journal))
        if after is not None:
            if after not in self.disk.journal:
                return ()
            newest_first = newest_first[newest_first.index(after) + 1 :]
        return tuple(self.disk.journal[key][-1] for key in newest_first[: max(0, limit)])

    async def swap(self, swap_id: bytes) -> JournalRecord | None:
        await trio.lowlevel.checkpoint()
        rows = self.disk.journal.get(swap_id)
        return rows[-1] if rows else None

    async def history(self, swap_id: bytes) -> tuple[JournalRecord, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(self.disk.journal.get(swap_id, ()))

    async def remember_hashlock(self, hashlock: bytes) -> bool:
        await self._about_to_write("remember_hashlock")
        if hashlock in self.disk.hashlocks:
            return False
        self.disk.hashlocks.add(hashlock)
        self._written("remember_hashlock")
        return True

    async def get(self, space: str, key: str) -> bytes | None:
        await trio.lowlevel.checkpoint()
        return self.disk.values.get((space, key))

    async def put(self, space: str, key: str, value: bytes) -> None:
        await self._about_to_write("put")
        self.disk.values[space, key] = value
        self._written("put")

    async def put_all(self, space: str, values: Mapping[str, bytes]) -> None:
        await self._about_to_write("put_all")
        self.disk.values.update({(space, key): value for key, value in values.items()})
        self._written("put_all")

    async def put_new(self, space: str, key: str, value: bytes) -> bytes | None:
        await self._about_to_write("put_new")
        before = self.disk.values.get((space, key))
        if before is None:
            self.disk.values[space, key] = value
            self._written("put_new")
        return before

    async def delete(self, space: str, key: str) -> None:
        await self._about_to_write("delete")
        self.disk.values.pop((space, key), None)
        self._written("delete")

    async def items(self, space: str) -> tuple[tuple[str, bytes], ...]:
        await trio.lowlevel.checkpoint()
        found = {key: value for (name, key), value in self.disk.values.items() if name == space}
        return tuple(sorted(found.items()))

    async def next_counter(self, name: str, at_least: int) -> int:
        await self._about_to_write("next_counter")
        value = max(self.disk.counters.get(name, 0) + 1, at_least)
        self.disk.counters[name] = value
        self._written("next_counter")
        return value

    async def backup(self, path: str, *, at: int) -> BackupMade:
        """Kept in `disk.backups`."""
        await trio.lowlevel.checkpoint()
        if not path.startswith("/"):
            raise BackupRefused(f"{path}: give the path in full")
        self.disk.backups[path] = replace(copy.deepcopy(self.disk), backups={})
        return BackupMade(path=path, size=0, swaps=len(self.disk.journal), at=at)

    async def counter(self, name: str) -> int:
        await trio.lowlevel.checkpoint()
        return self.disk.counters.get(name, 0)

    async def move_counters(self, by: int, *, below: int) -> None:
        await self._about_to_write("move_counters")
        moved = {name: value + by for name, value in self.disk.counters.items() if value < below}
        self.disk.counters.update(moved)
        self._written("move_counters")
