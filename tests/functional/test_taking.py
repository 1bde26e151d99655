"""Offers are taken: both directions, whole and in parts, one after the other and at once."""

import pytest
import trio

from swapd.control.failures import CallError
from tests.daemons.fleet import Fleet
from tests.functional import accounts

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(180)]


async def test_litecoin_is_sold_for_bitcoin_and_every_balance_moves_exactly(fleet: Fleet) -> None:
    before = await accounts.balances(fleet)
    offer_id = await fleet.post("maker", "2 LTC", buy="BTC", price="0.0125", seen_by=["taker"])
    swap_id = await fleet.take("taker", offer_id)
    await fleet.until_ended(swap_id)

    assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("completed", "completed")
    summary = (await fleet.swap("taker", swap_id))["summary"]
    assert (summary["pay"]["units"], summary["receive"]["units"]) == ("2500000", "200000000")
    await accounts.check(fleet, before, swap_id)
    standing = (await fleet["maker"].call("offer.list", include_ended=True))["offers"][0]
    assert (standing["offer"]["offer_id"], standing["status"]) == (offer_id, "filled")
    await fleet.until_gone("taker", offer_id)


async def test_bitcoin_is_sold_for_litecoin_in_two_parts_one_after_the_other(
    fleet: Fleet,
) -> None:
    before = await accounts.balances(fleet)
    offer_id = await fleet.post("maker", "0.05 BTC", buy="LTC", price="80", seen_by=["taker"])
    first = await fleet.take("taker", offer_id, "0.02 BTC")
    await fleet.until_ended(first)
    # What remains is a new version of the offer, with an id of its own.
    book = await fleet.until_book("taker", lambda found: bool(found) and offer_id not in found)
    [(rest, row)] = book.items()
    assert int(row["sell_remaining"]["units"]) <= 3_000_000

    second = await fleet.take("taker", rest, "0.8 LTC")
    await fleet.until_ended(second)
    summary = (await fleet.swap("maker", second))["summary"]
    assert (summary["pay"]["units"], summary["receive"]["units"]) == ("1000000", "80000000")
    for swap_id in (first, second):
        assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("completed", "completed")
    await accounts.check(fleet, before, first, second)


async def test_one_offer_is_taken_three_times_at_once_by_two_takers(fleet: Fleet) -> None:
    before = await accounts.balances(fleet)
    both = ["taker", "taker2"]
    offer_id = await fleet.post("maker", "6 LTC", buy="BTC", price="0.01", seen_by=both)
    swaps: list[str] = []

    async def take(name: str) -> None:
        swaps.append(await fleet.take(name, offer_id, "2 LTC"))

    async with trio.open_nursery() as nursery:
        for name in ("taker", "taker2", "taker"):
            nursery.start_soon(take, name)
    await fleet.until_ended()

    assert len(set(swaps)) == 3
    phases = [await fleet.phase("maker", swap_id) for swap_id in swaps]
    assert phases == ["completed"] * 3
    await accounts.check(fleet, before, *swaps)


async def test_of_two_takers_who_race_for_the_same_coins_exactly_one_is_accepted(
    fleet: Fleet,
) -> None:
    before = await accounts.balances(fleet)
    both = ["taker", "taker2"]
    offer_id = await fleet.post("maker", "2 LTC", buy="BTC", price="0.01", seen_by=both)
    won: list[tuple[str, str]] = []
    lost: list[tuple[str, CallError]] = []

    async def take(name: str) -> None:
        try:
            won.append((name, await fleet.take(name, offer_id)))
        except CallError as error:
            lost.append((name, error))

    async with trio.open_nursery() as nursery:
        for name in both:
            nursery.start_soon(take, name)

    assert len(won) == len(lost) == 1
    loser, error = lost[0]
    assert error.name == "amount_taken", error.message
    assert await fleet.open_swaps(fleet[loser]) == []
    _, swap_id = won[0]
    await fleet.until_ended(swap_id)
    assert await accounts.ends(fleet, swap_id, "maker", won[0][0]) == ("completed", "completed")
    await accounts.check(fleet, before, swap_id)


async def test_a_take_by_pair_and_limit_price_takes_the_cheaper_of_two_offers(
    fleet: Fleet,
) -> None:
    before = await accounts.balances(fleet)
    dear = await fleet.post("maker", "2 LTC", buy="BTC", price="0.02", seen_by=["taker"])
    cheap = await fleet.post("taker2", "2 LTC", buy="BTC", price="0.01", seen_by=["taker"])
    order = {"pair": "LTC/BTC", "side": "buy", "amount": {"asset": "LTC", "decimal": "1"}}
    with pytest.raises(CallError) as refused:
        await fleet["taker"].call("take", **order, limit_price="0.005")
    assert refused.value.name == "no_matching_offer"

    taken = await fleet.asked_to_take("taker", **order, limit_price="0.015")
    [swap] = taken["swaps"]
    assert swap["offer_id"] == cheap != dear
    await fleet.until_ended(swap["swap_id"])
    await accounts.check(fleet, before, swap["swap_id"])
    assert await fleet.phase("taker2", swap["swap_id"]) == "completed"


async def test_a_taker_may_be_paid_to_an_address_of_his_own(fleet: Fleet) -> None:
    offer_id = await fleet.post("maker", "1 LTC", buy="BTC", price="0.01", seen_by=["taker"])
    mine = await fleet.world["taker"].new_address("LTC")
    swap_id = await fleet.take("taker", offer_id, destination=mine)
    swap = await fleet.until_phase("taker", swap_id, "completed")
    await fleet.until_ended(swap_id)

    claim = next(t for t in swap["legs"][1]["transactions"] if t["what"] == "claim")
    got = await fleet.world["taker"].rpc("LTC", "getreceivedbyaddress", mine)
    fee = await fleet.fee("LTC", claim["txid"])
    assert round(float(got) * 100_000_000) == 100_000_000 - fee
