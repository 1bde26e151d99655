"""Names of chains and assets, pairs and topics."""

import pytest

from protocol.assets import AssetId, chain_of, parse_asset, parse_chain
from protocol.errors import DecodeError, Refusal
from protocol.gossip import pair_topic, topic_of
from protocol.offers import pair_id
from tests.protocol.base.vectors import Json, case_id, load

VECTORS = load("assets")


@pytest.mark.parametrize("text", VECTORS["chains"])
def test_a_chain_is_named_by_caip_2(text: str) -> None:
    assert parse_chain(text) == text


@pytest.mark.parametrize("case", VECTORS["not_chains"], ids=case_id)
def test_no_other_text_names_a_chain(case: Json) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_chain(case["text"])
    assert caught.value.refusal is Refusal.MALFORMED


@pytest.mark.parametrize("case", VECTORS["assets"], ids=case_id)
def test_an_asset_is_named_by_caip_19_and_lives_on_its_chain(case: Json) -> None:
    assert chain_of(parse_asset(case["asset"])) == case["chain"]


@pytest.mark.parametrize("case", VECTORS["not_assets"], ids=case_id)
def test_no_other_text_names_an_asset(case: Json) -> None:
    with pytest.raises(DecodeError) as caught:
        parse_asset(case["text"])
    assert caught.value.refusal is Refusal.MALFORMED


@pytest.mark.parametrize("case", VECTORS["pairs"], ids=case_id)
def test_a_pair_and_its_topic_are_the_same_in_either_order(case: Json) -> None:
    one, other = map(AssetId, case["assets"])
    assert pair_id(one, other).hex() == pair_id(other, one).hex() == case["pair"]
    assert pair_topic(one, other) == pair_topic(other, one) == case["topic"]
    assert topic_of(bytes.fromhex(case["pair"])) == case["topic"]


def test_an_error_shows_only_the_beginning_of_an_endless_name() -> None:
    with pytest.raises(DecodeError) as caught:
        parse_asset("x" * 10_000)
    assert len(caught.value.detail) < 200
