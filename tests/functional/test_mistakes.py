"""The operator's mistakes: a clear error by name, and nothing is committed."""

from collections.abc import AsyncIterator
from functools import partial

import pytest

from swapd.control.failures import CallError
from tests.daemons.fleet import Fleet
from tests.functional import accounts

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(180)]

LTC_2 = {"asset": "LTC", "decimal": "2"}


async def refused(fleet: Fleet, name: str, method: str, **params: object) -> CallError:
    """The error of a call that must fail."""
    taking = method == "take"
    call = partial(fleet.asked_to_take, name) if taking else partial(fleet[name].call, method)
    with pytest.raises(CallError) as caught:
        await call(**params)
    assert caught.value.message
    assert caught.value.remedy
    return caught.value


@pytest.fixture
async def unharmed(fleet: Fleet) -> AsyncIterator[Fleet]:
    """The fleet; afterwards no offer, no swap, no reservation and no balance may have changed."""
    before = await accounts.balances(fleet)
    yield fleet
    assert await accounts.balances(fleet) == before
    for daemon in fleet.daemons.values():
        assert await fleet.open_swaps(daemon) == []
        assert (await daemon.call("offer.list"))["offers"] == []
        for row in (await daemon.call("balance"))["assets"]:
            assert row["reserved"]["units"] == row["locked"]["units"] == "0"


async def test_unknown_methods_and_parameters_are_refused(unharmed: Fleet) -> None:
    assert (await refused(unharmed, "taker", "offer.steal")).code == -32601
    assert (await refused(unharmed, "taker", "balance", aset="BTC")).code == -32602
    assert (await refused(unharmed, "taker", "take")).name == "invalid_params"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"sell": {"asset": "DOGE", "decimal": "2"}}, "unknown_asset"),
        ({"buy": "XYZ"}, "unknown_asset"),
        ({"buy": "LTC"}, "pair_invalid"),
        ({"sell": {"asset": "LTC", "decimal": "-2"}}, "amount_not_positive"),
        ({"sell": {"asset": "LTC", "decimal": "0"}}, "amount_not_positive"),
        ({"sell": {"asset": "LTC", "decimal": "0.000000001"}}, "amount_too_precise"),
        ({"sell": {"asset": "LTC", "decimal": "1e9"}}, "amount_invalid"),
        ({"sell": {"asset": "LTC", "decimal": "9" * 80}}, "amount_too_large"),
        ({"price": "0"}, "price_invalid"),
        ({"price": "-1"}, "price_invalid"),
        ({"price": "0.000000000001"}, "price_rounds_to_nothing"),
        ({"sell": {"asset": "LTC", "decimal": "0.0001"}}, "below_economic_minimum"),
        ({"sell": {"asset": "LTC", "decimal": "100000"}}, "insufficient_funds"),
    ],
)
async def test_an_impossible_offer_is_refused_by_name(
    unharmed: Fleet, change: dict[str, object], error: str
) -> None:
    params = {"sell": LTC_2, "buy": "BTC", "price": "0.01", **change}
    assert (await refused(unharmed, "maker", "offer.post", **params)).name == error


async def test_takes_that_cannot_be_are_refused_by_name(fleet: Fleet) -> None:
    before = await accounts.balances(fleet)
    offer_id = await fleet.post("maker", "2 LTC", buy="BTC", price="0.01", seen_by=["taker"])
    for amount, error in (
        ({"asset": "LTC", "decimal": "3"}, "amount_out_of_range"),
        ({"asset": "LTC", "units": "1"}, "amount_out_of_range"),
        ({"asset": "BTC", "units": "0"}, "amount_not_positive"),
    ):
        found = await refused(fleet, "taker", "take", offer_id=offer_id, amount=amount)
        assert found.name == error
    own = await refused(fleet, "maker", "take", offer_id=offer_id)
    assert own.name == "own_offer"
    bad = await refused(fleet, "taker", "take", offer_id=offer_id, destination="nonsense")
    assert bad.name == "address_invalid"
    other_chain = await fleet.world["taker"].new_address("BTC")
    bad = await refused(fleet, "taker", "take", offer_id=offer_id, destination=other_chain)
    assert bad.name == "address_invalid"

    await fleet["maker"].call("offer.cancel", offer_id=offer_id)
    await fleet.until_gone("taker", offer_id)
    gone = await refused(fleet, "taker", "take", offer_id=offer_id)
    assert gone.name in {"unknown_offer", "offer_cancelled"}
    again = await refused(fleet, "maker", "offer.cancel", offer_id=offer_id)
    assert again.name in {"unknown_offer", "offer_cancelled"}
    assert (await refused(fleet, "taker", "take", offer_id="00" * 32)).name == "unknown_offer"
    assert await accounts.balances(fleet) == before


async def test_an_offer_expires_by_itself_and_can_not_be_taken_any_more(fleet: Fleet) -> None:
    offer_id = await fleet.post(
        "maker", "2 LTC", buy="BTC", price="0.01", seen_by=["taker"], lifetime_seconds=60
    )
    await fleet.world.pass_time(70)
    gone = await refused(fleet, "taker", "take", offer_id=offer_id)
    assert gone.name in {"unknown_offer", "offer_expired"}
    await fleet.until_gone("taker", offer_id)


async def test_a_repeated_take_with_one_idempotency_key_is_one_swap(fleet: Fleet) -> None:
    before = await accounts.balances(fleet)
    offer_id = await fleet.post("maker", "2 LTC", buy="BTC", price="0.01", seen_by=["taker"])
    amount = {"asset": "LTC", "decimal": "1"}
    first = await fleet.take("taker", offer_id, "1 LTC", idempotency_key="mine")
    assert await fleet.take("taker", offer_id, "1 LTC", idempotency_key="mine") == first
    conflict = await refused(
        fleet, "taker", "take", offer_id="11" * 32, amount=amount, idempotency_key="mine"
    )
    assert conflict.name == "idempotency_conflict"
    await fleet.until_ended(first)
    await accounts.check(fleet, before, first)


async def test_a_quote_commits_nothing(unharmed: Fleet) -> None:
    offer_id = await unharmed.post("maker", "2 LTC", buy="BTC", price="0.01", seen_by=["taker"])
    quote = await unharmed["taker"].call("quote", offer_id=offer_id)
    assert quote["problems"] == []
    assert int(quote["pay"]["units"]) == 2_000_000
    assert int(quote["receive"]["units"]) == 200_000_000
    await unharmed["maker"].call("offer.cancel", every=True)
