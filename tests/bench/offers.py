"""From the bytes of an offer to its place in the book, beside the bare check of its signature."""

import os
import time

import coincurve

from protocol.amounts import Price, Units
from protocol.bitcoin.params import params_for
from protocol.book import Book
from protocol.offers import OFFER_VERSION, Offer, Signed, open_offer, sign_offer
from protocol.signing import Signature, Tag, public_key, sign, tagged_hash
from protocol.terms import Exposure, Kind, Timing
from tests.bench.report import Row, milliseconds

COUNT = 2_000
MAKERS = 20
NOW = 1_790_000_000


def _offers() -> list[Signed]:
    btc, ltc = params_for("bitcoin", "regtest"), params_for("litecoin", "regtest")
    secrets = [os.urandom(32) for _ in range(MAKERS)]
    made = []
    for number in range(COUNT):
        secret = secrets[number % MAKERS]

        def signer(tag: Tag, message: bytes, secret: bytes = secret) -> Signature:
            return sign(secret, tag, message, bytes(32))

        offer = Offer(
            version=OFFER_VERSION,
            maker=public_key(secret),
            slot=number // MAKERS,
            sequence=1,
            number=number // MAKERS + 1,
            sell=ltc.asset_id,
            buy=btc.asset_id,
            price=Price.of(100 + number, 10_001),
            minimum=Units(1_000_000),
            maximum=Units(100_000_000),
            created=NOW,
            expires=NOW + 3600,
            kinds=(Kind.P2WSH.value,),
            timing=Timing.REGTEST,
            exposure=Exposure(30, 6),
            depth_sell=3,
            depth_buy=2,
            min_fee_rate=1000,
        )
        made.append(sign_offer(offer, signer))
    return made


def measure() -> list[Row]:
    """Both sides over the same offers, in turn."""
    made = _offers()
    book = Book()
    placed = 0
    began = time.perf_counter()
    for signed in made:
        offer = open_offer(signed, now=NOW)
        book.admit(offer.maker)
        book.put(offer, signed, now=NOW)
        placed += 1
    ours = (time.perf_counter() - began) / placed
    pairs = [(open_offer(s, now=NOW).maker, s) for s in made]
    began = time.perf_counter()
    for maker, signed in pairs:
        digest = tagged_hash(Tag.OFFER, signed.payload)
        coincurve.PublicKeyXOnly(maker).verify(signed.signature, digest)
    bare = (time.perf_counter() - began) / len(pairs)
    return [
        Row(
            "offer bytes to its place in the book",
            milliseconds(ours),
            f"{milliseconds(bare)} bare signature check",
            "",
            f"{ours / bare:.1f} times the bare check; {1 / ours:,.0f} offers/s on one core",
        )
    ]
