"""Offers, leases, gossip and reconciliation beyond their vectors: what holds for any input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import encode
from protocol.errors import RemoteProtocolError
from protocol.gossip import (
    MAX_GOSSIP_SIZE,
    MAX_ITEMS,
    Item,
    ItemKind,
    decode_items,
    encode_items,
    pack,
    pair_topic,
    validate_message,
)
from protocol.lease import GONE_AFTER, LEASE, Heard, Leases, equivocation, open_equivocation
from protocol.offers import Signed, coarse, open_offer
from protocol.reconcile import (
    MAX_MESSAGE,
    BookAnswer,
    BookRequest,
    Comparison,
    Head,
    Section,
    compare,
    decode_answer,
    decode_request,
    encode_answer,
    encode_request,
    live_digest,
    page,
)
from protocol.signing import Signature, Tag
from tests.protocol.market.samples import (
    BTC,
    LTC,
    NOW,
    PAIR,
    floor,
    heartbeat,
    key,
    offer,
    signed,
    signed_certificate,
    signed_heartbeat,
    signed_offer,
    signer,
)

TOPIC = pair_topic(BTC, LTC)


# --- Offers -----------------------------------------------------------------------------------


def test_what_was_signed_is_opened_again_unchanged() -> None:
    assert open_offer(signed_offer(), now=NOW) == offer()


@given(st.integers(0, 2**256 - 1))
def test_a_coarse_amount_shows_two_thirds_or_more_and_never_more_than_there_is(units: int) -> None:
    shown = coarse(units)
    assert 2 * units <= 3 * shown <= 3 * units
    assert coarse(shown) == shown


@given(st.integers(0, 10_000))
def test_changing_one_bit_of_an_offer_or_its_signature_is_noticed(bit: int) -> None:
    good = signed_offer()
    size = len(good.payload) + 64
    both = bytearray(good.payload + good.signature)
    both[bit % (8 * size) // 8] ^= 1 << (bit % 8)
    bad = Signed(bytes(both[:-64]), Signature(bytes(both[-64:])))
    with pytest.raises(RemoteProtocolError):
        open_offer(bad, now=NOW)


# --- Leases -----------------------------------------------------------------------------------


def hear(
    leases: Leases, *, counter: int, time: int = NOW, now: int = NOW, at: int = 0, epoch: int = 1
) -> Heard:
    beat = signed_heartbeat(counter=counter, time=time, epoch=epoch)
    plain = heartbeat(counter=counter, time=time, epoch=epoch)
    return leases.hear(beat, plain, now=now, moment=at)


def test_a_maker_is_gone_within_ninety_seconds_of_its_last_heartbeat() -> None:
    leases = Leases()
    assert hear(leases, counter=1) is Heard.NEW
    assert leases.is_alive(key(), moment=1000 * LEASE - 1)
    assert not leases.is_alive(key(), moment=1000 * LEASE)
    assert leases.lapsed(now=NOW + LEASE, moment=1000 * LEASE) == (key(),)
    assert GONE_AFTER == 90 > LEASE


def test_a_heartbeat_that_took_its_time_does_not_live_longer_for_it() -> None:
    leases = Leases()
    hear(leases, counter=1, time=NOW, now=NOW + 40, at=40_000)
    assert leases.is_alive(key(), moment=1000 * LEASE - 1)
    assert not leases.is_alive(key(), moment=1000 * LEASE)


def test_a_clock_ahead_of_ours_makes_no_lease_longer() -> None:
    leases = Leases()
    hear(leases, counter=1, time=NOW + 40, now=NOW)
    assert not leases.is_alive(key(), moment=1000 * LEASE)


def test_a_step_of_the_wall_clock_ends_no_lease() -> None:
    leases = Leases()
    hear(leases, counter=1)
    assert leases.lapsed(now=NOW + 7200, moment=1000) == ()


def test_an_older_counter_changes_nothing() -> None:
    leases = Leases()
    hear(leases, counter=5, at=0)
    assert hear(leases, counter=4, at=50_000) is Heard.OLD
    assert hear(leases, counter=5, at=50_000) is Heard.KNOWN
    assert not leases.is_alive(key(), moment=1000 * LEASE)
    assert hear(leases, counter=6, at=50_000) is Heard.NEW
    assert leases.is_alive(key(), moment=1000 * LEASE)


def test_a_lapsed_maker_is_not_revived_by_its_last_heartbeat() -> None:
    leases = Leases()
    hear(leases, counter=5)
    leases.lapsed(now=NOW + 40, moment=1000 * LEASE)
    assert hear(leases, counter=5, now=NOW + 40, at=1000 * LEASE) is Heard.KNOWN
    assert not leases.is_alive(key(), moment=1000 * LEASE)


def test_two_truths_under_one_counter_make_a_proof_and_a_ban_of_a_day() -> None:
    leases = Leases()
    hear(leases, counter=5)
    assert hear(leases, counter=5, epoch=2) is Heard.TWO_FACED
    last = leases.last(key())
    assert last is not None
    proof = equivocation(last.signed, signed_heartbeat(counter=5, epoch=2))
    maker, until = open_equivocation(encode(proof), now=NOW)
    assert (maker, until) == (key(), NOW + 86_400)
    leases.ban(maker, until)
    assert hear(leases, counter=6) is Heard.BANNED
    leases.lapsed(now=until, moment=0)
    assert hear(leases, counter=6) is Heard.NEW


def test_a_retired_key_never_comes_back() -> None:
    leases = Leases()
    leases.retire(key())
    leases.lapsed(now=NOW + 10**9, moment=10**12)
    assert hear(leases, counter=6) is Heard.BANNED


# --- Gossip -----------------------------------------------------------------------------------


def offers(count: int) -> list[Item]:
    made = []
    for slot in range(count):
        good = signed_offer(slot=slot)
        made.append(Item(ItemKind.OFFER, good.payload, good.signature))
    return made


def about() -> tuple[Item, ...]:
    beat, certificate = signed_heartbeat(), signed_certificate()
    return (
        Item(ItemKind.HEARTBEAT, beat.payload, beat.signature),
        Item(ItemKind.CERTIFICATE, certificate.payload, certificate.signature),
    )


@pytest.mark.parametrize("count", [0, 1, 62, 63, 200])
def test_packing_loses_nothing_and_every_message_is_valid_and_introduces_itself(
    count: int,
) -> None:
    items = offers(count)
    messages = list(pack(about(), items))
    assert all(validate_message(TOPIC, data, NOW) for data in messages)
    assert all(len(data) <= MAX_GOSSIP_SIZE for data in messages)
    parts = [decode_items(data) for data in messages]
    assert all(part[:2] == about() and len(part) <= MAX_ITEMS for part in parts)
    assert [item for part in parts for item in part[2:]] == items


def test_a_message_over_64_kib_is_refused_before_anything_is_built() -> None:
    big = encode_items([Item(ItemKind.OFFER, bytes(70_000), bytes(64))])
    assert not validate_message(TOPIC, big, NOW)


@given(st.binary(max_size=300), st.text(max_size=60))
def test_the_validator_never_raises(data: bytes, topic: str) -> None:
    assert validate_message(TOPIC, data, NOW) is False
    assert validate_message(topic, data, NOW) is False


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(ItemKind)),
            st.recursive(
                st.integers(0, 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=10),
                lambda inner: st.lists(inner, max_size=20),
                max_leaves=25,
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_the_validator_never_raises_for_well_formed_nonsense(
    parts: list[tuple[ItemKind, object]],
) -> None:
    items = [Item(kind, encode(value), bytes(64)) for kind, value in parts]
    assert validate_message(TOPIC, encode_items(items), NOW) is False


def test_a_broken_rule_of_our_own_is_a_no_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("protocol.gossip.check_signed", explode)
    assert validate_message(TOPIC, encode_items(offers(1)), NOW) is False


# --- Reconciliation ---------------------------------------------------------------------------


def test_a_set_matches_has_a_gap_or_is_ahead() -> None:
    names = [bytes([n]) * 32 for n in range(3)]
    digest = live_digest(names)
    assert compare(names, digest, highest=9, number=5) is Comparison.MATCH
    assert compare(names[1:], digest, highest=5, number=5) is Comparison.GAP
    assert compare(names[1:], digest, highest=6, number=5) is Comparison.AHEAD


def sections(counts: list[int]) -> list[Section]:
    made: list[Section] = []
    for maker in sorted(key(f"maker {n}") for n in range(len(counts))):
        count = counts[len(made)]
        items = sorted(
            (bytes([n]) * 32, Item(ItemKind.OFFER, maker + bytes([n]) * 700, bytes(64)))
            for n in range(count)
        )
        made.append(Section(maker, about(), tuple(items)))
    return made


@given(st.lists(st.integers(0, 130), max_size=5))
def test_paging_hands_over_every_offer_once_within_the_size_of_a_message(
    counts: list[int],
) -> None:
    everything = sections(counts)
    cursor, seen = b"", []
    for _ in range(50):
        answer = page(everything, cursor)
        data = encode_answer(answer)
        assert len(data) <= MAX_MESSAGE
        assert decode_answer(data, after=cursor) == answer
        seen += [item for item in answer.items if item.kind is ItemKind.OFFER]
        cursor = answer.cursor
        if not cursor:
            break
    assert not cursor
    assert seen == [item for section in everything for _, item in section.offers]


def test_a_cursor_that_stands_still_is_refused() -> None:
    answer = encode_answer(BookAnswer(1, (), bytes(63) + b"\x05"))
    assert decode_answer(answer, after=bytes(64)).items == ()
    with pytest.raises(RemoteProtocolError):
        decode_answer(answer, after=bytes(63) + b"\x05")


@pytest.mark.parametrize(
    "request_",
    [
        BookRequest(2, PAIR, b"", (), b""),
        BookRequest(1, PAIR[:31], b"", (), b""),
        BookRequest(1, PAIR, b"x", (), b""),
        BookRequest(1, PAIR, b"", (Head(bytes(8), bytes(9)),), b""),
        BookRequest(1, PAIR, b"", (), bytes(63)),
        BookRequest(1, PAIR, b"", (Head(bytes(8), bytes(8)),) * 1025, b""),
    ],
)
def test_a_malformed_request_is_refused(request_: BookRequest) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_request(encode_request(request_))


def test_a_full_request_fits_a_message() -> None:
    full = BookRequest(1, PAIR, b"", (Head(bytes(8), bytes(8)),) * 1024, bytes(64))
    assert len(encode_request(full)) <= MAX_MESSAGE
    assert decode_request(encode_request(full)) == full


def test_a_floor_signed_as_something_else_is_no_floor() -> None:
    wrong = signed(Tag.CANCEL, floor())
    data = encode_items([Item(ItemKind.FLOOR, wrong.payload, wrong.signature)])
    assert not validate_message(TOPIC, data, NOW)
    right = signer()(Tag.FLOOR, wrong.payload)
    assert validate_message(TOPIC, encode_items([Item(ItemKind.FLOOR, wrong.payload, right)]), NOW)
