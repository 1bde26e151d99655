"""The operator's coins: deposits, splitting, reservations, withdrawals, unusable wallets."""

from collections.abc import AsyncIterator

import pytest

from swapd.control.failures import CallError
from tests.daemons.fleet import Fleet
from tests.daemons.process import SwapdProcess
from tests.functional.conftest import QUICK
from tests.nodes import Party
from tests.nodes.world import CHAINS

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(180)]

LTC_2 = {"asset": "LTC", "decimal": "2"}


async def balance(daemon: SwapdProcess, asset: str, field: str) -> int:
    """One figure of a daemon's balance in base units."""
    [row] = (await daemon.call("balance", asset=asset))["assets"]
    return int(row[field]["units"])


async def error_of(daemon: SwapdProcess, method: str, **params: object) -> str:
    """The name of the error of a call that must fail."""
    with pytest.raises(CallError) as caught:
        await daemon.call(method, **params)
    return caught.value.name


async def post(daemon: SwapdProcess, sell: dict[str, str]) -> str:
    """The error of posting an offer, empty when it was posted."""
    try:
        await daemon.call("offer.post", sell=sell, buy="BTC", price="0.01", dry_run=True)
    except CallError as error:
        return error.name
    return ""


@pytest.fixture
async def poor(fleet: Fleet) -> AsyncIterator[SwapdProcess]:
    """A fourth daemon on the second taker's nodes, with an empty wallet of its own."""
    host = fleet.world["taker2"]
    party = Party("poor", host.nodes, wallet="poor")
    for chain in CHAINS:
        known = [w["name"] for w in (await host.rpc(chain, "listwalletdir"))["wallets"]]
        verb = "loadwallet" if "poor" in known else "createwallet"
        await host.node(chain).rpc(verb, "poor")
    daemon = SwapdProcess(
        "poor", fleet.folder / "poor", clock=fleet.world.clock.path, party=party, settings=QUICK
    )
    await daemon.start()
    yield daemon
    await daemon.stop()
    for chain in CHAINS:
        if "poor" in await host.rpc(chain, "listwallets"):
            await host.node(chain).rpc("unloadwallet", "poor")


async def test_an_empty_wallet_unconfirmed_coins_and_a_missing_wallet_are_told_apart(
    fleet: Fleet, poor: SwapdProcess
) -> None:
    assert await post(poor, LTC_2) == "insufficient_funds"
    address = (await poor.call("address", asset="LTC"))["address"]
    await fleet.world.funder.rpc("LTC", "sendtoaddress", address, "2")
    await fleet.relay_transactions()
    assert await balance(poor, "LTC", "in_flight") == 200_000_000
    await fleet.world.pass_time(10)
    # Confirmed, but the lock's fee is missing.
    assert await post(poor, LTC_2) == "insufficient_funds"
    assert await post(poor, {"asset": "LTC", "decimal": "1.9"}) == ""

    # Our own payment turns the only coin into unconfirmed change.
    host = fleet.world["taker2"].node("LTC")
    own = await host.rpc("getnewaddress", "", "bech32", wallet="poor")
    await host.rpc("sendtoaddress", own, "0.5", wallet="poor")
    assert await post(poor, {"asset": "LTC", "decimal": "1.9"}) == "funds_unconfirmed"
    await fleet.relay_transactions()
    await fleet.world.pass_time(10)
    assert await post(poor, {"asset": "LTC", "decimal": "1.9"}) == ""

    await host.rpc("encryptwallet", "secret", wallet="poor")
    assert await error_of(poor, "wallet.split", amount=LTC_2 | {"decimal": "0.1"}, count=2) == (
        "wallet_locked"
    )
    await host.rpc("unloadwallet", "poor")
    with pytest.raises(CallError, match="poor") as caught:
        await poor.call("address", asset="LTC")
    assert caught.value.name == "wallet_missing"
    problems = (await poor.call("health"))["problems"]
    assert any("poor" in problem["what"] for problem in problems)


async def test_splitting_makes_the_coins_asked_for_and_says_the_fee_first(fleet: Fleet) -> None:
    maker = fleet["maker"]
    before = await fleet.holdings("maker", "LTC")
    amount = {"asset": "LTC", "decimal": "0.3"}
    dry = await maker.call("wallet.split", amount=amount, count=3, dry_run=True)
    assert dry["txid"] is None
    assert await fleet.holdings("maker", "LTC") == before
    done = await maker.call("wallet.split", amount=amount, count=3)
    await fleet.relay_transactions()
    await fleet.world.pass_time(10)
    tx = await fleet.world.funder.rpc("LTC", "getrawtransaction", done["txid"], True)
    assert [out["value"] for out in tx["vout"]].count("0.30000000") == 3
    fee = await fleet.fee("LTC", done["txid"])
    assert int(done["fee"]["units"]) == fee
    assert await fleet.holdings("maker", "LTC") == before - fee


async def test_what_an_offer_promises_is_reserved_until_it_is_cancelled(fleet: Fleet) -> None:
    maker = fleet["maker"]
    free = await balance(maker, "LTC", "free")
    await fleet.post("maker", "2 LTC", buy="BTC", price="0.01")
    assert await balance(maker, "LTC", "reserved") >= 200_000_000
    assert await balance(maker, "LTC", "free") <= free - 200_000_000
    await maker.call("offer.cancel", every=True)
    assert await balance(maker, "LTC", "reserved") == 0
    assert await balance(maker, "LTC", "free") == free


async def test_what_swaps_paid_is_withdrawn_to_the_unit(fleet: Fleet) -> None:
    offer_id = await fleet.post("maker", "1 LTC", buy="BTC", price="0.01", seen_by=["taker2"])
    swap_id = await fleet.take("taker2", offer_id)
    await fleet.until_ended(swap_id)
    taker = fleet["taker2"]
    payout = await balance(taker, "LTC", "payout")
    target = await fleet.world["maker"].new_address("LTC")
    assert await error_of(taker, "withdraw", asset="LTC", destination="x") == "address_invalid"
    dry = await taker.call("withdraw", asset="LTC", destination=target, dry_run=True)
    assert (dry["txid"], int(dry["sent"]["units"]) + int(dry["fee"]["units"])) == (None, payout)
    done = await taker.call("withdraw", asset="LTC", destination=target)
    await fleet.relay_transactions()
    await fleet.world.pass_time(10)
    assert int(done["fee"]["units"]) == await fleet.fee("LTC", done["txid"])
    assert await balance(taker, "LTC", "payout") == 0
    got = str(await fleet.world["maker"].rpc("LTC", "getreceivedbyaddress", target))
    assert got.replace(".", "").lstrip("0") == str(payout - int(done["fee"]["units"]))
    assert await error_of(taker, "withdraw", asset="LTC", destination=target) == (
        "nothing_to_withdraw"
    )
