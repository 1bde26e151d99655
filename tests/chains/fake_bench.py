"""The bench on the fake: a ledger in memory and two wallets."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import trio

from protocol.bitcoin.params import BITCOIN_REGTEST
from swapd.ports import Chain
from tests.chains.bench import COIN, HARD_BLOCK
from tests.fakes.chain import FakeChain
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import INCREMENT, RELAY_RATE, FakeLedger

_START_HEIGHT = 120
_HARD_MEMPOOL = 1_200_000


class FakeBench:
    """See `Bench`."""

    def __init__(
        self,
        *,
        hard: bool = False,
        relay_rate: int = RELAY_RATE,
        increment: int = INCREMENT,
        block_rate: int = RELAY_RATE,
    ) -> None:
        """`hard`: first seen stays, little room in the mempool and in blocks."""
        self.params = BITCOIN_REGTEST
        self._clock = FakeClock()
        self.ledger = FakeLedger(
            self.params,
            self._clock,
            self._clock.advance,
            replaces=not hard,
            mempool_limit=_HARD_MEMPOOL if hard else None,
            block_vsize=HARD_BLOCK if hard else 1_000_000,
            relay_rate=relay_rate,
            increment=increment,
            block_rate=block_rate,
        )
        self.ledger.mine(_START_HEIGHT)
        self._stranger = FakeChain(self.ledger, "stranger")
        self._stranger.grant(1000 * COIN, 20)
        self.chain = FakeChain(self.ledger)
        self._chains = [self.chain]

    def now(self) -> int:
        return self._clock.now()

    async def height(self) -> int:
        return self.ledger.height

    def adapter(self) -> FakeChain:
        self._chains.append(FakeChain(self.ledger))
        return self._chains[-1]

    def stranger(self) -> FakeChain:
        return self._stranger

    @asynccontextmanager
    async def running(self, chain: Chain) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            await nursery.start(chain.run)
            yield
            nursery.cancel_scope.cancel()

    async def mine(self, count: int = 1) -> None:
        self.ledger.mine(count)

    async def undo(self, count: int) -> None:
        self.ledger.undo(count)

    async def mine_empty(self, count: int) -> None:
        self.ledger.mine(count, only=())

    async def mine_to(self, script: bytes) -> int:
        self.ledger.mine(script=script, only=())
        return self.ledger.blocks[-1].txs[0].outputs[0].amount

    async def give(self, count: int, units: int) -> None:
        self.chain.grant(units, count)

    async def give_legacy(self, units: int) -> None:
        self.ledger.grant(self.chain.legacy_script(), units)

    async def pay(self, script: bytes, units: int) -> str:
        tx = self._stranger.pay(script, units, 2_000)
        await self._stranger.broadcast(tx.serialise())
        return tx.txid().hex()

    async def bump(self, txid: str) -> str:
        old = self.ledger.mempool[txid]
        ref = str(old.inputs[0].outpoint)
        payment = old.outputs[0]
        coin = next(c for c in self._stranger._owned(mempool=False) if c.ref == ref)
        change = type(payment)(old.outputs[1].script_pubkey, coin.units - payment.amount - 10_000)
        tx = self._stranger._sign([coin], [payment, change])
        await self._stranger.broadcast(tx.serialise())
        return tx.txid().hex()

    async def operator_spends(self, ref: str) -> str:
        tx = self.chain.spend_coin(ref, self.chain.fresh_script(), COIN // 1000)
        await self.chain.broadcast(tx.serialise())
        return tx.txid().hex()

    async def mempool(self) -> list[str]:
        return sorted(self.ledger.mempool)

    async def rates(self) -> tuple[int, int]:
        return self.ledger.chain.relay_rate, self.ledger.chain.increment

    async def mempool_rate(self) -> int:
        return self.ledger.aged.mempool_min_rate

    async def newest_block(self) -> list[str]:
        return sorted(tx.txid for tx in self.ledger.chain.tip.txs[1:])

    async def newest_coinbase(self) -> str:
        return self.ledger.chain.tip.txs[0].txid

    async def pass_time(self, seconds: int) -> None:
        self._clock.advance(seconds)

    async def fork(self, count: int, blocks: Sequence[Sequence[bytes]]) -> None:
        self.ledger.fork(count, blocks)

    async def lock_wallet(self) -> None:
        for chain in self._chains:
            chain.locked = True
