"""How long n blocks take at worst: quantiles of the Erlang distribution, the same integer anywhere.

Owns: `quantile`. Must not know: chains, safety margins.

The sum of n exponential block intervals of mean m exceeds t with probability

    e^-x (1 + x + x^2/2! + ... + x^(n-1)/(n-1)!),   x = t / m

(fewer than n Poisson arrivals). The quantile is the *smallest whole second* at which that is at
most p. Whole seconds and a fixed decimal precision make the answer independent of machine and
language: neighbouring seconds differ in the third or fourth digit, computed here with fifty.
"""

import decimal
import functools

from protocol.errors import LocalProtocolError

_CONTEXT = decimal.Context(
    prec=50,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-9999,
    Emax=9999,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)

MAX_BLOCKS = 2048
"""More blocks than any admissible schedule can ask for."""


def _is_covered(blocks: int, mean: int, seconds: int, chance: decimal.Decimal) -> bool:
    """True when `blocks` take longer than `seconds` with a probability of at most `chance`."""
    context = _CONTEXT.copy()
    x = context.divide(decimal.Decimal(seconds), decimal.Decimal(mean))
    term = total = decimal.Decimal(1)
    for i in range(1, blocks):
        term = context.divide(context.multiply(term, x), decimal.Decimal(i))
        total = context.add(total, term)
    return total <= context.multiply(chance, context.exp(x))


@functools.lru_cache(maxsize=4096)
def quantile(blocks: int, mean: int, risk: int) -> int:
    """Seconds that `blocks` blocks of mean interval `mean` exceed with probability 10 ** -`risk`.

    Zero blocks take zero seconds. Raises LocalProtocolError outside 0..MAX_BLOCKS blocks,
    1..9 risk or for a mean that is not positive: callers check what peers say.
    """
    if not 0 <= blocks <= MAX_BLOCKS or not 1 <= risk <= 9 or mean < 1:
        msg = f"no quantile of {blocks} blocks of {mean} s at 1e-{risk}"
        raise LocalProtocolError(msg)
    if blocks == 0:
        return 0
    chance = decimal.Decimal(10) ** -risk
    low, high = 0, mean  # not covered at low; high grows until covered
    while not _is_covered(blocks, mean, high, chance):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if _is_covered(blocks, mean, middle, chance):
            high = middle
        else:
            low = middle
    return high
