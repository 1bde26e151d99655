"""The encoding of terms: every vector, field by field."""

import pytest

from protocol.codec import decode, encode
from protocol.errors import DecodeError, Refusal
from protocol.limits import MAX_NEGOTIATION_BYTES
from protocol.terms import LegName, Role, Terms, other_leg, own_leg, terms_hash
from tests.protocol.base.vectors import Json, case_id, load, plain

TERMS = load("terms")


def read_terms(data: bytes) -> Terms:
    return decode(Terms, data, max_size=MAX_NEGOTIATION_BYTES)


def as_text(value: object) -> object:
    """Numbers as decimal text, as the vectors of the codec have them."""
    if isinstance(value, list):
        return [as_text(item) for item in value]
    return None if value is None else str(value)


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
