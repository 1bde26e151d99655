"""Hashes and signatures of messages: BIP340 over domain-separated (tagged) hashes.

Owns: the tags, hashing, checking a signature.
Must not know: where keys are stored. `sign` takes the secret and the auxiliary randomness.
Source: BIP340 (Schnorr signatures, tagged hashes).
"""

import enum
import hashlib
from typing import NewType

import coincurve

from protocol.errors import LocalProtocolError, Refusal, RemoteProtocolError

PublicKey = NewType("PublicKey", bytes)
"""A BIP340 x-only public key, 32 bytes."""

Signature = NewType("Signature", bytes)
"""A BIP340 signature, 64 bytes."""


class Tag(enum.StrEnum):
    """One domain per kind of signed or hashed thing: a signature never fits two of them."""

    OFFER = "swapd/offer/1"
    CANCEL = "swapd/cancel/1"
    FLOOR = "swapd/floor/1"
    HEARTBEAT = "swapd/heartbeat/1"
    RETIRE = "swapd/retire/1"
    CERTIFICATE = "swapd/certificate/1"
    LIVE_SET = "swapd/live-set/1"
    TAKE = "swapd/take/1"
    RESERVE = "swapd/reserve/1"
    TERMS = "swapd/terms/1"
    PROOF_OF_FUNDS = "swapd/proof-of-funds/1"
    TOWER_PACKAGE = "swapd/tower-package/1"
    TOWER_PROOF = "swapd/tower-proof/1"
    TOWER_TICKET = "swapd/tower-ticket/1"


def tagged_hash(tag: Tag, message: bytes) -> bytes:
    """BIP340's tagged hash, 32 bytes."""
    prefix = hashlib.sha256(tag.value.encode()).digest()
    return hashlib.sha256(prefix + prefix + message).digest()


def sign(secret: bytes, tag: Tag, message: bytes, aux: bytes) -> Signature:
    """Signs the tagged hash of `message`; `secret` and `aux` are 32 bytes."""
    if len(secret) != 32 or len(aux) != 32:
        msg = "the secret and the auxiliary randomness are 32 bytes each"
        raise LocalProtocolError(msg)
    key = coincurve.PrivateKey(secret)
    return Signature(key.sign_schnorr(tagged_hash(tag, message), aux))


def public_key(secret: bytes) -> PublicKey:
    """The x-only public key of a 32-byte secret."""
    return PublicKey(coincurve.PrivateKey(secret).public_key_xonly.format())


def is_signed(key: PublicKey, tag: Tag, message: bytes, signature: bytes) -> bool:
    """True when `signature` is `key`'s over the tagged hash of `message`."""
    if len(key) != 32 or len(signature) != 64:
        return False
    try:
        return coincurve.PublicKeyXOnly(key).verify(signature, tagged_hash(tag, message))
    except ValueError:
        return False


def check_signed(key: PublicKey, tag: Tag, message: bytes, signature: bytes) -> None:
    """Raises RemoteProtocolError (bad_signature) unless `is_signed`."""
    if not is_signed(key, tag, message, signature):
        detail = f"the signature of the {tag.value} does not match its key"
        raise RemoteProtocolError(Refusal.BAD_SIGNATURE, detail)
