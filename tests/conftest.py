"""Fixtures for every test. Who asks for `world` gets real nodes, or fails loudly."""

from collections.abc import Iterator

import pytest
import trio
from hypothesis import settings

from tests.nodes import World

# A slow machine is no failure: speed lives in the benchmark.
settings.register_profile("swapd", deadline=None)
settings.load_profile("swapd")


@pytest.fixture(scope="session")
def world_session() -> Iterator[World]:
    """The session's nodes, started once. Use `world`; its processes outlive single tests."""
    world = World()
    try:
        trio.run(world.start)
        yield world
    finally:
        trio.run(world.stop)


@pytest.fixture
async def world(world_session: World) -> World:
    """Maker and taker on real nodes: everyone up and peered, mempools empty, wallets new."""
    await world_session.refresh()
    return world_session
