"""Offers and how they end: what a maker signs into the book, and its cancellations.

Owns: `Offer`, `Signed`, `Cancel`, `Floor`, their identities, limits and checks, `coarse` amounts.
Must not know: the book (book), liveness (lease), how messages travel (gossip), who stores them.

A maker's offers and cancellations form its *log*: each carries a `number` that only grows, over
all pairs together. An offer sits in a *slot*; of one slot only the highest `sequence` counts. What
was signed is never serialised again: the payload bytes travel beside their signature for ever.
"""

import hashlib
import re
from collections.abc import Callable

from msgspec import Struct

from protocol.amounts import MAX_UNITS, Price, Units
from protocol.assets import AssetId, parse_asset
from protocol.codec import decode, encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.limits import MAX_DEPTH
from protocol.signing import PublicKey, Signature, Tag, check_signed, tagged_hash
from protocol.terms import Exposure, Timing

OFFER_VERSION = 1
MAX_OFFER_SIZE = 1024
MAX_NOTICE_SIZE = 256
"""Bytes of a cancellation or floor."""

MAX_LIFE = 24 * 3600
"""Seconds from `created` to `expires`, at most: no tombstone has to be kept longer."""
MAX_AHEAD = 600
"""Seconds that a signed creation time may lie in our future (clock skew)."""

MAX_KINDS = 8
MAX_KIND_LENGTH = 32
MAX_SLOT = 2**32 - 1
MAX_COUNTER = 2**63 - 1
"""Of sequences and log numbers; unix milliseconds fit for a long time."""
MAX_FEE_RATE = 10**18
"""A vbyte or a unit of gas then costs 10^15 base units: no fee market comes near it."""
MAX_TIME = 2**33
PAIR_SIZE = 32

_KIND = re.compile(r"[a-z0-9][-a-z0-9]*")

SignWith = Callable[[Tag, bytes], Signature]
"""Signs the tagged hash of a message with the maker key."""


class Signed(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Signed bytes with their 64-byte signature; the payload is never re-serialised."""

    payload: bytes
    signature: Signature


class Offer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Sells `minimum` to `maximum` units of `sell` for `buy` at `price` (buy units per sell unit).

    `maximum` is what remains, in coarse steps. `created`, `expires`: unix seconds. `kinds`: the
    HTLC kinds the maker accepts, names unknown to us included. `timing`, `exposure`: what the
    maker's expiries are computed from. `depth_sell`, `depth_buy`: least confirmations on the chain
    of each asset. `min_fee_rate`: of the taker's lock, in base units of what fees on the chain of
    `buy` are paid in, per 1000 units of size (vbytes, gas).
    """

    version: int
    maker: PublicKey
    slot: int
    sequence: int
    number: int
    sell: AssetId
    buy: AssetId
    price: Price
    minimum: Units
    maximum: Units
    created: int
    expires: int
    kinds: tuple[str, ...]
    timing: Timing
    exposure: Exposure
    depth_sell: int
    depth_buy: int
    min_fee_rate: int


class Cancel(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Ends the offer `offer_id` and every offer of the same slot up to `sequence`, so that an
    older offer of the slot does not rise again. `pair` is `pair_id` of its assets, `time` unix
    seconds."""

    version: int
    maker: PublicKey
    number: int
    pair: bytes
    offer_id: bytes
    slot: int
    sequence: int
    time: int


class Floor(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Ends every offer of the maker, of any pair, whose number is at most `floor`; `floor` is
    below the floor's own `number`. `time` unix seconds."""

    version: int
    maker: PublicKey
    number: int
    floor: int
    time: int


# --- Identities -------------------------------------------------------------------------------


def offer_id(signed: Signed) -> bytes:
    """32 bytes naming an offer: the tagged hash of its payload, whatever the signature."""
    return tagged_hash(Tag.OFFER, signed.payload)


def pair_id(asset_a: AssetId, asset_b: AssetId) -> bytes:
    """32 bytes naming two assets in either order."""
    first, second = sorted((asset_a, asset_b))
    return hashlib.sha256(f"swapd/pair/1\n{first}\n{second}".encode()).digest()


def coarse(units: int) -> Units:
    """What a maker publishes of `units` that remain: rounded down to two significant binary
    digits (1, 2, 3, 4, 6, 8, 12, 16, ...): at least two thirds of the exact value, and a fill's
    own amount can't be read from the step (safety rule 20). Zero stays zero."""
    shift = max(0, units.bit_length() - 2)
    return Units(units >> shift << shift)


# --- Checks -----------------------------------------------------------------------------------


def refuse_unless(condition: bool, refusal: Refusal, detail: str) -> None:  # noqa: FBT001 - reads as the rule
    """Raises RemoteProtocolError(refusal, detail) when the condition does not hold."""
    if not condition:
        raise RemoteProtocolError(refusal, detail)


def check_version(version: int, known: int, what: str) -> None:
    """Raises RemoteProtocolError (unknown_version)."""
    if version != known:
        detail = f"{what} of version {version}; we speak {known}"
        raise RemoteProtocolError(Refusal.UNKNOWN_VERSION, detail)


def check_range(value: int, least: int, most: int, what: str) -> None:
    """Raises RemoteProtocolError (malformed) outside `least`..`most`."""
    if not least <= value <= most:
        detail = f"{what} {value} is outside {least} to {most}"
        raise RemoteProtocolError(Refusal.MALFORMED, detail)


def check_size(data: bytes, size: int, what: str) -> None:
    """Raises RemoteProtocolError (malformed) unless `data` has exactly `size` bytes."""
    if len(data) != size:
        detail = f"{what} has {len(data)} bytes, not {size}"
        raise RemoteProtocolError(Refusal.MALFORMED, detail)


def _check_kinds(kinds: tuple[str, ...]) -> None:
    good = (
        1 <= len(kinds) <= MAX_KINDS
        and len(set(kinds)) == len(kinds)
        and all(len(kind) <= MAX_KIND_LENGTH and _KIND.fullmatch(kind) for kind in kinds)
    )
    refuse_unless(good, Refusal.MALFORMED, f"kinds must be 1 to {MAX_KINDS} different names")


def _check_amounts(offer: Offer) -> None:
    if not 1 <= offer.minimum <= offer.maximum:
        detail = f"sells {offer.minimum} to {offer.maximum} units"
        raise RemoteProtocolError(Refusal.AMOUNT_OUT_OF_RANGE, detail)
    numerator, denominator = int(offer.price.numerator), int(offer.price.denominator)
    refuse_unless(
        offer.minimum * numerator >= denominator,
        Refusal.AMOUNT_OUT_OF_RANGE,
        "its minimum is worth less than one unit of the bought asset",
    )
    refuse_unless(
        -(-offer.maximum * numerator // denominator) <= MAX_UNITS,
        Refusal.AMOUNT_OUT_OF_RANGE,
        "its maximum costs more than can exist",
    )


def check_times(created: int, expires: int, now: int) -> None:
    """Raises RemoteProtocolError (malformed, clock_skew, offer_expired)."""
    check_range(created, 1, MAX_TIME, "created")
    check_range(expires - created, 1, MAX_LIFE, "the life in seconds")
    if created > now + MAX_AHEAD:
        ahead = f"created {created - now} s in our future, at most {MAX_AHEAD} are allowed"
        raise RemoteProtocolError(Refusal.CLOCK_SKEW, ahead)
    if now >= expires:
        raise RemoteProtocolError(Refusal.OFFER_EXPIRED, f"expired {now - expires} s ago")


def check_offer(offer: Offer, *, now: int) -> None:
    """Every rule of an offer but its signature. Raises RemoteProtocolError."""
    check_version(offer.version, OFFER_VERSION, "an offer")
    check_size(offer.maker, 32, "the maker key")
    check_range(offer.slot, 0, MAX_SLOT, "slot")
    check_range(offer.sequence, 1, MAX_COUNTER, "sequence")
    check_range(offer.number, 1, MAX_COUNTER, "number")
    parse_asset(offer.sell)
    parse_asset(offer.buy)
    refuse_unless(offer.sell != offer.buy, Refusal.MALFORMED, "sells an asset for itself")
    _check_amounts(offer)
    check_times(offer.created, offer.expires, now)
    _check_kinds(offer.kinds)
    check_range(offer.depth_sell, 1, MAX_DEPTH, "depth_sell")
    check_range(offer.depth_buy, 1, MAX_DEPTH, "depth_buy")
    check_range(offer.min_fee_rate, 0, MAX_FEE_RATE, "min_fee_rate")


def read_offer(payload: bytes, *, now: int) -> Offer:
    """The offer in `payload`, all but its signature checked. Raises RemoteProtocolError."""
    offer = decode(Offer, payload, max_size=MAX_OFFER_SIZE)
    check_offer(offer, now=now)
    return offer


def open_offer(signed: Signed, *, now: int) -> Offer:
    """The offer in `signed`, fully checked; `now` in unix seconds.

    Raises RemoteProtocolError with malformed, too_large, unknown_version, amount_out_of_range,
    clock_skew, offer_expired or bad_signature.
    """
    offer = read_offer(signed.payload, now=now)
    check_signed(offer.maker, Tag.OFFER, signed.payload, signed.signature)
    return offer


def sign_offer(offer: Offer, sign: SignWith) -> Signed:
    """The offer with its maker's signature."""
    payload = encode(offer)
    return Signed(payload, sign(Tag.OFFER, payload))


def _check_notice(version: int, maker: bytes, number: int, time: int, now: int) -> None:
    check_version(version, OFFER_VERSION, "a cancellation")
    check_size(maker, 32, "the maker key")
    check_range(number, 1, MAX_COUNTER, "number")
    check_range(time, 1, MAX_TIME, "time")
    refuse_unless(time <= now + MAX_AHEAD, Refusal.CLOCK_SKEW, "cancels in our future")
    # Whatever it ended has expired by itself.
    refuse_unless(now < time + MAX_LIFE, Refusal.OFFER_EXPIRED, "a cancellation too old to matter")


def read_cancel(payload: bytes, *, now: int) -> Cancel:
    """The cancellation in `payload`, all but its signature checked. Raises RemoteProtocolError."""
    cancel = decode(Cancel, payload, max_size=MAX_NOTICE_SIZE)
    _check_notice(cancel.version, cancel.maker, cancel.number, cancel.time, now)
    check_size(cancel.pair, PAIR_SIZE, "the pair")
    check_size(cancel.offer_id, 32, "the offer id")
    check_range(cancel.slot, 0, MAX_SLOT, "slot")
    check_range(cancel.sequence, 1, MAX_COUNTER, "sequence")
    return cancel


def open_cancel(signed: Signed, *, now: int) -> Cancel:
    """The cancellation in `signed`, fully checked. Raises RemoteProtocolError."""
    cancel = read_cancel(signed.payload, now=now)
    check_signed(cancel.maker, Tag.CANCEL, signed.payload, signed.signature)
    return cancel


def read_floor(payload: bytes, *, now: int) -> Floor:
    """The floor in `payload`, all but its signature checked. Raises RemoteProtocolError."""
    floor = decode(Floor, payload, max_size=MAX_NOTICE_SIZE)
    _check_notice(floor.version, floor.maker, floor.number, floor.time, now)
    check_range(floor.floor, 0, floor.number - 1, "the floor")
    return floor


def open_floor(signed: Signed, *, now: int) -> Floor:
    """The floor in `signed`, fully checked. Raises RemoteProtocolError."""
    floor = read_floor(signed.payload, now=now)
    check_signed(floor.maker, Tag.FLOOR, signed.payload, signed.signature)
    return floor
