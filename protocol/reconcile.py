"""How two views of a maker's live offers are compared, and the messages that repair a gap.

Owns: the digest of a live set, the comparison of a set with it, request and answer of the direct
protocol `BOOK_PROTOCOL`, the paging of an answer. Must not know: the book's insides, channels.

A heartbeat signs "at log number n my live offers of this pair hash to D". So a set of offers that
hashes to D is exactly the live set at n, whoever handed it over: every other offer up to n is
dead. Offers about to expire are left out on both sides, lest clocks a few seconds apart disagree.
"""

import enum
from collections.abc import Iterable

from msgspec import Struct

from protocol.codec import decode, encode
from protocol.errors import Refusal
from protocol.gossip import Item
from protocol.offers import PAIR_SIZE, check_range, check_size, check_version, refuse_unless
from protocol.signing import PublicKey, Tag, tagged_hash

BOOK_PROTOCOL = "/swapd/book/1"
RECONCILE_VERSION = 1
MAX_MESSAGE = 64 * 1024
PAGE_BUDGET = 60 * 1024
"""Bytes of items in one answer; the rest of a message is its frame."""
MAX_HEADS = 1024
MAX_PAGE_ITEMS = 1024
HEAD_SIZE = 8
CURSOR_SIZE = 64
DYING = 60
"""Seconds: offers that expire within this of a heartbeat's time are not in its digest. More than
two clocks can differ by and still exchange heartbeats (lease.WINDOW)."""
ITEM_OVERHEAD = 20
"""Bytes of framing of one item, at most."""


class Head(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the asker already has: the first 8 bytes of a maker key and of its live digest."""

    maker: bytes
    digest: bytes


class BookRequest(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Asks for the live offers of `pair` (32 bytes): of the one maker named, or of all whose
    digest is not among `heads` when `maker` is empty. `cursor` is empty, or the last answer's."""

    version: int
    pair: bytes
    maker: bytes
    heads: tuple[Head, ...]
    cursor: bytes


class BookAnswer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Heartbeats, certificates and offers, by maker; `cursor` is empty on the last page."""

    version: int
    items: tuple[Item, ...]
    cursor: bytes


class Section(Struct, frozen=True):
    """One maker's part of an answer: its heartbeat and certificate, then its offers by id."""

    maker: PublicKey
    about: tuple[Item, ...]
    offers: tuple[tuple[bytes, Item], ...]


class Comparison(enum.StrEnum):
    """A set against a digest: the same; different; or we know of later changes, so no telling."""

    MATCH = "match"
    GAP = "gap"
    AHEAD = "ahead"


def live_digest(offer_ids: Iterable[bytes]) -> bytes:
    """32 bytes that stand for a set of offer ids, in whatever order they come."""
    return tagged_hash(Tag.LIVE_SET, b"".join(sorted(offer_ids)))


def compare(offer_ids: Iterable[bytes], digest: bytes, *, highest: int, number: int) -> Comparison:
    """`offer_ids` that we hold up to the heartbeat's log `number`, against its `digest`;
    `highest` is the highest log number of that maker and pair that we have seen."""
    if live_digest(offer_ids) == digest:
        return Comparison.MATCH
    return Comparison.AHEAD if highest > number else Comparison.GAP


def head_of(maker: PublicKey, digest: bytes) -> Head:
    """The short form of what we have of a maker."""
    return Head(bytes(maker[:HEAD_SIZE]), digest[:HEAD_SIZE])


# --- Messages ---------------------------------------------------------------------------------


def encode_request(request: BookRequest) -> bytes:
    """The bytes of a request."""
    return encode(request)


def decode_request(data: bytes) -> BookRequest:
    """Raises RemoteProtocolError (malformed, too_large, unknown_version)."""
    request = decode(BookRequest, data, max_size=MAX_MESSAGE)
    check_version(request.version, RECONCILE_VERSION, "a book request")
    check_size(request.pair, PAIR_SIZE, "the pair")
    check_range(len(request.heads), 0, MAX_HEADS, "the number of heads")
    for head in request.heads:
        check_size(head.maker, HEAD_SIZE, "a head's maker")
        check_size(head.digest, HEAD_SIZE, "a head's digest")
    refuse_unless(len(request.maker) in (0, 32), Refusal.MALFORMED, "not a maker key")
    refuse_unless(len(request.cursor) in (0, CURSOR_SIZE), Refusal.MALFORMED, "not a cursor")
    return request


def encode_answer(answer: BookAnswer) -> bytes:
    """The bytes of an answer."""
    return encode(answer)


def decode_answer(data: bytes, *, after: bytes) -> BookAnswer:
    """The answer to a request with cursor `after`; its items are still to be checked one by one.
    Raises RemoteProtocolError: malformed also for a cursor that does not move forward."""
    answer = decode(BookAnswer, data, max_size=MAX_MESSAGE)
    check_version(answer.version, RECONCILE_VERSION, "a book answer")
    check_range(len(answer.items), 0, MAX_PAGE_ITEMS, "the number of items")
    forward = not answer.cursor or (len(answer.cursor) == CURSOR_SIZE and answer.cursor > after)
    refuse_unless(forward, Refusal.MALFORMED, "a cursor that does not move forward")
    return answer


def _size(item: Item) -> int:
    return len(item.payload) + len(item.signature) + ITEM_OVERHEAD


def page(sections: Iterable[Section], cursor: bytes) -> BookAnswer:
    """The next page behind `cursor`, of `sections` in order of their maker keys. Whoever starts
    on a page in the middle of a maker gets that maker's heartbeat and certificate again."""
    items: list[Item] = []
    room = PAGE_BUDGET
    last = cursor
    for section in sections:
        if bytes(section.maker) < cursor[:32]:
            continue
        behind = cursor[32:] if section.maker == cursor[:32] else b""
        left = [(name, item) for name, item in section.offers if name > behind]
        if behind and not left:
            continue
        about_size = sum(_size(item) for item in section.about)
        first = about_size + (_size(left[0][1]) if left else 0)
        if first > room or len(items) + len(section.about) >= MAX_PAGE_ITEMS:
            return BookAnswer(RECONCILE_VERSION, tuple(items), last)
        items.extend(section.about)
        room -= about_size
        last = bytes(section.maker) + bytes(32)
        for name, item in left:
            if _size(item) > room or len(items) >= MAX_PAGE_ITEMS:
                return BookAnswer(RECONCILE_VERSION, tuple(items), last)
            items.append(item)
            room -= _size(item)
            last = bytes(section.maker) + name
    return BookAnswer(RECONCILE_VERSION, tuple(items), b"")
