"""Two honest parties come to the same terms, and nobody talks out of turn."""

from typing import Any

import pytest

from protocol.amounts import Amount, Units
from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.negotiation import maker, taker
from protocol.negotiation.messages import Accept, Refuse, refuse
from protocol.swap.timelocks import schedule_of
from protocol.terms import terms_hash
from tests.protocol.negotiation import scene
from tests.protocol.negotiation.scene import NOW

TO_MAKER = {"take": scene.TAKE_BYTES, "propose": scene.PROPOSE_BYTES}
TO_TAKER = {
    "reserve": scene.RESERVE_BYTES,
    "accept": scene.ACCEPT_BYTES,
    "refuse": refuse(scene.SWAP_ID, RemoteProtocolError(Refusal.BUSY, "later")),
}
MESSAGES = TO_MAKER | TO_TAKER
MAKER_STATES: dict[str, maker.MakerNegotiation] = {
    "listening": scene.LISTENING,
    "asked": scene.ASKED,
    "granted": scene.GRANTED,
    "reserved": scene.RESERVED,
    "proposed": scene.PROPOSED,
    "accepted": scene.ACCEPTED,
}
TAKER_STATES: dict[str, taker.TakerNegotiation] = {
    "draft": scene.DRAFT,
    "asking": scene.ASKING,
    "offered": scene.OFFERED,
    "proposing": scene.PROPOSING,
    "agreed": scene.AGREED,
    "refused": taker.Refused(Refusal.BUSY, "later"),
}
LEGAL = {
    ("maker", "listening", "take"),
    ("maker", "reserved", "propose"),
    ("taker", "asking", "reserve"),
    ("taker", "asking", "refuse"),
    ("taker", "proposing", "accept"),
    ("taker", "proposing", "refuse"),
}


def refusal_of(state: Any, data: bytes, *, now: int = NOW) -> Refusal:
    """What `data` is refused as; the state must be what it was."""
    before = encode(state) if not isinstance(state, maker.Listening) else state
    receive = maker.receive if state in MAKER_STATES.values() else taker.receive
    with pytest.raises(RemoteProtocolError) as caught:
        receive(state, data, now=now)
    after = encode(state) if not isinstance(state, maker.Listening) else state
    assert after == before
    return caught.value.refusal


def test_honest_parties_read_from_each_others_bytes_what_was_meant() -> None:
    assert maker.receive(scene.LISTENING, scene.TAKE_BYTES, now=NOW) == scene.ASKED
    assert taker.receive(scene.ASKING, scene.RESERVE_BYTES, now=NOW) == scene.OFFERED
    assert maker.receive(scene.RESERVED, scene.PROPOSE_BYTES, now=NOW) == scene.PROPOSED
    assert taker.receive(scene.PROPOSING, scene.ACCEPT_BYTES, now=NOW) == scene.AGREED


def test_the_terms_say_what_the_offer_and_the_take_said() -> None:
    terms = scene.TERMS
    # 400,000,000 litoshi at one satoshi for 80 of them.
    assert terms.leg_p.amount == Amount(scene.LTC, Units(400_000_000))
    assert terms.leg_i.amount == Amount(scene.BTC, Units(5_000_000))
    # Depths 2 and 3 on the regtest timing: T_P = t0 + 165, T_I = t0 + 370 (safety rules).
    assert (terms.leg_p.expiry - NOW, terms.leg_i.expiry - NOW) == (165, 370)
    assert (terms.leg_i.depth, terms.leg_p.depth) == (2, 3)
    assert terms.leg_i.claim_key == scene.point("maker claims i")
    assert terms.leg_i.refund_key == scene.point("taker refunds i")
    assert terms.leg_p.claim_key == scene.point("taker claims p")
    assert terms.leg_p.refund_key == scene.point("maker refunds p")
    assert terms.min_fee_rate_i == 1_000
    assert schedule_of(terms).expiry_i == terms.leg_i.expiry


def test_the_price_is_rounded_up_once_in_favour_of_the_maker() -> None:
    draft = taker.ask(
        scene.OFFER,
        scene.OFFER_ID,
        400_000_001,
        side=scene.SIDE,
        taker=scene.DRAFT.take.taker,
        nonce=bytes(32),
        now=NOW,
    )
    assert draft.fill.amount_i.units == 5_000_001


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("state", MAKER_STATES)
def test_a_maker_hears_only_the_one_message_that_is_due(state: str, message: str) -> None:
    if ("maker", state, message) in LEGAL:
        maker.receive(MAKER_STATES[state], MESSAGES[message], now=NOW)
    else:
        found = refusal_of(MAKER_STATES[state], MESSAGES[message])
        assert found is Refusal.UNEXPECTED_MESSAGE


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("state", TAKER_STATES)
def test_a_taker_hears_only_the_one_message_that_is_due(state: str, message: str) -> None:
    if ("taker", state, message) in LEGAL:
        taker.receive(TAKER_STATES[state], MESSAGES[message], now=NOW)
    else:
        found = refusal_of(TAKER_STATES[state], MESSAGES[message])
        assert found is Refusal.UNEXPECTED_MESSAGE


# --- Deadlines --------------------------------------------------------------------------------


def test_a_proposal_is_heard_until_the_sixtieth_second_of_the_reservation() -> None:
    late_start = scene.replace(scene.PART, t0=NOW + 60)
    data = scene.propose_message(taker.draft_terms(scene.OFFERED, late_start))
    assert isinstance(maker.receive(scene.RESERVED, data, now=NOW + 60), maker.Proposed)
    assert refusal_of(scene.RESERVED, data, now=NOW + 61) is Refusal.TOO_LATE


def test_an_acceptance_is_heard_until_sixty_seconds_after_the_proposal() -> None:
    assert taker.receive(scene.PROPOSING, scene.ACCEPT_BYTES, now=NOW + 60) == scene.AGREED
    assert refusal_of(scene.PROPOSING, scene.ACCEPT_BYTES, now=NOW + 61) is Refusal.TOO_LATE


@pytest.mark.parametrize(
    ("valid_for", "expected"), [(-6, Refusal.TOO_LATE), (66, Refusal.CLOCK_SKEW)]
)
def test_a_reservation_must_end_about_a_minute_from_now(valid_for: int, expected: Refusal) -> None:
    data = scene.reserve_message(scene.replace(scene.RESERVE, valid_until=NOW + valid_for))
    assert refusal_of(scene.ASKING, data) is expected


@pytest.mark.parametrize("ahead", [-5, 0, 10])
def test_a_start_within_skew_and_negotiation_time_is_accepted(ahead: int) -> None:
    part = scene.replace(scene.PART, t0=NOW + ahead)
    data = scene.propose_message(taker.draft_terms(scene.OFFERED, part))
    assert isinstance(maker.receive(scene.RESERVED, data, now=NOW), maker.Proposed)


@pytest.mark.parametrize("ahead", [-6, 11])
def test_a_start_outside_skew_and_negotiation_time_is_refused(ahead: int) -> None:
    part = scene.replace(scene.PART, t0=NOW + ahead)
    data = scene.propose_message(taker.draft_terms(scene.OFFERED, part))
    assert refusal_of(scene.RESERVED, data) is Refusal.CLOCK_SKEW


def test_the_maker_does_not_sign_for_a_hashlock_seen_before() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        maker.check_acceptable(scene.PROPOSED, is_hashlock_new=False, now=NOW)
    assert caught.value.refusal is Refusal.REUSED_HASHLOCK


def test_the_maker_does_not_sign_after_its_reservation_ended() -> None:
    maker.check_acceptable(scene.PROPOSED, is_hashlock_new=True, now=NOW + 60)
    with pytest.raises(RemoteProtocolError) as caught:
        maker.check_acceptable(scene.PROPOSED, is_hashlock_new=True, now=NOW + 61)
    assert caught.value.refusal is Refusal.TOO_LATE


# --- Refusals and acceptances that are not for us ---------------------------------------------


def test_a_refusal_ends_the_take_and_its_words_are_made_printable() -> None:
    said = encode(Refuse(scene.SWAP_ID, Refusal.AMOUNT_TAKEN, "gone\x1b[31m\nred"))
    found = taker.receive(scene.ASKING, said, now=NOW)
    assert found == taker.Refused(Refusal.AMOUNT_TAKEN, "gone?[31m?red")


def test_a_refusal_without_a_swap_id_counts_and_one_of_another_swap_does_not() -> None:
    blank = encode(Refuse(b"", Refusal.BUSY, ""))
    assert taker.receive(scene.ASKING, blank, now=NOW) == taker.Refused(Refusal.BUSY, "")
    foreign = encode(Refuse(bytes(32), Refusal.BUSY, ""))
    assert refusal_of(scene.ASKING, foreign) is Refusal.WRONG_SWAP
    assert refusal_of(scene.PROPOSING, foreign) is Refusal.WRONG_SWAP


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"swap_id": bytes(32)}, Refusal.WRONG_SWAP),
        ({"terms_hash": bytes(32)}, Refusal.WRONG_TERMS),
        ({"signature": bytes(64)}, Refusal.BAD_SIGNATURE),
        ({"signature": scene.PROPOSING.taker_signature}, Refusal.BAD_SIGNATURE),
    ],
)
def test_a_false_acceptance_is_refused_by_name(change: dict[str, bytes], expected: Refusal) -> None:
    honest = Accept(scene.SWAP_ID, terms_hash(scene.TERMS), scene.ACCEPTED.maker_signature)
    data = encode(scene.replace(honest, **change))
    assert refusal_of(scene.PROPOSING, data) is expected
