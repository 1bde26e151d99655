"""Fixtures: logs of deliberate failures are not rendered; network processes start quickly."""

from collections.abc import Iterator

import pytest
import structlog.testing

from swapd.network import client
from tests.network.zygote import Zygote


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with structlog.testing.capture_logs():
        yield


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    """A process that has imported libp2p already, to fork network processes from."""
    forking = Zygote()
    yield forking
    forking.close()


@pytest.fixture
def quick_processes(zygote: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    """Network processes are forked from it."""
    monkeypatch.setattr(client, "spawn", zygote.spawn)
