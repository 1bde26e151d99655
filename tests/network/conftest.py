"""Network processes of these tests are forked from one that has imported libp2p already."""

from collections.abc import Iterator

import pytest

from swapd.network import client
from tests.network.zygote import Zygote


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    forking = Zygote()
    yield forking
    forking.close()


@pytest.fixture(autouse=True)
def quick_processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for the tests that ask for `real_processes`."""
    if "real_processes" not in request.fixturenames:
        monkeypatch.setattr(client, "spawn", request.getfixturevalue("zygote").spawn)


@pytest.fixture
def real_processes() -> None:
    """Network processes are started as the daemon starts them."""
