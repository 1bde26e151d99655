"""Spending: the claim and the refund of a lock, sweeps of our own P2WPKH coins, fees and dust.

Owns: unsigned spends, the hashes to sign, the check of what comes back, the finished bytes.
Must not know: secret keys (`swapd.keys` signs), fee estimates, when a spend is due.

A claim is built and signed without the preimage, which no signature covers: the preimage joins in
`UnsignedClaim.finish`, after the reveal is journalled (safety.md 7). Everything is SIGHASH_ALL,
version 2, replaceable. A refund's lock time is the HTLC's expiry.

Figures: with low-R signatures and a P2WPKH destination a claim takes 555 weight units (139 vB), a
refund 523 (131 vB). 82 bytes outside the witness count four times (version 4, counts 2, input 41,
output 31, lock time 4); the claim's witness has 2 marker bytes, 1 count, 33 preimage, 72
signature, 119 script; the refund's an empty item in place of the preimage.
"""

from typing import Final

from msgspec import Struct

from protocol.bitcoin.address import hash160, p2wpkh_script, script_kind
from protocol.bitcoin.errors import SpendError
from protocol.bitcoin.htlc import Htlc
from protocol.bitcoin.params import ChainParams
from protocol.bitcoin.signatures import witness_signature
from protocol.bitcoin.tx import (
    SEQUENCE_RBF,
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    p2wpkh_script_code,
    sighash_v0,
)

CLAIM_VSIZE: Final = 139
"""vbytes of a claim to P2WPKH, at most."""

REFUND_VSIZE: Final = 131
"""vbytes of a refund to P2WPKH, at most."""

MAX_SWEEP_INPUTS: Final = 500
"""Keeps a sweep well under the 100,000 vB that nodes relay."""

_VERSION = 2
_P2WPKH_SCRIPT_BYTES = 22


class FinishedSpend(Struct, frozen=True):
    """A signed transaction, ready to be journalled and broadcast. `txid` in RPC order."""

    raw: bytes
    txid: bytes
    vsize: int
    fee: int


class Coin(Struct, frozen=True):
    """An output that can be spent: where it is, its script and its amount in base units."""

    outpoint: OutPoint
    script_pubkey: bytes
    amount: int


class UnsignedClaim(Struct, frozen=True):
    """A claim that lacks the claimer's signature over `sighash`, and the preimage."""

    htlc: Htlc
    tx: Transaction
    sighash: bytes
    fee: int

    def finish(self, signature: bytes, preimage: bytes) -> FinishedSpend:
        """The claim, complete. `signature`: low-R DER without a sighash byte, by the claim key.

        Raises SignatureError, and SpendError when the preimage is not that of the hashlock.
        """
        if not self.htlc.is_preimage(preimage):
            msg = "this is not the 32-byte preimage of the hashlock"
            raise SpendError(msg)
        proof = witness_signature(self.htlc.claim_key, self.sighash, signature)
        return _finished(self.tx, ((preimage, proof, self.htlc.witness_script()),), self.fee)


class UnsignedRefund(Struct, frozen=True):
    """A refund that lacks the locker's signature over `sighash`."""

    htlc: Htlc
    tx: Transaction
    sighash: bytes
    fee: int

    def finish(self, signature: bytes) -> FinishedSpend:
        """The refund, complete. `signature`: low-R DER without a sighash byte, by the refund key.

        Raises SignatureError.
        """
        proof = witness_signature(self.htlc.refund_key, self.sighash, signature)
        return _finished(self.tx, ((proof, b"", self.htlc.witness_script()),), self.fee)


class UnsignedSweep(Struct, frozen=True):
    """A sweep that lacks one signature per coin, over `sighashes` in the order of the coins."""

    coins: tuple[Coin, ...]
    pubkeys: tuple[bytes, ...]
    tx: Transaction
    sighashes: tuple[bytes, ...]
    fee: int

    def finish(self, signatures: tuple[bytes, ...]) -> FinishedSpend:
        """The sweep, complete. Low-R DER signatures, one per coin. Raises SignatureError."""
        if len(signatures) != len(self.coins):
            msg = f"{len(self.coins)} coins, but {len(signatures)} signatures"
            raise SpendError(msg)
        witnesses = tuple(
            (witness_signature(pubkey, sighash, signature), pubkey)
            for pubkey, sighash, signature in zip(
                self.pubkeys, self.sighashes, signatures, strict=True
            )
        )
        return _finished(self.tx, witnesses, self.fee)


def claim_tx(
    params: ChainParams,
    htlc: Htlc,
    outpoint: OutPoint,
    *,
    amount: int,
    destination: bytes,
    fee: int,
    not_before: int = 0,
) -> UnsignedClaim:
    """The claim of a lock of `amount` base units, paying `amount - fee` to script `destination`.
    With `not_before` (unix seconds) no block takes it until median time has passed that.

    Raises SpendError: unusable destination, a fee that is not positive or leaves dust.
    """
    tx = _lock_spend(outpoint, _output(params, amount, destination, fee), not_before)
    return UnsignedClaim(htlc, tx, sighash_v0(tx, 0, htlc.witness_script(), amount), fee)


def refund_tx(
    params: ChainParams,
    htlc: Htlc,
    outpoint: OutPoint,
    *,
    amount: int,
    destination: bytes,
    fee: int,
    not_before: int = 0,
) -> UnsignedRefund:
    """The refund of a lock of `amount` base units; no block takes it before the expiry, nor before
    `not_before` (unix seconds).

    Raises SpendError as `claim_tx`.
    """
    lock_time = max(htlc.expiry, not_before)
    tx = _lock_spend(outpoint, _output(params, amount, destination, fee), lock_time)
    return UnsignedRefund(htlc, tx, sighash_v0(tx, 0, htlc.witness_script(), amount), fee)


def sweep_tx(
    params: ChainParams,
    coins: tuple[Coin, ...],
    pubkeys: tuple[bytes, ...],
    destination: bytes,
    fee: int,
) -> UnsignedSweep:
    """All of `coins` (P2WPKH), less `fee`, to script `destination`. `pubkeys[i]` owns `coins[i]`.

    Raises SpendError as `claim_tx`, and when coins repeat, are too many, or are not of their key.
    """
    if not 1 <= len(coins) <= MAX_SWEEP_INPUTS:
        msg = f"a sweep takes 1 to {MAX_SWEEP_INPUTS} coins, not {len(coins)}"
        raise SpendError(msg)
    if len({coin.outpoint for coin in coins}) != len(coins):
        msg = "a coin is named twice"
        raise SpendError(msg)
    if len(pubkeys) != len(coins):
        msg = f"{len(coins)} coins, but {len(pubkeys)} keys"
        raise SpendError(msg)
    for coin, pubkey in zip(coins, pubkeys, strict=True):
        if len(pubkey) != 33 or p2wpkh_script(hash160(pubkey)) != coin.script_pubkey:
            msg = f"coin {coin.outpoint} is not a P2WPKH output of the key {pubkey.hex()}"
            raise SpendError(msg)
    total = sum(coin.amount for coin in coins)
    tx = Transaction(
        version=_VERSION,
        inputs=tuple(TxInput(coin.outpoint, SEQUENCE_RBF) for coin in coins),
        outputs=(_output(params, total, destination, fee),),
        lock_time=0,
    )
    hashes = tuple(
        sighash_v0(tx, i, p2wpkh_script_code(coin.script_pubkey), coin.amount)
        for i, coin in enumerate(coins)
    )
    return UnsignedSweep(coins, pubkeys, tx, hashes, fee)


def fee_for(vsize: int, rate: int) -> int:
    """The fee in base units of `vsize` vbytes at `rate` base units per 1000 vbytes, rounded up."""
    if vsize < 0 or rate < 0:
        msg = f"no fee for {vsize} vbytes at rate {rate}"
        raise SpendError(msg)
    return -(-vsize * rate // 1000)


def claim_vsize(destination: bytes) -> int:
    """vbytes of a claim to script `destination`, at most."""
    return CLAIM_VSIZE + len(destination) - _P2WPKH_SCRIPT_BYTES


def refund_vsize(destination: bytes) -> int:
    """vbytes of a refund to script `destination`, at most."""
    return REFUND_VSIZE + len(destination) - _P2WPKH_SCRIPT_BYTES


def sweep_vsize(coins: int, destination: bytes) -> int:
    """vbytes of a sweep of so many P2WPKH coins to script `destination`, at most."""
    count = 1 if coins < 0xFD else 3
    plain = 4 + count + 41 * coins + 1 + 9 + len(destination) + 4
    witness = 2 + coins * (1 + 72 + 34)
    return -(-(4 * plain + witness) // 4)


def _lock_spend(outpoint: OutPoint, output: TxOutput, lock_time: int) -> Transaction:
    return Transaction(
        version=_VERSION,
        inputs=(TxInput(outpoint, SEQUENCE_RBF),),
        outputs=(output,),
        lock_time=lock_time,
    )


def _output(params: ChainParams, total: int, destination: bytes, fee: int) -> TxOutput:
    """The one output of a spend, checked."""
    if script_kind(destination) is None:
        msg = f"not a standard script to pay to: {destination[:40].hex()}"
        raise SpendError(msg)
    if fee <= 0:
        msg = f"a fee of {fee} base units relays nowhere; it must be positive"
        raise SpendError(msg)
    least = params.dust_limit(destination)
    if total - fee < least:
        msg = (
            f"{total} base units less a fee of {fee} leave {total - fee}, which is dust: "
            f"{params.title} relays {least} or more to such an address"
        )
        raise SpendError(msg)
    return TxOutput(destination, total - fee)


def _finished(tx: Transaction, witnesses: tuple[tuple[bytes, ...], ...], fee: int) -> FinishedSpend:
    inputs = tuple(
        TxInput(txin.outpoint, txin.sequence, b"", witness)
        for txin, witness in zip(tx.inputs, witnesses, strict=True)
    )
    signed = Transaction(tx.version, inputs, tx.outputs, tx.lock_time)
    return FinishedSpend(signed.serialise(), signed.txid(), signed.vsize(), fee)
