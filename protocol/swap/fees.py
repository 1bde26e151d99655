"""How dear each of our transactions is, and when it is rebuilt dearer.

Owns: fee rates for locks, kills, claims and refunds. Must not know: how a node estimates.

Rates are whole base units per 1000 vbytes. A transaction that did not confirm in the block after
it was built is rebuilt with a new txid (rule 8): nodes do not announce again what their peers have
known. The fee never goes under what is relayed, nor above what is at stake (rule 13).
"""

from protocol.swap.facts import ChainView
from protocol.swap.states import Tx

SPEND_DUST = 1_000
"""Base units always left to the output of a claim or refund."""

CALM_TIMES = 32
"""A new version never pays more than so many times the next-block estimate while there is time:
who is not mined at that rate is not seen by miners, and paying more would only burn coins."""


def first_rate(view: ChainView) -> int:
    """A next-block estimate, never under what is relayed: no reason to be cheap (rule 13)."""
    return max(view.fee_next, view.fee_floor)


def next_rate(view: ChainView, previous: Tx | None, *, urgent: bool) -> int:
    """The rate of the next version: a tenth and one increment above the last one, or the
    estimate where that is more; within CALM_TIMES the estimate unless it is `urgent`."""
    first = first_rate(view)
    if previous is None:
        return first
    dearer = max(first, previous.fee_rate + previous.fee_rate // 10 + view.fee_floor)
    return dearer if urgent else min(dearer, CALM_TIMES * first)


def affordable_rate(rate: int, units: int, vbytes: int) -> int:
    """`rate`, capped so that the fee leaves at least SPEND_DUST of `units`."""
    most = max(0, units - SPEND_DUST) * 1000 // vbytes
    return min(rate, most)


def is_due(view: ChainView, previous: Tx | None, *, seen: bool) -> bool:
    """Whether to build (again): nothing was built yet, or a block came without it, or what was
    built is not in the mempool and pays less than is relayed now."""
    if previous is None:
        return True
    if view.tip_height > previous.height:
        return True
    return not seen and previous.fee_rate < view.fee_floor
