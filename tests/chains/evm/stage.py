"""The stage of the port's own tests on a chain with accounts: alice locks, bob claims."""

import hashlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from protocol.swap.facts import LockSeen
from protocol.terms import LegTerms
from swapd.chains.evm import EvmChain
from swapd.ports import Chain, LegWatch, SignDigest, SignedTx
from tests.chains.evm.bench import BLOCK, ETHER, EvmBench, Side, nobody
from tests.nodes.anvil import SOMEONE

_names = itertools.count(1)


@dataclass
class AccountDeal:
    """See `Deal`. The accounts sign, and the terms say who is paid."""

    name: str
    leg: LegTerms
    payout: str
    preimage: bytes = field(init=False)
    hashlock: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.preimage = hashlib.sha256(self.name.encode()).digest()
        self.hashlock = hashlib.sha256(self.preimage).digest()

    def watch(
        self, since: int, own_inputs: tuple[str, ...] = (), name: str = "", deadline: int = 0
    ) -> LegWatch:
        return LegWatch(name or self.name, self.leg, self.hashlock, since, own_inputs, deadline)

    def signer(self) -> tuple[bytes, SignDigest]:
        return b"", nobody

    async def claim(self, chain: Chain, lock: LockSeen, to: str, rate: int) -> SignedTx:
        return await chain.build_claim(
            self.leg, self.hashlock, lock, to, rate, nobody, self.preimage
        )

    async def refund(self, chain: Chain, lock: LockSeen, to: str, rate: int) -> SignedTx:
        return await chain.build_refund(self.leg, self.hashlock, lock, to, rate, nobody)


class AccountStage:
    """See `Stage`."""

    rate = 10**13

    def __init__(self, bench: EvmBench, asset: Literal["eth", "usdc"]) -> None:
        self._bench = bench
        self._asset = asset
        self.units, self.too_much = (ETHER, 200 * ETHER)
        if asset == "usdc":
            self.units, self.too_much = 5_000_000, 10**13

    @classmethod
    async def open(cls, bench: EvmBench, asset: Literal["eth", "usdc"]) -> "AccountStage":
        if asset == "usdc":
            await bench.approve()
        return cls(bench, asset)

    def _of(self, side: Side) -> EvmChain:
        return side.eth if self._asset == "eth" else side.usdc

    @property
    def locker(self) -> EvmChain:
        return self._of(self._bench.alice)

    @property
    def claimer(self) -> EvmChain:
        return self._of(self._bench.bob)

    def restarted(self) -> EvmChain:
        self._bench.alice.open()
        return self.locker

    async def deal(self, *, units: int = 0, lasts: int = 3600) -> AccountDeal:
        name = f"deal-{next(_names)}"
        slot = await self.locker.refund_party(hashlib.sha256(name.encode()).digest() + b"\x02")
        leg = await self._bench.leg(self.locker, units or self.units, lasts=lasts)
        payout = self.claimer.fixed_address(refund=False)
        assert payout is not None
        return AccountDeal(name, msgspec.structs.replace(leg, refund_key=slot), payout)

    @asynccontextmanager
    async def running(self, chain: Chain) -> AsyncIterator[None]:
        side = self._bench.alice if chain is self.locker else self._bench.bob
        async with side.running():
            yield

    async def height(self) -> int:
        return await self._bench.anvil.height()

    async def mine(self, count: int = 1) -> None:
        await self._bench.mine(count)

    async def lose(self, count: int) -> None:
        self._bench.clock.advance(BLOCK)
        await self._bench.anvil.reorg(count, self._bench.clock.now())
        self._bench.clock.advance(BLOCK)

    async def operator_spends(self, coin: str) -> None:
        account, _, nonce = coin.partition(":")
        clock = self._bench.clock
        clock.advance(2 * BLOCK)
        used = await self._bench.anvil.rpc("eth_getTransactionCount", account, "latest")
        assert int(used, 16) == int(nonce)
        sender = bytes.fromhex(account[2:])
        await self._bench.anvil.send(sender, SOMEONE, b"", now=clock.now(), value=1)
