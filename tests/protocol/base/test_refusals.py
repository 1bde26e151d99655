"""Every refusal as a message; the takes, keys and book questions that are granted or refused."""

import itertools
from typing import Any

import pytest
from coincurve import PrivateKey

from protocol import codec
from protocol.amounts import Price, Units
from protocol.assets import AssetId
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.errors import DecodeError, Refusal, RemoteProtocolError
from protocol.kinds import check_parties
from protocol.negotiation.checks import Side, agreed_depths, check_take
from protocol.negotiation.messages import Refuse, Take, read, refuse
from protocol.offers import Offer
from protocol.reconcile import decode_answer, decode_request
from protocol.signing import PublicKey
from protocol.terms import Exposure, Kind, Pace, PinnedBlock, Timing
from tests.protocol.base.vectors import Json, case_id, load, spelled

REFUSALS = load("refusals")
BOOK = load("book_sync")
MAKER, TAKER = PublicKey(b"\x13" * 32), PublicKey(b"\x14" * 32)
OFFER_ID = b"\x12" * 32


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


# --- Takes ------------------------------------------------------------------------------------


def pinned(case: list[Any]) -> PinnedBlock:
    return PinnedBlock(case[0], bytes.fromhex(case[1]))


def offer_of(case: Json) -> Offer:
    return Offer(
        version=1,
        maker=MAKER,
        slot=0,
        sequence=1,
        number=1,
        sell=AssetId(LITECOIN_REGTEST.asset_id),
        buy=AssetId(BITCOIN_REGTEST.asset_id),
        price=Price.of(*map(int, case["price"])),
        minimum=Units(int(case["minimum"])),
        maximum=Units(int(case["maximum"])),
        created=case["expires"] - 3600,
        expires=case["expires"],
        kinds=tuple(case["offer_kinds"]),
        timing=Timing(case["offer_timing"]),
        exposure=Exposure(30, 6),
        depth_sell=case["depth_sell"],
        depth_buy=case["depth_buy"],
        min_fee_rate=1000,
    )


def take_of(case: Json) -> Take:
    return Take(
        version=1,
        offer_id=b"\x99" * 32 if case["offer_is_another"] else OFFER_ID,
        taker=MAKER if case["taker_is_the_maker"] else TAKER,
        nonce=bytes(32),
        units=Units(int(case["units"])),
        kind_i=case["kind_i"],
        kind_p=case["kind_p"],
        timing=Timing(case["timing"]),
        exposure=Exposure(30, 6),
        depth_i=case["depth_i"],
        depth_p=case["depth_p"],
        pace_i=case["pace_i"] and Pace(*case["pace_i"]),
        pace_p=case["pace_p"] and Pace(*case["pace_p"]),
        pinned_i=pinned(case["pinned_i"]),
        pinned_p=pinned(case["pinned_p"]),
        created=case["created"],
    )


def side_of(case: Json) -> Side:
    return Side(
        timing=Timing(case["our_timing"]),
        exposure=Exposure(30, 6),
        pinned_i=pinned(case["our_pinned_i"]),
        pinned_p=pinned(case["our_pinned_p"]),
        stress_fee_rate_i=case["our_stress_fee_rate"],
        stress_fee_rate_p=case["our_stress_fee_rate"],
    )


def ask(change: Json) -> list[Any]:
    case = REFUSALS["take"] | change
    assert case.keys() == REFUSALS["take"].keys()
    take, offer, side = take_of(case), offer_of(case), side_of(case)
    fill = check_take(
        take,
        offer=offer,
        offer_id=OFFER_ID,
        remaining=int(case["remaining"]),
        side=side,
        now=case["now"],
    )
    depths = agreed_depths(take, offer, side, fill)
    return [str(int(fill.amount_i.units)), str(int(fill.amount_p.units)), *depths]


@pytest.mark.parametrize("case", REFUSALS["takes_granted"], ids=case_id)
def test_a_good_take_is_granted_with_these_amounts_and_depths(case: Json) -> None:
    said = [case[name] for name in ("amount_i", "amount_p", "depth_i", "depth_p")]
    assert ask(case["change"]) == said


@pytest.mark.parametrize("case", REFUSALS["takes_refused"], ids=case_id)
def test_a_bad_take_is_refused_by_name(case: Json) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        ask(case["change"])
    assert caught.value.refusal is Refusal(case["refusal"])


@pytest.mark.parametrize("case", REFUSALS["keys"], ids=case_id)
def test_the_keys_of_a_swap_are_points_with_different_x(case: Json) -> None:
    keys = [bytes.fromhex(key) for key in case["keys"]]
    others = [PrivateKey(bytes([n]) * 32).public_key.format() for n in (1, 2)]
    for one, two, three, four in itertools.permutations([*keys, *others]):
        if case["refusal"] is None:
            check_parties(Kind.P2WSH, Kind.P2WSH, i=(one, two), p=(three, four))
            continue
        with pytest.raises(RemoteProtocolError) as caught:
            check_parties(Kind.P2WSH, Kind.P2WSH, i=(one, two), p=(three, four))
        assert caught.value.refusal is Refusal(case["refusal"])


# --- Book sync --------------------------------------------------------------------------------


@pytest.mark.parametrize("case", BOOK["requests"], ids=case_id)
def test_a_book_request_is_read_or_refused_by_name(case: Json) -> None:
    data = spelled(case["bytes"])
    if case["refusal"] is None:
        assert codec.encode(decode_request(data)) == data
        return
    with pytest.raises(RemoteProtocolError) as caught:
        decode_request(data)
    assert caught.value.refusal is Refusal(case["refusal"])


@pytest.mark.parametrize("case", BOOK["answers"], ids=case_id)
def test_a_book_answer_is_read_or_refused_by_name(case: Json) -> None:
    data, after = spelled(case["bytes"]), bytes.fromhex(case["after"])
    if case["refusal"] is None:
        answer = decode_answer(data, after=after)
        assert codec.encode(answer) == data
        return
    with pytest.raises(RemoteProtocolError) as caught:
        decode_answer(data, after=after)
    assert caught.value.refusal is Refusal(case["refusal"])
