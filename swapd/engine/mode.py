"""What this daemon still begins: everything, no new swaps (draining), or nothing (watch-only).

Owns: that one decision and who waits for it. Must not know: why it is taken, swaps, adapters.

A drain can be taken back; from watch-only there is no way but a new start. Open swaps are never
touched by it: they claim, refund and kill as ever. Watch-only sends no lock either, for its coins
may be another daemon's (safety rules 2 and 24).
"""

from typing import Final

import trio

LOCKED: Final = "this daemon is locked: it waits for the passphrase of its seed"


class Mode:
    """`draining`: no new swaps, the open ones are finished. `watch_only`: why this daemon only
    watches, claims, refunds and kills; empty when it does not. `locked`: it has no seed, so it
    signs nothing and sends only what was signed before; for its whole life."""

    def __init__(self, *, locked: bool = False) -> None:
        self.locked = locked
        self.draining = False
        self.watch_only = ""
        self._changed = trio.Event()

    def drain(self) -> None:
        """Begins no new swap from now on."""
        if not self.draining:
            self.draining = True
            self._tell()

    def end_drain(self) -> None:
        """Trades again, unless this daemon only watches."""
        if self.draining:
            self.draining = False
            self._tell()

    def only_watch(self, reason: str) -> None:
        """Begins no new swap and sends no lock from now on. The first `reason` stays."""
        if not reason:
            message = "watch-only needs a reason to tell the operator"
            raise ValueError(message)
        if not self.watch_only:
            self.watch_only = reason
            self._tell()

    def may_begin(self) -> str:
        """Why no swap may begin, in words for the operator; empty when one may."""
        if self.locked:
            return LOCKED
        if self.watch_only:
            return f"this daemon only watches: {self.watch_only}"
        if self.draining:
            return "this daemon is draining: it finishes its swaps and begins none"
        return ""

    def may_lock(self) -> str:
        """Why no lock may be signed or sent; empty when one may."""
        return self.may_begin() if self.locked or self.watch_only else ""

    async def wait_change(self) -> None:
        """Returns after the next change."""
        await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
