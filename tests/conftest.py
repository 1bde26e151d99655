"""Fixtures for every test. Who asks for `world` gets real nodes, or fails loudly."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from hypothesis import settings

from tests.nodes import World

# A slow machine is no failure: speed lives in the benchmark.
settings.register_profile("swapd", deadline=None)
settings.load_profile("swapd")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short name, gone after the test: pytest's own, two workers deep, is too long
    for a unix socket below it."""
    with tempfile.TemporaryDirectory(prefix="swapd-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


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
