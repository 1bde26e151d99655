"""The code speaks the bytes of protocol/vectors/negotiation.json, which it did not write."""

import json
from typing import Any

import pytest

from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.negotiation.messages import refuse
from protocol.proof import funds_challenge
from protocol.terms import terms_hash
from tests.protocol.negotiation import make_vectors, scene
from tests.protocol.negotiation.test_agreeing import MAKER_STATES, TAKER_STATES, refusal_of

VECTORS: dict[str, Any] = json.loads(make_vectors.TARGET.read_text("utf-8"))

OURS = {
    "take": scene.TAKE_BYTES,
    "reserve": scene.RESERVE_BYTES,
    "propose": scene.PROPOSE_BYTES,
    "accept": scene.ACCEPT_BYTES,
    "refuse": refuse(
        scene.SWAP_ID, RemoteProtocolError(Refusal.AMOUNT_TAKEN, "somebody was faster")
    ),
}


def test_the_file_is_what_its_generator_prints() -> None:
    assert make_vectors.TARGET.read_text("utf-8") == make_vectors.text()


@pytest.mark.parametrize("name", OURS)
def test_every_message_is_the_vectors_to_the_byte(name: str) -> None:
    assert OURS[name].hex() == VECTORS["messages"][name]


def test_every_hash_is_the_vectors() -> None:
    found = {
        "offer": encode(scene.OFFER),
        "offer_id": scene.OFFER_ID,
        "hashlock": scene.HASHLOCK,
        "swap_id": scene.SWAP_ID,
        "funds_challenge": funds_challenge(scene.SWAP_ID),
        "terms": encode(scene.TERMS),
        "terms_hash": terms_hash(scene.TERMS),
    }
    assert {name: value.hex() for name, value in found.items()} == {
        name: VECTORS[name] for name in found
    }


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_every_bad_message_of_the_vectors_is_refused_by_its_name(case: dict[str, str]) -> None:
    states: dict[str, Any] = {**MAKER_STATES} if case["by"] == "maker" else {**TAKER_STATES}
    found = refusal_of(states[case["state"]], bytes.fromhex(case["message"]))
    assert found.value == case["refusal"]
