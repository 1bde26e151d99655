"""Owns one tower in this process: its keeper and server on still chains, an in-memory network and
disk, a clock that tests move. Restarting it keeps the disk and the key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import trio

from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.terms import LegName
from swapd.engine.tower_talk import Talk, TowerAddress, talk_to
from swapd.engine.world import World
from swapd.policy import PROFILES, Policy
from swapd.ports import Chain
from swapd.tower.keeper import Keeper
from swapd.tower.quotas import Bounds
from swapd.tower.server import TowerServer
from swapd.tower.vault import Vault
from tests.fakes.clock import FakeClock, FakeEntropy
from tests.fakes.peers import FakeNetwork
from tests.fakes.signer import FakeSigner
from tests.fakes.store import FakeDisk, FakeStore
from tests.protocol.tower import samples
from tests.tower.still import StillChain

KEY = b"\x09" * 32
TOWER = "tower"
ADDRESS = TowerAddress(TOWER, ("/memory/tower",))


class Bench:
    """See the module. `bounds` and `key` count from the next start."""

    def __init__(self) -> None:
        self.btc = StillChain(BITCOIN_REGTEST, samples.view(LegName.I))
        self.ltc = StillChain(LITECOIN_REGTEST, samples.view(LegName.P))
        self.disk = FakeDisk()
        self.clock = FakeClock(samples.TERMS.t0 + 100)
        self.network = FakeNetwork()
        self.peers = self.network.join(TOWER)
        self.bounds = Bounds()
        self.key = KEY
        self.grace = 0
        self.entropy = FakeEntropy("tower")
        self.keeper = self._keeper()

    @property
    def store(self) -> FakeStore:
        """The disk as a fresh process finds it."""
        return FakeStore(self.disk)

    def _keeper(self) -> Keeper:
        chains = {chain.asset: cast("Chain", chain) for chain in (self.btc, self.ltc)}
        vault = Vault(self.store, self.key, self.entropy)
        return Keeper(chains, vault, self.clock, bounds=self.bounds, grace=self.grace)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Keeper]:
        """The tower, from a start to a kill."""
        self.keeper = self._keeper()
        await self.keeper.load()
        async with trio.open_nursery() as nursery:
            await nursery.start(self.keeper.run)
            await nursery.start(TowerServer(self.peers, self.keeper).run)
            yield self.keeper
            nursery.cancel_scope.cancel()

    def client(self, name: str = "client") -> World:
        """A daemon's world, as far as talking to towers needs it."""
        peers = self.network.nodes.get(name) or self.network.join(name)
        return World(
            chains={chain.asset: cast("Chain", chain) for chain in (self.btc, self.ltc)},
            peers=peers,
            store=FakeStore(FakeDisk()),
            signer=FakeSigner(name),
            clock=self.clock,
            entropy=FakeEntropy(name),
            policy=Policy(*PROFILES["regtest"]),
        )

    @asynccontextmanager
    async def talking(self, name: str = "client") -> AsyncIterator[Talk]:
        """A conversation of that client."""
        async with talk_to(self.client(name), ADDRESS) as talk:
            yield talk
