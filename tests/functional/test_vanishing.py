"""One side vanishes at each step: whoever has coins locked gets them back, or the other coins."""

from typing import Any

import pytest

from tests.daemons.fleet import Fleet
from tests.functional import accounts

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(240)]


def deadline(swap: dict[str, Any], name: str) -> int:
    """The unix time of one of a swap's deadlines."""
    return int(next(d["at"] for d in swap["deadlines"] if d["name"] == name))


async def begin(fleet: Fleet) -> str:
    """A take of 2 LTC for 0.02 BTC, agreed; its id."""
    offer_id = await fleet.post("maker", "2 LTC", buy="BTC", price="0.01", seen_by=["taker"])
    return await fleet.take("taker", offer_id)


async def leg_reaches(fleet: Fleet, name: str, swap_id: str, leg: str, status: str) -> None:
    """Lets blocks pass until a daemon sees a leg so."""

    async def reached() -> bool:
        legs = (await fleet.swap(name, swap_id))["legs"]
        return any((x["name"], x["status"]) == (leg, status) for x in legs)

    await fleet.until(reached)


async def wait_for_refunds(fleet: Fleet, swap_id: str, name: str) -> None:
    """Skips the time until the initiator's expiry, in which nobody present has to act."""
    swap = await fleet.swap(name, swap_id)
    await fleet.pass_blocks_to(deadline(swap, "expiry_i"))


async def test_a_taker_who_vanishes_after_its_lock_and_the_maker_are_both_refunded(
    fleet: Fleet,
) -> None:
    before = await accounts.balances(fleet)
    swap_id = await begin(fleet)
    await fleet.settle()
    await fleet.relay_transactions()
    await fleet["taker"].kill()
    await fleet.until_phase("maker", swap_id, "locked")
    await wait_for_refunds(fleet, swap_id, "maker")
    await fleet.until_phase("maker", swap_id, "refunded")

    await fleet["taker"].start()
    await fleet.until_ended(swap_id)
    assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("refunded", "refunded")
    await accounts.check(fleet, before, swap_id)


async def test_a_maker_who_vanishes_before_its_lock_costs_the_taker_two_fees(
    fleet: Fleet,
) -> None:
    before = await accounts.balances(fleet)
    swap_id = await begin(fleet)
    await fleet.settle()
    await fleet["maker"].kill()
    await fleet.until_phase("taker", swap_id, "locked")
    await wait_for_refunds(fleet, swap_id, "taker")
    await fleet.until_phase("taker", swap_id, "refunded")

    await fleet["maker"].start()
    await fleet.until_ended(swap_id)
    assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("never_funded", "refunded")
    await accounts.check(fleet, before, swap_id)


async def test_a_maker_who_vanishes_after_its_lock_claims_when_it_is_back(fleet: Fleet) -> None:
    before = await accounts.balances(fleet)
    swap_id = await begin(fleet)
    await leg_reaches(fleet, "maker", swap_id, "p", "unconfirmed")
    await fleet.relay_transactions()
    await fleet["maker"].kill()
    await fleet.until_phase("taker", swap_id, "completed")

    await fleet["maker"].start()
    await fleet.until_ended(swap_id)
    assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("completed", "completed")
    await accounts.check(fleet, before, swap_id)


async def test_a_taker_who_vanishes_after_both_locks_and_the_maker_are_both_refunded(
    fleet: Fleet,
) -> None:
    before = await accounts.balances(fleet)
    swap_id = await begin(fleet)
    await leg_reaches(fleet, "taker", swap_id, "p", "confirmed")
    await fleet["taker"].kill()
    swap = await fleet.swap("maker", swap_id)
    await fleet.pass_blocks_to(deadline(swap, "expiry_p"))
    await fleet.until_phase("maker", swap_id, "refunded")

    await fleet["taker"].start()
    await wait_for_refunds(fleet, swap_id, "taker")
    await fleet.until_ended(swap_id)
    assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("refunded", "refunded")
    await accounts.check(fleet, before, swap_id)


@pytest.mark.slow
async def test_a_taker_killed_right_after_its_reveal_finds_both_legs_claimed(
    fleet: Fleet,
) -> None:
    before = await accounts.balances(fleet)
    swap_id = await begin(fleet)
    await leg_reaches(fleet, "taker", swap_id, "p", "claimed")
    await fleet.relay_transactions()
    await fleet["taker"].kill()
    await fleet.until_phase("maker", swap_id, "completed")

    await fleet["taker"].start()
    await fleet.until_ended(swap_id)
    assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("completed", "completed")
    await accounts.check(fleet, before, swap_id)


@pytest.mark.slow
async def test_when_both_vanish_after_both_locks_both_are_refunded_on_their_return(
    fleet: Fleet,
) -> None:
    before = await accounts.balances(fleet)
    swap_id = await begin(fleet)
    await leg_reaches(fleet, "taker", swap_id, "p", "confirmed")
    swap = await fleet.swap("taker", swap_id)
    await fleet["taker"].kill()
    await fleet["maker"].kill()
    await fleet.pass_blocks_to(deadline(swap, "expiry_i"))

    await fleet["maker"].start()
    await fleet["taker"].start()
    await fleet.until_ended(swap_id)
    assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("refunded", "refunded")
    await accounts.check(fleet, before, swap_id)
