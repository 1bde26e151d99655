"""Fixtures of the functional tests: one world, one relay and three daemons for all of them.

Processes outlive single tests; what a test broke is mended before the next one.
"""

import shutil
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import trio

from tests.daemons.fleet import Fleet
from tests.daemons.mortal import MortalFleet
from tests.nodes import World
from tests.nodes.world import CHAINS

PARTIES = ("maker", "taker", "taker2")
COINS = 6
COIN = {"BTC": 100_000_000, "LTC": 2_000_000_000}
QUICK = {"chains.btc.mempool_poll_ms": "250", "chains.ltc.mempool_poll_ms": "250"}


async def begin_fleet(fleet: Fleet) -> None:
    """Nodes, wallets with coins, daemons."""
    await fleet.world.start()
    for name in PARTIES:
        await fleet.world[name].new_wallet()
        await _fund(fleet, name)
    await fleet.start()


async def _fund(fleet: Fleet, name: str) -> None:
    for chain in CHAINS:
        await fleet.world.fund(name, chain, COINS, COIN[chain])


async def _end(fleet: Fleet) -> None:
    await fleet.kill()
    await fleet.world.stop()


@pytest.fixture(scope="session")
def fleet_session() -> Iterator[MortalFleet]:
    """The session's nodes and daemons, started once. Use `fleet`."""
    fleet = MortalFleet(World(PARTIES), PARTIES, settings=QUICK)
    try:
        trio.run(begin_fleet, fleet)
        yield fleet
    finally:
        trio.run(_end, fleet)


@pytest.fixture
async def fleet(
    fleet_session: MortalFleet, request: pytest.FixtureRequest
) -> AsyncIterator[MortalFleet]:
    """A relay, a maker and two takers, all healthy, no offer and no swap open."""
    await mend(fleet_session)
    yield fleet_session
    if request.session.testsfailed:
        for daemon in fleet_session.all:
            sys.stderr.write(f"--- {daemon.name}\n{daemon.tail(60)}\n")


async def mend(fleet: Fleet) -> None:
    """Everything up, every offer cancelled, every mempool empty. A daemon that a failed test left
    with an open swap begins anew."""
    await _mend_nodes(fleet)
    if not fleet.relay.running:
        await fleet.relay.start()
    for daemon in fleet.daemons.values():
        if not daemon.running:
            await daemon.start()
        if await fleet.open_swaps(daemon):
            await daemon.kill()
            shutil.rmtree(daemon.folder)
            await fleet.world[daemon.name].new_wallet()
            await _fund(fleet, daemon.name)
            await daemon.start()
    for daemon in fleet.daemons.values():
        await daemon.call("offer.cancel", every=True)
    for name in fleet.daemons:
        await fleet.until_book(name, lambda book: not book)
    await fleet.relay_transactions()
    await _top_up(fleet)
    await fleet.world.pass_time(10)


async def _top_up(fleet: Fleet) -> None:
    """What swaps earn lies at addresses of the seeds: after many of them a wallet has run dry."""
    for name in fleet.daemons:
        for chain in CHAINS:
            had = await fleet.world[name].balance(chain)
            if had < COIN[chain] * COINS // 2:
                await fleet.world.fund(name, chain, COINS, COIN[chain])


async def _mend_nodes(fleet: Fleet) -> None:
    world = fleet.world
    for node in world.nodes():
        if not node.running:
            await node.start(world.clock.now())
        await node.rpc("setnetworkactive", True)
    for party in world.parties.values():
        for node in party.nodes.values():
            if party.wallet not in await node.rpc("listwallets"):
                await node.rpc("loadwallet", party.wallet)
    await world.connect()
