"""Owns the engine's stage with towers on it: real engines, a real tower, fake chains and network.

A party can be switched off for good; its tower goes on. Towers see the chains through nodes of
their own.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import trio
import trio.testing

from protocol.terms import PinnedBlock
from swapd.engine.tower_talk import TowerAddress
from swapd.engine.towers import Towers, TowerSettings
from swapd.ports import Chain
from swapd.tower.keeper import Keeper
from swapd.tower.quotas import Bounds
from swapd.tower.server import TowerServer
from swapd.tower.vault import Vault
from tests.engine.swaps.stage import WHO, Party, Stage
from tests.fakes.chain import FakeChain
from tests.fakes.clock import FakeEntropy
from tests.fakes.store import FakeDisk, FakeStore


class _Node(FakeChain):
    """The stage's terms pin no real block."""

    async def has_block(self, pinned: PinnedBlock) -> bool:
        return pinned.height == 0


class TowerHouse:
    """One tower by name; `disk` is what it has, `up` whether it runs."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage, self.name = stage, name
        self.address = TowerAddress(name, (f"/memory/{name}",))
        self.disk = FakeDisk()
        self.peers = stage.network.join(name)
        self.btc, self.ltc = _Node(stage.btc, name), _Node(stage.ltc, name)
        self.keeper = self._keeper()

    def _keeper(self) -> Keeper:
        chains = {chain.asset: cast("Chain", chain) for chain in (self.btc, self.ltc)}
        vault = Vault(FakeStore(self.disk), b"\x01" * 32, FakeEntropy(self.name))
        return Keeper(chains, vault, self.stage.clock, bounds=Bounds(), grace=5)

    async def run(self) -> None:
        """From a start to the end of the nursery."""
        self.keeper = self._keeper()
        await self.keeper.load()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.keeper.run)
            nursery.start_soon(TowerServer(self.peers, self.keeper).run)

    @property
    def kept(self) -> int:
        """Packages on its disk."""
        return len(self.disk.values)


class WatchedStage(Stage):
    """`towers` by party name, once employed. `left_with` is how many packages were with towers
    when a party sent its lock for the first time."""

    def __init__(self, mock: trio.testing.MockClock) -> None:
        super().__init__(mock)
        self.houses = [TowerHouse(self, "tower")]
        self.towers: dict[str, Towers] = {}
        self.left_with: dict[str, int] = {}
        self.running_houses = True
        self._settings: dict[str, TowerSettings] = {}
        self._scopes: dict[str, trio.CancelScope] = {}

    def employ(self, party: Party, *, required: bool = False) -> Towers:
        """This party leaves its packages with all towers of the stage."""
        named = tuple(house.address for house in self.houses)
        settings = TowerSettings(claims=named, refunds=named, required=required)
        towers = Towers(party.world, settings, party.swaps)
        party.world.towers.guard(towers.hold_back)
        party.swaps.listen(towers.follow)
        self.towers[party.name] = towers
        return towers

    def _point(self, name: str) -> None:
        super()._point(name)
        if name == "effect:before:BroadcastLock":
            self.left_with.setdefault(WHO.get(), sum(house.kept for house in self.houses))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Both daemons, their towers' care, and the towers."""
        async with super().running(), trio.open_nursery() as nursery:
            if self.running_houses:
                for house in self.houses:
                    nursery.start_soon(house.run)
            for name, towers in self.towers.items():
                nursery.start_soon(self._care, name, towers)
            await self.settle()
            yield
            nursery.cancel_scope.cancel()

    async def _care(self, name: str, towers: Towers) -> None:
        with trio.CancelScope() as self._scopes[name]:
            await towers.run()

    async def switch_off(self, party: Party) -> None:
        """For good: nothing of this daemon runs any more."""
        if party.name in self._scopes:
            self._scopes[party.name].cancel()
        party.scope.cancel()
        await self.settle()
