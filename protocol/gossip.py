"""What travels on a pair's gossip topic, and the check that decides whether it travels on.

Owns: `Item`, topics, packing items into messages, `validate_message`.
Must not know: gossipsub, sockets, the book; what was said before (the check has no memory).

A message is the canonical array of 1 to 64 items; each item is a signed payload of one kind. All
items belong to the topic's pair, or say whether a maker is there. One bad item spoils a message:
whoever passes on what he did not check is at fault too.
"""

import enum
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from protocol.assets import AssetId
from protocol.codec import decode, encode
from protocol.errors import Refusal
from protocol.identity import read_certificate, read_retire
from protocol.lease import read_equivocation, read_heartbeat
from protocol.offers import (
    Signed,
    pair_id,
    read_cancel,
    read_floor,
    read_offer,
    refuse_unless,
)
from protocol.signing import PublicKey, Signature, Tag, check_signed

TOPIC_PREFIX = "swapd/1/"
TOPIC_DIGITS = 32
"""Hexadecimal digits of the pair id in a topic."""
MAX_ITEMS = 64
MAX_GOSSIP_SIZE = 64 * 1024
PACK_BUDGET = 60 * 1024
ITEM_OVERHEAD = 20


class ItemKind(enum.StrEnum):
    """Kinds of items, by wire name. A new kind needs a new topic version: nobody passes on what
    he can't check."""

    OFFER = "offer"
    CANCEL = "cancel"
    FLOOR = "floor"
    HEARTBEAT = "heartbeat"
    CERTIFICATE = "certificate"
    RETIRE = "retire"
    EQUIVOCATION = "equivocation"


class Item(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One signed payload. An equivocation is made of signed things: its signature is empty."""

    kind: ItemKind
    payload: bytes
    signature: bytes

    @property
    def signed(self) -> Signed:
        """Payload and signature as the modules that open them take it."""
        return Signed(self.payload, Signature(self.signature))


def item_of(kind: ItemKind, signed: Signed) -> Item:
    """A signed payload as an item."""
    return Item(kind, signed.payload, signed.signature)


def pair_topic(asset_a: AssetId, asset_b: AssetId) -> str:
    """The topic of two assets, the same in either order."""
    return topic_of(pair_id(asset_a, asset_b))


def topic_of(pair: bytes) -> str:
    """The topic of a pair id."""
    return TOPIC_PREFIX + pair.hex()[:TOPIC_DIGITS]


# --- Packing ----------------------------------------------------------------------------------


def encode_items(items: Iterable[Item]) -> bytes:
    """The message of these items; `pack` keeps within the limits."""
    return encode(tuple(items))


def pack(about: tuple[Item, ...], items: Iterable[Item]) -> Iterator[bytes]:
    """Messages of `items`, each beginning with `about` (the maker's heartbeat and certificate),
    each within `MAX_ITEMS` and `MAX_GOSSIP_SIZE`. At least one message."""
    start = sum(_size(item) for item in about)
    batch, room = list(about), PACK_BUDGET - start
    for item in items:
        if len(batch) >= MAX_ITEMS or _size(item) > room:
            yield encode_items(batch)
            batch, room = list(about), PACK_BUDGET - start
        batch.append(item)
        room -= _size(item)
    yield encode_items(batch)


def _size(item: Item) -> int:
    return len(item.payload) + len(item.signature) + ITEM_OVERHEAD


def decode_items(data: bytes) -> tuple[Item, ...]:
    """The items of a message, still to be checked. Raises RemoteProtocolError."""
    items = decode(tuple[Item, ...], data, max_size=MAX_GOSSIP_SIZE)
    good = 1 <= len(items) <= MAX_ITEMS
    refuse_unless(good, Refusal.MALFORMED, f"{len(items)} items, 1 to {MAX_ITEMS} are allowed")
    return items


# --- Checking ---------------------------------------------------------------------------------

_Claim = tuple[PublicKey, Tag, Signed]
"""Who is said to have signed what under which tag."""


def _refuse_other_pair(ours: bool) -> None:  # noqa: FBT001 - reads as the rule
    refuse_unless(ours, Refusal.MALFORMED, "an item of another pair")


def _offer(item: Item, topic: str, now: int) -> Iterator[_Claim]:
    offer = read_offer(item.payload, now=now)
    _refuse_other_pair(pair_topic(offer.sell, offer.buy) == topic)
    yield offer.maker, Tag.OFFER, item.signed


def _cancel(item: Item, topic: str, now: int) -> Iterator[_Claim]:
    cancel = read_cancel(item.payload, now=now)
    _refuse_other_pair(topic_of(cancel.pair) == topic)
    yield cancel.maker, Tag.CANCEL, item.signed


def _floor(item: Item, _topic: str, now: int) -> Iterator[_Claim]:
    yield read_floor(item.payload, now=now).maker, Tag.FLOOR, item.signed


def _heartbeat(item: Item, topic: str, now: int) -> Iterator[_Claim]:
    heartbeat = read_heartbeat(item.payload, now=now)
    _refuse_other_pair(any(topic_of(state.pair) == topic for state in heartbeat.books))
    yield heartbeat.maker, Tag.HEARTBEAT, item.signed


def _certificate(item: Item, _topic: str, now: int) -> Iterator[_Claim]:
    yield read_certificate(item.payload, now=now).maker, Tag.CERTIFICATE, item.signed


def _retire(item: Item, _topic: str, _now: int) -> Iterator[_Claim]:
    yield read_retire(item.payload).maker, Tag.RETIRE, item.signed


def _equivocation(item: Item, _topic: str, now: int) -> Iterator[_Claim]:
    refuse_unless(not item.signature, Refusal.MALFORMED, "a proof carries no signature of its own")
    proof, heartbeat, _ = read_equivocation(item.payload, now=now)
    yield heartbeat.maker, Tag.HEARTBEAT, proof.first
    yield heartbeat.maker, Tag.HEARTBEAT, proof.second


_READERS: dict[ItemKind, Callable[[Item, str, int], Iterator[_Claim]]] = {
    ItemKind.OFFER: _offer,
    ItemKind.CANCEL: _cancel,
    ItemKind.FLOOR: _floor,
    ItemKind.HEARTBEAT: _heartbeat,
    ItemKind.CERTIFICATE: _certificate,
    ItemKind.RETIRE: _retire,
    ItemKind.EQUIVOCATION: _equivocation,
}


def check_message(topic: str, data: bytes, now: int) -> tuple[Item, ...]:
    """The items of a message on `topic`, fully checked, cheap checks of all before the first
    signature. `now` is unix seconds. Raises RemoteProtocolError."""
    known = topic.startswith(TOPIC_PREFIX) and len(topic) == len(TOPIC_PREFIX) + TOPIC_DIGITS
    refuse_unless(known, Refusal.MALFORMED, "not one of our topics")
    items = decode_items(data)
    claims = [claim for item in items for claim in _READERS[item.kind](item, topic, now)]
    for maker, tag, signed in claims:
        check_signed(maker, tag, signed.payload, signed.signature)
    return items


def validate_message(topic: str, data: bytes, now: int) -> bool:
    """True when a message may be delivered and passed on. Synchronous, without memory, never
    raises: in the network process an exception here would be a remote kill."""
    try:
        check_message(topic, data, now)
    except Exception:  # noqa: BLE001 - whatever a hostile message found in us, it must not travel
        return False
    return True
