"""The stage as a fixture. Tests take `autojump_clock` too: time then jumps ahead when all wait."""

from collections.abc import AsyncIterator

import pytest
import trio

from tests.engine.market.stage import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """An empty network; its nodes end with the test."""
    async with trio.open_nursery() as nursery:
        yield Stage(nursery)
        nursery.cancel_scope.cancel()
