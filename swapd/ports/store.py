"""The port to the durable memory: `Store`, its rows and errors.

Must not know: any adapter.
"""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from swapd.ports.errors import PortError


class StoreError(PortError):
    """The journal could not be read or written (disk full, damaged, newer than we are)."""


class StoreFull(StoreError):
    """No space left. Nothing of the failed write is there; it may be tried again."""


class BackupRefused(StoreError):
    """A backup can't be written there. Nothing was changed."""


class SequenceConflict(StoreError):
    """Somebody else appended to this swap: two runners of one swap are a bug."""


PUT_BACK = ("meta", "put-back")
"""Where the store says, as text, why time went on without the database it was opened with: it is a
backup, or another old file. Whoever has seen to what follows from that deletes the value."""


class JournalRecord(Struct, frozen=True):
    """One row of a swap's journal: the event that happened and the state after it, both encoded
    by the engine. `at` is unix seconds."""

    swap_id: bytes
    sequence: int
    at: int
    event: bytes
    state: bytes


class BackupMade(Struct, frozen=True):
    """A copy of the whole database that was written and read back: where, its bytes, how many swaps
    are in it, unix seconds."""

    path: str
    size: int
    swaps: int
    at: int


class Store(Protocol):
    """The durable memory. A call that returned is on disk. One writer. A swap's first record has
    sequence 1."""

    async def append(self, record: JournalRecord, *, open_swap: bool) -> None:
        """Appends; `record.sequence` must be the next one. Raises SequenceConflict, StoreError."""
        ...

    async def open_swaps(self) -> tuple[JournalRecord, ...]:
        """The newest record of every swap whose last append said `open_swap`."""
        ...

    async def swaps(self, *, after: bytes | None, limit: int) -> tuple[JournalRecord, ...]:
        """Newest record of each swap, newest swap first, from behind `after` (a swap id)."""
        ...

    async def swap(self, swap_id: bytes) -> JournalRecord | None: ...

    async def history(self, swap_id: bytes) -> tuple[JournalRecord, ...]: ...

    async def remember_hashlock(self, hashlock: bytes) -> bool:
        """True when it was new; False when it was seen before (safety rule 6)."""
        ...

    async def get(self, space: str, key: str) -> bytes | None:
        """Durable small values by namespace ("offer", "meta", "idempotency", "peer", ...)."""
        ...

    async def put(self, space: str, key: str, value: bytes) -> None: ...

    async def put_all(self, space: str, values: Mapping[str, bytes]) -> None:
        """Several at once: all, or none."""
        ...

    async def put_new(self, space: str, key: str, value: bytes) -> bytes | None:
        """Writes only where nothing was; returns what was there before (None = written)."""
        ...

    async def delete(self, space: str, key: str) -> None: ...

    async def items(self, space: str) -> tuple[tuple[str, bytes], ...]: ...

    async def next_counter(self, name: str, at_least: int) -> int:
        """max(stored + 1, at_least), durably; 0 was never given."""
        ...

    async def move_counters(self, by: int, *, below: int) -> None:
        """Moves every counter that is below `below` on by `by`; all, or none."""
        ...

    async def backup(self, path: str, *, at: int) -> BackupMade:
        """Writes a copy of everything to `path` (in full), over an older one only once it is whole
        and verified; other calls go on meanwhile. `at` is unix seconds.
        Raises BackupRefused, StoreError."""
        ...

    async def counter(self, name: str) -> int:
        """What `next_counter` gave last, 0 for nothing yet."""
        ...
