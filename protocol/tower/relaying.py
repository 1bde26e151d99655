"""When a tower sends a claim or refund on a chain with accounts, and at what price.

Owns: `relay`, the account side of `decide`. Must not know: nonces, keys, nodes.

The tower pays the gas from an account of its own. What it gets back is a fee that the client
signed; for its own clients it pays a little for nothing (`allowance`, wei for one spend). Its rate
is on a curve from what the next block takes to the deadline, one step more each time a few blocks
came without it, never above what it gets or gives for it. A fee in a token can't be weighed against
gas here: there each step takes the next dearer fee that is of age.
"""

from typing import Final

from msgspec.structs import replace

from protocol.evm.slots import MAX_AMOUNT
from protocol.kinds import pays_own_fees
from protocol.swap import fees
from protocol.swap.facts import ChainView, Spend
from protocol.swap.fees import Curve
from protocol.terms import LegTerms
from protocol.tower.package import Act, Package, Variant, relayed
from protocol.tower.progress import (
    MAX_RAW,
    PATIENCE_BLOCKS,
    Decision,
    Order,
    Progress,
    is_due,
    whole,
)

REFUND_SECONDS: Final = 6 * 3600
"""In which the rate of a refund rises to its most, where nobody is waited for."""


def at_stake(leg: LegTerms) -> int:
    """What who owns the coins would give for them at most, in the coin that fees are paid in: of a
    token that is not known, and the account alone is the limit."""
    return leg.amount.units if pays_own_fees(leg.amount.asset) else MAX_AMOUNT


def relay(
    package: Package,
    progress: Progress,
    view: ChainView,
    now: int,
    *,
    grace: int,
    allowance: int,
) -> Decision:
    """One look at a leg whose preimage, if it is known, is in `progress`."""
    lock = max(whole(package, view), key=lambda lock: lock.depth, default=None)
    if lock is None:
        return _resend(package, progress)
    if lock.depth > 0:
        raw = lock.raw or progress.lock_raw
        keep = package.act is Act.CLAIM and len(raw) <= MAX_RAW
        progress = replace(progress, seen=True, lock_raw=raw if keep else b"")
    spend = lock.spend
    if spend is not None and spend.depth > 0:
        depth = package.watched.leg.depth
        return Decision(replace(progress, due_since=0, final=spend.depth >= depth))
    if not is_due(package, progress, view, spend, now):
        return Decision(replace(progress, due_since=0, others=0))
    progress = replace(progress, due_since=progress.due_since or now)
    progress = _others(package, progress, view, spend)
    if not _is_time(progress, view, spend, waited=now - progress.due_since >= grace):
        return Decision(progress)
    return _send(package, progress, view, lock.ref, now, allowance)


def _resend(package: Package, progress: Progress) -> Decision:
    """A reorganisation took the lock out: the other side's goes out again, the claim follows when
    it is there. Never our client's own."""
    progress = replace(progress, due_since=0)
    if not (progress.lock_raw and progress.preimage and package.act is Act.CLAIM):
        return Decision(progress)
    return Decision(progress, (progress.lock_raw,), "the lock again")


def _others(package: Package, progress: Progress, view: ChainView, spend: Spend | None) -> Progress:
    """Since when somebody else's spend, to the same end, waits for its block."""
    if spend is None or spend.txid == progress.txid or spend.kind.value != package.act.value:
        return replace(progress, others=0)
    return replace(progress, others=progress.others or view.tip_height)


def _is_time(progress: Progress, view: ChainView, spend: Spend | None, *, waited: bool) -> bool:
    """Whether to send (again): nobody else is at it, and ours had the blocks it was given."""
    if progress.others and view.tip_height - progress.others < PATIENCE_BLOCKS:
        return False
    if not progress.txid:
        return waited
    if spend is None:
        return view.tip_height > progress.sent_height  # no node has it any more
    return view.tip_height >= progress.sent_height + view.patience


def _send(
    package: Package, progress: Progress, view: ChainView, ref: str, now: int, allowance: int
) -> Decision:
    gas = relayed(package).gas
    variants = [v for v in package.fees if v.not_before <= view.median_time]
    worth = variants[-1].fee if variants and pays_own_fees(package.watched.leg.amount.asset) else 0
    cap = min(max(worth, allowance) * 1000 // gas, fees.affordable_rate(view, worth, gas))
    rate = _rate(package, progress, view, now, cap)
    if rate is None:
        return Decision(progress)
    number = _choose(package, progress, variants, rate * gas // 1000)
    act = relayed(package)
    if number < 0:
        data, fee = act.call(progress.preimage), "no fee"
    else:
        chosen = variants[number]
        data = act.paid_call(progress.preimage, chosen.fee, chosen.not_before, chosen.signature)
        fee = f"a fee of {chosen.fee}"
    progress = replace(progress, sent=number, sent_height=view.tip_height, sent_ref=ref, rate=rate)
    order = Order(package.act.value, ref, act.contract, data, rate)
    return Decision(progress, why=f"{package.act.value} {ref} for {fee}", order=order)


def _rate(package: Package, progress: Progress, view: ChainView, now: int, cap: int) -> int | None:
    """What is paid for gas now; None where that would get nowhere."""
    expiry = package.watched.leg.expiry
    end = expiry if package.act is Act.CLAIM else max(package.yield_until, expiry + REFUND_SECONDS)
    first = fees.first_rate(view)
    rate = min(fees.on_curve(first, Curve(progress.due_since, end, cap), now), cap)
    if progress.txid:
        step = -(-progress.rate * view.fee_step_percent // 100)
        rate = max(rate, progress.rate + max(step, view.fee_increment))
    return rate if view.fee_floor <= rate <= cap else None


def _choose(package: Package, progress: Progress, variants: list[Variant], cost: int) -> int:
    """The number of the fee to take: the cheapest that covers the gas, else the dearest; -1 where
    there is none. In a token: the next one."""
    if pays_own_fees(package.watched.leg.amount.asset):
        number = next((n for n, v in enumerate(variants) if v.fee >= cost), len(variants) - 1)
    else:
        number = progress.sent + 1 if progress.txid else 0
    return min(max(number, progress.sent), len(variants) - 1)
