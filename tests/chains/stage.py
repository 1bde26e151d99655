"""Two parties on one chain, seen through the port alone: what the port's own tests need.

Owns: `Stage` and `Deal`, which every kind of chain serves, and the stage of chains with outputs.
Must not know: what a lock is made of.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from protocol.swap.facts import ChainView, LockSeen, Spend
from protocol.terms import LegTerms
from swapd.ports import Broadcast, Chain, LegWatch, SignDigest, SignedLock, SignedTx
from tests.chains import htlc
from tests.chains.bench import COIN, Bench


class Deal(Protocol):
    """One leg that nobody has locked yet. `payout` is where its claim pays."""

    name: str
    leg: LegTerms
    hashlock: bytes
    preimage: bytes

    @property
    def payout(self) -> str: ...

    def watch(
        self, since: int, own_inputs: tuple[str, ...] = (), name: str = "", deadline: int = 0
    ) -> LegWatch: ...

    async def claim(self, chain: Chain, lock: LockSeen, to: str, rate: int) -> SignedTx: ...

    async def refund(self, chain: Chain, lock: LockSeen, to: str, rate: int) -> SignedTx: ...

    def signer(self) -> tuple[bytes, SignDigest]:
        """Who signs for what a claim has paid."""
        ...


class Stage(Protocol):
    """`locker` has money enough for some locks of `units` and none for one of `too_much`; `claimer`
    can pay for claims. Fees are paid at `rate`."""

    units: int
    too_much: int
    rate: int

    @property
    def locker(self) -> Chain: ...

    @property
    def claimer(self) -> Chain: ...

    def restarted(self) -> Chain:
        """The locker's daemon, started again."""
        ...

    async def deal(self, *, units: int = 0, lasts: int = 3600) -> Deal: ...

    def running(self, chain: Chain) -> AbstractAsyncContextManager[None]:
        """The adapter's task runs meanwhile."""
        ...

    async def height(self) -> int: ...

    async def mine(self, count: int = 1) -> None:
        """Blocks with what waits for them."""
        ...

    async def lose(self, count: int) -> None:
        """The newest blocks give way to more without what was in them."""
        ...

    async def operator_spends(self, coin: str) -> None:
        """The operator spends by hand what a lock of his daemon spends."""
        ...


# --- what the tests say often ------------------------------------------------------------------


async def sent(chain: Chain, tx: SignedTx) -> None:
    """Into the mempool, which must take it."""
    result = await chain.broadcast(tx.raw)
    assert result.outcome is Broadcast.ACCEPTED, result.reason


async def funded(stage: Stage, deal: Deal, replaces: SignedLock | None = None) -> SignedLock:
    """A lock of the deal, signed, sent to nobody, and watched by its locker as an engine does."""
    deadline = deal.leg.expiry - 1
    lock = await stage.locker.fund(deal.leg, deal.hashlock, stage.rate, replaces, deadline=deadline)
    coins = tuple(coin.ref for coin in lock.coins)
    await stage.locker.set_reserved(frozenset(coins))
    stage.locker.watch(deal.watch(await stage.height(), coins, deadline=deadline))
    return lock


async def locked(stage: Stage, deal: Deal, depth: int = 1) -> SignedLock:
    """A lock that is so deep, watched by both parties."""
    stage.claimer.watch(deal.watch(await stage.height()))
    lock = await funded(stage, deal)
    await sent(stage.locker, lock.tx)
    await stage.mine(depth)
    return lock


async def seen(chain: Chain, deal: Deal) -> LockSeen:
    """The one lock of a watch."""
    [lock] = (await chain.view(deal.name)).locks
    return lock


async def spent(chain: Chain, deal: Deal) -> Spend:
    """How the one lock of a watch was spent."""
    spend = (await seen(chain, deal)).spend
    assert spend is not None
    return spend


def depths(view: ChainView) -> list[int]:
    """Of the locks that are in blocks."""
    return [lock.depth for lock in view.locks if lock.depth > 0]


# --- chains with outputs -----------------------------------------------------------------------


class CoinStage:
    """The stage on a bench: the wallet under test locks, the stranger claims."""

    units = COIN // 10
    too_much = 10 * COIN
    rate = htlc.RATE

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.locker = bench.chain
        self.claimer = bench.stranger()

    @classmethod
    async def open(cls, bench: Bench) -> "CoinStage":
        await bench.give(4, COIN)
        return cls(bench)

    def restarted(self) -> Chain:
        return self._bench.adapter()

    async def deal(self, *, units: int = 0, lasts: int = 3600) -> Deal:
        return htlc.new_deal(self._bench, units or self.units, lasts)

    @asynccontextmanager
    async def running(self, chain: Chain) -> AsyncIterator[None]:
        async with self._bench.running(chain):
            yield

    async def height(self) -> int:
        return await self._bench.height()

    async def mine(self, count: int = 1) -> None:
        await self._bench.mine(count)

    async def lose(self, count: int) -> None:
        await self._bench.undo(count)
        await self._bench.mine_empty(count + 1)

    async def operator_spends(self, coin: str) -> None:
        await self._bench.operator_spends(coin)
