"""Targets: what travels between daemons, as far as it is decoded without a signature.

Owns: samples and calls for the codec, offers, gossip, leases, the book sync and the take protocol.
Must not know: how inputs are made. After each decoding the value must encode to the same bytes.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

from protocol import gossip, identity, lease, offers, reconcile
from protocol.codec import decode, encode
from protocol.errors import DecodeError, Refusal, RemoteProtocolError
from protocol.gossip import Item, ItemKind
from protocol.lease import equivocation
from protocol.negotiation import messages
from protocol.negotiation.messages import Refuse
from protocol.offers import Signed
from protocol.proof import FundsProof
from protocol.reconcile import BookAnswer, BookRequest, head_of
from protocol.signing import Signature, Tag
from protocol.terms import Terms
from tests.fuzz.shapes import Form
from tests.fuzz.target import Opened, Target
from tests.protocol.market import samples as market
from tests.protocol.negotiation import scene

NOW = market.NOW
TOPIC = gossip.topic_of(market.PAIR)
_LARGEST = 16 * 1024 * 1024

Reader = Callable[[bytes], object]


def typed(kind: Any, samples: Sequence[object]) -> Callable[[ExitStack], Opened]:
    """The codec on one wire type: what it takes it gives back."""

    def call(data: bytes) -> None:
        value = decode(kind, data, max_size=_LARGEST)
        assert encode(value) == data, "another spelling was taken"

    return lambda _: Opened([encode(sample) for sample in samples], call)


def reader(read: Reader, samples: Sequence[bytes]) -> Callable[[ExitStack], Opened]:
    """A reader that checks contents too. What it takes encodes to what it was given."""

    def call(data: bytes) -> None:
        value = read(data)
        assert encode(value) == data, "another spelling was taken"

    return lambda _: Opened(samples, call)


def heartbeats() -> tuple[Signed, Signed]:
    """Two of one maker under one counter."""
    return market.signed_heartbeat(), market.signed_heartbeat(epoch=2)


def gossip_items() -> tuple[Item, ...]:
    """One item of each kind, all of them good."""
    retire = identity.Retire(1, market.key("leaver"), NOW)
    proof = encode(equivocation(*heartbeats()))
    return (
        market.item(ItemKind.HEARTBEAT, market.signed_heartbeat()),
        market.item(ItemKind.CERTIFICATE, market.signed_certificate()),
        market.item(ItemKind.OFFER, market.signed_offer()),
        market.item(ItemKind.OFFER, market.signed_offer(slot=8, sequence=1, number=13)),
        market.item(ItemKind.CANCEL, market.signed(Tag.CANCEL, market.cancel())),
        market.item(ItemKind.FLOOR, market.signed(Tag.FLOOR, market.floor())),
        market.item(ItemKind.RETIRE, market.signed(Tag.RETIRE, retire, "leaver")),
        Item(ItemKind.EQUIVOCATION, proof, b""),
    )


def gossip_messages() -> list[bytes]:
    """Each item alone, and all together."""
    items = gossip_items()
    return [gossip.encode_items([item]) for item in items] + [gossip.encode_items(items)]


def _requests() -> list[bytes]:
    heads = tuple(head_of(market.key(name), bytes([n]) * 32) for n, name in enumerate("abc"))
    return [
        encode(BookRequest(1, market.PAIR, b"", (), b"")),
        encode(BookRequest(1, market.PAIR, market.key(), heads, bytes(64))),
    ]


def _answers() -> list[bytes]:
    items = gossip_items()
    return [encode(BookAnswer(1, items, b"")), encode(BookAnswer(1, items[:3], b"\x01" * 64))]


def _messages() -> list[bytes]:
    refused = encode(Refuse(scene.SWAP_ID, Refusal.BUSY, "later"))
    return [scene.TAKE_BYTES, scene.RESERVE_BYTES, scene.PROPOSE_BYTES, scene.ACCEPT_BYTES, refused]


def _equivocation(data: bytes) -> object:
    return lease.read_equivocation(data, now=NOW)[0]


def _validator(_: ExitStack) -> Opened:
    """What the network process asks for each message: never an exception, and no memory."""

    def call(data: bytes) -> None:
        if not gossip.validate_message(TOPIC, data, NOW):
            raise DecodeError("refused")
        assert encode(gossip.decode_items(data)) == data

    return Opened(gossip_messages(), call)


def _opened(_: ExitStack) -> Opened:
    """Signed things with their signatures, by every function that opens one."""
    openers: tuple[Callable[[Signed], object], ...] = (
        lambda signed: offers.open_offer(signed, now=NOW),
        lambda signed: offers.open_cancel(signed, now=NOW),
        lambda signed: offers.open_floor(signed, now=NOW),
        lambda signed: lease.open_heartbeat(signed, now=NOW),
        lambda signed: identity.open_certificate(signed, now=NOW),
        identity.open_retire,
    )
    kinds = (ItemKind.OFFER, ItemKind.CANCEL, ItemKind.FLOOR, ItemKind.HEARTBEAT,
             ItemKind.CERTIFICATE, ItemKind.RETIRE)  # fmt: skip
    by_kind = {item.kind: item for item in gossip_items()}

    def call(data: bytes) -> None:
        number, signature, payload = data[0], data[1:65], data[65:]
        signed = Signed(payload, Signature(signature))
        openers[number % len(openers)](signed)

    samples = [
        bytes([n]) + by_kind[kind].signature + by_kind[kind].payload for n, kind in enumerate(kinds)
    ]
    return Opened(samples, call)


def _target(name: str, opened: Callable[[ExitStack], Opened], share: float = 1.0) -> Target:
    return Target(name, Form.MSGPACK, opened, (RemoteProtocolError,), share)


TARGETS = (
    _target("wire.offer", typed(offers.Offer, [market.offer()]), 3),
    _target("wire.terms", typed(Terms, [scene.TERMS]), 2),
    _target("wire.take", typed(messages.Take, [scene.DRAFT.take]), 3),
    _target("wire.reserve", typed(messages.Reserve, [scene.RESERVE]), 3),
    _target("wire.proof", typed(FundsProof, [scene.PROOF]), 2),
    _target("wire.message", reader(messages.read, _messages()), 4),
    _target("wire.items", typed(tuple[Item, ...], [gossip_items()]), 1),
    _target("wire.signed", typed(Signed, [market.signed_offer()]), 1),
    _target("read.offer", reader(lambda d: offers.read_offer(d, now=NOW),
            [encode(market.offer()), encode(market.offer("other", slot=0))]), 4),
    _target("read.cancel", reader(lambda d: offers.read_cancel(d, now=NOW),
            [encode(market.cancel())]), 3),
    _target("read.floor", reader(lambda d: offers.read_floor(d, now=NOW),
            [encode(market.floor())]), 3),
    _target("read.heartbeat", reader(lambda d: lease.read_heartbeat(d, now=NOW),
            [encode(market.heartbeat())]), 4),
    _target("read.equivocation", reader(_equivocation, [encode(equivocation(*heartbeats()))]), 2),
    _target("read.certificate", reader(lambda d: identity.read_certificate(d, now=NOW),
            [encode(market.certificate()), encode(market.certificate(addresses=()))]), 3),
    _target("read.retire", reader(identity.read_retire,
            [encode(identity.Retire(1, market.key(), NOW))]), 2),
    _target("read.book_request", reader(reconcile.decode_request, _requests()), 4),
    _target("read.book_answer", reader(lambda d: reconcile.decode_answer(d, after=b""),
            _answers()), 2),
    _target("gossip.validator", _validator, 2),
    Target("open.signed", Form.BYTES, _opened, (RemoteProtocolError,), 1, head=1),
)  # fmt: skip
