"""Hostile bytes: whatever is decoded, the answer is a value that encodes to them, or a refusal."""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol import gossip, identity, lease, offers, reconcile
from protocol.codec import decode, encode
from protocol.errors import DecodeError, RemoteProtocolError
from protocol.gossip import Item
from protocol.negotiation import messages
from protocol.negotiation.messages import Message
from protocol.proof import FundsProof
from protocol.signing import PublicKey, Signature
from protocol.terms import Terms
from tests.protocol.base.vectors import KINDS, load
from tests.protocol.test_spec import STRUCTS

ROOM: Final = 1 << 17
NOW: Final = 1_750_000_000
WIRE_TYPES: Final[tuple[Any, ...]] = (
    *STRUCTS,
    *KINDS.values(),
    tuple[Item, ...],
    Message,
    FundsProof,
)


def hex_in(value: object) -> Iterator[bytes]:
    """Every hex text in a vector file."""
    if isinstance(value, dict):
        for item in value.values():
            yield from hex_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from hex_in(item)
    elif isinstance(value, str) and re.fullmatch(r"([0-9a-f]{2})+", value):
        yield bytes.fromhex(value)


FILES: Final = (
    "codec",
    "terms",
    "refusals",
    "book_sync",
    "offers",
    "heartbeats",
    "certificates",
    "gossip",
    "negotiation",
)


def within(data: bytes) -> Iterator[bytes]:
    """These bytes, and the payloads of messages and items in them."""
    yield data
    try:
        inner = msgpack.unpackb(data)[1]
    except (ValueError, TypeError, IndexError, KeyError):
        return
    if isinstance(inner, bytes):
        yield inner


SEEDS: Final = sorted(
    {
        inner
        for name in FILES
        for data in hex_in(load(name))
        for inner in within(data)
        if 2 <= len(inner) <= 4096
    }
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Good bytes of the vectors with up to four wounds."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["set", "insert", "cut", "repeat"])):
            case "set" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=3))
            case "cut":
                del data[at : at + draw(st.integers(1, 8))]
            case _:
                data[at:at] = data[at : at + draw(st.integers(1, 16))]
    return bytes(data)


trees = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=64),
    lambda inner: st.lists(inner, max_size=18) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=40,
)
packed = trees.map(lambda tree: bytes(msgpack.packb(tree, use_bin_type=True)))
extended = st.builds(
    lambda head, body: head + body,
    st.sampled_from(
        [b"\x91\xd4", b"\x92\x01\xd6\xff", b"\xc7\x04", b"\xd7\xff", b"\x93\xc7\x0c\xff"]
    ),
    st.binary(min_size=1, max_size=20),
)
hostile = st.one_of(damaged(), packed, extended, st.binary(max_size=300))


@given(hostile)
@example(b"\x91" * 3000)
@example(b"\x81\xa1a" * 2000)
@example(b"\xdd\xff\xff\xff\xff")
def test_decoding_gives_the_value_of_exactly_these_bytes_or_a_decode_error(data: bytes) -> None:
    for kind in WIRE_TYPES:
        try:
            value = decode(kind, data, max_size=ROOM)
        except DecodeError:
            continue
        assert encode(value) == data
        assert decode(kind, encode(value), max_size=ROOM) == value


READERS: Final[tuple[Callable[[bytes], object], ...]] = (
    messages.read,
    gossip.decode_items,
    reconcile.decode_request,
    lambda data: reconcile.decode_answer(data, after=b""),
    lambda data: offers.read_offer(data, now=NOW),
    lambda data: offers.read_cancel(data, now=NOW),
    lambda data: offers.read_floor(data, now=NOW),
    lambda data: lease.read_heartbeat(data, now=NOW),
    lambda data: lease.read_equivocation(data, now=NOW),
    lambda data: identity.read_certificate(data, now=NOW),
    identity.read_retire,
    lambda data: gossip.check_message("swapd/1/" + "00" * 16, data, NOW),
)


@given(hostile)
def test_a_reader_answers_hostile_bytes_with_a_refusal_and_nothing_else(data: bytes) -> None:
    for reader in READERS:
        with contextlib.suppress(RemoteProtocolError):
            reader(data)


@given(data=hostile, signature=st.binary(min_size=64, max_size=64))
def test_signed_payloads_are_opened_or_refused(data: bytes, signature: bytes) -> None:
    if not data:
        return
    key = PublicKey(bytes(32))
    signed = Signature(signature)
    for attempt in (
        lambda: messages.open_take(messages.SignedTake(data, signed)),
        lambda: messages.open_reserve(messages.SignedReserve(data, signed), key),
        lambda: messages.open_propose(messages.Propose(data, signed), key),
    ):
        with pytest.raises(RemoteProtocolError):
            attempt()


def test_the_seeds_hold_good_values_of_most_wire_types() -> None:
    found = set()
    for data in SEEDS:
        for kind in WIRE_TYPES:
            try:
                decode(kind, data, max_size=ROOM)
            except DecodeError:
                continue
            found.add(kind)
    assert found >= {Terms, Message, tuple[Item, ...], offers.Offer, lease.Heartbeat}
    assert found >= {identity.Certificate, reconcile.BookRequest, messages.Take, messages.Reserve}
