"""Owns partitions between daemons: each lives in a network namespace, and cables are pulled.

A swap whose terms are agreed needs no word from anybody: it ends as if the network were whole.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from swapd.control.failures import CallError
from tests.daemons.fleet import Fleet
from tests.daemons.process import SwapdProcess
from tests.faults import judge, pace
from tests.faults.namespaces import Place, Switch
from tests.faults.proxy import RpcProxy
from tests.faults.steps import STEPS, Way, begin
from tests.functional import accounts
from tests.functional.conftest import COIN, COINS, QUICK
from tests.nodes import Chain, Node, Party, World
from tests.nodes.world import CHAINS

PARTIES: Final = ("maker", "taker")


_PATIENCE: Final = 120


@dataclass
class FarNode(Node):
    """A node as it is reached from elsewhere: only its RPC address differs."""

    rpc_host: str = "127.0.0.1"

    @property
    def rpc_url(self) -> str:
        return f"http://{self.rpc_host}:{self.rpc_port}"


class PlacedSwapd(SwapdProcess):
    """A daemon that runs in a namespace."""

    place: Place

    def command(self, verb: str) -> list[str]:
        """As of any daemon, in its namespace."""
        return [*self.place.prefix, *super().command(verb)]


class PlacedFleet(Fleet):
    """A fleet whose daemons live in the places of a switch; their nodes' RPC reaches them by
    proxies, because nodes listen on loopback only."""

    def __init__(self, world: World, switch: Switch, reached: dict[str, Party]) -> None:
        self._switch = switch
        self._reached = reached
        super().__init__(world, PARTIES, settings=QUICK)

    def make(
        self, name: str, party: str | None, *, settings: Mapping[str, str] | None = None
    ) -> SwapdProcess:
        """A daemon in its place, not started."""
        place = self._switch.places[name]
        daemon = PlacedSwapd(
            name,
            Path(self.folder / name),
            clock=self.world.clock.path,
            party=self._reached[party] if party else None,
            settings={**(QUICK if party else {}), **(settings or {}), "p2p.listen": place.listen},
        )
        daemon.place = place
        return daemon


@asynccontextmanager
async def placed() -> AsyncIterator[tuple[PlacedFleet, Switch]]:
    """A maker, a taker and a relay with coins, each in a namespace; all gone at the end."""
    switch = Switch(("relay", *PARTIES))
    world = World(PARTIES)
    async with trio.open_nursery() as nursery:
        try:
            switch.build()
            await world.start()
            for name in PARTIES:
                await world[name].new_wallet()
                for chain in CHAINS:
                    await world.fund(name, chain, COINS, COIN[chain])
            reached = {name: await _reached(nursery, world, switch, name) for name in PARTIES}
            fleet = PlacedFleet(world, switch, reached)
            try:
                await fleet.start()
                yield fleet, switch
            finally:
                await fleet.kill()
        finally:
            with trio.CancelScope(shield=True):
                await world.stop()
                switch.remove()
            nursery.cancel_scope.cancel()


async def _reached(nursery: trio.Nursery, world: World, switch: Switch, name: str) -> Party:
    """A party's nodes as its daemon's namespace reaches them."""
    host, real = switch.places[name].host, world[name]
    nodes: dict[Chain, Node] = {}
    for chain in CHAINS:
        proxy = RpcProxy(real.node(chain))
        await nursery.start(proxy.serve, host)
        nodes[chain] = FarNode(chain, real.node(chain).datadir, rpc_port=proxy.port, rpc_host=host)
    return Party(name, dict(nodes), real.wallet)


@dataclass(frozen=True)
class Pulled:
    """The daemons `names` are off the network from `step` until the swap has ended."""

    step: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.step}; {' and '.join(self.names)} cut off until the end"

    async def run(self) -> str:
        """How the swap ended. Raises AssertionError unless it completed, and unless offers flow
        again when all are back."""
        async with placed() as (fleet, switch):
            before = await accounts.balances(fleet)
            swap_id = await STEPS[self.step](fleet, Way.USUAL)
            switch.pull(*self.names)
            found = await judge.verdict(fleet, before, swap_id)
            assert found == "completed", found
            switch.plug(*self.names)
            await fleet.post("maker", "1 LTC", buy="BTC", price="0.02", seen_by=["taker"])
        return f"{found}, and offers flow again"


@dataclass(frozen=True)
class Unreached:
    """The maker is off the network when its offer is taken."""

    def __str__(self) -> str:
        return "a take while the maker is cut off"

    async def run(self) -> str:
        """How it ended. Raises AssertionError unless the take is refused, nothing is committed, and
        the next take after the repair completes."""
        async with placed() as (fleet, switch):
            before = await accounts.balances(fleet)
            offer_id = await fleet.post(
                "maker", "2 LTC", buy="BTC", price="0.01", seen_by=["taker"]
            )
            switch.pull("maker")
            with trio.fail_after(_PATIENCE):
                try:
                    await fleet.take("taker", offer_id)
                except CallError as error:
                    refused = error
                else:
                    raise AssertionError("a take was agreed with a maker that is cut off")
            assert refused.retryable, refused
            switch.plug("maker")
            await pace.calm(fleet)
            assert await accounts.balances(fleet) == before
            await fleet["maker"].call("offer.cancel", every=True)
            swap_id = await begin(fleet)
            found = await judge.verdict(fleet, before, swap_id)
        return f"refused ({refused.name}), then {found}"


ALL: Final[tuple[Pulled | Unreached, ...]] = (
    Unreached(),
    Pulled("agreed", ("taker",)),
    Pulled("agreed", ("maker", "taker", "relay")),
    Pulled("lock I final", ("maker",)),
    Pulled("lock P final", ("maker", "taker")),
)
