"""What a daemon that is well must have done by when, and how long it may be away.

Owns: the promise's conditions ("online, per role") read from the disks' bytes, looks at duties when
they are due. Must not know: how faults are done, the engine.
"""

from typing import TYPE_CHECKING, Final

from protocol.assets import AssetId
from tests.simulation.engine.daemon import Daemon
from tests.simulation.engine.plain import PlainSwap, read_state, read_swap

if TYPE_CHECKING:
    from tests.simulation.engine.world import Scene

HASTE: Final = 45
"""Seconds after which a daemon that is well has done what it must: a look, and some patience."""

QUIET: Final = 30
"""Seconds at one step while every swap only waits for an expiry."""


class Duties:
    """The watch over one scene's daemons."""

    def __init__(self, scene: "Scene") -> None:
        self._scene = scene

    def begin(self, duty: str, name: str, swap: PlainSwap) -> None:
        """Something must be done soon by a daemon that is well: look later whether it was."""
        daemon = self._scene.daemons[name]
        if duty == "kill":
            when, check = float(swap.lock_gate + HASTE), self._check_killed
        else:
            when, check = self._scene.timeline.now() + 6, self._check_learned
        since = self._scene.timeline.now() if duty == "learn" else swap.lock_gate - 1
        self._scene.timeline.at(when, lambda: check(daemon, swap, since))

    def tell_shown(self, swap_id: bytes, leg_script: bytes) -> None:
        """A claim of that leg is in a mempool: whoever funded it must read the preimage."""
        for name in sorted(self._scene.daemons):
            rows = self._scene.daemons[name].disk.journal.get(swap_id)
            if rows is not None and self._scene.daemons[name].is_honest:
                swap = read_swap(rows[0].state)
                if swap.own.script == leg_script and not swap.is_initiator:
                    self.begin("learn", name, swap)

    def _check_learned(self, daemon: Daemon, swap: PlainSwap, since: float) -> None:
        state = read_state(daemon.disk.journal[swap.swap_id][-1].state)
        if daemon.is_well(since) and state["secret"]["type"] == "unknown":
            if state["outcome"] is None:
                self._scene.referee.violated(
                    f"{daemon.name}: a preimage that was shown was not kept"
                )

    def _check_killed(self, daemon: Daemon, swap: PlainSwap, since: float) -> None:
        state = read_state(daemon.disk.journal[swap.swap_id][-1].state)
        if not daemon.is_well(since) or state["own"]["type"] != "released":
            return
        ledger = self._scene.ledgers[AssetId(swap.own.asset)].chain
        txid = state["own"]["lock"]["tx"]["txid"]
        revealed = state["secret"]["type"] == "revealed"
        if ledger.depth(txid) == 0 and not revealed and state["outcome"] is None:
            self._scene.referee.violated(f"{daemon.name}: a lock hangs {HASTE} s after its gate")

    def may_be_away(self, daemon: Daemon, wanted: float, least: float) -> float:
        """How long this daemon may be away from now on by the promise's own words: an initiator not
        between his reveal and his end; a participant not while his lock is in the air, nor from his
        expiry to his end."""
        for rows in daemon.disk.journal.values():
            state, swap = read_state(rows[-1].state), read_swap(rows[0].state)
            if state["outcome"] is not None:
                continue
            if swap.is_initiator and state["secret"]["type"] == "revealed":
                return least
            if swap.is_initiator:
                continue
            locked = state["own"]["type"] in ("held", "released", "killing")
            if locked and not self._is_settled(swap):
                return least
            if locked and self._scene.timeline.now() + wanted + 10 > swap.own.expiry:
                return least
        return wanted

    def _is_settled(self, swap: PlainSwap) -> bool:
        depth = self._scene.seen_depth(AssetId(swap.own.asset), swap.own.script, swap.own.units)
        return depth >= swap.own.depth

    def pace(self) -> int:
        """How many blocks may come at one look: several while nothing moves and nothing is due."""
        if not self._scene.is_calm or any(
            ledger.chain.mempool for ledger in self._scene.ledgers.values()
        ):
            return 1
        soon, due = self._scene.timeline.now() + QUIET, self._next_due()
        return QUIET // 10 if due is None or soon < due else 1

    def _next_due(self) -> float | None:
        """The next expiry of an open swap; now, where one is moving."""
        found: list[float] = []
        for daemon in self._scene.daemons.values():
            for swap_id in sorted(daemon.disk.open):
                rows = daemon.disk.journal[swap_id]
                state, swap = read_state(rows[-1].state), read_swap(rows[0].state)
                now = self._scene.timeline.now()
                if state["secret"]["type"] in ("revealed", "learned"):
                    return now
                found += [t for t in (swap.own.expiry, swap.theirs.expiry) if t > now]
                if now < swap.reveal_gate or now > swap.own.expiry:
                    return now
        return min(found, default=None)
