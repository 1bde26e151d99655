"""A lying counterparty: every field wrong once, each refused by its name, the state unmoved."""

import hashlib
from typing import Any

import pytest

from protocol.amounts import Amount, Units
from protocol.bitcoin.params import BITCOIN_MAINNET, LITECOIN_MAINNET
from protocol.errors import Refusal, RemoteProtocolError
from protocol.negotiation import maker, taker
from protocol.proof import FundsProof
from protocol.signing import public_key
from protocol.terms import Exposure, Kind, Pace, PinnedBlock, Timing
from tests.protocol.negotiation import scene
from tests.protocol.negotiation.scene import NOW, STRANGER_SECRET, TERMS, replace
from tests.protocol.negotiation.test_agreeing import refusal_of

OTHER_KEY = scene.point("somebody else")
OFF_CURVE = b"\x02" + b"\xff" * 32
OTHER_BLOCK = PinnedBlock(120, bytes(32))

# --- Terms ------------------------------------------------------------------------------------


def leg_i(**change: Any) -> dict[str, Any]:
    return {"leg_i": replace(TERMS.leg_i, **change)}


def leg_p(**change: Any) -> dict[str, Any]:
    return {"leg_p": replace(TERMS.leg_p, **change)}


def units(leg: Any, more: int) -> Amount:
    return Amount(leg.amount.asset, Units(leg.amount.units + more))


LYING_TERMS: dict[str, tuple[dict[str, Any], Refusal]] = {
    "another version": ({"version": 2}, Refusal.UNKNOWN_VERSION),
    "another swap": ({"swap_id": bytes(32)}, Refusal.WRONG_SWAP),
    "a swap id that is none": ({"swap_id": b""}, Refusal.WRONG_SWAP),
    "another offer": ({"offer_id": bytes(32)}, Refusal.UNKNOWN_OFFER),
    "another maker": ({"maker": public_key(STRANGER_SECRET)}, Refusal.WRONG_KEY),
    "another taker": ({"taker": public_key(STRANGER_SECRET)}, Refusal.WRONG_KEY),
    "a short hashlock": ({"hashlock": bytes(31)}, Refusal.WRONG_TERMS),
    "a start in the past": ({"t0": NOW - 6}, Refusal.CLOCK_SKEW),
    "a start in the future": ({"t0": NOW + 11}, Refusal.CLOCK_SKEW),
    "a start that does not fit its expiries": ({"t0": NOW + 1}, Refusal.WRONG_EXPIRY),
    "another timing": ({"timing": Timing.STANDARD}, Refusal.WRONG_TERMS),
    "a longer absence of the taker": ({"exposure_i": Exposure(31, 6)}, Refusal.WRONG_TERMS),
    "a shorter absence of the maker": ({"exposure_p": Exposure(29, 6)}, Refusal.WRONG_TERMS),
    "a bolder maker": ({"exposure_p": Exposure(30, 5)}, Refusal.WRONG_TERMS),
    "no least fee rate": ({"min_fee_rate_i": 0}, Refusal.WRONG_TERMS),
    "one unit less for the maker": (leg_i(amount=units(TERMS.leg_i, -1)), Refusal.WRONG_TERMS),
    "one unit more for the maker": (leg_i(amount=units(TERMS.leg_i, 1)), Refusal.WRONG_TERMS),
    "one unit more for the taker": (leg_p(amount=units(TERMS.leg_p, 1)), Refusal.WRONG_TERMS),
    "one unit less for the taker": (leg_p(amount=units(TERMS.leg_p, -1)), Refusal.WRONG_TERMS),
    "mainnet litecoin": (
        leg_p(amount=Amount(LITECOIN_MAINNET.asset_id, TERMS.leg_p.amount.units)),
        Refusal.WRONG_CHAIN,
    ),
    "mainnet bitcoin": (
        leg_i(amount=Amount(BITCOIN_MAINNET.asset_id, TERMS.leg_i.amount.units)),
        Refusal.WRONG_CHAIN,
    ),
    "a token on the same chain": (
        leg_i(
            amount=Amount(scene.BTC.replace("slip44:1", "slip44:0"), TERMS.leg_i.amount.units)  # type: ignore[arg-type] # a forged id
        ),
        Refusal.UNSUPPORTED_ASSET,
    ),
    "another claim key for the maker": (leg_i(claim_key=OTHER_KEY), Refusal.WRONG_KEY),
    "another refund key for the maker": (leg_p(refund_key=OTHER_KEY), Refusal.WRONG_KEY),
    "a refund key off the curve": (leg_i(refund_key=OFF_CURVE), Refusal.WRONG_KEY),
    "a claim key off the curve": (leg_p(claim_key=OFF_CURVE), Refusal.WRONG_KEY),
    "a claim key of 32 bytes": (leg_p(claim_key=OTHER_KEY[1:]), Refusal.WRONG_KEY),
    "an uncompressed key": (leg_i(refund_key=b"\x04" + bytes(64)), Refusal.WRONG_KEY),
    "a refunder who is the claimer": (
        leg_i(refund_key=TERMS.leg_i.claim_key),
        Refusal.WRONG_KEY,
    ),
    "the claimer's key with the other sign": (
        leg_p(claim_key=bytes([TERMS.leg_p.refund_key[0] ^ 1]) + TERMS.leg_p.refund_key[1:]),
        Refusal.WRONG_KEY,
    ),
    "one key on both legs": (leg_i(refund_key=TERMS.leg_p.claim_key), Refusal.WRONG_KEY),
    "an expiry of I one second early": (
        leg_i(expiry=TERMS.leg_i.expiry - 1),
        Refusal.WRONG_EXPIRY,
    ),
    "an expiry of P one second late": (leg_p(expiry=TERMS.leg_p.expiry + 1), Refusal.WRONG_EXPIRY),
    "an expiry that is a height": (leg_p(expiry=499_999_999), Refusal.WRONG_EXPIRY),
    "a depth of I too small": (leg_i(depth=1), Refusal.DEPTH_TOO_SMALL),
    "a depth of P too small": (leg_p(depth=2), Refusal.DEPTH_TOO_SMALL),
    "another block of I": (leg_i(pinned=OTHER_BLOCK), Refusal.WRONG_CHAIN),
    "another block of P": (leg_p(pinned=PinnedBlock(340, bytes(32))), Refusal.WRONG_CHAIN),
    "another kind of I": (leg_i(kind=Kind.EVM), Refusal.UNSUPPORTED_KIND),
    "another kind of P": (leg_p(kind=Kind.EVM), Refusal.UNSUPPORTED_KIND),
    "a pace for I": (leg_i(pace=Pace(10)), Refusal.WRONG_TERMS),
    "a pace for P": (leg_p(pace=Pace(10)), Refusal.WRONG_TERMS),
}


@pytest.mark.parametrize("lie", LYING_TERMS)
def test_terms_with_one_false_field_are_refused_by_its_name(lie: str) -> None:
    change, expected = LYING_TERMS[lie]
    data = scene.propose_message(replace(TERMS, **change))
    assert refusal_of(scene.RESERVED, data) is expected


def test_every_field_of_the_terms_is_lied_about_at_least_once() -> None:
    lied = {name for change, _ in LYING_TERMS.values() for name in change}
    assert lied == set(TERMS.__struct_fields__)
    for leg, honest in (("leg_i", TERMS.leg_i), ("leg_p", TERMS.leg_p)):
        fields = {
            name
            for change, _ in LYING_TERMS.values()
            if leg in change
            for name in honest.__struct_fields__
            if getattr(change[leg], name) != getattr(honest, name)
        }
        assert fields == set(honest.__struct_fields__)


def test_terms_signed_by_a_third_party_are_refused() -> None:
    data = scene.propose_message(TERMS, STRANGER_SECRET)
    assert refusal_of(scene.RESERVED, data) is Refusal.BAD_SIGNATURE


def test_terms_signed_as_something_else_are_refused() -> None:
    data = scene.take_message(scene.DRAFT.take).replace(b"\xa4take", b"\xa7propose")
    assert refusal_of(scene.RESERVED, data) is Refusal.BAD_SIGNATURE


# --- Takes ------------------------------------------------------------------------------------

LYING_TAKES: dict[str, tuple[dict[str, Any], Refusal]] = {
    "another offer": ({"offer_id": bytes(32)}, Refusal.UNKNOWN_OFFER),
    "the maker's own key": ({"taker": scene.OFFER.maker}, Refusal.OWN_OFFER),
    "nothing": ({"units": Units(0)}, Refusal.AMOUNT_OUT_OF_RANGE),
    "less than the minimum": ({"units": Units(199_999_999)}, Refusal.AMOUNT_OUT_OF_RANGE),
    "more than the maximum": ({"units": Units(1_000_000_001)}, Refusal.AMOUNT_OUT_OF_RANGE),
    "more than can exist": ({"units": Units(2**256 - 1)}, Refusal.AMOUNT_OUT_OF_RANGE),
    "a kind nobody knows": ({"kind_i": "teleport"}, Refusal.UNSUPPORTED_KIND),
    "a kind of another chain": ({"kind_p": "evm"}, Refusal.UNSUPPORTED_KIND),
    "another timing": ({"timing": Timing.FAST}, Refusal.WRONG_TERMS),
    "made too long ago": ({"created": NOW - 6}, Refusal.CLOCK_SKEW),
    "made in our future": ({"created": NOW + 6}, Refusal.CLOCK_SKEW),
    "a fork of I": ({"pinned_i": OTHER_BLOCK}, Refusal.WRONG_CHAIN),
    "a fork of P": ({"pinned_p": PinnedBlock(340, bytes(32))}, Refusal.WRONG_CHAIN),
    "a block too old to tell forks": (
        {"pinned_i": PinnedBlock(40, bytes(32))},
        Refusal.WRONG_CHAIN,
    ),
    "a block that is not buried": ({"pinned_p": PinnedBlock(440, bytes(32))}, Refusal.WRONG_CHAIN),
    "a block hash of 31 bytes": ({"pinned_p": PinnedBlock(341, bytes(31))}, Refusal.WRONG_CHAIN),
}


@pytest.mark.parametrize("lie", LYING_TAKES)
def test_a_take_with_one_false_field_is_refused_by_its_name(lie: str) -> None:
    change, expected = LYING_TAKES[lie]
    with pytest.raises(RemoteProtocolError) as caught:
        scene.grant(maker.Asked(replace(scene.DRAFT.take, **change), scene.SWAP_ID))
    assert caught.value.refusal is expected


def test_a_take_that_would_lock_coins_for_more_than_two_days_is_refused() -> None:
    slow = Exposure(12 * 3600, 9)
    offer = replace(scene.OFFER, timing=Timing.STANDARD, exposure=slow, depth_sell=12, depth_buy=3)
    side = replace(scene.SIDE, timing=Timing.STANDARD, exposure=slow)
    take = replace(scene.DRAFT.take, timing=Timing.STANDARD, exposure=slow, depth_i=3, depth_p=12)
    with pytest.raises(RemoteProtocolError) as caught:
        scene.grant(maker.Asked(take, scene.SWAP_ID), offer=offer, side=side)
    assert caught.value.refusal is Refusal.EXPOSURE_TOO_LONG


def test_a_take_of_more_than_is_left_is_told_that_somebody_was_faster() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        scene.grant(remaining=scene.UNITS - 1)
    assert caught.value.refusal is Refusal.AMOUNT_TAKEN
    assert scene.grant(remaining=scene.UNITS) == scene.GRANTED


def test_a_take_of_an_expired_offer_is_refused() -> None:
    offer = replace(scene.OFFER, expires=NOW)
    with pytest.raises(RemoteProtocolError) as caught:
        scene.grant(offer=offer)
    assert caught.value.refusal is Refusal.OFFER_EXPIRED


def test_amounts_whose_spends_could_cost_a_tenth_are_refused_on_either_leg() -> None:
    # 270 vbytes at 1851.9 satoshi per vbyte cost 500,013: a tenth of just more than leg I.
    dear = replace(scene.SIDE, stress_fee_rate_i=1_851_900)
    with pytest.raises(RemoteProtocolError) as caught:
        scene.grant(side=dear)
    assert caught.value.refusal is Refusal.BELOW_ECONOMIC_MINIMUM
    # At 1851.8 they cost 499,986: less than a tenth of the five million.
    assert scene.grant(side=replace(dear, stress_fee_rate_i=1_851_800)).fill == scene.GRANTED.fill


def test_the_agreed_depth_is_the_deepest_that_anyone_asked_for() -> None:
    take = replace(scene.DRAFT.take, depth_i=7)
    side = replace(scene.SIDE, floor_p=9)
    found = scene.grant(maker.Asked(take, scene.SWAP_ID), side=side)
    assert (found.depth_i, found.depth_p) == (7, 9)
    found = scene.grant(offer=replace(scene.OFFER, depth_sell=5, depth_buy=4))
    assert (found.depth_i, found.depth_p) == (4, 5)


def test_a_take_signed_by_a_third_party_is_refused() -> None:
    data = scene.take_message(scene.DRAFT.take, STRANGER_SECRET)
    assert refusal_of(scene.LISTENING, data) is Refusal.BAD_SIGNATURE


def test_a_take_of_a_later_version_is_refused_politely_whatever_else_it_holds() -> None:
    payload = b"\x92\x02\xa5later"
    data = b"\x93\xa4take" + b"\xc4" + bytes([len(payload)]) + payload + b"\xc4\x40" + bytes(64)
    assert refusal_of(scene.LISTENING, data) is Refusal.UNKNOWN_VERSION


def test_an_exposure_nobody_may_ask_for_is_refused_by_name() -> None:
    honest = scene.take_message(scene.DRAFT.take)
    # The exposure [30, 6] becomes [30, 10].
    data = honest.replace(b"regtest\x92\x1e\x06", b"regtest\x92\x1e\x0a")
    payload_hash_changes = data != honest
    assert payload_hash_changes
    assert refusal_of(scene.LISTENING, data) is Refusal.EXPOSURE_TOO_LONG


# --- Reserve answers --------------------------------------------------------------------------

LYING_RESERVES: dict[str, tuple[dict[str, Any], Refusal]] = {
    "another take": ({"swap_id": bytes(32)}, Refusal.WRONG_SWAP),
    "another exposure than offered": ({"exposure": Exposure(31, 6)}, Refusal.WRONG_TERMS),
    "a depth of I too small": ({"depth_i": 1}, Refusal.DEPTH_TOO_SMALL),
    "a depth of P too small": ({"depth_p": 2}, Refusal.DEPTH_TOO_SMALL),
    "a claim key off the curve": ({"claim_key_i": OFF_CURVE}, Refusal.WRONG_KEY),
    "a refund key off the curve": ({"refund_key_p": OFF_CURVE}, Refusal.WRONG_KEY),
    "one key twice": ({"claim_key_i": scene.RESERVE.refund_key_p}, Refusal.WRONG_KEY),
    "a pace for I": ({"pace_i": Pace(10)}, Refusal.WRONG_TERMS),
    "a pace for P": ({"pace_p": Pace(10)}, Refusal.WRONG_TERMS),
    "a fork of I": ({"pinned_i": OTHER_BLOCK}, Refusal.WRONG_CHAIN),
    "a fork of P": ({"pinned_p": PinnedBlock(340, bytes(32))}, Refusal.WRONG_CHAIN),
    "an absurd fee for our lock": ({"min_fee_rate_i": 100_001}, Refusal.WRONG_TERMS),
    "a proof without coins": ({"proof": FundsProof(b"\x02", ())}, Refusal.MALFORMED),
    "a proof too large": ({"proof": FundsProof(bytes(10_501), ("a",))}, Refusal.MALFORMED),
    "an end long past": ({"valid_until": NOW - 6}, Refusal.TOO_LATE),
}


@pytest.mark.parametrize("lie", LYING_RESERVES)
def test_a_reserve_answer_with_one_false_field_is_refused_by_its_name(lie: str) -> None:
    change, expected = LYING_RESERVES[lie]
    data = scene.reserve_message(replace(scene.RESERVE, **change))
    assert refusal_of(scene.ASKING, data) is expected


def test_every_field_of_a_reserve_answer_is_lied_about_at_least_once() -> None:
    lied = {name for change, _ in LYING_RESERVES.values() for name in change}
    assert lied == set(scene.RESERVE.__struct_fields__)


def test_a_reserve_answer_signed_by_a_third_party_is_refused() -> None:
    data = scene.reserve_message(scene.RESERVE, STRANGER_SECRET)
    assert refusal_of(scene.ASKING, data) is Refusal.BAD_SIGNATURE


def test_a_maker_may_ask_for_deeper_locks_and_the_expiries_follow() -> None:
    deeper = replace(scene.RESERVE, depth_i=4, depth_p=5)
    found = taker.receive(scene.ASKING, scene.reserve_message(deeper), now=NOW)
    assert isinstance(found, taker.Offered)
    terms = taker.draft_terms(found, scene.PART)
    # By hand: settle 50 + 70, claim_P 20 + 10 x 6 -> T_P = 10+50+70+30+80+5; T_I + 160+30+50+5.
    assert (terms.leg_p.expiry - NOW, terms.leg_i.expiry - NOW) == (245, 490)


def test_a_maker_whose_keys_collide_with_ours_gets_no_terms() -> None:
    part = replace(scene.PART, claim_key_p=scene.RESERVE.claim_key_i)
    with pytest.raises(RemoteProtocolError) as caught:
        taker.draft_terms(scene.OFFERED, part)
    assert caught.value.refusal is Refusal.WRONG_KEY


# --- The taker's own order --------------------------------------------------------------------


@pytest.mark.parametrize("units_wanted", [-1, 0, 1, 199_999_999, 1_000_000_001, 2**300])
def test_an_order_for_an_impossible_amount_never_leaves(units_wanted: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        taker.ask(
            scene.OFFER,
            scene.OFFER_ID,
            units_wanted,
            side=scene.SIDE,
            taker=scene.DRAFT.take.taker,
            nonce=bytes(32),
            now=NOW,
        )
    assert caught.value.refusal is Refusal.AMOUNT_OUT_OF_RANGE


def test_swap_ids_differ_with_every_nonce() -> None:
    ids = set()
    for number in range(4):
        take = replace(scene.DRAFT.take, nonce=hashlib.sha256(bytes([number])).digest())
        asked = maker.receive(scene.LISTENING, scene.take_message(take), now=NOW)
        assert isinstance(asked, maker.Asked)
        ids.add(asked.swap_id)
    assert len(ids) == 4
