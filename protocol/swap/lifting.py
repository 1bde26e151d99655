"""Claims and refunds that can't be replaced are lifted by children (CPFP).

Owns: which child a claim or refund needs. Must not know: how it is signed, when a spend is owed.

Litecoin nodes keep what they saw first unless told otherwise: a dearer version of our claim would
reach no miner while a cheaper one waits in mempools. Its output is ours, so a child that spends it
back to the same address can pay for both. No child is ever needed for safety of the coins it moves:
they are ours already, and one that is lost is built again.
"""

from protocol.limits import CHILD_VBYTES, CLAIM_VBYTES, REFUND_VBYTES
from protocol.swap import fees, reading
from protocol.swap.effects import BroadcastChild, BuildChild, Effect
from protocol.swap.facts import ChainView, LockSeen, Spend, SpendKind
from protocol.swap.fees import SPEND_DUST, Curve
from protocol.swap.states import SwapState, Tx

MAX_CHILDREN = 20
"""Below the 25 unconfirmed ancestors that nodes allow."""

STEP_PERCENT = 150
"""A child is due when the package should pay so many per cent of what it pays."""

PATIENCE_BLOCKS = 1
"""Beyond so many blocks, and one more for each child, a child is due at any rate: miners may have
dropped what our node still holds, and would not hear of the same bytes again. They ask for the
parents of a child that they do not know."""

SERVED_SECONDS = 130
"""Nodes hand out a parent that is asked for once it has been in their mempool for two minutes: a
child sent earlier would be an orphan, for twenty minutes, at whoever lost the parent. Near the
deadline it is tried, unless the parent is known to have been away."""

AWAY_SECONDS = 15
"""A claim or refund that entered our mempool so much later than it was built had left it, or was in
a block that left the chain: others may not have taken it back."""

LATE_CHILDREN = 6
"""Places in the line kept for children that are only there to be announced."""

RESERVE_SHARE = 8
"""One part in this of the stake is kept for them."""


def fixed_version(
    state: SwapState, view: ChainView, newest: Tx | None, spend: Spend | None
) -> Tx | None:
    """Our version that `spend` is, the newest or an older one, in a mempool that keeps what it saw
    first; None anywhere else."""
    if view.replaces or spend is None or newest is None:
        return None
    return next((tx for tx in versions_of(state, newest) if tx.txid == spend.txid), None)


def versions_of(state: SwapState, newest: Tx) -> tuple[Tx, ...]:
    """`newest` and all that it took the place of: they spend the same output."""
    return (newest, *(tx for tx in state.replaced if tx.ref == newest.ref))


def child(
    state: SwapState, view: ChainView, lock: LockSeen, ours: Tx, curve: Curve
) -> list[Effect]:
    """What lifts `ours`, an unconfirmed claim or refund of `lock`: the next child, or all of them
    sent again, which changes nothing where they are known."""
    line = children_of(state, ours)
    newest = line[-1] if line else ours
    spent = ours.fee + sum(tx.fee for tx in line)
    if view.tip_height > newest.height and len(line) < MAX_CHILDREN:
        fee = _fee_due(state, view, lock, ours, line, curve, spent)
        if fee is not None and fee <= lock.units - spent - SPEND_DUST:
            return [BuildChild(f"{newest.txid}:0", lock.units - spent, fee)]
    return [BroadcastChild(tx.raw, tx.txid, tx.ref) for tx in line]


def _fee_due(
    state: SwapState,
    view: ChainView,
    lock: LockSeen,
    ours: Tx,
    line: tuple[Tx, ...],
    curve: Curve,
    spent: int,
) -> int | None:
    """What the next child pays, None while none is due."""
    spend = lock.spend
    kind, since = (spend.kind, spend.since) if spend is not None else (SpendKind.REFUND, 0)
    vbytes = CLAIM_VBYTES if kind is SpendKind.CLAIM else REFUND_VBYTES
    vbytes += CHILD_VBYTES * len(line)
    first = fees.first_rate(view)
    most = max(fees.CATCH_UP * spent * 1000 // vbytes, fees.CALM_TIMES * first)
    wanted = min(fees.on_curve(first, curve, state.now), curve.cap, most)
    share = lock.units - lock.units // RESERVE_SHARE
    is_cheap = STEP_PERCENT * spent < 100 * min(wanted * vbytes // 1000, share)
    is_served = since + SERVED_SECONDS <= state.now
    was_away = since > ours.at + AWAY_SECONDS
    in_hurry = curve.end - state.now < SERVED_SECONDS and not was_away
    waited = view.tip_height - (line[-1] if line else ours).height
    is_late = waited > PATIENCE_BLOCKS + len(line)
    has_room = len(line) < MAX_CHILDREN - LATE_CHILDREN
    if not (is_cheap and has_room and (is_served or in_hurry)) and not (is_late and is_served):
        return None
    least = -(-view.fee_floor * CHILD_VBYTES // 1000)
    return max(min(wanted * (vbytes + CHILD_VBYTES) // 1000, share) - spent, least)


def children_of(state: SwapState, ours: Tx) -> tuple[Tx, ...]:
    """The children that hang on `ours`, one on another, oldest first."""
    line: list[Tx] = []
    parent = f"{ours.txid}:0"
    for tx in state.children:
        if tx.ref == parent:
            line.append(tx)
            parent = f"{tx.txid}:0"
    return tuple(line)


def is_of_claim(state: SwapState, ref: str) -> bool:
    """Whether `ref` is the output of a version of our claim, or of one of its children."""
    if state.claim is None:
        return False
    claims = versions_of(state, state.claim)
    line = [tx for claim in claims for tx in (claim, *children_of(state, claim))]
    return any(ref == f"{tx.txid}:0" for tx in line)


def with_parent(state: SwapState, lock: LockSeen, rate: int, curve: Curve) -> int:
    """The rate of a refund of `lock` that also pays what the lock itself lacks, if unconfirmed."""
    signed = reading.signed_lock(state)
    if signed is None or lock.depth > 0 or signed.tx.fee_rate <= 0:
        return rate
    lock_vbytes = signed.tx.fee * 1000 // signed.tx.fee_rate
    lacking = max(0, rate - signed.tx.fee_rate) * lock_vbytes
    return min(rate + lacking // REFUND_VBYTES, curve.cap)
