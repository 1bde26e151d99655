"""Owns a stranger who fills the mempools of a chain with real transactions, dearer at every block.

He spends coins that anybody may spend (the world's miner pays to nobody), so that no wallet and no
signature is in his way. Knows nodes; nothing of swaps.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from tests.faults.chains import block
from tests.nodes import Chain, Node, NodeOptions, RpcError, World
from tests.nodes.world import CHAINS, FUNDER

COINS: Final = 80
OUTPUTS: Final = 400
OUTPUT_UNITS: Final = 10_000
PER_BLOCK: Final = 2
"""So many of the stranger's transactions fill a block: whoever wants in must pay more than he."""
EVERY_BLOCK: Final = 6
"""So many he adds before each block: they replace those mined, and push out the cheapest."""

_COINBASE_HEIGHT: Final = 115  # paid to nobody when the chain was prepared, and mature
_REWARD: Final = 50 * 100_000_000
_SEQUENCE: Final = 0xFFFFFFFD
_ANYBODY: Final = b"\x51"
_SCRIPT: Final = b"\x00\x20" + hashlib.sha256(_ANYBODY).digest()

_VSIZE: Final = 43 * (OUTPUTS + 1) + 55
_WEIGHT: Final = 4 * _VSIZE
_RESERVED: Final = 4_000

_SMALL: Final = (
    "-limitdescendantsize=20",
    "-maxmempool=1",  # the least that the limit above allows: it is full in no time
    f"-blockmaxweight={_RESERVED + PER_BLOCK * _WEIGHT + 200}",
)
_ONLY: Final[dict[Chain, tuple[str, ...]]] = {
    "BTC": (f"-blockreservedweight={_RESERVED}",),  # litecoind knows no other
    "LTC": (),
}


def options(parties: Sequence[str]) -> dict[tuple[str, Chain], NodeOptions]:
    """Of a world in which mempools are small, and blocks too."""
    return {
        (party, chain): NodeOptions(txindex=party == FUNDER, extra=_SMALL + _ONLY[chain])
        for party in (FUNDER, *parties)
        for chain in CHAINS
    }


def _size(number: int) -> bytes:
    if number < 0xFD:
        return bytes([number])
    return b"\xfd" + struct.pack("<H", number)


@dataclass(frozen=True)
class _Coin:
    txid: str
    index: int
    units: int


def _payment(coin: _Coin, outputs: Sequence[int]) -> str:
    """Spends a coin of nobody's into `outputs` of nobody's; raw hex."""
    source = bytes.fromhex(coin.txid)[::-1] + struct.pack("<I", coin.index)
    spent = b"\x01" + source + b"\x00" + struct.pack("<I", _SEQUENCE)
    made = _size(len(outputs)) + b"".join(
        struct.pack("<q", units) + _size(len(_SCRIPT)) + _SCRIPT for units in outputs
    )
    witness = b"\x01\x01" + _ANYBODY
    return (struct.pack("<I", 2) + b"\x00\x01" + spent + made + witness + bytes(4)).hex()


@dataclass
class Crowd:
    """The stranger's coins on one chain. `rate` is what he pays next, base units per 1000 vbytes;
    `growth` in percent a block, up to `most`."""

    world: World
    chain: Chain
    rate: int = 4_000
    growth: int = 10
    most: int = 500_000
    _coins: list[_Coin] = field(default_factory=list)
    _sent: dict[str, tuple[int, _Coin]] = field(default_factory=dict)

    async def gather(self) -> None:
        """Splits a reward of nobody's into coins; one block."""
        miner = self.world.funder.node(self.chain)
        paid = await miner.rpc("getblock", await miner.rpc("getblockhash", _COINBASE_HEIGHT))
        each = _REWARD // COINS - OUTPUT_UNITS
        raw = _payment(_Coin(paid["tx"][0], 0, _REWARD), [each] * COINS)
        txid = (await miner.rpc("decoderawtransaction", raw))["txid"]
        await block(self.world, self.chain, [raw])
        await self.world.agree(self.chain)
        self._coins = [_Coin(txid, index, each) for index in range(COINS)]

    async def fill(self) -> int:
        """Fills the miner's mempool, each transaction a little dearer than the one before, until
        the first ones are pushed out. The least rate that is taken then."""
        miner = self.world.funder.node(self.chain)
        floor = before = await self.floor()
        for index, coin in enumerate(self._coins):
            if floor > before:
                break
            await self._send(miner, index, coin)
            self.rate = self.rate * 101 // 100
            floor = await self.floor()
        return floor

    async def rise(self) -> int:
        """Before each block: dearer ones push out the cheapest. The least rate taken then."""
        miner = self.world.funder.node(self.chain)
        pool = set(await miner.rpc("getrawmempool"))
        await self._renew()
        waiting = {index for txid, (index, _) in self._sent.items() if txid in pool}
        free = [index for index in range(COINS) if index not in waiting]
        self.rate = min(self.most, self.rate * (100 + self.growth) // 100)
        for index in free[:EVERY_BLOCK]:
            await self._send(miner, index, self._coins[index])
        return await self.floor()

    async def floor(self) -> int:
        """The least rate that the miner's mempool takes now."""
        pool = await self.world.funder.node(self.chain).rpc("getmempoolinfo")
        return units_of(pool["mempoolminfee"])

    async def _renew(self) -> None:
        """What is left of a coin whose payment was mined is a coin again."""
        miner = self.world.funder.node(self.chain)
        tip = await miner.rpc("getblock", await miner.tip())
        for txid in tip["tx"]:
            if txid in self._sent:
                index, coin = self._sent[txid]
                self._coins[index] = coin

    async def _send(self, node: Node, index: int, coin: _Coin) -> None:
        rest = coin.units - OUTPUTS * OUTPUT_UNITS - self.rate * _VSIZE // 1000
        raw = _payment(coin, [*[OUTPUT_UNITS] * OUTPUTS, rest])
        try:
            txid = await node.rpc("sendrawtransaction", raw, 0)
        except RpcError:
            return  # that coin's payment is there already, and dear enough
        self._sent[str(txid)] = index, _Coin(str(txid), OUTPUTS, rest)


def units_of(amount: object) -> int:
    """Base units of an amount as nodes print it."""
    return int(Decimal(str(amount)) * 100_000_000)
