"""What a side does to the world: each effect of the machine on the simulated chains.

Owns: `perform`, symbolic transactions of an honest party. Must not know: when an effect is owed.

Signatures are symbolic: a transaction carries its witness as a tuple, and the checkers recount from
the blocks that each spend was allowed. The rest follows swapd's chain adapter: fees from rate and
size, a kill that outbids whatever it replaces, claims and refunds that leave a dust output.
"""

from typing import TYPE_CHECKING

from protocol.limits import CHILD_VBYTES, CLAIM_VBYTES, KILL_VBYTES, LOCK_VBYTES, REFUND_VBYTES
from protocol.swap import lifting
from protocol.swap.effects import (
    BroadcastChild,
    BroadcastClaim,
    BroadcastKill,
    BroadcastLock,
    BroadcastRefund,
    BuildChild,
    BuildClaim,
    BuildKill,
    BuildLock,
    BuildRefund,
    Effect,
    ResendTheirLock,
    SeekLock,
)
from protocol.swap.events import (
    ChildBuilt,
    ClaimBuilt,
    Event,
    KillBuilt,
    LockBuilt,
    LockFound,
    RefundBuilt,
)
from protocol.swap.reading import signed_lock
from protocol.swap.states import LockCoin, SignedLock, Tx
from tests.simulation.checks import acting
from tests.simulation.ledger import SimTx
from tests.simulation.pure import account_hands
from tests.simulation.pure.chain import SimChain
from tests.simulation.pure.daemon import NodeError

if TYPE_CHECKING:
    from tests.simulation.pure.side import Side

_DUST = 294


def _fee(rate: int, vsize: int) -> int:
    return -(-rate * vsize // 1000)


def perform(side: "Side", effect: Effect) -> Event | None:
    """Performs `effect` once; the event it produced, if any. Raises NodeError."""
    match effect:
        case SeekLock():
            return _found(side)
        case BuildLock() if side.own.accounts is not None:
            return account_hands.lock(side, effect)
        case BuildKill() if side.own.accounts is not None:
            return account_hands.kill(side, effect)
        case BuildRefund() if side.own.accounts is not None:
            return account_hands.refund(side, effect)
        case BuildClaim() if side.theirs.accounts is not None:
            return account_hands.claim(side, effect)
        case BuildLock():
            return LockBuilt(_lock(side, effect))
        case BuildKill():
            return _kill(side, effect)
        case BuildClaim():
            return _claim(side, effect)
        case BuildRefund():
            lock = effect.lock
            fee = min(_fee(effect.fee_rate, REFUND_VBYTES), lock.units - _DUST)
            out = ((side.daemon.seed, lock.units - fee),)
            expiry = side.swap.leg(side.own_leg).expiry
            tx = SimTx(
                name_of(side, "refund"), (lock.ref,), out, fee, REFUND_VBYTES, expiry, ("refund",)
            )
            return RefundBuilt(signed(side, side.own, tx, lock.ref))
        case BuildChild():
            return _child(side, effect)
        case BroadcastLock():
            acting.judge_lock(side.diary, side.truth, side.world.work.now)
            acting.judge_health(side.diary, tuple(side.daemon.trouble))
            _send(side, side.own, effect.raw, "lock")
        case BroadcastKill():
            _send(side, side.own, effect.raw, "kill")
        case BroadcastRefund():
            _send(side, side.own, effect.raw, "refund")
        case BroadcastClaim():
            acting.judge_claim(side.diary)
            _send(side, side.theirs, effect.raw, "claim")
        case BroadcastChild():
            of_claim = lifting.is_of_claim(side.state, effect.parent)
            _send(side, side.theirs if of_claim else side.own, effect.raw, "child")
        case ResendTheirLock():
            _send(side, side.theirs, effect.raw, "their lock")
    return None


def name_of(side: "Side", what: str) -> str:
    """A txid for something that a side makes."""
    side.built += 1
    return f"{side.swap.name}{side.diary.role[0]}{side.built}.{what}"


def require_node(side: "Side", chain: SimChain) -> None:
    """Raises NodeError while the node of `chain` gives no answer."""
    if side.daemon.trouble.get(chain.family) == "error":
        raise NodeError("no answer")


def signed(side: "Side", chain: SimChain, tx: SimTx, ref: str) -> Tx:
    """`tx` as the machine keeps it."""
    side.world.archive[tx.txid] = tx
    height = chain.ledger.height
    view = side.state.view_i if chain is side.world.chain_i(side) else side.state.view_p
    if view is not None:
        height = view.tip_height
    return Tx(tx.txid.encode(), tx.txid, tx.fee, tx.fee * 1000 // tx.vsize, height, ref)


def _lock(side: "Side", effect: BuildLock) -> SignedLock:
    chain, leg = side.own, side.swap.leg(side.own_leg)
    require_node(side, chain)
    before = effect.replaces
    needed = leg.units * 11 // 10 + 100_000
    if before is None:
        refs = [side.daemon.free_coin(chain.family, needed)]
        # A lock that could not be journalled never leaves the daemon: it promises nothing.
        others = [s for s in side.daemon.sides if s is not side and not s.is_closed]
        rivals = [s.promised for s in others if signed_lock(s.state) is not None]
        if any(refs[0] in promised for promised in rivals):
            side.diary.faults.append("was given a coin that another swap has promised")
        side.promised = frozenset(refs)
    elif side.built % 4 == 3:  # now and then a wallet forgets whose coins it was to spend again
        refs = [side.daemon.free_coin(chain.family, needed)]
    else:
        refs = [coin.ref for coin in before.coins]
    total = sum(chain.units_of(ref) for ref in refs)
    fee = _fee(effect.fee_rate, LOCK_VBYTES)
    if total < leg.units + fee + _DUST:
        raise NodeError("not enough")
    out = ((leg.script, leg.units), (side.daemon.wallet, total - leg.units - fee))
    tx = SimTx(name_of(side, "lock"), tuple(refs), out, fee, LOCK_VBYTES)
    coins = tuple(LockCoin(ref, total // len(refs), b"") for ref in refs)
    return SignedLock(signed(side, chain, tx, f"{tx.txid}:0"), coins)


def _found(side: "Side") -> Event | None:
    """What the node's wallet holds of our locks: in a block, in the mempool or nowhere."""
    chain, leg = side.own, side.swap.leg(side.own_leg)
    require_node(side, chain)
    if chain.accounts is not None:
        return None  # a lock that came too late is dead there
    sent = [txid for _, purpose, txid, _ in side.diary.sent if purpose == "lock"]
    for tx in reversed([side.world.archive[txid] for txid in sent]):
        rivals = [chain.ledger.spend_in_block(ref) for ref in tx.spends]
        if any(rival is not None and rival[0].txid != tx.txid for rival in rivals):
            continue
        coins = tuple(LockCoin(ref, chain.units_of(ref), b"") for ref in tx.spends)
        index = tx.outputs.index((leg.script, leg.units))
        return LockFound(SignedLock(signed(side, chain, tx, f"{tx.txid}:{index}"), coins))
    return None


def _kill(side: "Side", effect: BuildKill) -> Event | None:
    lock, chain = signed_lock(side.state), side.own
    require_node(side, chain)
    if lock is None:
        return None
    pool = chain.ledger.pool
    refs = tuple(coin.ref for coin in lock.coins)
    rivals = [pool.spending[ref] for ref in refs if ref in pool.spending]
    replaced = sum(pool.txs[txid].fee for txid in pool.descendants(rivals)) if rivals else 0
    vsize = KILL_VBYTES * len(refs)
    increment = _fee(chain.ledger.increment, vsize)
    fee = max(_fee(effect.fee_rate, vsize), max(lock.tx.fee, replaced) + increment)
    total = sum(coin.units for coin in lock.coins)
    if fee > side.swap.leg(side.own_leg).units or total - fee < _DUST:
        raise NodeError("too dear")
    tx = SimTx(name_of(side, "kill"), refs, ((side.daemon.wallet, total - fee),), fee, vsize)
    return KillBuilt(signed(side, chain, tx, lock.tx.ref))


def _claim(side: "Side", effect: BuildClaim) -> Event | None:
    acting.judge_claim(side.diary)
    preimage = effect.preimage
    if preimage is None:
        if side.diary.role != "initiator":
            return None
        preimage = side.swap.preimage
    lock = effect.lock
    fee = min(_fee(effect.fee_rate, CLAIM_VBYTES), lock.units - _DUST)
    out = ((side.daemon.seed, lock.units - fee),)
    tx = SimTx(name_of(side, "claim"), (lock.ref,), out, fee, CLAIM_VBYTES, 0, ("claim", preimage))
    return ClaimBuilt(signed(side, side.theirs, tx, lock.ref))


def _child(side: "Side", effect: BuildChild) -> Event:
    chain = side.theirs if lifting.is_of_claim(side.state, effect.parent) else side.own
    out = ((side.daemon.seed, effect.units - effect.fee),)
    tx = SimTx(name_of(side, "child"), (effect.parent,), out, effect.fee, CHILD_VBYTES)
    return ChildBuilt(signed(side, chain, tx, effect.parent))


def _send(side: "Side", chain: SimChain, raw: bytes, purpose: str) -> None:
    """Raises NodeError when the node refuses it, with its reason."""
    require_node(side, chain)
    tx = side.world.archive[raw.decode()]
    if chain.ledger.depth(tx.txid) is not None:
        return
    if purpose != "their lock":
        chain.origin[tx.txid] = (side.swap.name, "honest", purpose)
    why = chain.submit(tx, side)
    side.world.tell(f"{side.label} sends {tx.txid}, fee {tx.fee}: {why or 'taken'}")
    if why == "non-final":
        side.diary.faults.append(f"sent a {purpose} before its time")
    if why and why != "known":
        raise NodeError(why)
    if purpose != "their lock":
        side.diary.sent.append((side.world.work.now, purpose, tx.txid, tx.fee))
        side.swap.seen(chain, tx)
