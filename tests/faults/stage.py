"""Owns the fleet on which `python -m tests.faults` does its work: one for all cases."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import trio

from tests.daemons.fleet import Fleet
from tests.functional.conftest import COIN, COINS, QUICK
from tests.nodes import Chain, NodeOptions, World
from tests.nodes.world import CHAINS

PARTIES = ("maker", "taker")


@asynccontextmanager
async def stage(
    options: Mapping[tuple[str, Chain], NodeOptions] | None = None,
) -> AsyncIterator[Fleet]:
    """A maker, a taker and a relay with coins, on nodes with these options; ended at the end."""
    fleet = Fleet(World(PARTIES, options=options), PARTIES, settings=QUICK)
    try:
        await fleet.world.start()
        for name in PARTIES:
            await fleet.world[name].new_wallet()
            for chain in CHAINS:
                await fleet.world.fund(name, chain, COINS, COIN[chain])
        await fleet.start()
        yield fleet
    finally:
        with trio.CancelScope(shield=True):
            await fleet.kill()
            await fleet.world.stop()
