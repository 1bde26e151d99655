"""Fixtures: a stage on a clock that only moves when it is told to."""

from collections.abc import Iterator

import pytest
import structlog.testing
import trio.testing

from tests.engine.swaps.stage import Stage


@pytest.fixture
def stage(mock_clock: trio.testing.MockClock) -> Stage:
    """Nothing agreed yet. Tests name `mock_clock` too: that is how trio gets to use it."""
    return Stage(mock_clock)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Rendering the states in tracebacks of deliberate bugs takes longer than the tests."""
    with structlog.testing.capture_logs():
        yield
