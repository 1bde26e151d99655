"""When the doors of a deal close, computed anew from the text of the safety rules.

Owns: an independent reading of "Expiries, computed". Must not know: protocol.swap.timelocks, from
which it must not copy: figures are typed in from the text, quantiles are plain floating point.
"""

import functools
import math
from typing import NamedTuple

from tests.simulation.checks.records import Deal, Leg

FIGURES = {
    ("standard", "bitcoin"): (900, 6, 7200),
    ("standard", "litecoin"): (225, 12, 7200),
    ("fast", "bitcoin"): (900, 3, 7200),
    ("fast", "litecoin"): (225, 6, 7200),
    ("regtest", "bitcoin"): (10, 2, 20),
    ("regtest", "litecoin"): (10, 3, 20),
}
"""Seconds a block takes under stress, k, E; by timing and family."""

_SKEW = {"standard": 600, "fast": 600, "regtest": 5}
_NEGOTIATION = {"standard": 300, "fast": 300, "regtest": 10}
SLACK = 2
"""Seconds by which floating point may differ from exact arithmetic, summed over a few quantiles."""


class Doors(NamedTuple):
    """Unix seconds. `lock_i`, `lock_p`: last moments to send a lock; `reveal`: to show the
    preimage; `claim_i`: the participant's claim is sent; `least_p`, `least_i`: the earliest
    expiries that the rules allow."""

    lock_i: int
    lock_p: int
    reveal: int
    claim_i: int
    least_p: int
    least_i: int
    skew: int


@functools.lru_cache(maxsize=4096)
def waiting(blocks: int, mean: int, risk: int) -> int:
    """Seconds that so many exponential intervals exceed once in 10 ** risk."""
    if blocks <= 0:
        return 0
    low, high = 0, mean * (blocks * 8 + 64)
    while high - low > 1:
        middle = (low + high) // 2
        x = middle / mean
        log_terms = [
            n * math.log(x) - math.lgamma(n + 1) - x if x else -math.inf for n in range(blocks)
        ]
        if math.fsum(math.exp(t) for t in log_terms) > 10.0**-risk:
            low = middle
        else:
            high = middle
    return high


def _blocks(timing: str, leg: Leg, more: int, risk: int) -> int:
    """On a chain with accounts: mined under stress, and so many blocks on top; where the chain says
    what is final, mined, and then the longer of that and those blocks."""
    mean = leg.pace[0] if leg.pace else 0

    def wait(blocks: int) -> int:
        return blocks * mean if timing == "regtest" else waiting(blocks, mean, risk)

    mined = 2 if timing == "regtest" else 25
    if leg.finality:
        return wait(mined) + max(leg.finality, wait(more))
    return wait(mined + more)


def settle(timing: str, leg: Leg, risk: int) -> int:
    """A lock mined and final."""
    if leg.pace is not None:
        return _blocks(timing, leg, leg.depth - 1, risk)
    mean, k, _ = FIGURES[timing, leg.family]
    blocks = k + leg.depth - 1
    return blocks * 10 if timing == "regtest" else waiting(blocks, mean, risk)


def claim(timing: str, leg: Leg, risk: int) -> int:
    """A claim mined and final, one reorganisation of depth - 1 included."""
    if leg.pace is not None:
        # What is final is not undone: only depth leaves room for a reorganisation.
        more = leg.depth - 1 if leg.finality else 2 * leg.depth - 1
        return leg.pace[1] + leg.pace[2] + _blocks(timing, leg, more, risk)
    mean, k, early = FIGURES[timing, leg.family]
    blocks = k + 2 * leg.depth - 7
    if timing == "regtest":
        return early + 10 * max(1, blocks)
    return early + waiting(max(0, blocks), mean, risk)


def refund(timing: str, leg: Leg, risk: int) -> int:
    """Nine headers waited for, a refund mined and final."""
    if leg.pace is not None:
        return leg.pace[2] + _blocks(timing, leg, leg.depth - 1, risk)
    mean, k, _ = FIGURES[timing, leg.family]
    blocks = k + leg.depth - 1 + 9
    return blocks * 10 if timing == "regtest" else waiting(blocks, mean, risk)


def doors(deal: Deal) -> Doors:
    """All doors of a deal that states its two expiries."""
    timing, risk, skew = deal.timing, deal.risk, _SKEW[deal.timing]
    settle_i, settle_p = settle(timing, deal.leg_i, 2), settle(timing, deal.leg_p, 2)
    claim_i, claim_p = claim(timing, deal.leg_i, risk), claim(timing, deal.leg_p, risk)
    agreed = deal.t0 + _NEGOTIATION[timing]
    least_p = agreed + settle_i + settle_p + max(deal.away_i, deal.away_p) + claim_p + skew
    least_i = deal.leg_p.expiry + refund(timing, deal.leg_p, risk) + deal.away_p + claim_i + skew
    reveal = deal.leg_p.expiry - skew - claim_p
    return Doors(
        lock_i=reveal - settle_p - settle_i,
        lock_p=reveal - settle_p,
        reveal=reveal,
        claim_i=deal.leg_i.expiry - skew - claim_i,
        least_p=least_p,
        least_i=least_i,
        skew=skew,
    )


def judge_terms(deal: Deal) -> list[str]:
    """What is wrong with the expiries of a deal."""
    found = doors(deal)
    wrong = []
    if deal.leg_p.expiry < found.least_p - SLACK:
        wrong.append(f"T_P is {found.least_p - deal.leg_p.expiry} s too early")
    if deal.leg_i.expiry < found.least_i - SLACK:
        wrong.append(f"T_I is {found.least_i - deal.leg_i.expiry} s too early")
    return wrong
