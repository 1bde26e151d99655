"""A store that can be killed at any write, before or after it is durable, and can be full.

Owns: the faults of one daemon's disk. What was not acknowledged may or may not be there after a
crash; what was acknowledged is. Must not know: what is written.
"""

from collections.abc import Callable

from swapd.ports import JournalRecord, StoreFull
from tests.fakes.store import FakeDisk, FakeStore


class SimStore(FakeStore):
    """`on_row` is told of each durable row; `at_write(moment, what)` with "before" or "after"
    around each write may raise to end the process there."""

    def __init__(
        self,
        disk: FakeDisk,
        *,
        on_row: Callable[[JournalRecord], None],
        at_write: Callable[[str, str], None],
    ) -> None:
        super().__init__(disk)
        self.is_full = False
        self._on_row = on_row
        self._at_write = at_write
        self.before_write = self._before
        self.after_write = self._after

    def _before(self, what: str) -> None:
        self._at_write("before", what)
        if self.is_full:
            raise StoreFull("the disk is full: free some space")

    def _after(self, what: str) -> None:
        if what != "append":
            self._at_write("after", what)

    async def append(self, record: JournalRecord, *, open_swap: bool) -> None:
        await super().append(record, open_swap=open_swap)
        # Nothing was awaited since the write: the row is durable, nobody was told yet.
        self._on_row(record)
        self._at_write("after", "append")
