"""The encoding of terms and of refusals: every vector, field by field."""

import pytest

from protocol.codec import decode, encode
from protocol.errors import DecodeError, Refusal, RemoteProtocolError
from protocol.limits import MAX_NEGOTIATION_BYTES
from protocol.negotiation.messages import Refuse, read, refuse
from protocol.terms import LegName, Role, Terms, other_leg, own_leg, terms_hash
from tests.protocol.base.vectors import Json, case_id, load, plain

TERMS = load("terms")
REFUSALS = load("refusals")


def read_terms(data: bytes) -> Terms:
    return decode(Terms, data, max_size=MAX_NEGOTIATION_BYTES)


def as_text(value: object) -> object:
    """Numbers as decimal text, as the vectors of the codec have them."""
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return str(value)


@pytest.mark.parametrize("case", TERMS["good"], ids=case_id)
def test_terms_have_one_encoding_and_one_hash(case: Json) -> None:
    data = bytes.fromhex(case["bytes"])
    terms = read_terms(data)
    assert encode(terms) == data
    assert terms_hash(terms).hex() == case["terms_hash"]


def test_the_fields_of_terms_stand_where_the_vectors_say() -> None:
    terms = read_terms(bytes.fromhex(TERMS["good"][0]["bytes"]))
    said = TERMS["fields_of_the_first"]
    assert list(said) == list(terms.__struct_fields__)
    assert plain(terms) == [as_text(value) for value in said.values()]


@pytest.mark.parametrize("case", TERMS["refused"], ids=case_id)
def test_what_is_not_the_encoding_of_terms_is_refused_by_name(case: Json) -> None:
    with pytest.raises(DecodeError) as caught:
        read_terms(bytes.fromhex(case["bytes"]))
    assert caught.value.refusal is Refusal(case["refusal"])


def test_a_changed_field_changes_the_hash() -> None:
    data = bytes.fromhex(TERMS["good"][0]["bytes"])
    hashes = {terms_hash(read_terms(data))}
    for at in range(len(data)):
        try:
            other = read_terms(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        except DecodeError:
            continue
        hashes.add(terms_hash(other))
    # Every byte of the five identifiers, four keys and two blocks, and some of the numbers.
    assert len(hashes) > 5 * 32 + 4 * 33 + 2 * 32


def test_each_role_funds_its_own_leg_and_claims_the_other() -> None:
    assert (own_leg(Role.INITIATOR), other_leg(Role.INITIATOR)) == (LegName.I, LegName.P)
    assert (own_leg(Role.PARTICIPANT), other_leg(Role.PARTICIPANT)) == (LegName.P, LegName.I)
    terms = read_terms(bytes.fromhex(TERMS["good"][0]["bytes"]))
    assert (terms.leg(LegName.I), terms.leg(LegName.P)) == (terms.leg_i, terms.leg_p)
    assert terms.leg_i.amount.asset.startswith(terms.leg_i.chain + "/")


# --- Refusals ---------------------------------------------------------------------------------


def test_the_vectors_have_every_refusal_and_no_other() -> None:
    assert REFUSALS["names"] == [refusal.value for refusal in Refusal]


@pytest.mark.parametrize(
    "case", REFUSALS["good"], ids=lambda c: f"{c['refusal']} {c['detail'][:3]}"
)
def test_a_refusal_travels_by_its_name(case: Json) -> None:
    data, swap_id = bytes.fromhex(case["bytes"]), bytes.fromhex(case["swap_id"])
    assert read(data) == Refuse(swap_id, Refusal(case["refusal"]), case["detail"])
    error = RemoteProtocolError(Refusal(case["refusal"]), case["detail"])
    assert refuse(swap_id, error) == data


@pytest.mark.parametrize("case", REFUSALS["refused"], ids=case_id)
def test_what_is_no_refusal_is_malformed(case: Json) -> None:
    with pytest.raises(DecodeError) as caught:
        read(bytes.fromhex(case["bytes"]))
    assert caught.value.refusal is Refusal(case["refusal"])


def test_the_detail_of_a_refusal_is_cut_and_made_printable() -> None:
    error = RemoteProtocolError(Refusal.BUSY, "\x1b[31m" + "y" * 300)
    message = read(refuse(b"", error))
    assert isinstance(message, Refuse)
    assert message.detail == "?[31m" + "y" * 195
