"""Values that the market's tests share: keys by name, offers with any field changed."""

import hashlib
from typing import Any

from msgspec.structs import replace

from protocol.amounts import Price, Units
from protocol.assets import AssetId
from protocol.codec import encode
from protocol.gossip import Item, ItemKind, item_of
from protocol.identity import Certificate, sign_certificate
from protocol.lease import Heartbeat, PairState, sign_heartbeat
from protocol.offers import Cancel, Floor, Offer, Signed, SignWith, pair_id, sign_offer
from protocol.signing import PublicKey, Signature, Tag, public_key, sign
from protocol.terms import Exposure, Timing

NOW = 1_750_000_000
BTC = AssetId("bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:1")
LTC = AssetId("bip122:530827f38f93b43ed12af0b3ad25a288/slip44:1")
DOGE = AssetId("bip122:3d2160a3b5dc4a9d62e7e66a295f7031/slip44:1")
PAIR = pair_id(BTC, LTC)


def secret(name: str) -> bytes:
    return hashlib.sha256(b"swapd market test " + name.encode()).digest()


def key(name: str = "maker") -> PublicKey:
    return public_key(secret(name))


def signer(name: str = "maker") -> SignWith:
    def sign_with(tag: Tag, message: bytes) -> Signature:
        return sign(secret(name), tag, message, bytes(32))

    return sign_with


def signed(tag: Tag, value: object, name: str = "maker") -> Signed:
    payload = encode(value)
    return Signed(payload, signer(name)(tag, payload))


_OFFER = Offer(
    version=1,
    maker=key(),
    slot=7,
    sequence=3,
    number=11,
    sell=LTC,
    buy=BTC,
    price=Price(Units(1), Units(75)),
    minimum=Units(1_000_000),
    maximum=Units(500_000_000),
    created=NOW - 100,
    expires=NOW + 3600,
    kinds=("p2wsh",),
    timing=Timing.REGTEST,
    exposure=Exposure(30, 6),
    depth_sell=3,
    depth_buy=2,
    min_fee_rate=1000,
)


def offer(name: str = "maker", **changes: Any) -> Offer:
    return replace(_OFFER, maker=key(name), **changes)


def signed_offer(name: str = "maker", **changes: Any) -> Signed:
    return sign_offer(offer(name, **changes), signer(name))


def heartbeat(name: str = "maker", **changes: Any) -> Heartbeat:
    plain = Heartbeat(
        version=1, maker=key(name), epoch=1, counter=NOW * 1000, time=NOW, books=(state(),)
    )
    return replace(plain, **changes)


def state(pair: bytes = PAIR, number: int = 11, digest: bytes = bytes(32)) -> PairState:
    return PairState(pair, number, digest)


def signed_heartbeat(name: str = "maker", **changes: Any) -> Signed:
    return sign_heartbeat(heartbeat(name, **changes), signer(name))


def certificate(name: str = "maker", **changes: Any) -> Certificate:
    plain = Certificate(
        version=1,
        maker=key(name),
        peer_id="16Uiu2HAmPLe7Mzm8TsYUubgCAW1aJoeFScxrLj8ppHFivPo97bUZ",
        addresses=("/ip4/192.0.2.1/tcp/9735",),
        epoch=1,
        created=NOW,
        expires=NOW + 86_400,
    )
    return replace(plain, **changes)


def signed_certificate(name: str = "maker", **changes: Any) -> Signed:
    return sign_certificate(certificate(name, **changes), signer(name))


def cancel(name: str = "maker", **changes: Any) -> Cancel:
    plain = Cancel(1, key(name), 12, PAIR, bytes(32), 7, 3, NOW)
    return replace(plain, **changes)


def floor(name: str = "maker", **changes: Any) -> Floor:
    return replace(Floor(1, key(name), 20, 19, NOW), **changes)


def item(kind: ItemKind, signed_thing: Signed) -> Item:
    return item_of(kind, signed_thing)
