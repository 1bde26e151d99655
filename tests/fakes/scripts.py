"""Owns what a node does with raw bytes: reading them, and checking what unlocks each input.

Must not know: blocks, mempools, who asks. Reading is done once per transaction of a process.
"""

import functools
from typing import NamedTuple

import wallycore

from protocol.bitcoin.address import ScriptKind, hash160, script_kind
from protocol.bitcoin.errors import BitcoinError
from protocol.bitcoin.htlc import parse_witness_script
from protocol.bitcoin.signatures import is_valid_der
from protocol.bitcoin.tx import (
    Transaction,
    TxOutput,
    p2wpkh_script_code,
    parse_tx,
    sighash_v0,
)

_FINAL = 0xFFFFFFFF


class ReadTx(NamedTuple):
    """A transaction as read. `spends` are refs; `lock_time` 0 where its inputs make it void."""

    tx: Transaction
    raw: bytes
    txid: str
    vsize: int
    spends: tuple[str, ...]
    outputs: tuple[tuple[bytes, int], ...]
    lock_time: int


@functools.lru_cache(maxsize=20_000)
def read(raw: bytes) -> ReadTx | None:
    """What is in these bytes, or None when it is no transaction."""
    try:
        tx = parse_tx(raw)
    except BitcoinError:
        return None
    return read_from(tx, raw)


def read_from(tx: Transaction, raw: bytes | None = None) -> ReadTx:
    """As `read`, for a transaction made here."""
    is_void = all(txin.sequence == _FINAL for txin in tx.inputs)
    return ReadTx(
        tx=tx,
        raw=tx.serialise() if raw is None else raw,
        txid=tx.txid().hex(),
        vsize=tx.vsize(),
        spends=tuple(str(txin.outpoint) for txin in tx.inputs),
        outputs=tuple((output.script_pubkey, output.amount) for output in tx.outputs),
        lock_time=0 if is_void else tx.lock_time,
    )


def is_signed(tx: Transaction, index: int, spent: TxOutput) -> bool:
    """Whether the script lets this input pass, lock time of the transaction aside."""
    witness = tx.inputs[index].witness
    kind = script_kind(spent.script_pubkey)
    if kind is ScriptKind.P2WPKH and len(witness) == 2:
        signature, key = witness
        digest = sighash_v0(tx, index, p2wpkh_script_code(spent.script_pubkey), spent.amount)
        return hash160(key) == spent.script_pubkey[2:] and is_valid_der(key, digest, signature[:-1])
    if kind is ScriptKind.P2WSH and len(witness) == 3:
        return _is_htlc_signed(tx, index, spent, witness)
    return False


def _is_htlc_signed(
    tx: Transaction, index: int, spent: TxOutput, witness: tuple[bytes, ...]
) -> bool:
    first, second, script = witness
    try:
        htlc = parse_witness_script(script)
    except BitcoinError:
        return False
    if htlc.script_pubkey() != spent.script_pubkey:
        return False
    digest = sighash_v0(tx, index, script, spent.amount)
    if second:
        return htlc.is_preimage(first) and is_valid_der(htlc.claim_key, digest, second[:-1])
    timely = tx.lock_time >= htlc.expiry and tx.inputs[index].sequence != _FINAL
    return timely and is_valid_der(htlc.refund_key, digest, first[:-1])


def sign_low_r(secret: bytes, digest: bytes) -> bytes:
    """DER, low R, low S, without a sighash byte."""
    flags = wallycore.EC_FLAG_ECDSA | wallycore.EC_FLAG_GRIND_R
    return bytes(wallycore.ec_sig_to_der(bytes(wallycore.ec_sig_from_bytes(secret, digest, flags))))
