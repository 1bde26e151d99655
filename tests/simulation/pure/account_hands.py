"""What a side does on a chain with accounts: calls of the contract, from two accounts.

Owns: locks, kills, claims and refunds there. Must not know: when they are owed.
"""

from typing import TYPE_CHECKING

from protocol.kinds import sizes_of
from protocol.swap import reading
from protocol.swap.effects import BuildClaim, BuildKill, BuildLock, BuildRefund
from protocol.swap.events import ClaimBuilt, Event, KillBuilt, LockBuilt, RefundBuilt
from protocol.swap.reading import signed_lock
from protocol.swap.states import LockCoin, SignedLock
from tests.simulation.accounts.ledger import ClaimCall, LockCall, RefundCall
from tests.simulation.checks import acting
from tests.simulation.ledger import SimTx
from tests.simulation.pure import account_eyes, hands
from tests.simulation.pure.account_nonces import CLAIMS, LOCKS, account_of
from tests.simulation.pure.chain import SimChain
from tests.simulation.pure.daemon import NodeError

if TYPE_CHECKING:
    from tests.simulation.pure.side import Side


def fee_of(rate: int, gas: int) -> int:
    """Base units, rounded up."""
    return -(-rate * gas // 1000)


def lock(side: "Side", effect: BuildLock) -> Event:
    """A lock with its gate as its deadline; a dearer version takes the same nonce."""
    chain, leg = side.own, side.swap.leg(side.own_leg)
    hands.require_node(side, chain)
    gas = sizes_of(side.agreement.own.amount.asset).lock
    fee = fee_of(effect.fee_rate, gas)
    if effect.replaces is None:
        ref = side.daemon.free_coin(chain.family, leg.units)
        nonce = side.daemon.nonces[chain.family, LOCKS].give(side, "lock")
    else:
        nonce, ref = side.world.archive[effect.replaces.tx.txid].spends
    rest, change = chain.units_of(nonce) - fee, chain.units_of(ref) - leg.units
    if rest < 0 or change < 0:
        raise NodeError("not enough")
    account = account_of(side.daemon.name, LOCKS)
    out = ((leg.script, leg.units), (side.daemon.wallet, change), (account, rest))
    call = LockCall(leg.script, reading.lock_gate(side.state))
    tx = SimTx(hands.name_of(side, "lock"), (nonce, ref), out, fee, gas, 0, call)
    signed = hands.signed(side, chain, tx, account_eyes.ref_of(side, side.own_leg))
    return LockBuilt(SignedLock(signed, (LockCoin(nonce, leg.units, b""),)))


def kill(side: "Side", effect: BuildKill) -> Event | None:
    """A payment to ourselves with the nonce of the lock: what it would have locked stays."""
    found, chain = signed_lock(side.state), side.own
    hands.require_node(side, chain)
    if found is None:
        return None
    gas, nonce = sizes_of(side.agreement.own.amount.asset).kill, found.coins[0].ref
    fee, leg = fee_of(effect.fee_rate, gas), side.swap.leg(side.own_leg)
    rest = chain.units_of(nonce) - fee
    if rest < 0 or (fee > leg.units and not leg.token):
        raise NodeError("too dear")
    out = ((account_of(side.daemon.name, LOCKS), rest),)
    tx = SimTx(hands.name_of(side, "kill"), (nonce,), out, fee, gas)
    return KillBuilt(hands.signed(side, chain, tx, found.tx.ref))


def claim(side: "Side", effect: BuildClaim) -> Event | None:
    """From the other account."""
    acting.judge_claim(side.diary)
    preimage = effect.preimage
    if preimage is None:
        if side.diary.role != "initiator":
            return None
        preimage = side.swap.preimage
    gas = sizes_of(side.agreement.theirs.amount.asset).claim
    call = ClaimCall(side.swap.leg(side.their_leg).script, preimage)
    tx = _call(side, side.theirs, "claim", fee_of(effect.fee_rate, gas), gas, call)
    return ClaimBuilt(hands.signed(side, side.theirs, tx, effect.lock.ref))


def refund(side: "Side", effect: BuildRefund) -> Event:
    """From the other account, too: a lock that hangs blocks none."""
    gas = sizes_of(side.agreement.own.amount.asset).refund
    call = RefundCall(side.swap.leg(side.own_leg).script)
    tx = _call(side, side.own, "refund", fee_of(effect.fee_rate, gas), gas, call)
    return RefundBuilt(hands.signed(side, side.own, tx, effect.lock.ref))


def _call(
    side: "Side", chain: SimChain, what: str, fee: int, gas: int, call: ClaimCall | RefundCall
) -> SimTx:
    nonce = side.daemon.nonces[chain.family, CLAIMS].give(side, what)
    units = chain.units_of(nonce)
    if units < fee:
        raise NodeError("not enough for gas")
    name = hands.name_of(side, what)
    chain.payers[name] = side.daemon.name
    account = account_of(side.daemon.name, CLAIMS)
    return SimTx(name, (nonce,), ((account, units - fee),), fee, gas, 0, call)
