"""Market nodes on one network in memory: each with its own wallet, store and keys.

Owns: setting them up and stopping them like a daemon would. All ports are the working fakes; the
network passes on only what the gossip validator lets through, as the network process does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import trio

from protocol.amounts import Price
from protocol.assets import AssetId
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.gossip import decode_items, validate_message
from protocol.swap.states import SwapState
from protocol.terms import Exposure, Timing
from swapd.engine.market import Found, Market
from swapd.engine.offers import OwnOffers, RunningStates
from swapd.engine.offers_checks import Draft
from swapd.engine.world import World
from swapd.policy import Policy
from swapd.ports import GossipMessage
from tests.fakes.chain import FakeChain
from tests.fakes.clock import FakeClock, FakeEntropy
from tests.fakes.ledger import FakeLedger
from tests.fakes.peers import FakeNetwork, FakePeers
from tests.fakes.signer import FakeSigner
from tests.fakes.store import FakeDisk, FakeStore

BTC, LTC = BITCOIN_REGTEST.asset_id, LITECOIN_REGTEST.asset_id
OTHER = AssetId("bip122:3d2160a3b5dc4a9d62e7e66a295f7031/slip44:1")
COIN = 100_000_000
PAIRS = ((BTC, LTC),)
POLICY = Policy(timing=Timing.REGTEST, exposure=Exposure(30, 6))


def draft(**changes: Any) -> Draft:
    """Sells 10 LTC for BTC at 75 LTC a BTC."""
    plain: dict[str, Any] = {
        "sell": LTC,
        "buy": BTC,
        "price": Price.of(1, 75),
        "maximum": 10 * COIN,
        "minimum": COIN,
    }
    return Draft(**{**plain, **changes})


async def no_swap(_: bytes) -> tuple[SwapState, int, int] | None:
    """A journal without swaps."""
    await trio.lowlevel.checkpoint()
    return None


@dataclass
class Node:
    """One daemon's market. `heard` is the gossip that was delivered to it; `deaf` to gossip."""

    stage: "Stage"
    name: str
    world: World
    peers: FakePeers
    chains: dict[AssetId, FakeChain]
    disk: FakeDisk
    market: Market
    offers: OwnOffers
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    heard: list[GossipMessage] = field(default_factory=list)
    deaf: bool = False

    def deliver(self, message: GossipMessage) -> None:
        assert validate_message(message.topic, message.data, self.world.clock.now())
        if not self.deaf:
            self.heard.append(message)
            FakePeers.deliver(self.peers, message)

    def asks(self) -> list[Found]:
        """Offers that sell LTC for BTC, as this node sees them."""
        return list(self.market.side(LTC, BTC).offers)

    async def until(self, done: Callable[[], object], seconds: float = 100) -> None:
        """Until the book makes `done` true."""
        with trio.fail_after(seconds):
            while not done():
                await self.market.wait_changed()

    def kinds_heard(self) -> list[str]:
        return [item.kind for message in self.heard for item in decode_items(message.data)]

    def crash(self) -> None:
        """Ends without a word."""
        self.scope.cancel()
        self.peers.down = True
        del self.stage.network.nodes[self.name]

    async def stop(self) -> None:
        """Ends as the daemon does."""
        await self.offers.withdraw()
        await self.market.flush()
        self.crash()


class Stage:
    """One network, one clock, one chain per asset."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.network = FakeNetwork()
        self.clock = FakeClock()
        self.ledgers = [FakeLedger(p, self.clock) for p in (BITCOIN_REGTEST, LITECOIN_REGTEST)]

    async def node(
        self,
        name: str,
        *,
        coins: int = 100 * COIN,
        policy: Policy = POLICY,
        disk: FakeDisk | None = None,
        seed: str | None = None,
        epoch: int = 1,
        pairs: tuple[tuple[AssetId, AssetId], ...] = PAIRS,
        swaps: Any = no_swap,
        running: RunningStates = tuple,
    ) -> Node:
        """Starts a node. With a `disk` it is one that ran before."""
        chains = {ledger.params.asset_id: FakeChain(ledger, name) for ledger in self.ledgers}
        fresh = disk is None
        disk = FakeDisk() if disk is None else disk
        peers = self.network.join(name)
        world = World(
            chains=chains,
            peers=peers,
            store=FakeStore(disk),
            signer=FakeSigner(name if seed is None else seed),
            clock=self.clock,
            entropy=FakeEntropy(name),
            policy=policy,
        )
        if fresh and coins:
            for chain in chains.values():
                chain.grant(coins)
        market = Market(world, pairs, epoch=epoch)
        node = Node(self, name, world, peers, chains, disk, market, OwnOffers(world, market))
        peers.deliver = node.deliver  # type: ignore[method-assign]  # the network process's check
        await self.nursery.start(self._run, node)
        await node.offers.start(swaps, running)
        return node

    async def _run(self, node: Node, *, task_status: trio.TaskStatus[None]) -> None:
        with node.scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(node.market.run)
                await nursery.start(node.offers.run)
                task_status.started()
