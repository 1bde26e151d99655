"""What a client leaves with a watchtower: one leg of one swap, and ready signatures that spend it.

Owns: `Package`, its check against itself, its digest. Must not know: nodes, when a spend is due
(`decide`), which packages a swap needs (`plan`).

A package holds no transaction: every transaction is rebuilt from the terms of the leg, and a way
to spend only adds a fee, a lock time and a signature. So what is not in a valid package can't be
said at all: another input, another output, another destination, a sighash other than ALL. Tower
and client check with the same function, so that both know what is stored.

What limits a tower that wants to do harm, all by consensus and not by its promise: the signatures
commit to the client's own script and to each fee; the dearest fee is the most it can ever burn,
because all versions of a lock share their coins; a refund is void before the leg's expiry; a dearer
variant is void before its `not_before`; a claim without the preimage is no transaction.
"""

import enum
from typing import Annotated, Final

from msgspec import Meta, Struct

from protocol.assets import parse_asset
from protocol.bitcoin.errors import BitcoinError, UnknownChainError
from protocol.bitcoin.htlc import Htlc
from protocol.bitcoin.params import ChainParams, params_by_chain
from protocol.bitcoin.signatures import MAX_LOW_R_DER, witness_signature
from protocol.bitcoin.spends import UnsignedClaim, UnsignedRefund, claim_tx, refund_tx
from protocol.bitcoin.tx import OutPoint
from protocol.codec import decode, encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.limits import MAX_EXPIRY, MIN_EXPIRY
from protocol.signing import Tag, tagged_hash
from protocol.terms import Kind, LegTerms

PACKAGE_VERSION: Final = 1

MAX_PACKAGE_BYTES: Final = 32 * 1024
"""One package, encoded: 16 ways of 16 variants fit."""

MAX_WAYS: Final = 16
"""Outpoints of one package: versions of one lock, of which at most one can ever confirm."""

MAX_VARIANTS: Final = 16
"""Fees of one way, each dearer than the one before."""

MAX_KEPT_SECONDS: Final = 30 * 86400
"""A package asks for no more than so long beyond the expiry of its leg."""

_DER_AT_LEAST = 8


class Act(enum.StrEnum):
    """Which path of the script a package takes. Wire names."""

    CLAIM = "claim"
    REFUND = "refund"


Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Time = Annotated[int, Meta(ge=0, le=MAX_EXPIRY)]
Height = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Fee = Annotated[int, Meta(ge=1, le=2**53 - 1)]


class Watched(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A leg to look at: every output to its script since block `since`."""

    leg: LegTerms
    since: Height


class Variant(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One signed spend: it pays all but `fee`, no block takes it until median time has passed
    `not_before` (0: at once). `signature` is DER, low R, low S, without its sighash byte (ALL)."""

    fee: Fee
    not_before: Time
    signature: Annotated[bytes, Meta(min_length=_DER_AT_LEAST, max_length=MAX_LOW_R_DER)]


class Way(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The spends of one output of the leg: `txid` in the order nodes print, and its index."""

    txid: Bytes32
    index: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    variants: Annotated[tuple[Variant, ...], Meta(min_length=1, max_length=MAX_VARIANTS)]

    @property
    def ref(self) -> str:
        """As views name outputs."""
        return f"{self.txid.hex()}:{self.index}"


class Package(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`sequence`: a newer one replaces an older one. `watched` is the leg whose output is spent to
    the script `destination`; `shows` is the other leg, where a claim shows the preimage (None: it
    shows on `watched` alone, or is here already). `preimage` is empty or 32 bytes. A refund waits
    until `yield_until` while the other side's claim is in a mempool. After `keep_until` the tower
    may forget it all."""

    version: int
    sequence: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    act: Act
    hashlock: Bytes32
    watched: Watched
    shows: Watched | None
    ways: Annotated[tuple[Way, ...], Meta(min_length=1, max_length=MAX_WAYS)]
    destination: Annotated[bytes, Meta(min_length=22, max_length=34)]
    max_fee: Fee
    preimage: Annotated[bytes, Meta(max_length=32)]
    yield_until: Time
    keep_until: Annotated[int, Meta(ge=0, le=2**32)]


Unsigned = UnsignedClaim | UnsignedRefund


def read(data: bytes) -> Package:
    """The package in `data`, checked. Raises RemoteProtocolError."""
    package = decode(Package, data, max_size=MAX_PACKAGE_BYTES)
    check(package)
    return package


def digest(package: Package) -> bytes:
    """32 bytes that stand for a package."""
    return tagged_hash(Tag.TOWER_PACKAGE, encode(package))


def proof_of_keeping(nonce: bytes, data: bytes) -> bytes:
    """32 bytes that only somebody who holds the encoded package now can make for `nonce`."""
    return tagged_hash(Tag.TOWER_PROOF, nonce + data)


def params_of(package: Package) -> ChainParams:
    """The chain that is spent on. Raises UnknownChainError."""
    return params_by_chain(package.watched.leg.chain)


def htlc_of(package: Package, leg: LegTerms) -> Htlc:
    """The script of a leg under the package's hashlock. Raises HtlcError."""
    return Htlc(leg.claim_key, leg.refund_key, package.hashlock, leg.expiry)


def unsigned(package: Package, way: Way, fee: int, not_before: int) -> Unsigned:
    """The one transaction that a variant stands for, without its witness.

    Raises BitcoinError: a fee that leaves dust, a destination that is no standard script.
    """
    leg = package.watched.leg
    build = claim_tx if package.act is Act.CLAIM else refund_tx
    return build(
        params_of(package),
        htlc_of(package, leg),
        OutPoint(way.txid, way.index),
        amount=leg.amount.units,
        destination=package.destination,
        fee=fee,
        not_before=not_before,
    )


def check(package: Package) -> None:
    """Whether a tower may rely on it: terms that make a script, fees within the cap, signatures
    that are good. Raises RemoteProtocolError."""
    if package.version != PACKAGE_VERSION:
        detail = f"a package of version {package.version}; we speak {PACKAGE_VERSION}"
        raise RemoteProtocolError(Refusal.UNKNOWN_VERSION, detail)
    legs = [package.watched.leg] + ([package.shows.leg] if package.shows else [])
    for leg in legs:
        _check_leg(package, leg)
    _check_act(package)
    _check_times(package)
    if len({way.ref for way in package.ways}) != len(package.ways):
        raise _wrong("an outpoint is named twice")
    for way in package.ways:
        _check_way(package, way)


def _wrong(detail: str) -> RemoteProtocolError:
    return RemoteProtocolError(Refusal.WRONG_TERMS, detail)


def _check_leg(package: Package, leg: LegTerms) -> None:
    if leg.kind is not Kind.P2WSH:
        raise RemoteProtocolError(Refusal.UNSUPPORTED_KIND, f"no tower for kind {leg.kind.value}")
    parse_asset(leg.amount.asset)
    try:
        params = params_by_chain(leg.chain)
        if params.asset_id != leg.amount.asset:
            detail = f"{leg.amount.asset[:80]} is not the coin of {params.title}"
            raise RemoteProtocolError(Refusal.UNSUPPORTED_ASSET, detail)
        htlc_of(package, leg)
    except UnknownChainError as error:
        raise RemoteProtocolError(Refusal.UNSUPPORTED_ASSET, str(error)) from error
    except BitcoinError as error:
        raise _wrong(str(error)) from error
    if len(leg.pinned.block_hash) != 32 or not 0 <= leg.pinned.height < 2**31:
        raise _wrong("the pinned block is no block")


def _check_act(package: Package) -> None:
    claim = package.act is Act.CLAIM
    if package.shows is not None:
        if not claim:
            raise _wrong("a refund needs no preimage: only its own leg is watched")
        if package.shows.leg.chain == package.watched.leg.chain:
            raise _wrong("both legs are on one chain")
    if package.preimage:
        htlc = htlc_of(package, package.watched.leg)
        if not claim or not htlc.is_preimage(package.preimage):
            raise _wrong("this is not the preimage of a claim's hashlock")


def _check_times(package: Package) -> None:
    expiry = package.watched.leg.expiry
    if not expiry <= package.keep_until <= expiry + MAX_KEPT_SECONDS:
        raise _wrong(f"to be kept until {package.keep_until}, the leg expires at {expiry}")
    if package.act is Act.CLAIM and package.yield_until:
        raise _wrong("a claim yields to nobody")


def _check_way(package: Package, way: Way) -> None:
    fee, time = 0, 0
    for variant in way.variants:
        if variant.fee <= fee or variant.not_before < time:
            raise _wrong("variants must be dearer and dearer, none valid before the one before it")
        fee, time = variant.fee, variant.not_before
        if 0 < time < MIN_EXPIRY:
            raise _wrong(f"not_before {time} would be a height")
        if package.act is Act.REFUND and time < package.watched.leg.expiry:
            raise _wrong("a refund is void before the expiry of its leg")
        _check_signature(package, way, variant)
    if fee > package.max_fee:
        raise _wrong(f"a fee of {fee}, {package.max_fee} is the most")


def _check_signature(package: Package, way: Way, variant: Variant) -> None:
    leg = package.watched.leg
    key = leg.claim_key if package.act is Act.CLAIM else leg.refund_key
    try:
        spend = unsigned(package, way, variant.fee, variant.not_before)
        witness_signature(key, spend.sighash, variant.signature)
    except BitcoinError as error:
        raise RemoteProtocolError(Refusal.BAD_SIGNATURE, str(error)) from error
