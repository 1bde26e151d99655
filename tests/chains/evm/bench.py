"""A chain of accounts on anvil with everybody's adapters: two daemons, their accounts, a token.

Owns: `EvmBench`. Times are the bench's own clock, 10 s a block.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from protocol.amounts import Amount, Units
from protocol.assets import ChainId
from protocol.evm import calls
from protocol.evm.address import account_of
from protocol.evm.contract import artifact
from protocol.evm.params import evm_params
from protocol.swap.facts import Conflict, LockSeen
from protocol.terms import Kind, LegTerms, Pace, PinnedBlock
from swapd.chains.evm import AccountKey, EndpointConfig, EvmChain, EvmConfig, EvmNode, TokenConfig
from swapd.ports import LegWatch, SignedLock, SignedTx
from swapd.store.memory import StoreMemory
from tests.fakes.clock import FakeClock
from tests.fakes.signer import FakeSigner
from tests.fakes.store import FakeStore
from tests.nodes.anvil import SOMEONE, Anvil

ETHER: Final = 10**18
BLOCK: Final = 10
PREIMAGE: Final = b"\x9a" + b"\x07" * 31
HASHLOCK: Final = hashlib.sha256(PREIMAGE).digest()
MINT: Final = calls.selector("mint(address,uint256)")


class Side:
    """One daemon's adapters on the chain: `eth` and `usdc`, over one node connection."""

    def __init__(self, bench: "EvmBench", name: str) -> None:
        self.name = name
        self._bench = bench
        self.signer = FakeSigner(name)
        self.store = FakeStore()
        self.open()

    def open(self, **more: Any) -> None:
        """New adapters over the same store: the daemon was started again."""
        memory = StoreMemory(self.store, "evm:31337")
        config = msgspec.structs.replace(self._bench.config, **more)
        keys = self._key(0), self._key(1)
        self.node = EvmNode(config, self._bench.clock, keys=keys, memory=memory)
        self.eth = EvmChain(self.node, memory=memory)
        self.usdc = EvmChain(self.node, config.tokens[0], memory)

    def _key(self, index: int) -> AccountKey:
        async def sign(digest: bytes) -> bytes:
            return await self.signer.sign_account(index, digest)

        return AccountKey(account_of(self.signer.account_key(index)), sign)

    @property
    def accounts(self) -> tuple[bytes, bytes]:
        """Addresses: locks, claims."""
        assert self.node.accounts is not None
        return self.node.accounts[0].address, self.node.accounts[1].address

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Its tasks run meanwhile."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.eth.run)
            yield
            nursery.cancel_scope.cancel()


class EvmBench:
    """See the module."""

    config: EvmConfig
    token: bytes
    alice: Side
    bob: Side

    def __init__(self, folder: Path) -> None:
        self.anvil = Anvil(folder)
        self.clock = FakeClock()

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path) -> AsyncIterator["EvmBench"]:
        bench = cls(folder)
        try:
            await bench.anvil.start(bench.clock.now())
            await bench._furnish()
            yield bench
        finally:
            await bench.anvil.kill()

    async def _furnish(self) -> None:
        """Contracts and a token, and two sides with money."""
        await self.mine()
        self.token = await self.anvil.create_token(decimals=6, now=self.clock.now())
        native, token = artifact.native().init_code(), artifact.token().init_code(self.token)
        for code in (native, token):
            await self.anvil.deploy(code, now=self.clock.now())
        self.config = EvmConfig(
            params=evm_params(ChainId("eip155:31337")),
            pace=Pace(interval=BLOCK),
            endpoints=(EndpointConfig(url=self.anvil.url, own=True),),
            tokens=(TokenConfig(address=self.token, ticker="USDC", decimals=6, symbol="TEST"),),
            poll=0.05,
            timeout=5.0,
            stale=0,
            gas_reserve=ETHER // 100,
        )
        self.alice, self.bob = Side(self, "alice"), Side(self, "bob")
        for side in (self.alice, self.bob):
            await side.eth.set_reserved(frozenset())
            for account in side.accounts:
                await self.anvil.give(account, 100 * ETHER)
            mint = MINT + calls.padded(side.accounts[0]) + calls.uint(10**12)
            await self.anvil.send(SOMEONE, self.token, mint, now=self.clock.now())
        await self.mine()

    async def mine(self, count: int = 1) -> None:
        for _ in range(count):
            self.clock.advance(BLOCK)
            await self.anvil.mine(self.clock.now())
            tip = await self.anvil.rpc("eth_getBlockByNumber", "latest", False)
            self.clock.set(max(self.clock.now(), int(tip["timestamp"], 16)))

    async def pass_blocks(self, count: int) -> None:
        """Many empty blocks at once."""
        await self.anvil.rpc("anvil_mine", hex(count), hex(BLOCK))
        self.clock.advance(count * BLOCK)
        await self.mine()

    async def approve(self) -> None:
        """Alice's contract may draw her token, as her daemon sees to it by itself."""
        async with self.alice.running():
            with trio.fail_after(20):
                while not await self._allowance():
                    count = self.alice.eth.change_count()
                    await self.mine()
                    await self.alice.eth.wait_change(count)

    async def _allowance(self) -> int:
        info = await self.alice.node.see()
        have = await self.alice.usdc.on_chain.holdings(info.head, *self.alice.accounts)
        return have.allowance

    async def leg(self, chain: EvmChain, units: int, *, lasts: int = 1000, **more: Any) -> LegTerms:
        """Terms of a leg that alice locks, in a slot that she gives, and bob claims."""
        leg = LegTerms(
            kind=Kind.EVM,
            amount=Amount(chain.asset, Units(units)),
            claim_key=await self.bob.eth.claim_party(b"\x02" * 33, None),
            refund_key=await chain.refund_party(b"\x03" * 33),
            expiry=self.clock.now() + lasts,
            depth=2,
            pinned=PinnedBlock(0, bytes(32)),
            pace=Pace(interval=BLOCK),
        )
        return msgspec.structs.replace(leg, **more)

    async def funded(
        self, leg: LegTerms, *, within: int = 500, replaces: SignedLock | None = None
    ) -> SignedLock:
        """Alice's signed lock, held and watched as an engine would."""
        chain = self.chain(self.alice, leg)
        rate = (await chain.status()).fee_next
        deadline = self.clock.now() + within
        lock = await chain.fund(leg, HASHLOCK, rate, replaces, deadline=deadline)
        coins = tuple(coin.ref for coin in lock.coins)
        await chain.set_reserved(frozenset(coins))
        chain.watch(LegWatch("leg", leg, HASHLOCK, 1, coins, deadline))
        return lock

    def chain(self, side: Side, leg: LegTerms) -> EvmChain:
        """The side's adapter for the asset of the leg."""
        return side.eth if leg.amount.asset == side.eth.asset else side.usdc

    async def locked(self, leg: LegTerms, *, depth: int = 2) -> SignedLock:
        """A lock of alice's that is so deep, and that bob watches."""
        lock = await self.funded(leg)
        self.chain(self.bob, leg).watch(LegWatch("leg", leg, HASHLOCK, 1))
        await send(self.alice.eth, lock.tx)
        await self.mine(depth)
        return lock


async def send(chain: EvmChain, tx: SignedTx) -> None:
    """Into the mempool, which must take it."""
    result = await chain.broadcast(tx.raw)
    assert result.outcome.value == "accepted", result.reason


async def seen(chain: EvmChain) -> LockSeen:
    """The one lock of the watch."""
    [lock] = (await chain.view("leg")).locks
    return lock


async def unseen(chain: EvmChain) -> bool:
    """Whether the watch shows no lock."""
    return (await chain.view("leg")).locks == ()


async def conflict(chain: EvmChain) -> Conflict:
    """What conflicts with our lock."""
    found = (await chain.view("leg")).conflict
    assert found is not None
    return found


async def nobody(_digest: bytes) -> bytes:
    """Signs for legs of other chains; nobody asks it here."""
    raise AssertionError
