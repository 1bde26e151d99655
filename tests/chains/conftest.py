"""Where tests of the port run. Tests that take `stage` run on every kind of chain, those that take
`bench` on the fake and on both real nodes with outputs, `node_bench` on these real ones only."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trio

from tests.chains.bench import HARD_BLOCK, Bench
from tests.chains.evm.bench import EvmBench
from tests.chains.evm.stage import AccountStage
from tests.chains.fake_bench import FakeBench
from tests.chains.real import RealBench
from tests.chains.stage import CoinStage, Stage
from tests.nodes import NodeOptions, World
from tests.nodes.node import Chain as Family
from tests.nodes.world import FUNDER

EVERYWHERE = (
    "fake",
    pytest.param("bitcoind", marks=pytest.mark.nodes),
    pytest.param("litecoind", marks=pytest.mark.nodes),
)


def _running(options: dict[tuple[str, Family], NodeOptions]) -> Iterator[World]:
    """The funder's nodes alone, while the fixture lives."""
    world = World((), options=options)
    try:
        trio.run(world.start)
        yield world
    finally:
        trio.run(world.stop)


@pytest.fixture(scope="session")
def lone_world_session() -> Iterator[World]:
    """One bitcoind (no txindex) and one litecoind (with it), the funder's, for this folder.

    Litecoin Core replaces no unconfirmed transaction unless it is told to.
    """
    forgetful = ("-persistmempool=0",)
    options: dict[tuple[str, Family], NodeOptions] = {
        (FUNDER, "BTC"): NodeOptions(extra=forgetful),
        (FUNDER, "LTC"): NodeOptions(txindex=True, extra=(*forgetful, "-mempoolreplacement=1")),
    }
    yield from _running(options)


@pytest.fixture(params=EVERYWHERE)
def place(request: pytest.FixtureRequest) -> tuple[World, Family] | None:
    """Where a bench stands: a world, and which of its chains; None for the fake."""
    if request.param == "fake":
        return None
    family: Family = "BTC" if request.param == "bitcoind" else "LTC"
    return request.getfixturevalue("lone_world_session"), family


@pytest.fixture(
    params=[
        *EVERYWHERE,
        pytest.param("eth", marks=pytest.mark.nodes),
        pytest.param("usdc", marks=pytest.mark.nodes),
    ]
)
def stand(request: pytest.FixtureRequest) -> tuple[World, Family] | str:
    """Where a stage stands: as `place`, or an asset on anvil."""
    if request.param in {"fake", "eth", "usdc"}:
        return str(request.param)
    family: Family = "BTC" if request.param == "bitcoind" else "LTC"
    return request.getfixturevalue("lone_world_session"), family


@pytest.fixture
async def stage(stand: tuple[World, Family] | str, tmp_path: Path) -> AsyncIterator[Stage]:
    """Two parties on a chain of any kind."""
    if stand == "fake":
        yield await CoinStage.open(FakeBench())
    elif isinstance(stand, str):
        async with EvmBench.open(tmp_path / "anvil") as evm:
            yield await AccountStage.open(evm, "eth" if stand == "eth" else "usdc")
    else:
        made = await RealBench.open(*stand)
        yield await CoinStage.open(made)
        await made.close()


@pytest.fixture
async def bench(place: tuple[World, Family] | None) -> AsyncIterator[Bench]:
    if place is None:
        yield FakeBench()
        return
    made = await RealBench.open(*place)
    yield made
    await made.close()


@pytest.fixture(scope="session")
def hard_world_session() -> Iterator[World]:
    """Nodes with the smallest mempool they accept, small blocks, and no replacements: litecoind's
    way by default, bitcoind's when it is told."""
    hard = ("-persistmempool=0", "-maxmempool=5", f"-blockmaxweight={4 * HARD_BLOCK}")
    options: dict[tuple[str, Family], NodeOptions] = {
        (FUNDER, "BTC"): NodeOptions(extra=(*hard, "-mempoolreplacement=0")),
        (FUNDER, "LTC"): NodeOptions(txindex=True, extra=hard),
    }
    yield from _running(options)


@pytest.fixture(params=EVERYWHERE)
def hard_place(request: pytest.FixtureRequest) -> tuple[World, Family] | None:
    """As `place`, where there is little room and what was seen first stays."""
    if request.param == "fake":
        return None
    family: Family = "BTC" if request.param == "bitcoind" else "LTC"
    return request.getfixturevalue("hard_world_session"), family


@pytest.fixture
async def hard_bench(hard_place: tuple[World, Family] | None) -> AsyncIterator[Bench]:
    if hard_place is None:
        yield FakeBench(hard=True)
        return
    made = await RealBench.open(*hard_place)
    yield made
    await made.close()


@pytest.fixture(
    params=[
        pytest.param("bitcoind", marks=pytest.mark.nodes),
        pytest.param("litecoind", marks=pytest.mark.nodes),
    ]
)
def node_place(request: pytest.FixtureRequest, lone_world_session: World) -> tuple[World, Family]:
    """As `place`, on real nodes only."""
    return lone_world_session, "BTC" if request.param == "bitcoind" else "LTC"


@pytest.fixture
async def node_bench(node_place: tuple[World, Family]) -> AsyncIterator[RealBench]:
    made = await RealBench.open(*node_place)
    yield made
    await made.close()
