"""What only a real node does: restarts, pruning, another chain behind the port, MWEB."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from protocol.bitcoin.address import address_of
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.swap.facts import LockSeen, Restriction
from swapd.chains import BitcoindChain, NodeConfig
from swapd.ports import Broadcast, NodeMisconfigured, NodeUnreachable
from tests.chains.bench import COIN
from tests.chains.htlc import RATE, Deal, new_deal
from tests.chains.real import PARAMS, RealBench
from tests.fakes.clock import FakeClock
from tests.nodes import Node, NodeOptions, World
from tests.nodes.clock import BASE_TIME
from tests.nodes.node import Chain as Family

pytestmark = pytest.mark.nodes


@asynccontextmanager
async def lone_node(
    family: Family, folder: Path, *flags: str, prune: int = 0
) -> AsyncIterator[Node]:
    """A node on an empty chain, with a wallet called "w"."""
    node = Node(family, folder, NodeOptions(prune=prune, extra=flags))
    try:
        await node.start(BASE_TIME)
        await node.rpc("createwallet", "w")
        yield node
    finally:
        await node.kill()


def adapter(node: Node, wallet: str = "w", now: int = BASE_TIME, **more: Any) -> BitcoindChain:
    config = NodeConfig(url=node.rpc_url, wallet=wallet, cookie_file=node.cookie, **more)
    return BitcoindChain(PARAMS[node.chain], config, FakeClock(now))


async def test_a_right_node_passes(node_bench: RealBench) -> None:
    await node_bench.chain.check()
    status = await node_bench.chain.status()
    assert status.problems == ()
    assert status.tip_hash == await node_bench.node.tip()


async def test_another_chain_behind_the_port_is_never_taken_for_ours(node_bench: RealBench) -> None:
    wrong = LITECOIN_REGTEST if node_bench.family == "BTC" else BITCOIN_REGTEST
    chain = BitcoindChain(wrong, node_bench.config(), FakeClock())
    deal = Deal(wrong, "elsewhere", COIN, BASE_TIME + 3600)
    chain.watch(deal.watch(0))
    with pytest.raises(NodeMisconfigured, match="is configured"):
        await chain.check()
    with pytest.raises(NodeMisconfigured, match="is configured"):
        await chain.view(deal.name)


async def test_wrong_credentials_and_wrong_wallets_are_named(node_bench: RealBench) -> None:
    url = node_bench.node.rpc_url
    stranger = NodeConfig(url=url, wallet="w", user="u", password="p")
    with pytest.raises(NodeMisconfigured, match="refuses our credentials"):
        await BitcoindChain(node_bench.params, stranger, FakeClock()).check()
    nobody = node_bench.adapter(node_bench.config("no such wallet"))
    with pytest.raises(NodeMisconfigured, match='loadwallet "no such wallet"'):
        await nobody.check()
    with pytest.raises(NodeMisconfigured, match="loadwallet"):
        await nobody.balance()
    assert "not loaded" in (await nobody.status()).problems[0]


async def test_a_competing_branch_is_a_problem_until_it_is_left_behind(
    node_bench: RealBench,
) -> None:
    await node_bench.mine()
    left = await node_bench.node.tip()
    await node_bench.undo(1)
    await node_bench.mine_empty(1)
    await node_bench.node.rpc("reconsiderblock", left)
    [problem] = (await node_bench.chain.status()).problems
    assert "competing branch of 1 blocks" in problem
    await node_bench.mine()
    assert (await node_bench.chain.status()).problems == ()


async def test_a_claim_is_built_without_a_word_to_the_node() -> None:
    silent = NodeConfig(url="http://127.0.0.1:9", wallet="w", user="u", password="p")
    chain = BitcoindChain(BITCOIN_REGTEST, silent, FakeClock())
    deal = Deal(BITCOIN_REGTEST, "silent", COIN, BASE_TIME + 3600)
    lock = LockSeen(ref="ab" * 32 + ":0", units=COIN, depth=3)
    claim = await deal.claim(chain, lock, deal.payout)
    assert deal.preimage in claim.raw
    refund = await deal.refund(chain, lock, deal.payout)
    assert deal.preimage not in refund.raw


async def test_after_a_restart_of_the_node_all_goes_on_and_coins_are_held_again(
    node_bench: RealBench,
) -> None:
    bench = node_bench
    await bench.give(2, COIN)
    deal = new_deal(bench)
    lock = await bench.chain.fund(deal.leg, deal.hashlock, RATE, deadline=deal.leg.expiry)
    await bench.chain.set_reserved(frozenset(lock.tx.inputs))
    async with bench.running(bench.chain):
        bench.chain.watch(deal.watch(await bench.height()))
        await bench.chain.broadcast(lock.tx.raw)
        await bench.mine()
        assert (await bench.chain.view(deal.name)).locks[0].depth == 1
        other = new_deal(bench)
        held = await bench.chain.fund(other.leg, other.hashlock, RATE, deadline=other.leg.expiry)
        await bench.chain.set_reserved(frozenset(held.tx.inputs))
        with trio.fail_after(20):  # nodes wait for connections that stay open: ours must not
            await bench.node.stop()
        with pytest.raises(NodeUnreachable):
            await bench.chain.view(deal.name)
        await bench.world.restart("funder", bench.family)
        await bench.node.rpc("loadwallet", bench.wallet)
        await bench.mine()
        assert (await bench.chain.view(deal.name)).locks[0].depth == 2
        with trio.fail_after(20):
            while True:
                seen = bench.chain.change_count()
                locked = await bench.node.rpc("listlockunspent", wallet=bench.wallet)
                if [f"{one['txid']}:{one['vout']}" for one in locked] == list(held.tx.inputs):
                    break
                with trio.move_on_after(0.5):
                    await bench.chain.wait_change(seen)


async def test_a_preimage_seen_for_a_moment_is_shown_although_the_mempool_lost_it(
    node_bench: RealBench,
) -> None:
    bench = node_bench
    deal = new_deal(bench)
    since = await bench.height()
    await bench.pay(deal.script, deal.units)
    await bench.mine()
    bench.chain.watch(deal.watch(since))
    [lock] = (await bench.chain.view(deal.name)).locks
    async with bench.running(bench.chain):
        claim = await deal.claim(bench.stranger(), lock, deal.payout)
        seen = bench.chain.change_count()
        await bench.stranger().broadcast(claim.raw)
        with trio.fail_after(10):
            await bench.chain.wait_change(seen)
    await bench.node.stop()  # and with it the mempool, which these nodes do not save
    await bench.world.restart("funder", bench.family)
    await bench.node.rpc("loadwallet", bench.wallet)
    view = await bench.chain.view(deal.name)
    assert claim.txid not in await bench.node.rpc("getrawmempool")
    assert view.locks[0].spend is not None
    assert view.locks[0].spend.preimage == deal.preimage
    assert (await bench.chain.view(deal.name)).locks[0].spend is None


@pytest.mark.parametrize("family", ["BTC", "LTC"])
async def test_a_chain_too_young_for_refunds_is_refused(family: Family, tmp_path: Path) -> None:
    async with lone_node(family, tmp_path) as node:
        with pytest.raises(NodeMisconfigured, match="bip65 is not active yet"):
            await adapter(node).check()
        if family == "LTC":
            await node.rpc("generatetoaddress", 1350, await node.nobody())
            with pytest.raises(NodeMisconfigured, match="from block 1351"):
                await adapter(node).check()
            await node.rpc("generatetoaddress", 1, await node.nobody())
            await adapter(node).check()


async def test_a_wallet_without_private_keys_is_refused(node_bench: RealBench) -> None:
    name = f"watch-only-{node_bench.wallet}"
    await node_bench.node.rpc("createwallet", name, True)
    with pytest.raises(NodeMisconfigured, match="private keys"):
        await node_bench.adapter(node_bench.config(name)).check()
    await node_bench.node.rpc("unloadwallet", name)


async def test_a_pruned_node_serves_what_it_has_and_names_what_it_lacks(tmp_path: Path) -> None:
    async with lone_node("BTC", tmp_path, "-fastprune", prune=1) as node:
        mine = await node.rpc("getnewaddress", "", "bech32", wallet="w")
        await node.rpc("generatetoaddress", 110, mine)
        await node.rpc("generatetoaddress", 490, await node.nobody())
        chain = adapter(node, now=BASE_TIME + 3600)
        deal = Deal(BITCOIN_REGTEST, "pruned", COIN // 10, BASE_TIME + 7200)
        lock = await chain.fund(deal.leg, deal.hashlock, RATE, deadline=deal.leg.expiry)
        await chain.broadcast(lock.tx.raw)
        await node.rpc("generatetoaddress", 2, mine)
        assert await node.rpc("pruneblockchain", 300) > 1
        assert (await chain.status()).pruned
        chain.watch(deal.watch(600))
        [seen] = (await chain.view(deal.name)).locks
        assert (seen.ref, seen.depth) == (lock.ref, 2)
        chain.watch(deal.watch(1, name="too far back"))
        with pytest.raises(NodeMisconfigured, match="pruned"):
            await chain.view("too far back")
        assert (await chain.view(deal.name)).locks == (seen,)


async def test_litecoin_replaces_nothing_unless_it_is_told_to() -> None:
    async with World.open((), chains=("LTC",)) as world:
        bench = await RealBench.open(world, "LTC")
        await bench.give(1, COIN)
        deal = new_deal(bench)
        lock = await bench.chain.fund(deal.leg, deal.hashlock, RATE, deadline=deal.leg.expiry)
        await bench.chain.broadcast(lock.tx.raw)
        kill = await bench.chain.build_kill(lock, 10 * RATE)
        answer = await bench.chain.broadcast(kill.raw)
        assert (answer.outcome, answer.reason) == (Broadcast.REJECTED, "txn-mempool-conflict")


async def test_a_lock_that_came_out_of_mweb_is_marked_and_not_replayable(tmp_path: Path) -> None:
    flags = ("-vbparams=mweb:0:999999999999",)
    async with lone_node("LTC", tmp_path, *flags) as node:
        mine = await node.rpc("getnewaddress", "", "bech32", wallet="w")
        await node.rpc("generatetoaddress", 431, mine)
        await node.rpc("createwallet", "hidden")
        hidden = await node.rpc("getnewaddress", "", "mweb", wallet="hidden")
        await node.rpc("sendtoaddress", hidden, "20", wallet="w")
        await node.rpc("generatetoaddress", 2, mine)
        chain = adapter(node, now=BASE_TIME + 3600)
        deal = Deal(LITECOIN_REGTEST, "mweb", COIN, BASE_TIME + 7200)
        chain.watch(deal.watch(433))
        script = address_of(LITECOIN_REGTEST, deal.script)
        assert (await chain.view(deal.name)).locks == ()
        # The hidden wallet holds nothing but MWEB coins: its payment surfaces in the HogEx.
        await node.rpc("sendtoaddress", script, "1", wallet="hidden")
        assert (await chain.view(deal.name)).locks == ()
        await node.rpc("generatetoaddress", 1, mine)
        [lock] = (await chain.view(deal.name)).locks
        assert (lock.units, lock.restriction, lock.raw) == (COIN, Restriction.HOGEX, b"")
        balance = await adapter(node, "hidden").balance()
        assert (balance.confirmed, balance.coins) == (0, 0)


async def test_coins_of_a_lock_that_never_came_to_be_are_free_after_a_minute(
    node_bench: RealBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await node_bench.give(1, COIN)
    monkeypatch.setattr("swapd.chains.wallet.FRESH_SECONDS", 0.0)
    for _ in range(2):
        deal = new_deal(node_bench)
        await node_bench.chain.fund(deal.leg, deal.hashlock, RATE, deadline=deal.leg.expiry)
