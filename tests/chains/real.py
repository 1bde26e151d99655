"""The bench on a real node: the funder's of a test world, with one more wallet on it."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from protocol.bitcoin.address import address_of
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST, ChainParams
from swapd.chains import BitcoindChain, NodeConfig
from swapd.ports import Chain
from tests.chains.bench import COIN
from tests.nodes import RpcError, World, decimal_amount
from tests.nodes.node import Chain as Family
from tests.nodes.node import Node
from tests.nodes.template import FUNDER_WALLET

PARAMS: dict[Family, ChainParams] = {"BTC": BITCOIN_REGTEST, "LTC": LITECOIN_REGTEST}
PASSPHRASE = "open sesame"
_names = itertools.count(1)


class WorldClock:
    """The test clock in the shape of the port."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> int:
        return self._world.clock.now()

    def now_ms(self) -> int:
        return self.now() * 1000


class RealBench:
    """See `Bench`."""

    def __init__(self, world: World, family: Family) -> None:
        self.world = world
        self.family = family
        self.params = PARAMS[family]
        self.wallet = f"ours-{next(_names)}"
        self.chain = self.adapter()

    @property
    def node(self) -> Node:
        return self.world.funder.node(self.family)

    @classmethod
    async def open(cls, world: World, family: Family) -> "RealBench":
        await world.refresh()
        bench = cls(world, family)
        await bench.node.rpc("createwallet", bench.wallet)
        return bench

    async def close(self) -> None:
        try:
            await self.node.rpc("unloadwallet", self.wallet)
        except RpcError as error:
            if error.code != -18:
                raise

    def config(self, wallet: str = "", **more: Any) -> NodeConfig:
        return NodeConfig(
            url=self.node.rpc_url,
            wallet=wallet or self.wallet,
            cookie_file=self.node.cookie,
            **more,
        )

    def now(self) -> int:
        return self.world.clock.now()

    async def height(self) -> int:
        return int(await self.node.rpc("getblockcount"))

    def adapter(self, config: NodeConfig | None = None) -> BitcoindChain:
        return BitcoindChain(self.params, config or self.config(), WorldClock(self.world))

    def stranger(self) -> BitcoindChain:
        return self.adapter(self.config(FUNDER_WALLET))

    @asynccontextmanager
    async def running(self, chain: Chain) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            await nursery.start(chain.run)
            yield
            nursery.cancel_scope.cancel()

    async def mine(self, count: int = 1) -> None:
        await self.world.mine(self.family, count)

    async def undo(self, count: int) -> None:
        height = await self.height()
        await self.node.rpc(
            "invalidateblock", await self.node.rpc("getblockhash", height - count + 1)
        )

    async def mine_empty(self, count: int) -> None:
        for _ in range(count):
            await self.world.clock.advance(10)
            await self.node.rpc("generateblock", await self.node.nobody(), [])

    async def mine_to(self, script: bytes) -> int:
        await self.world.clock.advance(10)
        [block] = await self.node.rpc("generatetoaddress", 1, address_of(self.params, script))
        decoded = await self.node.rpc("getblock", block, 2)
        return units(decoded["tx"][0]["vout"][0]["value"])

    async def _ours(self, method: str, *params: Any) -> Any:
        return await self.node.rpc(method, *params, wallet=self.wallet)

    async def give(self, count: int, units: int) -> None:
        outputs = {
            await self._ours("getnewaddress", "", "bech32"): decimal_amount(units)
            for _ in range(count)
        }
        await self.world.funder.rpc(self.family, "sendmany", "", outputs)
        await self.mine()

    async def give_legacy(self, units: int) -> None:
        address = await self._ours("getnewaddress", "", "legacy")
        await self.world.funder.rpc(self.family, "sendtoaddress", address, decimal_amount(units))
        await self.mine()

    async def pay(self, script: bytes, units: int) -> str:
        address = address_of(self.params, script)
        funder = self.world.funder
        raw = await funder.rpc(
            self.family, "createrawtransaction", [], {address: decimal_amount(units)}
        )
        funded = await funder.rpc(self.family, "fundrawtransaction", raw, {"replaceable": True})
        signed = await funder.rpc(self.family, "signrawtransactionwithwallet", funded["hex"])
        return str(await self.node.rpc("sendrawtransaction", signed["hex"]))

    async def bump(self, txid: str) -> str:
        answer = await self.world.funder.rpc(self.family, "bumpfee", txid)
        return str(answer["txid"])

    async def operator_spends(self, ref: str) -> str:
        txid, _, index = ref.partition(":")
        output = await self.node.rpc("gettxout", txid, int(index), False)
        address = await self._ours("getnewaddress", "", "bech32")
        raw = await self.node.rpc(
            "createrawtransaction",
            [{"txid": txid, "vout": int(index), "sequence": 0xFFFFFFFD}],
            {address: decimal_amount(units(output["value"]) - COIN // 1000)},
        )
        signed = await self._ours("signrawtransactionwithwallet", raw)
        return str(await self.node.rpc("sendrawtransaction", signed["hex"]))

    async def mempool(self) -> list[str]:
        return sorted(await self.node.rpc("getrawmempool"))

    async def rates(self) -> tuple[int, int]:
        info = await self.node.rpc("getnetworkinfo")
        return units(info["relayfee"]), units(info["incrementalfee"])

    async def mempool_rate(self) -> int:
        info = await self.node.rpc("getmempoolinfo")
        return units(info["mempoolminfee"])

    async def newest_block(self) -> list[str]:
        block = await self.node.rpc("getblock", await self.node.tip())
        return sorted(block["tx"][1:])

    async def newest_coinbase(self) -> str:
        block = await self.node.rpc("getblock", await self.node.tip())
        return str(block["tx"][0])

    async def pass_time(self, seconds: int) -> None:
        await self.world.clock.advance(seconds)

    async def fork(self, count: int, blocks: Sequence[Sequence[bytes]]) -> None:
        if count:
            await self.undo(count)
        for txs in blocks:
            await self.world.clock.advance(10)
            nobody = await self.node.nobody()
            await self.node.rpc("generateblock", nobody, [raw.hex() for raw in txs])

    async def lock_wallet(self) -> None:
        await self._ours("encryptwallet", PASSPHRASE)


def units(text: object) -> int:
    """A decimal amount as the test RPC prints it, in base units."""
    whole, _, rest = str(text).partition(".")
    return int(whole) * COIN + int(rest.ljust(8, "0") or "0")
