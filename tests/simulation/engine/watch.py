"""Watchtowers in a world: an honest one, a rogue, and clients that stay away relying on the first.

Owns: which towers there are, who employs them, when a client may stay away. Must not know: how a
daemon or a tower works. Its draws are its own, so that the same seed without towers is the same
world as ever.

A client that is covered (the honest tower has proved that it holds every package of every open
swap, and no lock of his hangs) is switched off for longer than any term allows. What the verdict
asks of him at the end is what it asks of everybody.
"""

from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final

import trio

from protocol.assets import AssetId
from protocol.swap import reading
from protocol.swap.states import Held, Killing, Released
from swapd.engine.tower_talk import TowerAddress
from swapd.engine.towers import Towers
from swapd.tower.keeper import Keeper
from swapd.tower.quotas import Bounds
from swapd.tower.server import TowerServer
from swapd.tower.vault import Vault
from tests.fakes.chain import FakeChain
from tests.fakes.clock import FakeEntropy
from tests.fakes.store import FakeDisk, FakeStore
from tests.simulation.engine import verdict
from tests.simulation.engine.daemon import BTC, LTC, Daemon, WallClock
from tests.simulation.engine.plain import PlainLeg, PlainSwap, read_state, read_swap
from tests.simulation.engine.referee import shows
from tests.towers.rogue import ROGUES

if TYPE_CHECKING:
    from tests.simulation.engine.world import Scene

HONEST: Final = "tower"
LOOK: Final = 5.0
"""Seconds between two looks whether somebody is covered."""

GRACE: Final = 5

REFUND: Final = 110
"""Seconds after an expiry in which a refund has been sent: median time, grace, a few blocks."""

CLAIM: Final = 40
"""Seconds after which a claim whose preimage was left with a tower has been sent."""

CLAIMED: Final = 4
"""Depth of the other side's claim at which a tower has long seen it."""


class Watch:
    """All towers of one world."""

    def __init__(self, scene: "Scene") -> None:
        self._scene = scene
        self._rng = Random(f"towers/{scene.seed}")
        kind = self._rng.choice(("", *sorted(ROGUES)))
        self._kinds = {HONEST: Keeper} | ({f"rogue-{kind}": ROGUES[kind]} if kind else {})
        self._clients: list[Daemon] = []

    def offer(self, daemon: Daemon) -> None:
        """Most honest daemons employ all towers there are."""
        if daemon.is_honest and self._rng.random() < 0.8:
            daemon.employs = tuple(TowerAddress(name, (f"/memory/{name}",)) for name in self._kinds)
            self._clients.append(daemon)

    def begin(self) -> None:
        """Towers run; clients look for their chance to be away."""
        for name, kind in self._kinds.items():
            self._scene.nursery.start_soon(self._run, name, kind)
        for client in self._clients:
            self._scene.timeline.after(self._rng.uniform(5, 60), partial(self._look, client))

    async def _run(self, name: str, kind: type[Keeper]) -> None:
        scene = self._scene
        chains = {asset: FakeChain(scene.ledgers[asset], name) for asset in (BTC, LTC)}
        vault = Vault(FakeStore(FakeDisk()), b"\x01" * 32, FakeEntropy(f"{name}/{scene.seed}"))
        clock = WallClock(scene.timeline.now, 0.0)
        keeper = kind(chains, vault, clock, bounds=Bounds(), grace=GRACE)
        await keeper.load()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.run)
            nursery.start_soon(TowerServer(scene.network.join(name), keeper).run)

    def _look(self, client: Daemon) -> None:
        if self._scene.is_calm:
            return
        if client.ready and client.towers is not None and _is_covered(client, client.towers):
            seconds = self._rng.uniform(300, 450)
            self._scene.referee.note(f"{client.name} relies on its tower for {seconds:.0f} s")
            self._scene.referee.tallies["absences with a tower"] += 1
            client.sicken(seconds)
            client.kill(seconds)
            for swap_id in sorted(client.disk.open):
                self._rely(client, swap_id)
            return
        self._scene.timeline.after(LOOK, partial(self._look, client))

    # --- what a tower owes --------------------------------------------------------------------

    def _rely(self, client: Daemon, swap_id: bytes) -> None:
        """Looks, while the client is away, whether his tower did what it must have done by then."""
        rows = client.disk.journal[swap_id]
        swap, state = read_swap(rows[0].state), read_state(rows[-1].state)
        if state["outcome"] is not None or "lock" not in state["own"]:
            return
        when = float(swap.own.expiry + REFUND)
        if state["secret"]["type"] == "revealed":
            when = self._scene.timeline.now() + CLAIM
        self._scene.timeline.at(when, lambda: self._check(client, swap, state))

    def _check(self, client: Daemon, swap: PlainSwap, state: Any) -> None:
        if client.alive or self._scene.broken_at(client) is not None:
            return
        self._scene.referee.tallies["towers judged"] += 1
        shown = state["secret"]["type"] == "revealed" or self._is_claimed(swap)
        if shown and self._is_open(swap.theirs, state["bound"]):
            self._wrong(client, swap, "the preimage is known and no tower claimed")
        if not shown and self._is_open(swap.own, state["own"]["lock"]["tx"]["ref"]):
            self._wrong(client, swap, "its lock expired and no tower refunded it")

    def _is_claimed(self, swap: PlainSwap) -> bool:
        """The other side's claim of our leg is a few blocks deep."""
        chain = verdict.Chain(self._scene.ledgers[AssetId(swap.own.asset)])
        spends = [chain.spent[ref] for ref in chain.locks(swap.own) if ref in chain.spent]
        return any(shows(tx, swap.hashlock) and chain.depth(h) >= CLAIMED for tx, h in spends)

    def _is_open(self, leg: PlainLeg, ref: str) -> bool:
        """The lock at `ref` is in a block, and nothing spends it, not even in a mempool. Others may
        have paid the same script."""
        chain = self._scene.ledgers[AssetId(leg.asset)].chain
        found = [paid for paid in chain.unspent(leg.script, mempool=True) if paid.ref == ref]
        return any(paid.depth > 0 for paid in found)

    def _wrong(self, client: Daemon, swap: PlainSwap, what: str) -> None:
        self._scene.referee.violated(f"{client.name}/{swap.swap_id.hex()[:6]}: {what}")


def _is_covered(client: Daemon, towers: Towers) -> bool:
    """It has swaps, none of its locks hangs, and the honest tower holds all that can be left."""
    states = client.swaps.open()
    for state in states:
        own = reading.own_lock(state)
        hangs = isinstance(state.own, Released) and (own is None or own.depth == 0)
        if hangs or isinstance(state.own, Held | Killing):
            return False
    honest = next(status for status in towers.status() if status.tower.peer_id == HONEST)
    proven = {(p.swap_id, p.leg, p.act) for p in honest.packages if p.held}
    wanted = set()
    for state in states:
        for draft in towers._drafts(state, towers._preimage(state)):
            wanted.add((state.agreement.swap_id, draft.leg, draft.bare.act))
    return bool(wanted) and wanted <= proven and not towers.uncovered() and not honest.problems
