"""How much one may ask of us at once, whoever knocks.

Owns: the counts of open channels, of questions in the last minute, and what only a foul peer sends.
Must not know: what is asked, channels themselves.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import trio
from msgspec import Struct

from protocol.errors import Refusal, RemoteProtocolError

FOUL: Final = frozenset({Refusal.MALFORMED, Refusal.TOO_LARGE, Refusal.BAD_SIGNATURE})
"""What no honest peer ever sends."""

MAX_REMEMBERED: Final = 1024
WINDOW_SECONDS: Final = 60


class Limits(Struct, frozen=True):
    """`channels` open at once in all and `channels_per_peer`; `per_minute` questions of one peer.
    `asked` is what they ask for, in the plural, for the refusal."""

    channels: int
    channels_per_peer: int
    per_minute: int
    asked: str


@dataclass
class _Peer:
    """Open channels, and times of recent questions (trio's)."""

    channels: int = 0
    recent: deque[float] = field(default_factory=deque)


class Strangers:
    """Those who are here or were here a moment ago, by peer id."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._known: dict[str, _Peer] = {}
        self._channels = 0

    @contextmanager
    def channel(self, peer_id: str) -> Iterator[None]:
        """Counts a channel of theirs while it is open."""
        peer = self._known.setdefault(peer_id, _Peer())
        peer.channels += 1
        self._channels += 1
        try:
            yield
        finally:
            peer.channels -= 1
            self._channels -= 1
            self._forget_idle()

    def admit(self, peer_id: str) -> None:
        """Counts a question on an open channel. Raises RemoteProtocolError (busy) over a limit."""
        peer, limits, now = self._known[peer_id], self._limits, trio.current_time()
        while peer.recent and peer.recent[0] <= now - WINDOW_SECONDS:
            peer.recent.popleft()
        if (
            self._channels > limits.channels
            or peer.channels > limits.channels_per_peer
            or len(peer.recent) >= limits.per_minute
        ):
            detail = f"too many {limits.asked} at once: try again later"
            raise RemoteProtocolError(Refusal.BUSY, detail)
        peer.recent.append(now)

    def _forget_idle(self) -> None:
        if len(self._known) > MAX_REMEMBERED:
            self._known = {name: peer for name, peer in self._known.items() if peer.channels}
