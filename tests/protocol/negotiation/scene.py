"""A maker who sells litecoin for bitcoin on regtest, a taker, and every message between them.

Owns: honest values, made once; tests replace one of them at a time.
"""

import hashlib

import coincurve
import msgspec

from protocol.amounts import Price, Units
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.codec import encode
from protocol.negotiation import maker, taker
from protocol.negotiation.checks import Side
from protocol.negotiation.messages import Propose, Reserve, SignedReserve, SignedTake, Take
from protocol.negotiation.terms import TakerPart
from protocol.offers import OFFER_VERSION, Offer
from protocol.proof import FundsProof
from protocol.signing import Signature, Tag, public_key, sign, tagged_hash
from protocol.terms import Exposure, PinnedBlock, Terms, Timing

NOW = 1_750_000_000
BTC, LTC = BITCOIN_REGTEST.asset_id, LITECOIN_REGTEST.asset_id
UNITS = 400_000_000
"""Litoshi wanted; at 1/80 they cost 5,000,000 satoshi."""

MAKER_SECRET = hashlib.sha256(b"maker").digest()
TAKER_SECRET = hashlib.sha256(b"taker").digest()
STRANGER_SECRET = hashlib.sha256(b"stranger").digest()
HASHLOCK = hashlib.sha256(hashlib.sha256(b"preimage").digest()).digest()
PINNED_I = PinnedBlock(120, hashlib.sha256(b"btc block").digest())
PINNED_P = PinnedBlock(340, hashlib.sha256(b"ltc block").digest())


def point(name: str) -> bytes:
    """A 33-byte key of nobody in particular."""
    return coincurve.PrivateKey(hashlib.sha256(name.encode()).digest()).public_key.format()


OFFER = Offer(
    version=OFFER_VERSION,
    maker=public_key(MAKER_SECRET),
    slot=0,
    sequence=1,
    number=1,
    sell=LTC,
    buy=BTC,
    price=Price(Units(1), Units(80)),
    minimum=Units(200_000_000),
    maximum=Units(1_000_000_000),
    created=NOW - 60,
    expires=NOW + 3600,
    kinds=("p2wsh",),
    timing=Timing.REGTEST,
    exposure=Exposure(30, 6),
    depth_sell=3,
    depth_buy=2,
    min_fee_rate=1_000,
)
OFFER_ID = tagged_hash(Tag.OFFER, encode(OFFER))
SIDE = Side(
    timing=Timing.REGTEST,
    exposure=Exposure(30, 6),
    pinned_i=PINNED_I,
    pinned_p=PINNED_P,
    stress_fee_rate_i=100_000,
    stress_fee_rate_p=100_000,
)
PROOF = FundsProof(b"\x02proof", ("ab" * 32 + ":0",))


def signed(secret: bytes, tag: Tag, payload: bytes) -> Signature:
    """A signature over encoded bytes."""
    return sign(secret, tag, payload, bytes(32))


def take_message(take: Take, secret: bytes = TAKER_SECRET) -> bytes:
    """An envelope around any take, good or bad."""
    payload = encode(take)
    return encode(SignedTake(payload, signed(secret, Tag.TAKE, payload)))


def reserve_message(reserve: Reserve, secret: bytes = MAKER_SECRET) -> bytes:
    payload = encode(reserve)
    return encode(SignedReserve(payload, signed(secret, Tag.RESERVE, payload)))


def propose_message(terms: Terms, secret: bytes = TAKER_SECRET) -> bytes:
    payload = encode(terms)
    return encode(Propose(payload, signed(secret, Tag.TERMS, payload)))


DRAFT = taker.ask(
    OFFER,
    OFFER_ID,
    UNITS,
    side=SIDE,
    taker=public_key(TAKER_SECRET),
    nonce=bytes(range(32)),
    now=NOW,
)
ASKING, TAKE_BYTES = taker.asking(DRAFT, signed(TAKER_SECRET, Tag.TAKE, encode(DRAFT.take)))
SWAP_ID = ASKING.swap_id

LISTENING = maker.Listening()
ASKED = maker.Asked(DRAFT.take, SWAP_ID)


def grant(asked: maker.Asked = ASKED, **changes: object) -> maker.Granted:
    """The maker's look at a take; `changes` to offer, offer_id, remaining, side or now."""
    arguments: dict[str, object] = {
        "offer": OFFER,
        "offer_id": OFFER_ID,
        "remaining": OFFER.maximum,
        "side": SIDE,
        "now": NOW,
    }
    return maker.grant(asked, **(arguments | changes))  # type: ignore[arg-type] # one dict for all


GRANTED = grant()
RESERVE = maker.draft_reserve(
    GRANTED,
    claim_key_i=point("maker claims i"),
    refund_key_p=point("maker refunds p"),
    proof=PROOF,
    now=NOW,
)
RESERVED, RESERVE_BYTES = maker.reserve(
    GRANTED, RESERVE, signed(MAKER_SECRET, Tag.RESERVE, encode(RESERVE))
)

OFFERED = taker.Offered(ASKING, RESERVE)
PART = TakerPart(
    claim_key_p=point("taker claims p"),
    refund_key_i=point("taker refunds i"),
    hashlock=HASHLOCK,
    t0=NOW,
)
TERMS = taker.draft_terms(OFFERED, PART)
PROPOSING, PROPOSE_BYTES = taker.propose(
    TERMS, signed(TAKER_SECRET, Tag.TERMS, encode(TERMS)), now=NOW
)
PROPOSED = maker.Proposed(TERMS, PROPOSING.taker_signature, RESERVE.valid_until)
ACCEPTED, ACCEPT_BYTES = maker.accept(PROPOSED, signed(MAKER_SECRET, Tag.TERMS, encode(TERMS)))
AGREED = taker.Agreed(TERMS, ACCEPTED.maker_signature, PROPOSING.taker_signature)

replace = msgspec.structs.replace
