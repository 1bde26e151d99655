"""What other tests rely on: the world of nodes does what its docstrings say."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.nodes import (
    Chain,
    NodeMissingError,
    NodeOptions,
    RpcError,
    World,
    decimal_amount,
    find_node,
)
from tests.nodes.process import spawn, wait_ended

ROOT = Path(__file__).resolve().parents[2]
CHAINS: tuple[Chain, ...] = ("BTC", "LTC")

pytestmark = pytest.mark.nodes


@pytest.mark.parametrize("chain", CHAINS)
async def test_every_party_starts_synced_with_an_empty_wallet(world: World, chain: Chain) -> None:
    for name in ("maker", "taker"):
        info = await world[name].rpc(chain, "getblockchaininfo")
        assert info["chain"] == "regtest"
        assert info["initialblockdownload"] is False
        assert 0 < world.clock.now() - info["mediantime"] < 2 * 3600
        assert await world[name].balance(chain) == 0


async def test_litecoin_is_past_the_height_of_final_timelocks_and_free_of_mweb(
    world: World,
) -> None:
    info = await world["maker"].rpc("LTC", "getblockchaininfo")
    assert info["blocks"] > 1351
    assert info["softforks"]["bip65"]["active"] is True
    assert "mweb" not in info["softforks"]


@pytest.mark.parametrize("chain", CHAINS)
async def test_a_payment_reaches_the_other_party_by_relay_and_confirms(
    world: World, chain: Chain
) -> None:
    await world.fund("maker", chain, coins=2, amount=150_000_000)
    assert await world["maker"].balance(chain) == 300_000_000
    address = await world["taker"].new_address(chain)
    txid = await world["maker"].rpc(chain, "sendtoaddress", address, "0.00012345")
    await world.relay_mempool(chain, txid)
    assert txid in await world["taker"].rpc(chain, "getrawmempool")
    await world.mine(chain)
    assert await world["taker"].balance(chain) == 12_345


async def test_one_clock_moves_every_node_and_the_file_forward_only(world: World) -> None:
    before = world.clock.now()
    await world.mine("BTC", 3)
    assert world.clock.now() == before + 30
    assert world.clock.path.read_text() == f"{before + 30}\n"
    for node in world.nodes():
        tip = await node.rpc("getblockheader", await node.tip())
        assert tip["time"] <= before + 30
        assert (await node.rpc("getnetworkinfo"))["networkactive"] is True
    with pytest.raises(ValueError, match="forward"):
        await world.clock.set(before)


async def test_time_passes_on_both_chains_at_a_block_per_ten_seconds(world: World) -> None:
    before = {chain: await world.funder.rpc(chain, "getblockcount") for chain in CHAINS}
    start = world.clock.now()
    await world.pass_time(35)
    assert world.clock.now() == start + 40
    for chain in CHAINS:
        assert await world["taker"].rpc(chain, "getblockcount") == before[chain] + 4


@pytest.mark.parametrize("chain", CHAINS)
async def test_a_killed_node_comes_back_with_its_wallet_and_peers(
    world: World, chain: Chain
) -> None:
    await world.fund("taker", chain, coins=1, amount=7_000_000)
    await world["taker"].node(chain).kill()
    await world.mine(chain, 2)
    await world.restart("taker", chain)
    assert await world["taker"].balance(chain) == 7_000_000
    assert await world["taker"].node(chain).tip() == await world.funder.node(chain).tip()


async def test_an_isolated_party_misses_blocks_until_it_rejoins(world: World) -> None:
    await world.isolate("maker", "BTC")
    await world.mine("BTC", 2, wait=False)
    assert await world["maker"].node("BTC").tip() != await world.funder.node("BTC").tip()
    await world.rejoin("maker", "BTC")
    assert await world["maker"].node("BTC").tip() == await world.funder.node("BTC").tip()


@pytest.mark.parametrize("chain", CHAINS)
async def test_a_reorg_takes_confirmations_back_on_every_node(world: World, chain: Chain) -> None:
    txid = await world.fund("taker", chain, coins=1, amount=5_000_000)
    await world.mine(chain)
    old = await world["taker"].node(chain).tip()
    new = await world.reorg(chain, 2)
    assert len(new) == 3
    assert await world["taker"].node(chain).tip() == new[-1] != old
    assert txid in await world["taker"].rpc(chain, "getrawmempool")
    await world.mine(chain)
    assert await world["taker"].balance(chain) == 5_000_000


@pytest.mark.parametrize("chain", CHAINS)
async def test_a_world_may_have_pruned_and_indexed_nodes(chain: Chain) -> None:
    small_files = ("-fastprune",) if chain == "BTC" else ()  # litecoind 0.21 does not know it
    pruned = NodeOptions(prune=1, extra=small_files)
    options = {("maker", chain): pruned, ("taker", chain): NodeOptions(txindex=True)}
    async with World.open(chains=[chain], options=options) as world:
        txid = await world.fund("maker", chain, coins=1, amount=5_000_000)
        assert (await world["maker"].rpc(chain, "getblockchaininfo"))["pruned"] is True
        assert (await world["taker"].rpc(chain, "getrawtransaction", txid, True))["txid"] == txid
        with pytest.raises(RpcError, match="No such mempool transaction"):
            await world["maker"].rpc(chain, "getrawtransaction", txid)
    assert not world.folder.exists()
    assert not any(node.running for node in world.nodes())


async def test_an_error_of_the_node_has_its_code_and_method(world: World) -> None:
    with pytest.raises(RpcError, match="getrawtransaction") as caught:
        await world["maker"].rpc("BTC", "getrawtransaction", "00" * 32)
    assert caught.value.code == -5


def test_amounts_are_written_exactly() -> None:
    assert decimal_amount(1) == "0.00000001"
    assert decimal_amount(2_100_000_000_000_000) == "21000000.00000000"
    with pytest.raises(ValueError, match="negative"):
        decimal_amount(-1)


def test_a_missing_node_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SWAPD_BITCOIND", raising=False)
    with pytest.raises(NodeMissingError, match=r"bitcoind is missing: run '\./dev setup'"):
        find_node("bitcoind")
    monkeypatch.setenv("SWAPD_BITCOIND", str(tmp_path / "nothing"))
    with pytest.raises(NodeMissingError, match="SWAPD_BITCOIND"):
        find_node("bitcoind")


async def test_a_child_dies_with_its_killed_parent() -> None:
    # the child itself says that it runs: before that, setpriv may not have asked the kernel yet
    program = (
        "from tests.nodes.process import spawn\n"
        "spawn(['sh', '-c', 'echo $$; exec sleep 1000'], stdout=1).wait()\n"
    )
    parent = spawn([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(await trio.to_thread.run_sync(parent.stdout.readline))
    pidfd = os.pidfd_open(child)
    try:
        os.kill(parent.pid, signal.SIGKILL)
        assert await wait_ended(parent, 10) == -signal.SIGKILL
        with trio.fail_after(10):
            await trio.lowlevel.wait_readable(pidfd)
    finally:
        os.close(pidfd)
