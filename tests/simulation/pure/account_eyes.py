"""How a side sees a chain with accounts: its slot, its nonces, what waits for a block.

Owns: the view of one leg there, as swapd's adapter would report it. Must not know: what is decided.
"""

import hashlib
from typing import TYPE_CHECKING

import msgspec

from protocol.swap import reading
from protocol.swap.facts import ChainView, Conflict, LockSeen, Spend, SpendKind
from protocol.swap.states import SignedLock
from protocol.terms import LegName
from tests.simulation.accounts.ledger import (
    BUMP_PERCENT,
    AccountLedger,
    ClaimCall,
    LockCall,
    RefundCall,
)
from tests.simulation.ledger import Paid, SimTx

if TYPE_CHECKING:
    from tests.simulation.pure.side import Side

PATIENCE = 3
"""Blocks that a version is given."""


def ref_of(side: "Side", leg: LegName) -> str:
    """The name of the leg's entry: the same for every version of its lock."""
    return f"contract:{side.swap.name}:{leg.value}"


def view_of(
    side: "Side",
    ledger: AccountLedger,
    leg: LegName,
    fees: tuple[int, int],
    problems: tuple[str, ...],
) -> ChainView:
    """The chain and the leg, now."""
    tip, own = ledger.tip, leg is side.own_leg
    lock = _lock(side, ledger, leg)
    return ChainView(
        tip_height=tip.height,
        tip_hash=tip.block_id,
        tip_time=tip.time,
        median_time=tip.time,
        fee_next=fees[0],
        fee_floor=fees[1],
        fee_increment=ledger.increment,
        fee_step_percent=BUMP_PERCENT,
        fee_budget=side.world.gas[side.chain_of(leg).family],
        patience=PATIENCE,
        problems=problems,
        locks=(lock,) if lock is not None else (),
        conflict=_conflict(side, ledger) if own else None,
    )


def _lock(side: "Side", ledger: AccountLedger, leg: LegName) -> LockSeen | None:
    of, own = side.swap.leg(leg), leg is side.own_leg
    exact = [paid for paid in ledger.paying(of.script) if paid.units == of.units]
    mined = [paid for paid in exact if paid.depth]
    found = next((p for p in mined if ledger.spender(p.ref) is None), None)
    found = found or max(mined, key=lambda p: -p.depth, default=None)
    if found is None:
        found = next((p for p in exact if not _is_late(ledger, p)), None)
    if found is None:
        return None
    spend = _spend(side, ledger, leg, found)
    if spend is not None:
        spend = msgspec.structs.replace(spend, depth=_depth(side, ledger, leg, spend.depth))
    ref = ref_of(side, leg)
    if own and side._flashes:
        flash = side._flashes.pop(ref, None)
        spend = spend or (flash if found.depth else None)
    ours = own and reading.signed_lock(side.state) is not None
    txid = found.ref[: found.ref.rindex(":")]
    depth = _depth(side, ledger, leg, found.depth)
    return LockSeen(ref, found.units, depth, spend=spend, ours=ours, txid=txid)


def _depth(side: "Side", ledger: AccountLedger, leg: LegName, blocks: int) -> int:
    """As the adapter tells it: where the chain says what is final, the agreed depth is reached then
    and not before."""
    of = side.swap.leg(leg)
    if not of.finality or not blocks:
        return blocks
    if ledger.height - blocks + 1 <= ledger.final_height:
        return max(blocks, of.depth)
    return max(1, min(blocks, of.depth - 1))


def _is_late(ledger: AccountLedger, paid: Paid) -> bool:
    tx = ledger.mempool.get(paid.ref[: paid.ref.rindex(":")])
    call = tx.raw if tx is not None else None
    return isinstance(call, LockCall) and ledger.tip.time > call.deadline


def _spend(side: "Side", ledger: AccountLedger, leg: LegName, found: Paid) -> Spend | None:
    spender = ledger.spender(found.ref)
    if spender is not None:
        return side.spend_of(side.chain_of(leg), found.ref, side.agreement.terms.hashlock)
    if not found.depth:
        return None
    state = side.state
    ours = {tx.txid for tx in (state.claim, *state.refunds) if tx is not None}
    waiting = [_waiting(side, tx) for tx in ledger.waiting(side.swap.leg(leg).script)]
    spends = [spend for spend in waiting if spend is not None]
    return max(spends, key=lambda s: (s.txid in ours, s.kind is SpendKind.CLAIM), default=None)


def _waiting(side: "Side", tx: SimTx) -> Spend | None:
    """A call that waits for its block; a claim counts only with the preimage."""
    call = tx.raw
    if isinstance(call, RefundCall):
        return Spend(SpendKind.REFUND, tx.txid, 0)
    if isinstance(call, ClaimCall):
        if hashlib.sha256(call.preimage).digest() == side.swap.deal.hashlock:
            return Spend(SpendKind.CLAIM, tx.txid, 0, call.preimage)
    return None


def _conflict(side: "Side", ledger: AccountLedger) -> Conflict | None:
    lock = reading.signed_lock(side.state)
    if lock is None or not lock.coins:
        return None
    leg = side.swap.leg(side.own_leg)
    spender = ledger.spender(lock.coins[0].ref)
    late = _depth(side, ledger, side.own_leg, ledger.late_blocks(_deadline(side, lock)))
    if late and (spender is None or spender[1] == 0):
        return Conflict("", late)  # as the adapter says it: what still waits comes too late
    if spender is None or (spender[1] == 0 and spender[0].txid == lock.tx.txid):
        return None
    tx, depth = spender
    deep = _depth(side, ledger, side.own_leg, depth)
    return None if (leg.script, leg.units) in tx.outputs else Conflict(tx.txid, deep)


def _deadline(side: "Side", lock: SignedLock) -> int:
    call = side.world.archive[lock.tx.txid].raw
    return call.deadline if isinstance(call, LockCall) else 0
