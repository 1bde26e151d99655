"""The simulated chain and a real node, given the same moves, say and keep the same.

What the moves are is drawn from a seed: spends of anything that ever was, at fees from too low to
dear, blocks, empty blocks, undone blocks, rival branches with double spends.
"""

import random
from dataclasses import dataclass, field

import pytest

from swapd.ports import Broadcast, BroadcastResult, Coin
from tests.chains.bench import COIN, Bench
from tests.chains.fake_bench import FakeBench
from tests.chains.purse import Payment, Purse
from tests.chains.real import RealBench
from tests.simulation.ledger import Ledger

MOVES = 160
_FEES = (5, 300, 600, 1_000, 2_000, 5_000, 20_000)


@dataclass
class Side:
    """One of the two: its purse, and what each name stands for there."""

    bench: Bench
    purse: Purse
    began: int = 0
    coins: dict[str, Coin] = field(default_factory=dict)
    payments: dict[str, Payment] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    async def make(self, name: str, spent: list[str], fee: int, outputs: int) -> Payment:
        """A payment of this name, signed, sent to nobody."""
        coins = [self.coins[coin] for coin in spent]
        payment = await self.purse.spend(coins, fee=fee, outputs=outputs)
        self.payments[name] = payment
        self.names[payment.txid] = name
        for index, coin in enumerate(payment.coins):
            self.coins[f"{name}/{index}"] = coin
        return payment

    async def told(self) -> tuple[list[str], list[str], int]:
        """Names in the mempool, names in the newest block, blocks since the walk began."""
        waiting = sorted(self.names.get(txid, "?") for txid in await self.bench.mempool())
        block = sorted(self.names.get(txid, "?") for txid in await self.bench.newest_block())
        return waiting, block, await self.bench.height() - self.began


async def _side(bench: Bench, coins: int) -> Side:
    side = Side(bench, Purse(bench))
    for index, coin in enumerate(await side.purse.coins(coins, 10 * COIN)):
        side.coins[f"coin/{index}"] = coin
    side.began = await bench.height()
    return side


async def _tidy(side: Side) -> None:
    """Mines what is left, also what pays too little for a miner: others use the node after us."""
    waiting = set(await side.bench.mempool())
    left = [payment.raw for payment in side.payments.values() if payment.txid in waiting]
    await side.bench.fork(0, [left])


def _word(answer: BroadcastResult) -> str:
    """The outcome and the node's reason, its figures left out."""
    if answer.outcome is not Broadcast.REJECTED:
        return "taken"  # nodes take again what they have, and announce it anew
    return answer.reason.partition(",")[0]


class Walk:
    """One random walk of both sides."""

    def __init__(self, seed: int, fake: Side, real: Side, chain: Ledger) -> None:
        self._rng = random.Random(seed)
        self._sides = (fake, real)
        self._chain = chain
        self._made = 0
        self._blocks = 0
        self.words: dict[str, int] = {}

    async def step(self) -> None:
        """One move on both; raises AssertionError when they differ."""
        dice = self._rng.random()
        if dice < 0.62:
            await self._spend()
        elif dice < 0.70 and self._sides[0].payments:
            await self._submit(self._rng.choice(sorted(self._sides[0].payments)))
        elif dice < 0.88 or self._blocks < 3:
            self._blocks += 1
            for side in self._sides:
                await side.bench.mine()
        elif dice < 0.94:
            count = self._rng.choice((1, 1, 2, 3))
            self._blocks -= count
            for side in self._sides:
                await side.bench.undo(count)
        else:
            await self._fork()
        one, other = [await side.told() for side in self._sides]
        assert one == other, f"after {self._made} payments"

    def _choose(self, known: list[str]) -> tuple[str, list[str], int, int]:
        coins = self._sides[0].coins
        recent = [name for name in known[-6:] if name.startswith("tx")]
        pool = recent if recent and self._rng.random() < 0.6 else known
        spent = self._rng.sample(pool, min(len(pool), self._rng.choice((1, 1, 1, 2))))
        rich = sum(coins[name].units for name in spent) > 1_000_000
        outputs = self._rng.choice((1, 1, 2, 4)) if rich else 1
        self._made += 1
        return f"tx{self._made}", spent, self._rng.choice(_FEES), outputs

    async def _make(self, known: list[str]) -> str:
        name, spent, fee, outputs = self._choose(known)
        for side in self._sides:
            await side.make(name, spent, fee, outputs)
        return name

    def _known(self, chain: Ledger, *, mempool: bool) -> list[str]:
        """Coins that no block of `chain` has spent, those of its mempool with them if wanted."""
        coins = self._sides[0].coins.items()
        return [
            name
            for name, coin in coins
            if coin.units > 50_000
            and chain.spend_in_block(coin.ref) is None
            and (chain.depth(coin.ref[:64]) or (mempool and coin.ref[:64] in chain.mempool))
        ]

    async def _spend(self) -> None:
        """Mostly of what is there, now and then of what was spent long ago or never made."""
        known = self._known(self._chain, mempool=True)
        if self._rng.random() < 0.1:
            coins = self._sides[0].coins
            known = [name for name in coins if coins[name].units > 50_000]
        await self._submit(await self._make(known))

    async def _submit(self, name: str) -> None:
        one, other = [_word(await side.purse.submit(side.payments[name])) for side in self._sides]
        assert one == other, name
        self.words[one] = self.words.get(one, 0) + 1

    async def _fork(self) -> None:
        """The newest block gives way to two others; the first spends as no mempool has seen."""
        twin = self._chain.copy()
        twin.undo(1)
        name = await self._make(self._known(twin, mempool=False))
        self._blocks += 1
        for side in self._sides:
            await side.bench.fork(1, [[side.payments[name].raw], []])


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_simulated_chain_does_what_a_node_does(node_bench: RealBench, seed: int) -> None:
    relay, increment = await node_bench.rates()
    # Bitcoin Knots puts into blocks what pays anything, Litecoin Core what pays 1 per vbyte.
    least = 1 if node_bench.family == "BTC" else 1_000
    fake = FakeBench(relay_rate=relay, increment=increment, block_rate=least)
    sides = (await _side(fake, 12), await _side(node_bench, 12))
    walk = Walk(seed, *sides, fake.ledger.chain)
    try:
        for _ in range(MOVES):
            await walk.step()
    finally:
        await _tidy(sides[1])
    assert len(walk.words) > 4, walk.words
