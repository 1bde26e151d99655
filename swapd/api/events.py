"""Numbered events that subscribers can resume from.

Owns: `EventLog`, a bounded memory of one topic's newest events. Must not know: who publishes, who
reads, sockets.

The engine publishes; the control server reads. Sequence numbers grow by one and are never used
again: each start of the daemon gets its own epoch, so that a number from an earlier run is known
to be too old instead of meaning something else.
"""

from collections import deque

import trio

from swapd.api.calls import Event

KEEP_EVENTS = 10_000
_EPOCH_BITS = 32


def first_sequence(epoch: int) -> int:
    """The first number of one run of the daemon; `epoch` must grow with every start (for example
    `Store.next_counter("events", 1)`), below 2^21 so that JSON readers keep it exact."""
    return epoch << _EPOCH_BITS


class EventLog:
    """The newest events of one topic. Memory only; publishing never blocks."""

    def __init__(self, first: int = 0, keep: int = KEEP_EVENTS) -> None:
        self._first = first
        self._events: deque[Event] = deque(maxlen=keep)
        self._last = first
        self._changed = trio.Event()

    @property
    def sequence(self) -> int:
        """The number of the newest event; of none yet, the number before the first."""
        return self._last

    def publish(self, event: Event) -> int:
        """Appends; returns its number. Forgets the oldest event when full."""
        self._events.append(event)
        self._last += 1
        self._changed.set()
        self._changed = trio.Event()
        return self._last

    def since(self, sequence: int, limit: int) -> tuple[tuple[int, Event], ...] | None:
        """Up to `limit` events behind `sequence`, each with its number; None when that number is
        not of this log any more (too old), or never was."""
        oldest = self._last - len(self._events)
        if not oldest <= sequence <= self._last:
            return None
        start = sequence - oldest
        stop = min(len(self._events), start + limit)
        return tuple((oldest + i + 1, self._events[i]) for i in range(start, stop))

    async def wait_beyond(self, sequence: int) -> None:
        """Returns as soon as the newest number differs from `sequence`."""
        while self._last == sequence:
            await self._changed.wait()
