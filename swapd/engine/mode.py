"""What this daemon still begins: everything, no new swaps (draining), or nothing (watch-only).

Owns: that one decision and who waits for it. Must not know: why it is taken, swaps, adapters.

Both ways are one-way: only a new start makes a whole daemon of this one again. Open swaps are never
touched by it: they claim, refund and kill as ever. Watch-only sends no lock either, for its coins
may be another daemon's (safety rules 2 and 24).
"""

import trio


class Mode:
    """`draining`: no new swaps, the open ones are finished. `watch_only`: why this daemon only
    watches, claims, refunds and kills; empty when it does not."""

    def __init__(self) -> None:
        self.draining = False
        self.watch_only = ""
        self._changed = trio.Event()

    def drain(self) -> None:
        """Begins no new swap from now on."""
        if not self.draining:
            self.draining = True
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
        if self.watch_only:
            return f"this daemon only watches: {self.watch_only}"
        if self.draining:
            return "this daemon is draining: it finishes its swaps and begins none"
        return ""

    def may_lock(self) -> str:
        """Why no lock may be signed or sent; empty when one may."""
        return self.may_begin() if self.watch_only else ""

    async def wait_change(self) -> None:
        """Returns after the next change."""
        await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
