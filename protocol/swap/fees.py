"""How dear each of our transactions is, and when it is rebuilt dearer.

Owns: fee rates for locks, kills, claims, refunds and their children, as curves in time.
Must not know: how a node estimates, which curve a transaction follows (`deadlines`).

Rates are whole base units per 1000 units of size (vbytes, gas). A transaction starts at what gets
into the next block and doubles in equal steps of time, so that at its deadline it pays all that is
at stake: gentle while there is time, and never frozen (rule 13). One that did not confirm in the
block after it was built is rebuilt with a new txid (rule 8): nodes do not announce again what their
peers have known. Where blocks come every few seconds a view grants it more of them.
"""

from msgspec import Struct

from protocol.swap.facts import ChainView, Spend
from protocol.swap.states import Tx

SPEND_DUST = 1_000
"""Base units always left to the output of a claim or refund."""

CALM_TIMES = 32
"""Where nobody else can take the coins, a version never pays more than so many times the next-block
estimate: who is not mined at that rate is not seen by miners, and paying more only burns coins."""

CATCH_UP = 8
"""A version pays at most so many times the one before, beyond CALM_TIMES the estimate."""

LEAST_SPEND_VBYTES = 100
"""No spend of an HTLC has fewer virtual bytes, whatever it pays to."""


class Curve(Struct, frozen=True):
    """From the next-block estimate at `start` to `cap` at `end` (unix seconds; base units per 1000
    units of size). `cap` is what is at stake: no version ever pays more."""

    start: int
    end: int
    cap: int


def first_rate(view: ChainView) -> int:
    """A next-block estimate, never under what is relayed: no reason to be cheap (rule 13)."""
    return max(view.fee_next, view.fee_floor)


def on_curve(first: int, curve: Curve, now: int) -> int:
    """The rate of `curve` at `now`, from `first` at its start: doubling in equal steps of time, a
    straight line within a step. Whole numbers only, the same on every machine."""
    if now >= curve.end:
        return max(first, curve.cap)
    doublings = (curve.cap // first).bit_length() - 1 if first > 0 else 0
    if now <= curve.start or doublings < 1:
        return first
    step, rest = divmod(doublings * (now - curve.start), curve.end - curve.start)
    reached = first << step
    return reached + reached * rest // (curve.end - curve.start)


def next_rate(view: ChainView, previous: Tx | None, curve: Curve, now: int) -> int:
    """The rate of the next version: on the curve, never under the estimate nor under the least
    that replaces `previous`, never above the cap. After an absence the curve is joined step by
    step: whoever has not tried yet does not know that more is needed."""
    first = first_rate(view)
    wanted = on_curve(first, curve, now)
    if previous is None:
        return min(wanted, calm(view, curve.cap))
    wanted = min(wanted, max(CATCH_UP * previous.fee_rate, CALM_TIMES * first))
    return min(max(wanted, least_replacing(view, previous)), curve.cap)


def least_replacing(view: ChainView, previous: Tx) -> int:
    """The least rate that takes the place of `previous` where it is known."""
    step = -(-previous.fee_rate * view.fee_step_percent // 100)
    return previous.fee_rate + max(view.fee_increment, step)


def beating(view: ChainView, rival: Spend | None, vbytes: int) -> int:
    """A rate at which `vbytes` replace `rival` in a mempool: more than all that it and its
    descendants pay, their own relay (BIP125, rules 3 and 4), and a higher rate than that of the
    smallest spend it can be. 0 without a rival."""
    if rival is None or rival.depth > 0:
        return 0
    return -(-rival.to_beat * 1000 // min(vbytes, LEAST_SPEND_VBYTES)) + view.fee_increment


def affordable_rate(view: ChainView, units: int, size: int) -> int:
    """The rate at which the fee for `size` leaves just SPEND_DUST of `units`; or, where an account
    pays, nothing of what it has for this."""
    if view.fee_budget is not None:
        return max(0, view.fee_budget) * 1000 // size
    return max(0, units - SPEND_DUST) * 1000 // size


def calm(view: ChainView, cap: int) -> int:
    """`cap`, at most CALM_TIMES the estimate: for coins that nobody else can take."""
    return min(cap, CALM_TIMES * first_rate(view))


def is_due(view: ChainView, previous: Tx | None, *, seen: bool) -> bool:
    """Whether to build (again): nothing was built yet, or the blocks it was given came without it,
    or what was built is not in the mempool and pays less than is relayed now."""
    if previous is None:
        return True
    if view.tip_height >= previous.height + view.patience:
        return True
    return not seen and previous.fee_rate < view.fee_floor


def is_worth(rate: int, view: ChainView, previous: Tx | None, *, seen: bool) -> bool:
    """Whether a version at `rate` would take the place of `previous`."""
    if previous is None:
        return True
    return rate >= (least_replacing(view, previous) if seen else previous.fee_rate + 1)
