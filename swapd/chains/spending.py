"""Claims, refunds and sweeps: what our own keys sign. Nothing here talks to a node.

Owns: joining the pure builders with a signer, and the fee. Must not know: RPC. So a claim with its
preimage stays inside this process until it is broadcast (safety rule 7).
"""

from collections.abc import Sequence

from protocol.bitcoin import spends
from protocol.bitcoin.address import script_of
from protocol.bitcoin.errors import BitcoinError
from protocol.bitcoin.params import ChainParams
from protocol.bitcoin.spends import (
    FinishedSpend,
    claim_tx,
    claim_vsize,
    fee_for,
    refund_tx,
    refund_vsize,
    sweep_tx,
    sweep_vsize,
)
from protocol.swap.facts import LockSeen
from protocol.terms import LegTerms
from swapd.chains.leg_watch import htlc_of, parse_ref
from swapd.ports import ChainError, Coin, SignDigest, SignedTx


async def claim(
    params: ChainParams,
    leg: LegTerms,
    hashlock: bytes,
    lock: LockSeen,
    destination: str,
    fee_rate: int,
    sign: SignDigest,
    preimage: bytes,
) -> SignedTx:
    """The claim of `lock`. A fee that would eat the whole lock is cut to what leaves the least
    output that is relayed: a claim is worth that much to us. Raises ChainError, ValueError."""
    script = script_of(params, destination)
    fee = _capped(params, lock.units, script, fee_for(claim_vsize(script), fee_rate))
    try:
        unsigned = claim_tx(
            params,
            htlc_of(leg, hashlock),
            parse_ref(lock.ref),
            amount=lock.units,
            destination=script,
            fee=fee,
        )
        done = unsigned.finish(await sign(unsigned.sighash), preimage)
    except BitcoinError as error:
        raise ChainError(f"no claim of {lock.ref} can be built: {error}") from None
    return _signed(done, (lock.ref,))


async def refund(
    params: ChainParams,
    leg: LegTerms,
    hashlock: bytes,
    lock: LockSeen,
    destination: str,
    fee_rate: int,
    sign: SignDigest,
) -> SignedTx:
    """The refund of `lock`, its fee capped as that of a claim. Raises ChainError, ValueError."""
    script = script_of(params, destination)
    fee = _capped(params, lock.units, script, fee_for(refund_vsize(script), fee_rate))
    try:
        unsigned = refund_tx(
            params,
            htlc_of(leg, hashlock),
            parse_ref(lock.ref),
            amount=lock.units,
            destination=script,
            fee=fee,
        )
        done = unsigned.finish(await sign(unsigned.sighash))
    except BitcoinError as error:
        raise ChainError(f"no refund of {lock.ref} can be built: {error}") from None
    return _signed(done, (lock.ref,))


async def sweep(
    params: ChainParams,
    coins: Sequence[Coin],
    signers: Sequence[tuple[bytes, SignDigest]],
    destination: str,
    fee_rate: int,
) -> SignedTx:
    """All `coins` to `destination`, at exactly `fee_rate`. Raises ChainError, ValueError."""
    script = script_of(params, destination)
    owned = tuple(
        spends.Coin(parse_ref(coin.ref), coin.script_pubkey, coin.units) for coin in coins
    )
    keys = tuple(key for key, _ in signers)
    fee = fee_for(sweep_vsize(len(owned), script), fee_rate)
    try:
        unsigned = sweep_tx(params, owned, keys, script, fee)
        signatures = [
            await sign(digest)
            for digest, (_, sign) in zip(unsigned.sighashes, signers, strict=True)
        ]
        done = unsigned.finish(tuple(signatures))
    except BitcoinError as error:
        raise ChainError(f"these coins cannot be swept: {error}") from None
    return _signed(done, tuple(coin.ref for coin in coins))


def _capped(params: ChainParams, amount: int, script: bytes, fee: int) -> int:
    return max(1, min(fee, amount - params.dust_limit(script)))


def _signed(done: FinishedSpend, inputs: tuple[str, ...]) -> SignedTx:
    return SignedTx(done.raw, done.txid.hex(), done.fee, done.fee * 1000 // done.vsize, inputs)
