"""Bytes nobody would send: whatever comes is refused by name and moves nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.negotiation import maker, taker
from protocol.negotiation.messages import read, refuse
from tests.protocol.negotiation.scene import NOW
from tests.protocol.negotiation.test_agreeing import MAKER_STATES, MESSAGES, TAKER_STATES

maker_states = st.sampled_from(list(MAKER_STATES.values()))
taker_states = st.sampled_from(list(TAKER_STATES.values()))
messages = st.sampled_from(list(MESSAGES.values()))


DUE_MAKER = {"take": MAKER_STATES["listening"]}
DUE_TAKER = {"accept": TAKER_STATES["proposing"]}


def feed(at_maker: maker.MakerNegotiation, at_taker: taker.TakerNegotiation, data: bytes) -> None:
    """Neither side may do anything but refuse: raise something else, or believe it."""
    before = (repr(at_maker), repr(at_taker))
    with pytest.raises(RemoteProtocolError):
        maker.receive(at_maker, data, now=NOW)
    with pytest.raises(RemoteProtocolError):
        taker.receive(at_taker, data, now=NOW)
    assert (repr(at_maker), repr(at_taker)) == before


@settings(deadline=None)  # a busy machine is no failure
@given(maker_states, taker_states, st.binary(max_size=400))
def test_noise_is_refused_in_every_state(
    at_maker: maker.MakerNegotiation, at_taker: taker.TakerNegotiation, noise: bytes
) -> None:
    feed(at_maker, at_taker, noise)


@settings(deadline=None)  # a busy machine is no failure
@given(maker_states, taker_states, messages, st.data())
def test_a_truncated_message_is_refused_in_every_state(
    at_maker: maker.MakerNegotiation,
    at_taker: taker.TakerNegotiation,
    message: bytes,
    data: st.DataObject,
) -> None:
    feed(at_maker, at_taker, message[: data.draw(st.integers(0, len(message) - 1))])


@settings(deadline=None)  # a busy machine is no failure
@given(maker_states, taker_states, messages, st.binary(min_size=1, max_size=40))
def test_a_message_with_a_tail_is_refused_in_every_state(
    at_maker: maker.MakerNegotiation,
    at_taker: taker.TakerNegotiation,
    message: bytes,
    tail: bytes,
) -> None:
    feed(at_maker, at_taker, message + tail)


@settings(deadline=None)  # a busy machine is no failure
@given(st.sampled_from(["take", "reserve", "propose", "accept"]), st.data())
def test_no_flipped_bit_of_a_signed_message_goes_unnoticed(name: str, data: st.DataObject) -> None:
    message = bytearray(MESSAGES[name])
    bit = data.draw(st.integers(0, 8 * len(message) - 1))
    message[bit // 8] ^= 1 << bit % 8
    feed(
        DUE_MAKER.get(name, MAKER_STATES["reserved"]),
        DUE_TAKER.get(name, TAKER_STATES["asking"]),
        bytes(message),
    )


@settings(deadline=None)  # a busy machine is no failure
@given(st.permutations(list(MESSAGES)))
def test_in_whatever_order_messages_come_only_the_due_ones_move_a_maker(order: list[str]) -> None:
    state: maker.MakerNegotiation = MAKER_STATES["listening"]
    moved = []
    for name in order:
        try:
            state = maker.receive(state, MESSAGES[name], now=NOW)
        except RemoteProtocolError:
            continue
        moved.append(name)
    assert moved == ["take"]  # a proposal is due only after our own answer


def test_an_oversized_message_is_refused_before_it_is_read() -> None:
    for size, expected in ((16 * 1024 + 1, Refusal.TOO_LARGE), (16 * 1024, Refusal.MALFORMED)):
        with pytest.raises(RemoteProtocolError) as caught:
            read(bytes(size))
        assert caught.value.refusal is expected


@settings(deadline=None)  # a busy machine is no failure
@given(st.text(max_size=400), st.sampled_from(list(Refusal)))
def test_every_refusal_we_write_can_be_read(detail: str, refusal: Refusal) -> None:
    message = read(refuse(b"", RemoteProtocolError(refusal, detail)))
    assert encode(message) == refuse(b"", RemoteProtocolError(refusal, detail))
    assert len(message.detail) <= 200  # type: ignore[union-attr] # a Refuse
