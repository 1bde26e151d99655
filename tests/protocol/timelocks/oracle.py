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


def schedule(case: dict[str, Any], *, rounded: bool = True) -> dict[str, int]:
    """Every field of a schedule by the formulas of the safety rules."""
    timing, t0 = case["timing"], case["t0"]
    regtest = timing == "regtest"
    s, n, step, early = (5, 10, 1, 20) if regtest else (600, 300, 600, 7200)
    step = step if rounded else 1
    usual_i, mean_i, k_i = FIGURES[NAMES[case["chain_i"]], timing]
    usual_p, mean_p, k_p = FIGURES[NAMES[case["chain_p"]], timing]
    d_i, d_p = case["depth_i"], case["depth_p"]
    risk = max(case["risk_i"], case["risk_p"])
    least = 1 if regtest else 0
    settle_i = _wait(timing, mean_i, k_i + d_i - 1, 2)
    settle_p = _wait(timing, mean_p, k_p + d_p - 1, 2)
    claim_i = early + _wait(timing, mean_i, max(least, k_i + 2 * d_i - 1 - 6), risk)
    claim_p = early + _wait(timing, mean_p, max(least, k_p + 2 * d_p - 1 - 6), risk)
    refund_p = _wait(timing, mean_p, k_p + d_p - 1 + 9, risk)
    away = max(case["offline_i"], case["offline_p"])
    t_p = math.ceil((t0 + n + settle_i + settle_p + away + claim_p + s) / step) * step
    t_i = math.ceil((t_p + refund_p + case["offline_p"] + claim_i + s) / step) * step
    c = t_i - s - claim_i
    reveal = t_p - s - claim_p
    paid = d_i * usual_i + d_p * usual_p + usual_p
    return {
        "t0": t0,
        "lock_gate_i": reveal - settle_p - settle_i,
        "lock_gate_p": reveal - settle_p,
        "reveal_gate": reveal,
        "expiry_p": t_p,
        "expiry_i": t_i,
        "claim_deadline": c,
        "kill_deadline": c - case["offline_p"],
        "worst_freeze": t_i + _wait(timing, mean_i, k_i + d_i - 1 + 9, 2),
        "usual_paid": paid,
        "usual_final": paid + max((d_p - 1) * usual_p, d_i * usual_i),
    }
