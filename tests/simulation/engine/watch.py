"""Watchtowers in a world: an honest one, a rogue, and clients that stay away relying on the first.

Owns: which towers there are, who employs them, when a client may stay away. Must not know: how a
daemon or a tower works. Its draws are its own, so that the same seed without towers is the same
world as ever.

A client that is covered (the honest tower has proved that it holds every package of every open
swap, and no lock of his hangs) is switched off for longer than any term allows. What the verdict
asks of him at the end is what it asks of everybody.
"""

from random import Random
from typing import TYPE_CHECKING, Final

import trio

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
from tests.simulation.engine.daemon import BTC, LTC, Daemon, WallClock
from tests.towers.rogue import ROGUES

if TYPE_CHECKING:
    from tests.simulation.engine.world import Scene

HONEST: Final = "tower"
LOOK: Final = 5.0
"""Seconds between two looks whether somebody is covered."""

GRACE: Final = 5


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
            self._scene.timeline.after(self._rng.uniform(5, 60), lambda c=client: self._look(c))  # type: ignore[misc] # a default binds it now

    async def _run(self, name: str, kind: type[Keeper]) -> None:
        scene = self._scene
        chains = {asset: FakeChain(scene.ledgers[asset], name) for asset in (BTC, LTC)}
        vault = Vault(FakeStore(FakeDisk()), b"\x01" * 32, FakeEntropy(f"{name}/{scene.seed}"))
        clock = WallClock(scene.timeline.now, 0.0)
        keeper = kind(chains, vault, clock, bounds=Bounds(), grace=GRACE)  # type: ignore[arg-type] # a fake of the port
        await keeper.load()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeper.run)
            nursery.start_soon(TowerServer(scene.network.join(name), keeper).run)

    def _look(self, client: Daemon) -> None:
        if self._scene.is_calm:
            return
        if client.ready and client.towers is not None and _is_covered(client, client.towers):
            seconds = self._rng.uniform(100, 400)
            self._scene.referee.note(f"{client.name} relies on its tower for {seconds:.0f} s")
            self._scene.referee.tallies["absences with a tower"] += 1
            client.sicken(seconds)
            client.kill(seconds)
            return
        self._scene.timeline.after(LOOK, lambda: self._look(client))


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
