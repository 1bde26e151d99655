"""What a tower accepts of a leg on a chain with accounts: only fees that the client signed."""

from typing import Any

import msgspec
import pytest

from protocol.amounts import Amount, Units
from protocol.assets import AssetId
from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.evm.legs import contract_of
from protocol.evm.transactions import ORDER
from protocol.terms import Kind
from protocol.tower.package import Act, Package, Variant, check, read
from tests.protocol.tower import samples
from tests.protocol.tower.account_samples import (
    CLAIMER,
    ETH,
    EXPIRY,
    LOCKER,
    PREIMAGE,
    TOWER,
    UNITS,
    USDC,
    leg,
    package,
    signed,
)

replace = msgspec.structs.replace


def refusal(package: Package) -> Refusal:
    """Why it is refused."""
    with pytest.raises(RemoteProtocolError) as caught:
        check(package)
    return caught.value.refusal


def with_leg(made: Package, **changes: Any) -> Package:
    return replace(made, watched=replace(made.watched, leg=leg(**changes)))


def resigned(made: Package, **changes: Any) -> Package:
    """Changed and signed anew by the client itself."""
    return signed(replace(made, **changes), CLAIMER if made.act is Act.CLAIM else LOCKER)


@pytest.mark.parametrize("act", list(Act))
@pytest.mark.parametrize("asset", [ETH, USDC])
@pytest.mark.parametrize("fees", [(), ((1, 0), (2**64 + 1, 0))])
def test_each_package_of_an_honest_client_is_good_and_travels(
    act: Act, asset: AssetId, fees: tuple[tuple[int, int], ...]
) -> None:
    made = package(act, asset, fees, max_fee=2**64 + 2)
    assert read(encode(made)) == made


@pytest.mark.parametrize("act", list(Act))
def test_any_other_fee_time_relayer_or_term_is_a_bad_signature(act: Act) -> None:
    made = package(act)
    last = made.fees[-1]
    assert last.not_before > 0
    earlier = replace(last, not_before=last.not_before + 1)
    cheaper = replace(last, fee=last.fee - 1)
    for fee in (earlier, cheaper):
        assert refusal(replace(made, fees=(fee,))) is Refusal.BAD_SIGNATURE
    assert refusal(replace(made, relayer=b"\x77" * 20)) is Refusal.BAD_SIGNATURE
    assert refusal(replace(made, hashlock=b"\x01" * 32)) is Refusal.BAD_SIGNATURE
    for changes in (
        {"amount": Amount(ETH, Units(UNITS + 1))},
        {"amount": Amount(USDC, Units(UNITS))},
        {"amount": Amount(AssetId("eip155:10/slip44:60"), Units(UNITS))},
        {"refund_key": leg().refund_key[:20] + b"\x06"},
    ):
        assert refusal(with_leg(made, **changes)) is Refusal.BAD_SIGNATURE


@pytest.mark.parametrize("act", list(Act))
def test_only_the_party_that_is_paid_can_sign_a_fee(act: Act) -> None:
    thief = LOCKER if act is Act.CLAIM else CLAIMER
    assert refusal(signed(package(act), thief)) is Refusal.BAD_SIGNATURE


def test_the_other_form_of_a_signature_and_a_garbled_one_are_bad() -> None:
    made = package()
    fee = made.fees[0]
    s = int.from_bytes(fee.signature[32:64], "big")
    high = fee.signature[:32] + (ORDER - s).to_bytes(32, "big") + bytes([1 - fee.signature[64]])
    for signature in (high, bytes(65), b"\xff" * 65, fee.signature[:64], fee.signature + b"\x00"):
        broken = replace(made, fees=(replace(fee, signature=signature),))
        assert refusal(broken) is Refusal.BAD_SIGNATURE


def test_another_account_can_never_be_paid() -> None:
    for act in Act:
        assert refusal(replace(package(act), destination=b"\x66" * 20)) is Refusal.WRONG_TERMS


def test_fees_above_the_cap_and_caps_of_all_the_coins_are_refused_although_signed() -> None:
    made = package()
    assert refusal(resigned(made, max_fee=made.fees[-1].fee - 1)) is Refusal.WRONG_TERMS
    assert refusal(resigned(made, max_fee=UNITS)) is Refusal.WRONG_TERMS
    check(resigned(made, max_fee=UNITS - 1))


def test_fees_must_rise_and_not_become_good_before_cheaper_ones() -> None:
    one, two, three = package().fees
    for fees in ((two, one), (one, one), (three, replace(two, fee=three.fee + 1))):
        assert refusal(resigned(package(), fees=fees)) is Refusal.WRONG_TERMS
    for fee in (0, -1):
        assert refusal(replace(package(), fees=(replace(one, fee=fee),))) is Refusal.WRONG_TERMS


def test_a_fee_for_a_refund_is_void_before_its_expiry() -> None:
    made = package(Act.REFUND)
    early = replace(made.fees[0], not_before=EXPIRY - 1)
    assert refusal(resigned(made, fees=(early,))) is Refusal.WRONG_TERMS


def test_a_fee_names_its_relayer_and_a_relayer_gets_a_fee() -> None:
    made = package()
    for changes in ({"relayer": b""}, {"fees": ()}, {"relayer": TOWER[:19]}):
        assert refusal(replace(made, **changes)) is Refusal.WRONG_TERMS


def test_ways_belong_to_outputs_and_fees_to_entries() -> None:
    ways = samples.REFUND_P.ways
    assert refusal(replace(package(), ways=ways)) is Refusal.WRONG_TERMS
    fee = Variant(1, EXPIRY, bytes(65))
    for changes in ({"ways": ()}, {"fees": (fee,)}, {"relayer": TOWER}):
        assert refusal(replace(samples.REFUND_P, **changes)) is Refusal.WRONG_TERMS


def test_terms_that_no_entry_can_have_are_refused() -> None:
    good = leg()
    for changes in (
        {"claim_key": good.refund_key[:20]},
        {"claim_key": bytes(20)},
        {"claim_key": contract_of(None)},
        {"claim_key": good.claim_key[:19]},
        {"refund_key": good.refund_key[:20] + b"\x80"},
        {"refund_key": good.refund_key[:20]},
        {"amount": Amount(ETH, Units(2**96))},
        {"expiry": 499_999_999},
    ):
        made = package(fees=())
        keep = replace(made, keep_until=changes.get("expiry", EXPIRY))
        found = with_leg(keep, **changes)
        found = replace(found, destination=found.watched.leg.claim_key)
        with pytest.raises(RemoteProtocolError):
            check(found)


def test_a_kind_that_is_not_its_chains_is_refused() -> None:
    output = samples.REFUND_P.watched.leg
    made = package(fees=())
    asset = Amount(output.amount.asset, Units(5))
    assert refusal(with_leg(made, amount=asset)) is Refusal.UNSUPPORTED_ASSET
    on_accounts = replace(output, amount=Amount(ETH, Units(5)), kind=Kind.P2WSH)
    watched = replace(samples.REFUND_P.watched, leg=on_accounts)
    assert refusal(replace(samples.REFUND_P, watched=watched)) is Refusal.UNSUPPORTED_ASSET


def test_the_preimage_may_show_on_any_other_asset_and_only_the_true_one_is_taken() -> None:
    made = package(fees=())
    check(replace(made, preimage=PREIMAGE, shows=samples.CLAIM_I.watched))
    token = replace(made.watched, leg=leg(USDC))
    check(replace(made, shows=token))
    assert refusal(replace(made, shows=made.watched)) is Refusal.WRONG_TERMS
    assert refusal(replace(made, preimage=bytes(32))) is Refusal.WRONG_TERMS
    refund = package(Act.REFUND, fees=())
    assert refusal(replace(refund, preimage=PREIMAGE)) is Refusal.WRONG_TERMS
    assert refusal(replace(refund, shows=token)) is Refusal.WRONG_TERMS
