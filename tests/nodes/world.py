"""Owns a world of parties: a bitcoind and a litecoind each, peered as real nodes are, one clock.

The funder mines and pays; every other party's nodes are connected to the funder's only, so that a
transaction or block of one reaches another as it would outside: by relay. All of it is thrown away
at the end. Knows nothing of swapd.
"""

import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trio

from tests.nodes.anvil import Anvil
from tests.nodes.clock import BASE_TIME, TestClock
from tests.nodes.node import Chain, Node, NodeOptions
from tests.nodes.rpc import RpcError, decimal_amount
from tests.nodes.template import FUNDER_WALLET, copy_template, template

CHAINS: Final[tuple[Chain, ...]] = ("BTC", "LTC")
FUNDER: Final = "funder"
BLOCK_SECONDS = 10
"""Both chains of a test world make a block each 10 s of the mock clock."""
_BOUND = 30
_POLL = 0.02


@dataclass
class Party:
    """One participant: its nodes by chain and the wallet it uses on each of them."""

    name: str
    nodes: dict[Chain, Node]
    wallet: str = ""
    _wallets: int = field(default=0, repr=False)

    def node(self, chain: Chain) -> Node:
        return self.nodes[chain]

    async def rpc(self, chain: Chain, method: str, *params: Any) -> Any:
        """Call this party's node on `chain`, addressed to its wallet."""
        return await self.nodes[chain].rpc(method, *params, wallet=self.wallet or None)

    async def new_wallet(self) -> str:
        """Give the party an empty wallet of a new name, the same name on each chain."""
        self._wallets += 1
        old, self.wallet = self.wallet, f"{self.name}-{self._wallets}"
        for node in self.nodes.values():
            if old:
                await _unload(node, old)
            await node.rpc("createwallet", self.wallet)
        return self.wallet

    async def new_address(self, chain: Chain) -> str:
        """A fresh P2WPKH address of the wallet."""
        address = await self.rpc(chain, "getnewaddress", "", "bech32")
        assert isinstance(address, str)
        return address

    async def balance(self, chain: Chain) -> int:
        """Confirmed balance in base units."""
        text = str(await self.rpc(chain, "getbalance"))
        whole, _, rest = text.partition(".")
        return int(whole) * 100_000_000 + int(rest.ljust(8, "0")[:8] or "0")


async def _unload(node: Node, wallet: str) -> None:
    try:
        await node.rpc("unloadwallet", wallet)
    except RpcError as error:
        if error.code != -18:  # not loaded: the node was restarted meanwhile
            raise


class World:
    """All nodes of all parties, and the clock. Make one with `World.open` or `start` and `stop`."""

    def __init__(
        self,
        parties: Sequence[str] = ("maker", "taker"),
        *,
        chains: Sequence[Chain] = CHAINS,
        options: Mapping[tuple[str, Chain], NodeOptions] | None = None,
        folder: Path | None = None,
    ) -> None:
        """`options` by (party, chain); a party may not be called "funder"."""
        self.folder = folder or Path(tempfile.mkdtemp(prefix="swapd-world-"))
        self.chains = tuple(chains)
        wanted = options or {}
        self.parties = {
            name: Party(
                name,
                {
                    chain: Node(
                        chain,
                        self.folder / name / chain,
                        wanted.get((name, chain), NodeOptions(txindex=name == FUNDER)),
                    )
                    for chain in self.chains
                },
            )
            for name in (FUNDER, *parties)
        }
        self.funder.wallet = FUNDER_WALLET
        self.clock = TestClock(self.folder / "clock", self.nodes())
        self.anvils: list[Anvil] = []
        """Chains of accounts that keep step, if somebody has put some there."""
        self._nobody: dict[Chain, str] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, parties: Sequence[str] = ("maker", "taker"), **more: Any
    ) -> AsyncIterator["World"]:
        """A started world with an empty wallet for each party, thrown away at the end."""
        world = cls(parties, **more)
        try:
            await world.start()
            await world.refresh()
            yield world
        finally:
            await world.stop()

    @property
    def funder(self) -> Party:
        return self.parties[FUNDER]

    def __getitem__(self, name: str) -> Party:
        return self.parties[name]

    def nodes(self, chain: Chain | None = None) -> list[Node]:
        """All nodes, or those of one chain; the funder's first."""
        return [
            node
            for party in self.parties.values()
            for node in party.nodes.values()
            if chain in (None, node.chain)
        ]

    async def start(self) -> None:
        """Copy the prepared chains, start every node, peer them, wait until all agree."""
        for chain in self.chains:
            source = await template(chain)
            for node in self.nodes(chain):
                funder = node is self.funder.node(chain)
                copy_template(source, node.datadir, txindex=node.options.txindex, wallet=funder)
        for node in self.nodes():
            node.spawn(BASE_TIME)
        for node in self.nodes():
            await node.wait_ready()
        await self._loaded_funder()
        await self.connect()

    async def refresh(self) -> None:
        """Mend what a test broke: start dead nodes, peer them, empty mempools, new wallets."""
        for node in self.nodes():
            if not node.running:
                await node.start(self.clock.now())
            await node.rpc("setnetworkactive", True)
        await self._loaded_funder()
        await self.connect()
        for chain in self.chains:
            await self.mine(chain, 1)
        for name, party in self.parties.items():
            if name != FUNDER:
                await party.new_wallet()

    async def stop(self) -> None:
        """End every node at once and delete all of it."""
        with trio.CancelScope(shield=True):
            for node in self.nodes():
                await node.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    async def restart(self, party: str, chain: Chain) -> None:
        """Start a stopped or killed node again with the clock's time, its wallet, and its peer."""
        owner = self.parties[party]
        node = owner.node(chain)
        if not node.running:
            await node.start(self.clock.now())
        loaded = await node.rpc("listwallets")
        if owner.wallet and owner.wallet not in loaded:
            await node.rpc("loadwallet", owner.wallet)
        await self.connect()

    async def _loaded_funder(self) -> None:
        for node in self.funder.nodes.values():
            if FUNDER_WALLET not in await node.rpc("listwallets"):
                await node.rpc("loadwallet", FUNDER_WALLET)

    async def connect(self) -> None:
        """Peer each party's nodes with the funder's, both ways, and wait until they agree.

        Both ways, because a node passes transactions at once only to peers that dialled it.
        """
        for chain in self.chains:
            hub = self.funder.node(chain)
            for node in self.nodes(chain)[1:]:
                await _dial(node, hub)
                await _dial(hub, node)
        for chain in self.chains:
            await self.agree(chain)

    async def agree(self, chain: Chain) -> None:
        """Wait until every running node of `chain` has the funder's tip."""
        hub = self.funder.node(chain)
        with trio.fail_after(_BOUND):
            while True:
                tip = await hub.tip()
                others = [node for node in self.nodes(chain) if node is not hub and node.running]
                if [await node.tip() for node in others] == [tip] * len(others):
                    return
                await trio.sleep(_POLL)

    async def mine(self, chain: Chain, blocks: int = 1, *, wait: bool = True) -> list[str]:
        """Mine at the funder's node, the clock going 10 s on per block; returns the block hashes.

        Waits until all running nodes of the chain have the tip, unless `wait` is False (as for a
        partition).
        """
        hashes: list[str] = []
        for _ in range(blocks):
            await self.clock.advance(BLOCK_SECONDS)
            hashes += await self._generate(chain)
        if wait:
            await self.agree(chain)
        return hashes

    async def mine_apart(self, chain: Chain) -> list[str]:
        """A block of the funder's at the time that it is; nobody is waited for."""
        return await self._generate(chain)

    async def reorg(self, chain: Chain, depth: int) -> list[str]:
        """Replace the last `depth` blocks by `depth + 1` empty ones; returns the new hashes.

        What the old blocks held goes back to the mempools (coinbases and their spends are gone).
        """
        miner = self.funder.node(chain)
        height = await miner.rpc("getblockcount")
        first = await miner.rpc("getblockhash", height - depth + 1)
        await miner.rpc("invalidateblock", first)
        hashes: list[str] = []
        for _ in range(depth + 1):
            await self.clock.advance(BLOCK_SECONDS)
            made = await miner.rpc("generateblock", await self._reward(chain), [])
            hashes.append(str(made["hash"]))
        await miner.rpc("reconsiderblock", first)
        await self.agree(chain)
        return hashes

    async def pass_time(self, seconds: int) -> None:
        """Let `seconds` go by (rounded up to 10), both chains making a block every 10 s."""
        for _ in range(-(-seconds // BLOCK_SECONDS)):
            await self.clock.advance(BLOCK_SECONDS)
            for chain in self.chains:
                await self._generate(chain)
            for anvil in self.anvils:
                if anvil.running:
                    await anvil.mine(self.clock.now())
        for chain in self.chains:
            await self.agree(chain)

    async def _generate(self, chain: Chain) -> list[str]:
        reward = await self._reward(chain)
        hashes = await self.funder.node(chain).rpc("generatetoaddress", 1, reward)
        return [str(block) for block in hashes]

    async def _reward(self, chain: Chain) -> str:
        """Where new coins go: to nobody, so that they are in no wallet's way."""
        if chain not in self._nobody:
            self._nobody[chain] = await self.funder.node(chain).nobody()
        return self._nobody[chain]

    async def fund(self, party: str, chain: Chain, coins: int, amount: int) -> str:
        """Pay the party's wallet `coins` outputs of `amount` base units each, confirmed once."""
        outputs = {
            await self.parties[party].new_address(chain): decimal_amount(amount)
            for _ in range(coins)
        }
        txid = await self.funder.rpc(chain, "sendmany", "", outputs)
        await self.mine(chain)
        assert isinstance(txid, str)
        return txid

    async def relay_mempool(self, chain: Chain, *txids: str) -> None:
        """Wait until all running nodes have the same mempool, holding `txids` if any are named.

        Nodes pass transactions on by their (mock) clock: it moves a second per round while they
        differ.
        """
        with trio.fail_after(_BOUND):
            while True:
                pools = [
                    frozenset(await node.rpc("getrawmempool"))
                    for node in self.nodes(chain)
                    if node.running
                ]
                if len(set(pools)) == 1 and pools[0].issuperset(txids):
                    return
                await self.clock.advance(1)
                await trio.sleep(0.05)

    async def isolate(self, party: str, chain: Chain) -> None:
        """Cut the party's node off its peers; `rejoin` ends it."""
        await self.parties[party].node(chain).rpc("setnetworkactive", False)

    async def rejoin(self, party: str, chain: Chain) -> None:
        """Undo `isolate`, and wait until the nodes agree on the tip with the most work."""
        node = self.parties[party].node(chain)
        await node.rpc("setnetworkactive", True)
        await _dial(node, self.funder.node(chain))
        await _dial(self.funder.node(chain), node)
        await self.agree(chain)


async def _dial(node: Node, other: Node) -> None:
    """Connect `node` to `other` unless it is; wait for the handshake."""
    with trio.fail_after(_BOUND):
        while True:
            peers = await node.rpc("getpeerinfo")
            ours = [peer for peer in peers if peer["addr"] == other.p2p_address]
            if any("verack" in peer["bytesrecv_per_msg"] for peer in ours):
                return
            if not ours:
                await node.rpc("addnode", other.p2p_address, "onetry")
            await trio.sleep(_POLL)
