"""The messages of "/swapd/take/1", from a take to the maker's signature.

Owns: their shapes, sizes, hashes and signatures.
Must not know: which message is legal when (maker, taker), what good terms are (checks).

    taker -> maker   take      what I want, signed by a key made for this take
    maker -> taker   reserve   I hold it for you for 60 s; here are my keys and proof of funds
    taker -> maker   propose   the terms, with the hashlock, signed
    maker -> taker   accept    my signature over the same terms
    either           refuse    by name, and the end of it

Signed content travels as bytes beside its signature and is never serialised again. A swap is named
by the hash of its take: offer, key, nonce and all; every later message repeats that name.
"""

from typing import Annotated, Final, TypeAlias, cast

from msgspec import Meta, Struct

from protocol.amounts import Units
from protocol.codec import decode, encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.evm.address import ADDRESS_SIZE
from protocol.kinds import PUBLIC_KEY_SIZE
from protocol.limits import MAX_DEPTH, MAX_DETAIL_CHARS, MAX_NEGOTIATION_BYTES
from protocol.offers import MAX_FEE_RATE, MAX_KIND_LENGTH
from protocol.proof import FundsProof
from protocol.signing import PublicKey, Signature, Tag, check_signed, tagged_hash
from protocol.terms import TERMS_VERSION, Exposure, Pace, PinnedBlock, Terms, Timing

PROTOCOL_ID: Final = "/swapd/take/1"
TAKE_VERSION: Final = 1

Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Party = Annotated[bytes, Meta(min_length=ADDRESS_SIZE, max_length=PUBLIC_KEY_SIZE)]
"""Who claims or takes back a leg, in the form of its kind."""
SignatureBytes = Annotated[Signature, Meta(min_length=64, max_length=64)]
Depth = Annotated[int, Meta(ge=1, le=MAX_DEPTH)]
Seconds = Annotated[int, Meta(ge=0, le=2**40)]
KindName = Annotated[str, Meta(min_length=1, max_length=MAX_KIND_LENGTH)]
"""As a name, so that an unknown kind is refused by name rather than as malformed."""
FeeRate = Annotated[int, Meta(ge=0, le=MAX_FEE_RATE)]
Payload = Annotated[bytes, Meta(min_length=1, max_length=MAX_NEGOTIATION_BYTES)]


# --- What is signed ---------------------------------------------------------------------------


class Take(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Wants `units` of the offer's sold asset. `taker` is a key made for this take; `exposure`,
    `depth_*` and `pace_*` are what the taker insists on; `pinned_*` its view of both chains (I is
    the chain of its own coins); `created` unix seconds."""

    version: int
    offer_id: Bytes32
    taker: Annotated[PublicKey, Meta(min_length=32, max_length=32)]
    nonce: Bytes32
    units: Units
    kind_i: KindName
    kind_p: KindName
    timing: Timing
    exposure: Exposure
    depth_i: Depth
    depth_p: Depth
    pace_i: Pace | None
    pace_p: Pace | None
    pinned_i: PinnedBlock
    pinned_p: PinnedBlock
    created: Seconds


class Reserve(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Holds the coins until `valid_until` (unix seconds). `claim_key_i` and `refund_key_p` name the
    maker in both legs; `pace_*` are the slower of both parties'; `min_fee_rate_i` base units per
    1000 units of size; `proof` is bound to this take."""

    swap_id: Bytes32
    exposure: Exposure
    depth_i: Depth
    depth_p: Depth
    pace_i: Pace | None
    pace_p: Pace | None
    claim_key_i: Party
    refund_key_p: Party
    pinned_i: PinnedBlock
    pinned_p: PinnedBlock
    min_fee_rate_i: FeeRate
    proof: FundsProof
    valid_until: Seconds


# --- What travels -----------------------------------------------------------------------------


class SignedTake(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="take"):
    """`payload` is an encoded Take, signed by its `taker` key."""

    payload: Payload
    signature: SignatureBytes


class SignedReserve(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="reserve"
):
    """`payload` is an encoded Reserve, signed by the maker key of the offer."""

    payload: Payload
    signature: SignatureBytes


class Propose(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="propose"):
    """`payload` is the encoded Terms, signed by the taker key."""

    payload: Payload
    signature: SignatureBytes


class Accept(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="accept"):
    """`terms_hash` names the terms; `signature` is the maker's over them."""

    swap_id: Bytes32
    terms_hash: Bytes32
    signature: SignatureBytes


class Refuse(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="refuse"):
    """No, and why. `swap_id` is empty when the take could not be read."""

    swap_id: Annotated[bytes, Meta(max_length=32)]
    refusal: Refusal
    detail: Annotated[str, Meta(max_length=MAX_DETAIL_CHARS)]


Message: TypeAlias = SignedTake | SignedReserve | Propose | Accept | Refuse


# --- Reading and writing ----------------------------------------------------------------------


def read(data: bytes) -> Message:
    """The message in `data`; nothing but its shape is checked. Raises DecodeError."""
    # A union is not a `type` to mypy; msgspec takes it.
    return cast(
        "Message", decode(cast("type[object]", Message), data, max_size=MAX_NEGOTIATION_BYTES)
    )


def _version_of(payload: bytes) -> int | None:
    """The first element of an encoded array, where versions are; None if it is no small number.

    Read from the bytes, because a later version may have other fields: msgpack's fixarray or
    array 16, then a positive fixint.
    """
    at = 1 if payload[0] & 0xF0 == 0x90 else 3
    first = payload[at : at + 1]
    is_array = at == 1 or payload[0] == 0xDC
    return first[0] if is_array and first and first[0] < 0x80 else None


def _check_version(payload: bytes, known: int, what: str) -> None:
    version = _version_of(payload)
    if version is not None and version != known:
        detail = f"{what} of version {version}; we speak {known}"
        raise RemoteProtocolError(Refusal.UNKNOWN_VERSION, detail)


def open_take(message: SignedTake) -> Take:
    """The take, its signature checked. Raises RemoteProtocolError: unknown_version, malformed,
    bad_signature."""
    _check_version(message.payload, TAKE_VERSION, "a take")
    take = decode(Take, message.payload, max_size=MAX_NEGOTIATION_BYTES)
    check_signed(take.taker, Tag.TAKE, message.payload, message.signature)
    return take


def open_reserve(message: SignedReserve, maker: PublicKey) -> Reserve:
    """The reserve answer, signed by `maker`. Raises RemoteProtocolError."""
    check_signed(maker, Tag.RESERVE, message.payload, message.signature)
    return decode(Reserve, message.payload, max_size=MAX_NEGOTIATION_BYTES)


def open_propose(message: Propose, taker: PublicKey) -> Terms:
    """The terms, signed by `taker`; whether they are good is for checks. Raises
    RemoteProtocolError."""
    _check_version(message.payload, TERMS_VERSION, "terms")
    check_signed(taker, Tag.TERMS, message.payload, message.signature)
    return decode(Terms, message.payload, max_size=MAX_NEGOTIATION_BYTES)


def swap_id_of(take_payload: bytes) -> bytes:
    """32 bytes naming the swap that this take begins."""
    return tagged_hash(Tag.TAKE, take_payload)


def readable(text: str) -> str:
    """Text of a stranger, fit for a terminal and a log line: printable, one line, short."""
    return "".join(char if char.isprintable() else "?" for char in text[:MAX_DETAIL_CHARS])


def refuse(swap_id: bytes, error: RemoteProtocolError) -> bytes:
    """The bytes of the refusal that `error` asks for; `swap_id` may be empty."""
    return encode(Refuse(swap_id, error.refusal, readable(error.detail)))


def unexpected(message: Message, awaited: str) -> RemoteProtocolError:
    """A message that is legal, but not now."""
    name = message.__struct_config__.tag
    return RemoteProtocolError(Refusal.UNEXPECTED_MESSAGE, f"a {name!r}; awaited was {awaited}")
