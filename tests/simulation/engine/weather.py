"""Miners, forks and fees: what the chains do while nobody asked them.

Owns: when blocks come, what time they carry, what they leave out, reorganisations within the agreed
depth, evictions. Must not know: swaps.

A block every ten seconds is what the regtest timing assumes; of two blocks of Bitcoin, or of three
of Litecoin, one takes what pays. A fork never undoes as many blocks as make a lock final.
"""

from random import Random
from typing import TYPE_CHECKING, Final

from protocol.assets import AssetId
from tests.fakes.ledger import FakeLedger
from tests.simulation.engine.timeline import Timeline

if TYPE_CHECKING:
    from tests.simulation.engine.world import Scene

INTERVAL: Final = 10
EARLY: Final = 20
"""Seconds ahead that a miner may stamp."""


class StampClock:
    """What time the miner of the next block writes into it."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.shift = 0

    def now(self) -> int:
        return int(self._timeline.now()) + self.shift

    def now_ms(self) -> int:
        return self.now() * 1000


class Miner:
    """One chain's blocks. `deepest` is how many a fork may undo; `emptiness` how many blocks in a
    row may be empty."""

    def __init__(
        self, scene: "Scene", asset: AssetId, ledger: FakeLedger, rng: Random, *, deepest: int
    ) -> None:
        self.ledger = ledger
        self.wild = False
        self.grudge = 0.0
        """How likely a block's miners begin to leave out a lock that hangs."""
        self.shaken = 0.0
        self.crowded_until = 0.0
        self._scene = scene
        self._asset = asset
        self._rng = rng
        self._deepest = deepest
        self._empty = 0
        self._calm_until = 0.0
        self._pace = 1

    def begin(self, phase: float) -> None:
        """From now on."""
        self._scene.timeline.after(phase, self._block)

    def _block(self) -> None:
        if self._scene.over:
            return
        for behind in range(self._pace - 1, 0, -1):
            self._mine(empty=False, stamp=-behind * INTERVAL)
        if self.wild and self._rng.random() < 0.05:
            self.evict()
        if self.wild and self._rng.random() < self.grudge:
            self.censor()
        empty = self.wild and self._rng.random() < 0.12 and self._may_be_empty()
        self._mine(empty=empty)
        if self.wild and self._rng.random() < 0.04:
            self._mine(empty=False)  # luck: two at once
        if self.wild and self._rng.random() < 0.08:
            self.fork()
        if self.wild and self._rng.random() < 0.05:
            self.crowd()
        self._scene.after_block()
        self._pace = self._scene.duties.pace()
        self._scene.timeline.after(INTERVAL * self._pace, self._block)

    def _may_be_empty(self) -> bool:
        """One block in a while: what the timing counts on."""
        now = self._scene.timeline.now()
        if now < self._calm_until:
            return False
        self._calm_until = now + 60
        return True

    def _mine(self, *, empty: bool, stamp: int = 0) -> None:
        clock = self._scene.stamps[self._asset]
        draw = self._rng.random() if self.wild else 1.0
        low = self.ledger.median_time + 1 - int(self._scene.timeline.now())
        clock.shift = self._rng.randint(1, EARLY) if draw < 0.15 else low if draw < 0.3 else stamp
        self.ledger.mine(only=() if empty else None)
        clock.shift = 0
        self._scene.referee.note(
            f"{self._name} block {self.ledger.height}"
            + (f" with {len(self.ledger.chain.tip.txs) - 1} txs" if not empty else " empty")
        )

    @property
    def _name(self) -> str:
        return self.ledger.params.ticker

    def fork(self, depth: int | None = None) -> None:
        """A branch one block longer wins; thieves hear of it first."""
        now = self._scene.timeline.now()
        if depth is None:
            if now < self.shaken + 60 or self._deepest < 1:
                return
            depth = self._rng.randint(1, self._deepest)
        self.shaken = now
        self._scene.referee.note(f"{self._name} reorganises {depth} blocks")
        self._scene.referee.tallies[f"reorg {depth}"] += 1
        self.ledger.undo(depth)
        self._scene.after_fork()
        kept = self._rng.random() < 0.5
        for index in range(depth + 1):
            self._mine(empty=kept and index == 0)

    def calm_down(self) -> None:
        """From now on only what is good for everybody."""
        self.wild = False
        self.ledger.censored.clear()

    def crowd(self) -> None:
        """Others want more than a block at once, and pay for it."""
        if self._may_be_empty():
            rate = self._rng.choice((10_000, 50_000, 200_000, 500_000))
            vsize = self._rng.randint(10_000, 35_000)
            self.ledger.chain.crowd(rate, vsize)
            self._scene.referee.tallies["fee spikes"] += 1
            self._scene.referee.note(f"{self._name}: {vsize} vB of others at {rate}")

    def censor(self) -> None:
        """No block takes a certain lock for a while; the promise does not need it to be taken."""
        locks = [
            txid
            for txid, tx in sorted(self.ledger.chain.mempool.items())
            if any(isinstance(out, bytes) and len(out) == 34 for out, _ in tx.outputs)
        ]
        if locks:
            txid = self._rng.choice(locks)
            self.ledger.censored.add(txid)
            self._scene.referee.tallies["censored locks"] += 1
            self._scene.referee.note(f"{self._name} leaves out {txid[:8]}")
            seconds = self._rng.choice((30, 80, 150))
            self._scene.timeline.after(seconds, lambda: self.ledger.censored.discard(txid))

    def evict(self) -> None:
        """A transaction falls out of the mempool."""
        waiting = sorted(self.ledger.chain.mempool)
        if waiting:
            txid = self._rng.choice(waiting)
            self.ledger.drop(txid)
            self._scene.referee.tallies["evictions"] += 1
            self._scene.referee.note(f"{self._name} evicts {txid[:8]}")
