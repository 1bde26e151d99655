"""A second, independent computation of schedules, in floating point, that the vectors come from.

Owns: nothing of the code under test: it reads the formulas of the safety rules, with the chains'
figures written out again, and finds quantiles by another route (log-gamma sums, not decimals).
"""

import math
from typing import Any

BTC_MAIN = "bip122:000000000019d6689c085ae165831e93"
LTC_MAIN = "bip122:12a765e31ffd4059bada1e25190f6e98"
BTC_REGTEST = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328"
LTC_REGTEST = "bip122:530827f38f93b43ed12af0b3ad25a288"

# seconds per block as usual, slowed down, k
FIGURES = {
    ("btc", "standard"): (600, 900, 6),
    ("ltc", "standard"): (150, 225, 12),
    ("btc", "fast"): (600, 900, 3),
    ("ltc", "fast"): (150, 225, 6),
    ("btc", "regtest"): (10, 10, 2),
    ("ltc", "regtest"): (10, 10, 3),
}
NAMES = {BTC_MAIN: "btc", LTC_MAIN: "ltc", BTC_REGTEST: "btc", LTC_REGTEST: "ltc"}


def exceeds(blocks: int, x: float) -> float:
    """The chance that the sum of `blocks` exponentials of mean 1 is above `x`."""
    return math.fsum(math.exp(i * math.log(x) - x - math.lgamma(i + 1)) for i in range(blocks))


def quantile(blocks: int, mean: int, risk: int) -> int:
    """The first whole second at which `exceeds` is no more than 10**-risk, found from below."""
    if blocks == 0:
        return 0
    seconds, stride = 1, 1 << 24
    while stride:
        if exceeds(blocks, (seconds + stride) / mean) > 10.0**-risk:
            seconds += stride
        else:
            stride //= 2
    return seconds + 1


def _wait(timing: str, mean: int, blocks: int, risk: int) -> int:
    return 10 * blocks if timing == "regtest" else quantile(blocks, mean, risk)


Waits = dict[str, int]
"""settle, claim, refund, refund at 1%, and as usual: a block, a lock until final."""


def _outputs(timing: str, chain: str, depth: int, risk: int) -> Waits:
    """A chain of the bitcoind family: miners stamp time, refunds wait for its median."""
    usual, mean, k = FIGURES[NAMES[chain], timing]
    early, least = (20, 1) if timing == "regtest" else (7200, 0)
    claim = max(least, k + 2 * depth - 1 - 6)
    return {
        "settle": _wait(timing, mean, k + depth - 1, 2),
        "claim": early + _wait(timing, mean, claim, risk),
        "refund": _wait(timing, mean, k + depth - 1 + 9, risk),
        "refund_usually": _wait(timing, mean, k + depth - 1 + 9, 2),
        "block": usual,
        "final": depth * usual,
    }


def _accounts(timing: str, pace: list[int], depth: int, risk: int) -> Waits:
    """A chain with accounts: as its pace says (block, finality, early clock, outage)."""
    block, finality, early, outage = pace
    k = 2 if timing == "regtest" else 25

    def mined_and_final(more: int, r: int) -> int:
        if finality:
            return _wait(timing, block, k, r) + max(finality, _wait(timing, block, depth - 1, r))
        return _wait(timing, block, k + more, r)

    return {
        "settle": mined_and_final(depth - 1, 2),
        "claim": early + outage + mined_and_final(2 * depth - 1, risk),
        "refund": outage + mined_and_final(depth - 1, risk),
        "refund_usually": outage + mined_and_final(depth - 1, 2),
        "block": block,
        "final": max(depth * block, finality * 3 // 4),
    }


def _chain(case: dict[str, Any], leg: str, risk: int) -> Waits:
    pace, depth = case[f"pace_{leg}"], case[f"depth_{leg}"]
    if pace is not None:
        return _accounts(case["timing"], pace, depth, risk)
    return _outputs(case["timing"], case[f"chain_{leg}"], depth, risk)


def schedule(case: dict[str, Any], *, rounded: bool = True) -> dict[str, int]:
    """Every field of a schedule by the formulas of the safety rules."""
    timing, t0 = case["timing"], case["t0"]
    s, n, step = (5, 10, 1) if timing == "regtest" else (600, 300, 600)
    step = step if rounded else 1
    risk = max(case["risk_i"], case["risk_p"])
    i, p = _chain(case, "i", risk), _chain(case, "p", risk)
    settle_i, settle_p, claim_i, claim_p = i["settle"], p["settle"], i["claim"], p["claim"]
    refund_p = p["refund"]
    away = max(case["offline_i"], case["offline_p"])
    t_p = math.ceil((t0 + n + settle_i + settle_p + away + claim_p + s) / step) * step
    t_i = math.ceil((t_p + refund_p + case["offline_p"] + claim_i + s) / step) * step
    c = t_i - s - claim_i
    reveal = t_p - s - claim_p
    paid = i["final"] + p["final"] + p["block"]
    return {
        "t0": t0,
        "lock_gate_i": reveal - settle_p - settle_i,
        "lock_gate_p": reveal - settle_p,
        "reveal_gate": reveal,
        "expiry_p": t_p,
        "expiry_i": t_i,
        "claim_deadline": c,
        "kill_deadline": c - case["offline_p"],
        "worst_freeze": t_i + i["refund_usually"],
        "usual_paid": paid,
        "usual_final": paid + max(p["final"] - p["block"], i["final"]),
    }
