"""What a client leaves with a watchtower: one leg of one swap, and ready signatures that spend it.

Owns: `Package`, its check against itself, its digest. Must not know: nodes, when a spend is due
(`decide`), which packages a swap needs (`plan`).

A package holds no transaction: every transaction is rebuilt from the terms of the leg, and a way
to spend only adds a fee, a lock time and a signature. So what is not in a valid package can't be
said at all: another input, another output, another destination, a sighash other than ALL. Tower
and client check with the same function, so that both know what is stored.

On a chain with accounts the contract itself says who is paid, and the tower sends from an account
of its own (`relayed`): there a package has no ways; its fees are what the tower gets for that.

What limits a tower that wants to do harm, all by consensus and not by its promise: the signatures
commit to the client's own script and to each fee; the dearest fee is the most it can ever burn,
because all versions of a lock share their coins; a refund is void before the leg's expiry; a dearer
variant is void before its `not_before`; a claim without the preimage is no transaction.
"""

import enum
import hashlib
from typing import Annotated, Final, assert_never

from msgspec import Meta, Struct

from protocol.amounts import WideInt
from protocol.assets import parse_asset
from protocol.bitcoin.errors import BitcoinError, UnknownChainError
from protocol.bitcoin.htlc import Htlc
from protocol.bitcoin.params import ChainParams, params_by_chain
from protocol.bitcoin.signatures import MAX_LOW_R_DER, witness_signature
from protocol.bitcoin.spends import UnsignedClaim, UnsignedRefund, claim_tx, refund_tx
from protocol.bitcoin.tx import OutPoint
from protocol.codec import decode, encode
from protocol.errors import DecodeError, Refusal, RemoteProtocolError
from protocol.evm.address import ADDRESS_SIZE
from protocol.evm.legs import check_payee, slot_terms_of
from protocol.evm.params import is_evm
from protocol.limits import MAX_EXPIRY, MIN_EXPIRY
from protocol.signing import Tag, tagged_hash
from protocol.terms import Kind, LegTerms
from protocol.tower.relayed import Relayed

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


class Watched(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A leg to look at: every output to its script since block `since`."""

    leg: LegTerms
    since: Height


class Variant(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One signed spend: it pays all but `fee`, no block takes it until median time has passed
    `not_before` (0: at once). `signature` is DER, low R, low S, without its sighash byte (ALL); on
    a chain with accounts r, s (low) and parity, 65 bytes."""

    fee: WideInt
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
    may forget it all. On a chain with accounts there are no `ways`; `destination` is the account
    that the terms pay, `fees` what `relayer` gets for sending it (none: nothing)."""

    version: int
    sequence: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    act: Act
    hashlock: Bytes32
    watched: Watched
    shows: Watched | None
    ways: Annotated[tuple[Way, ...], Meta(max_length=MAX_WAYS)]
    destination: Annotated[bytes, Meta(min_length=ADDRESS_SIZE, max_length=34)]
    max_fee: WideInt
    preimage: Annotated[bytes, Meta(max_length=32)]
    yield_until: Time
    keep_until: Annotated[int, Meta(ge=0, le=2**32)]
    fees: Annotated[tuple[Variant, ...], Meta(max_length=MAX_VARIANTS)] = ()
    relayer: Annotated[bytes, Meta(max_length=ADDRESS_SIZE)] = b""


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


def is_relayed(package: Package) -> bool:
    """Whether the tower sends it from an account of its own."""
    return package.watched.leg.kind is Kind.EVM


def relayed(package: Package) -> Relayed:
    """The calls that a package of a chain with accounts stands for."""
    more = (package.relayer,) if package.relayer else ()
    claim = package.act is Act.CLAIM
    return Relayed(package.watched.leg, package.hashlock, claim, *more)


def opens(package: Package, preimage: bytes) -> bool:
    """Whether these bytes are the preimage of both legs."""
    return len(preimage) == 32 and hashlib.sha256(preimage).digest() == package.hashlock


def check(package: Package) -> None:
    """Whether a tower may rely on it: terms that make a script or an entry, fees within the cap,
    signatures that are good. Raises RemoteProtocolError."""
    if package.version != PACKAGE_VERSION:
        detail = f"a package of version {package.version}; we speak {PACKAGE_VERSION}"
        raise RemoteProtocolError(Refusal.UNKNOWN_VERSION, detail)
    legs = [package.watched.leg] + ([package.shows.leg] if package.shows else [])
    for leg in legs:
        _check_leg(package, leg)
    _check_act(package)
    _check_times(package)
    if is_relayed(package):
        _check_relayed(package)
        return
    if not package.ways or package.fees or package.relayer:
        raise _wrong("an output is spent by ways, and pays no relayer")
    if len({way.ref for way in package.ways}) != len(package.ways):
        raise _wrong("an outpoint is named twice")
    for way in package.ways:
        _check_variants(package, way.variants)
        for variant in way.variants:
            _check_signature(package, way, variant)


def _wrong(detail: str) -> RemoteProtocolError:
    return RemoteProtocolError(Refusal.WRONG_TERMS, detail)


def _check_leg(package: Package, leg: LegTerms) -> None:
    parse_asset(leg.amount.asset)
    match leg.kind:
        case Kind.P2WSH:
            _check_script(package, leg)
        case Kind.EVM:
            _check_entry(package, leg)
        case _:
            assert_never(leg.kind)
    if len(leg.pinned.block_hash) != 32 or not 0 <= leg.pinned.height < 2**31:
        raise _wrong("the pinned block is no block")


def _check_script(package: Package, leg: LegTerms) -> None:
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


def _check_entry(package: Package, leg: LegTerms) -> None:
    if not is_evm(leg.chain):
        detail = f"{leg.amount.asset[:80]} is on no chain with accounts"
        raise RemoteProtocolError(Refusal.UNSUPPORTED_ASSET, detail)
    try:
        terms = slot_terms_of(leg, package.hashlock)
        check_payee(leg.amount.asset, leg.claim_key)
    except DecodeError as error:
        raise _wrong(error.detail) from error
    if terms.locker == terms.receiver or not MIN_EXPIRY <= leg.expiry <= MAX_EXPIRY:
        raise _wrong("who locks can't be who claims, and it expires in our time")


def _check_act(package: Package) -> None:
    claim = package.act is Act.CLAIM
    if package.shows is not None:
        if not claim:
            raise _wrong("a refund needs no preimage: only its own leg is watched")
        if package.shows.leg.amount.asset == package.watched.leg.amount.asset:
            raise _wrong("both legs are one asset")
    if package.preimage and not (claim and opens(package, package.preimage)):
        raise _wrong("this is not the preimage of a claim's hashlock")


def _check_times(package: Package) -> None:
    expiry = package.watched.leg.expiry
    if not expiry <= package.keep_until <= expiry + MAX_KEPT_SECONDS:
        raise _wrong(f"to be kept until {package.keep_until}, the leg expires at {expiry}")
    if package.act is Act.CLAIM and package.yield_until:
        raise _wrong("a claim yields to nobody")


def _check_variants(package: Package, variants: tuple[Variant, ...]) -> None:
    fee, time = 0, 0
    for variant in variants:
        if variant.fee <= fee or variant.not_before < time:
            raise _wrong("variants must be dearer and dearer, none valid before the one before it")
        fee, time = variant.fee, variant.not_before
        if 0 < time < MIN_EXPIRY:
            raise _wrong(f"not_before {time} would be a height")
        if package.act is Act.REFUND and time < package.watched.leg.expiry:
            raise _wrong("a refund is void before the expiry of its leg")
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


def _check_relayed(package: Package) -> None:
    """A call of the contract: it pays whom the terms name, so that only its fees can be wrong."""
    act = relayed(package)
    if package.ways or package.destination != act.payee:
        raise _wrong("a contract pays the account of its terms, by no way but its own")
    if len(package.relayer) not in {0, ADDRESS_SIZE} or bool(package.fees) != bool(package.relayer):
        raise _wrong("a fee is for an account, and an account is named for a fee")
    _check_variants(package, package.fees)
    if package.max_fee >= package.watched.leg.amount.units:
        raise _wrong("a fee may not take all of the coins")
    for variant in package.fees:
        if not act.is_signed(variant.fee, variant.not_before, variant.signature):
            raise RemoteProtocolError(Refusal.BAD_SIGNATURE, "the payee did not sign this fee")
