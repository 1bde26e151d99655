"""The files are what the independent generator makes, and the code agrees with them."""

import json
from typing import Any

import pytest

from protocol.assets import AssetId
from protocol.errors import RemoteProtocolError
from protocol.gossip import pair_topic, validate_message
from protocol.identity import open_certificate, open_retire
from protocol.lease import open_equivocation, open_heartbeat
from protocol.offers import (
    Signed,
    coarse,
    offer_id,
    open_cancel,
    open_floor,
    open_offer,
    pair_id,
)
from protocol.reconcile import live_digest
from protocol.signing import Signature
from tests.protocol.market import make_vectors, wire

SIGNED = [
    pytest.param(case, id=f"{name}: {case['what']}")
    for name in ("offers", "heartbeats", "certificates")
    for case in json.loads((make_vectors.FOLDER / f"{name}.json").read_text())["cases"]
]
GOSSIP = json.loads((make_vectors.FOLDER / "gossip.json").read_text())


def test_the_second_signer_agrees_with_a_published_vector_of_bip340() -> None:
    secret = (3).to_bytes(32, "big")
    assert (
        wire.bip340(secret, bytes(32)).hex().upper()
        == "E907831F80848D1069A5371B402410364BDF1C5F8307B0084C55F1CE2DCA8215"
        "25F66A4A85EA8B71E482A74F382D2CE5EBEEE8FDB2172F477DF4900D310536C0"
    )


@pytest.mark.parametrize("name", make_vectors.FILES)
def test_a_file_is_what_the_generator_makes(name: str) -> None:
    assert (make_vectors.FOLDER / f"{name}.json").read_text() == make_vectors.text(name)


def open_any(case: dict[str, Any]) -> None:
    signed = Signed(bytes.fromhex(case["payload"]), Signature(bytes.fromhex(case["signature"])))
    now = case["now"]
    match case["kind"]:
        case "offer":
            open_offer(signed, now=now)
        case "cancel":
            open_cancel(signed, now=now)
        case "floor":
            open_floor(signed, now=now)
        case "heartbeat":
            open_heartbeat(signed, now=now)
        case "equivocation":
            open_equivocation(signed.payload, now=now)
        case "certificate":
            open_certificate(signed, now=now)
        case "retire":
            open_retire(signed)
        case kind:
            pytest.fail(f"unknown kind {kind}")
    if "offer_id" in case:
        assert offer_id(signed).hex() == case["offer_id"]


@pytest.mark.parametrize("case", SIGNED)
def test_a_signed_thing_is_opened_or_refused_by_name(case: dict[str, Any]) -> None:
    if case["refusal"] is None:
        open_any(case)
    else:
        with pytest.raises(RemoteProtocolError) as caught:
            open_any(case)
        assert caught.value.refusal == case["refusal"]


@pytest.mark.parametrize("case", GOSSIP["cases"], ids=lambda case: case["what"])
def test_a_gossip_message_is_passed_on_or_not(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["data"])
    assert validate_message(case["topic"], data, case["now"]) is case["valid"]


def test_topics_and_pair_ids_are_those_of_the_file() -> None:
    for case in GOSSIP["topics"]:
        one, other = (AssetId(asset) for asset in case["assets"])
        assert pair_id(one, other).hex() == case["pair"]
        assert pair_topic(one, other) == case["topic"]


def test_coarse_amounts_and_live_sets_are_those_of_the_files() -> None:
    for case in json.loads((make_vectors.FOLDER / "offers.json").read_text())["coarse"]:
        assert coarse(int(case["units"])) == int(case["shown"])
    for case in json.loads((make_vectors.FOLDER / "heartbeats.json").read_text())["live_sets"]:
        names = [bytes.fromhex(name) for name in case["offer_ids"]]
        assert live_digest(names).hex() == case["digest"]
        assert live_digest(reversed(names)).hex() == case["digest"]
