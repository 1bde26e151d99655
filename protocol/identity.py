"""Who a maker is on the network: the certificate of its network key, and its farewell.

Owns: `Certificate`, `Retire` and their checks (safety rule 17).
Must not know: libp2p (a peer id and addresses are opaque text here), where keys are stored.

The maker key signs offers, heartbeats and terms and never touches the network. The network key
(the peer id) is short-lived; the maker key certifies it for at most 24 hours.
"""

import re

from msgspec import Struct

from protocol.codec import decode, encode
from protocol.errors import Refusal
from protocol.offers import (
    MAX_COUNTER,
    MAX_TIME,
    Signed,
    SignWith,
    check_range,
    check_size,
    check_times,
    check_version,
    refuse_unless,
)
from protocol.signing import PublicKey, Tag, check_signed

IDENTITY_VERSION = 1
MAX_CERTIFICATE_SIZE = 1536
MAX_RETIRE_SIZE = 64
MAX_ADDRESSES = 8
MAX_ADDRESS_LENGTH = 128
MAX_PEER_ID_LENGTH = 128

_PEER_ID = re.compile(r"[1-9A-HJ-NP-Za-km-z]{1,128}")
_ADDRESS = re.compile(r"/[!-~]{1,127}")


class Certificate(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The maker's word that it speaks through the peer `peer_id` (base58 text) at `addresses`
    (multiaddresses without the /p2p part, perhaps none) until `expires`, unix seconds. Of two
    certificates the one with the higher (`epoch`, `created`) counts."""

    version: int
    maker: PublicKey
    peer_id: str
    addresses: tuple[str, ...]
    epoch: int
    created: int
    expires: int


class Retire(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The maker key's permanent farewell: whatever it signed or will sign is void in the book."""

    version: int
    maker: PublicKey
    time: int


def is_newer(one: Certificate, other: Certificate) -> bool:
    """True when `one` replaces `other`."""
    return (one.epoch, one.created) > (other.epoch, other.created)


def read_certificate(payload: bytes, *, now: int) -> Certificate:
    """The certificate in `payload`, all but its signature checked. Raises RemoteProtocolError."""
    certificate = decode(Certificate, payload, max_size=MAX_CERTIFICATE_SIZE)
    check_version(certificate.version, IDENTITY_VERSION, "a certificate")
    check_size(certificate.maker, 32, "the maker key")
    refuse_unless(
        _PEER_ID.fullmatch(certificate.peer_id) is not None,
        Refusal.MALFORMED,
        f"not a base58 peer id: {certificate.peer_id[:40]!r}",
    )
    addresses = certificate.addresses
    good = len(addresses) <= MAX_ADDRESSES and len(set(addresses)) == len(addresses)
    refuse_unless(good, Refusal.MALFORMED, f"more than {MAX_ADDRESSES} addresses, or one twice")
    for address in addresses:
        refuse_unless(
            _ADDRESS.fullmatch(address) is not None,
            Refusal.MALFORMED,
            f"not a multiaddress: {address[:40]!r}",
        )
    check_range(certificate.epoch, 0, MAX_COUNTER, "epoch")
    check_times(certificate.created, certificate.expires, now)
    return certificate


def open_certificate(signed: Signed, *, now: int) -> Certificate:
    """The certificate in `signed`, fully checked. Raises RemoteProtocolError."""
    certificate = read_certificate(signed.payload, now=now)
    check_signed(certificate.maker, Tag.CERTIFICATE, signed.payload, signed.signature)
    return certificate


def sign_certificate(certificate: Certificate, sign: SignWith) -> Signed:
    """The certificate with its maker's signature."""
    payload = encode(certificate)
    return Signed(payload, sign(Tag.CERTIFICATE, payload))


def read_retire(payload: bytes) -> Retire:
    """The farewell in `payload`, all but its signature checked. Never too old: it is permanent.
    Raises RemoteProtocolError."""
    retire = decode(Retire, payload, max_size=MAX_RETIRE_SIZE)
    check_version(retire.version, IDENTITY_VERSION, "a farewell")
    check_size(retire.maker, 32, "the maker key")
    check_range(retire.time, 1, MAX_TIME, "time")
    return retire


def open_retire(signed: Signed) -> Retire:
    """The farewell in `signed`, fully checked. Raises RemoteProtocolError."""
    retire = read_retire(signed.payload)
    check_signed(retire.maker, Tag.RETIRE, signed.payload, signed.signature)
    return retire
