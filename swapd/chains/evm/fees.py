"""What gas costs now and in the next blocks.

Owns: `GasPrice`, estimating it from a fee history, splitting a rate into the two fees of EIP-1559,
what replaces a transaction. Must not know: nodes, transactions' contents.

Rates as the engine has them are wei per 1000 gas; fees of a transaction are wei per gas. A base fee
rises by an eighth with every full block, so twice of it is room for six of them. What a version
pays at most is its rate; what it really pays is the base fee of its block and the tip.
Sources: EIP-1559; geth and others replace a pending transaction for 10% more of both fees, some
for 12.5%.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

ROOM: Final = 2
"""Times the next base fee that a version may pay at least."""

PERCENTILE: Final = 60
"""Of the tips in a block, by the gas they were paid for."""

BUMP: Final = (9, 8)
"""What a replacement pays in both fees, as a fraction of the one before."""

STRESS: Final = 4
"""Times the newest base fee, where an endpoint does not tell the history."""

PER: Final = 1000
"""Gas in a rate."""


class GasPrice(Struct, frozen=True):
    """Wei per gas: the next block's base fee, a tip that gets in; whether nodes estimated it."""

    base: int
    tip: int
    estimated: bool = True

    @property
    def next_rate(self) -> int:
        """The rate that gets into the next block and stays in the race for six full ones."""
        return (ROOM * self.base + self.tip) * PER

    @property
    def floor_rate(self) -> int:
        """Below it nothing gets into the next block."""
        return (self.base + 1) * PER

    @property
    def increment(self) -> int:
        """What a replacement of a version at the next rate adds."""
        up, down = BUMP
        return -(-self.next_rate * (up - down) // down)


class Fees(Struct, frozen=True):
    """The two fees of a transaction, wei per gas."""

    most: int
    tip: int


def estimate(
    bases: Sequence[int], tips: Sequence[int], *, least_tip: int, most_fee: int
) -> GasPrice:
    """From a fee history: `bases` of which the last is the next block's, `tips` at PERCENTILE of
    each block. An empty block's 0 is no word on what gets into a full one."""
    paid = sorted(tip for tip in tips if tip > 0)
    tip = paid[len(paid) // 2] if paid else 0
    return GasPrice(min(bases[-1], most_fee), min(max(tip, least_tip), most_fee))


def stressed(base: int, *, least_tip: int, most_fee: int) -> GasPrice:
    """Without a history: as if demand had been high for a while."""
    return GasPrice(
        min(STRESS * base, most_fee), min(STRESS * least_tip, most_fee), estimated=False
    )


def split(rate: int, price: GasPrice, replaced: Sequence[Fees] = ()) -> Fees:
    """The fees of a version at `rate`: at most that per gas, and the tip of the estimate, or more
    where the rate has outgrown it. Never under what replaces every one of `replaced`."""
    most = -(-rate // PER)
    outgrown = price.next_rate // PER
    # On a curve beyond the estimate the tip grows along: who is not mined pays miners more.
    tip = price.tip if most <= outgrown else price.tip * most // max(1, outgrown)
    up, down = BUMP
    for older in replaced:
        most = max(most, -(-older.most * up // down), older.most + 1)
        tip = max(tip, -(-older.tip * up // down), older.tip + 1)
    return Fees(max(most, tip), tip) if replaced else Fees(most, min(tip, most))
