"""What the tests of this folder share: keys, signing, and btclib's engine as a judge."""

from hashlib import sha256

import wallycore as wally
from btclib.exceptions import BTClibValueError
from btclib.script.engine import verify_transaction
from btclib.tx import Tx, TxOut

from protocol.bitcoin.address import hash160, p2wpkh_script
from protocol.bitcoin.htlc import Htlc
from protocol.bitcoin.params import BITCOIN_REGTEST
from protocol.bitcoin.tx import OutPoint, TxOutput

REGTEST = BITCOIN_REGTEST
PREIMAGE = sha256(b"a preimage").digest()
OUTPOINT = OutPoint(sha256(b"an outpoint").digest(), 3)
EXPIRY = 1_800_000_000


def secret(name: str) -> bytes:
    return sha256(name.encode()).digest()


def pubkey(name: str) -> bytes:
    return bytes(wally.ec_public_key_from_private_key(secret(name)))


def sign(name: str, sighash: bytes) -> bytes:
    """Low-R, low-S DER, as the key store signs."""
    flags = wally.EC_FLAG_ECDSA | wally.EC_FLAG_GRIND_R
    return bytes(wally.ec_sig_to_der(bytes(wally.ec_sig_from_bytes(secret(name), sighash, flags))))


def p2wpkh(name: str) -> bytes:
    return p2wpkh_script(hash160(pubkey(name)))


def an_htlc(expiry: int = EXPIRY) -> Htlc:
    return Htlc(pubkey("claim"), pubkey("refund"), sha256(PREIMAGE).digest(), expiry)


def btclib_accepts(raw: bytes, *prevouts: TxOutput) -> bool:
    """The verdict of btclib's engine under consensus rules, amounts included."""
    spent = [TxOut(prevout.amount, prevout.script_pubkey) for prevout in prevouts]
    try:
        verify_transaction(spent, Tx.parse(raw))
    except BTClibValueError:
        return False
    return True
