"""Performs what a swap owes: effect in, port calls, event out.

Owns: the translation of effects to the chain and signer ports. Must not know: any adapter, when an
effect is owed. Every effect may be performed again; none is remembered here.
"""

from typing import assert_never

import structlog

from protocol.limits import CHILD_VBYTES
from protocol.swap import deadlines, lifting
from protocol.swap.agreement import Agreement
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
from protocol.swap.reading import lock_gate, own_view, signed_lock, their_view
from protocol.swap.states import LockCoin, SignedLock, SwapState, Tx
from protocol.terms import LegName, Role, other_leg, own_leg
from swapd import ports
from swapd.engine import hooks
from swapd.engine.addresses import known_addresses
from swapd.engine.world import World

log = structlog.get_logger(__name__)


class BroadcastRejected(ports.ChainError):
    """The node refused a transaction of ours; its own reason is in the message."""


async def perform(world: World, state: SwapState, effect: Effect) -> Event | None:
    """Performs `effect` once. Returns the event it produced, if any. Raises ChainError."""
    name = type(effect).__name__
    hooks.point(f"effect:before:{name}")
    event = await _perform(world, state, effect)
    hooks.point(f"effect:after:{name}")
    return event


async def _perform(world: World, state: SwapState, effect: Effect) -> Event | None:
    agreement = state.agreement
    own_chain = world.chains[agreement.own.amount.asset]
    their_chain = world.chains[agreement.theirs.amount.asset]
    match effect:
        case SeekLock():
            return await seek_lock(own_chain, state)
        case BuildLock():
            return await _build_lock(own_chain, state, effect)
        case BuildKill():
            return await _build_kill(own_chain, state, effect)
        case BuildClaim():
            return await _build_claim(world, state, effect)
        case BuildRefund():
            return await _build_refund(world, state, effect)
        case BuildChild():
            return await _build_child(world, state, effect)
        case BroadcastChild():
            chain = their_chain if lifting.is_of_claim(state, effect.parent) else own_chain
            await _broadcast(chain, effect.raw, type(effect).__name__, effect.txid)
        case BroadcastLock() | BroadcastKill() | BroadcastRefund():
            await _broadcast(own_chain, effect.raw, type(effect).__name__, effect.txid)
        case BroadcastClaim():
            await _broadcast(their_chain, effect.raw, type(effect).__name__, effect.txid)
        case ResendTheirLock():
            await _broadcast(their_chain, effect.raw, type(effect).__name__, "theirs")
        case _:
            assert_never(effect)
    return None


async def _broadcast(chain: ports.Chain, raw: bytes, what: str, txid: str) -> None:
    result = await chain.broadcast(raw)
    if result.outcome is ports.Broadcast.REJECTED:
        message = f"the {chain.ticker} node refused {what} {txid}: {result.reason}"
        raise BroadcastRejected(message)
    log.info("swap.broadcast", what=what, txid=txid, outcome=result.outcome.value)


def _height(state: SwapState, leg: LegName) -> int:
    view = state.view_i if leg is LegName.I else state.view_p
    return view.tip_height if view else 0


def _from_port(lock: ports.SignedLock, height: int, at: int) -> SignedLock:
    coins = tuple(LockCoin(c.ref, c.units, c.script_pubkey) for c in lock.coins)
    return SignedLock(_tx(lock.tx, lock.ref, height, at), coins)


def to_port(lock: SignedLock) -> ports.SignedLock:
    """The journalled lock as the chain port takes it."""
    tx = lock.tx
    inputs = tuple(coin.ref for coin in lock.coins)
    coins = tuple(ports.Coin(c.ref, c.units, c.script_pubkey) for c in lock.coins)
    return ports.SignedLock(
        ports.SignedTx(tx.raw, tx.txid, tx.fee, tx.fee_rate, inputs), tx.ref, coins
    )


def _tx(tx: ports.SignedTx, ref: str, height: int, at: int) -> Tx:
    return Tx(tx.raw, tx.txid, tx.fee, tx.fee_rate, height, ref, at)


async def seek_lock(chain: ports.Chain, state: SwapState) -> LockFound | None:
    """Whether the wallet knows of a lock of ours. Raises ChainError."""
    agreement = state.agreement
    since = agreement.since(own_leg(agreement.role))
    found = await chain.sent_lock(agreement.own, agreement.terms.hashlock, since)
    if found is None:
        return None
    log.critical("swap.forgotten_lock_found", txid=found.tx.txid)
    return LockFound(_from_port(found, _height(state, own_leg(agreement.role)), state.now))


async def _build_lock(chain: ports.Chain, state: SwapState, effect: BuildLock) -> Event:
    """A whole disk put back brings no sign of it: that the wallet has sent a lock of this swap is
    one, and two locks must never be out (rule 2)."""
    agreement = state.agreement
    if effect.replaces is None and (found := await seek_lock(chain, state)) is not None:
        return found
    before = to_port(effect.replaces) if effect.replaces is not None else None
    lock = await chain.fund(
        agreement.own,
        agreement.terms.hashlock,
        effect.fee_rate,
        before,
        deadline=lock_gate(state),
    )
    return LockBuilt(_from_port(lock, _height(state, own_leg(agreement.role)), state.now))


async def _build_kill(chain: ports.Chain, state: SwapState, effect: BuildKill) -> Event | None:
    lock, view = signed_lock(state), own_view(state)
    if lock is None or view is None:
        return None
    kill = await chain.build_kill(to_port(lock), effect.fee_rate)
    most = deadlines.purse(view, state.agreement.own)
    if kill.fee > most:
        # The other side can hang a dear child on our lock to make its replacement dear.
        message = f"killing our lock would cost {kill.fee}, more than the {most} there is"
        raise ports.ChainError(message)
    return KillBuilt(_tx(kill, lock.tx.ref, view.tip_height, state.now))


def _signing(world: World, agreement: Agreement, leg: LegName) -> ports.SignDigest:
    async def sign(digest: bytes) -> bytes:
        return await world.signer.sign_htlc(
            agreement.salt, agreement.role, agreement.swap_id, leg, digest
        )

    return sign


async def _build_claim(world: World, state: SwapState, effect: BuildClaim) -> Event | None:
    agreement, view = state.agreement, their_view(state)
    if view is None:
        return None
    preimage = effect.preimage
    if preimage is None:
        if agreement.role is not Role.INITIATOR:
            return None
        preimage = world.signer.preimage(agreement.salt, agreement.swap_id)
    claim = await world.chains[agreement.theirs.amount.asset].build_claim(
        agreement.theirs,
        agreement.terms.hashlock,
        effect.lock,
        agreement.destination,
        effect.fee_rate,
        _signing(world, agreement, other_leg(agreement.role)),
        preimage,
    )
    return ClaimBuilt(_tx(claim, effect.lock.ref, view.tip_height, state.now))


async def _build_refund(world: World, state: SwapState, effect: BuildRefund) -> Event | None:
    agreement, view = state.agreement, own_view(state)
    if view is None:
        return None
    refund = await world.chains[agreement.own.amount.asset].build_refund(
        agreement.own,
        agreement.terms.hashlock,
        effect.lock,
        agreement.refund_destination,
        effect.fee_rate,
        _signing(world, agreement, own_leg(agreement.role)),
    )
    return RefundBuilt(_tx(refund, effect.lock.ref, view.tip_height, state.now))


async def _build_child(world: World, state: SwapState, effect: BuildChild) -> Event | None:
    """A spend of our own unconfirmed output, back to the address it pays."""
    agreement = state.agreement
    of_claim = lifting.is_of_claim(state, effect.parent)
    asset = (agreement.theirs if of_claim else agreement.own).amount.asset
    view = their_view(state) if of_claim else own_view(state)
    address = agreement.destination if of_claim else agreement.refund_destination
    index = (await known_addresses(world, asset)).get(address)
    if index is None or view is None:
        message = f"{address} is no address of our seed: nothing can be built on {effect.parent}"
        raise ports.ChainError(message)

    async def sign(digest: bytes) -> bytes:
        return await world.signer.sign_wallet(asset, index, digest)

    chain = world.chains[asset]
    coin = ports.Coin(effect.parent, effect.units, chain.check_address(address))
    signer = (world.signer.wallet_key(asset, index), sign)
    rate = -(-effect.fee * 1000 // CHILD_VBYTES)
    child = await chain.build_sweep((coin,), (signer,), address, rate)
    return ChildBuilt(_tx(child, effect.parent, view.tip_height, state.now))
