"""ECDSA signatures as they go into witnesses: strict DER, low R, low S, by the right key.

Owns: the check that stands between a signature and a finished spend, and the softer one for
signatures that a node's wallet made.
Must not know: secret keys, what is signed.

Low R and low S keep a signature within 70 bytes of DER, which the vsize constants of `spends` and
the fees rest on; high S is refused by relay policy besides (BIP146).
"""

import wallycore as wally

from protocol.bitcoin.errors import SignatureError
from protocol.bitcoin.tx import SIGHASH_ALL

MAX_LOW_R_DER = 70
"""Bytes of a DER signature whose R and S are both below 2^255."""


def witness_signature(pubkey: bytes, sighash: bytes, der: bytes) -> bytes:
    """`der` with its SIGHASH_ALL byte, checked. At most 71 bytes.

    pubkey: 33 bytes; sighash: 32 bytes; der: without a sighash byte. Raises SignatureError unless
    it is strict DER, low-R, low-S and valid.
    """
    if len(der) > MAX_LOW_R_DER:
        msg = f"a low-R signature has at most {MAX_LOW_R_DER} bytes of DER, not {len(der)}"
        raise SignatureError(msg)
    compact = _compact(der)
    if compact[0] >= 0x80:
        msg = "the signature's R is not low: sign with another nonce (grind)"
        raise SignatureError(msg)
    if not _verifies(pubkey, sighash, compact):
        msg = f"the signature is not by {pubkey.hex()} over {sighash.hex()}"
        raise SignatureError(msg)
    return der + bytes([SIGHASH_ALL])


def is_valid_der(pubkey: bytes, sighash: bytes, der: bytes) -> bool:
    """Whether `der` is a strict, low-S signature by `pubkey` over `sighash`, its R high or low."""
    try:
        return _verifies(pubkey, sighash, _compact(der))
    except SignatureError:
        return False


def _compact(der: bytes) -> bytes:
    try:
        compact = bytes(wally.ec_sig_from_der(der))
        strict = bytes(wally.ec_sig_to_der(compact)) == der
        low_s = bytes(wally.ec_sig_normalize(compact)) == compact
    except ValueError:
        strict = low_s = False
        compact = b""
    if not strict:
        msg = f"not a DER signature: {der[:80].hex()}"
        raise SignatureError(msg)
    if not low_s:
        msg = "the signature's S is not low: normalise it"
        raise SignatureError(msg)
    return compact


def _verifies(pubkey: bytes, sighash: bytes, compact: bytes) -> bool:
    try:
        wally.ec_sig_verify(pubkey, sighash, wally.EC_FLAG_ECDSA, compact)
    except ValueError:
        return False
    return True
