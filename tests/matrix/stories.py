"""Owns the ways in which one swap between a maker and a taker can go, for any pair of assets.

Each story starts with both daemons up and no swap open and ends so; it says how both ended.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from tests.daemons.accounts import AccountFleet

AMOUNTS: Final = {
    "BTC": "0.02", "LTC": "0.5", "ETH": "0.5", "BETH": "0.5", "USDC": "300", "BUSDC": "300",
}  # fmt: skip
"""What the maker sells. Sold and bought amounts are of like size, whatever coins are worth."""

_PAYS: Final = {
    "BTC": 0.015, "LTC": 0.4, "ETH": 0.4, "BETH": 0.4, "USDC": 300.0, "BUSDC": 300.0,
}  # fmt: skip

COMPLETED: Final = ("completed", "completed")
REFUNDED: Final = ("refunded", "refunded")

Ends = tuple[str, str]
Story = Callable[[AccountFleet, str, str], Awaitable[Ends]]


def offered(
    pay: str, get: str, *, pays: float | None = None, gets: str | None = None
) -> tuple[str, str]:
    """Amount and price of what the maker sells for `pay`; so much of either unless named."""
    gets = gets or AMOUNTS[get]
    return f"{gets} {get}", f"{(pays or _PAYS[pay]) / float(gets):.6f}"


async def take(
    fleet: AccountFleet, pay: str, get: str, *, pays: float | None = None, gets: str | None = None
) -> str:
    """The id of a swap that both have signed: the taker pays `pay`."""
    sold, price = offered(pay, get, pays=pays, gets=gets)
    fleet.pair = f"{get}/{pay}"
    offer = await fleet.post("maker", sold, buy=pay, price=price, seen_by=["taker"])
    return await fleet.take("taker", offer)


async def ends_of(fleet: AccountFleet, swap_id: str) -> Ends:
    """How maker and taker say it stands."""
    return await fleet.phase("maker", swap_id), await fleet.phase("taker", swap_id)


async def leg_of(fleet: AccountFleet, name: str, swap_id: str, leg: str) -> tuple[str, int]:
    """Status and depth of a leg, as a daemon tells."""
    told = await fleet.swap(name, swap_id)
    found = next(each for each in told["legs"] if each["name"] == leg)
    return found["status"], found["depth"]


async def expiry_of(fleet: AccountFleet, name: str, swap_id: str, leg: str) -> int:
    """When a leg may be refunded, as a daemon tells."""
    told = await fleet.swap(name, swap_id)
    return int(next(each["expiry"] for each in told["legs"] if each["name"] == leg))


async def happy(fleet: AccountFleet, pay: str, get: str) -> Ends:
    """Both do what they agreed."""
    swap_id = await take(fleet, pay, get)
    await fleet.until_ended(swap_id)
    return await ends_of(fleet, swap_id)


async def refund_a(fleet: AccountFleet, pay: str, get: str) -> Ends:
    """The maker dies before it locks: the taker takes its lock back."""
    swap_id = await take(fleet, pay, get)
    await fleet["maker"].kill()

    async def is_locked() -> bool:
        return (await leg_of(fleet, "taker", swap_id, "i"))[1] > 0

    await fleet.until(is_locked)
    await fleet.pass_blocks_to(await expiry_of(fleet, "taker", swap_id, "i"))
    await fleet["maker"].start()
    await fleet.until_ended(swap_id)
    return await ends_of(fleet, swap_id)


async def refund_b(fleet: AccountFleet, pay: str, get: str) -> Ends:
    """The taker dies when both have locked, before it shows its secret: both take theirs back."""
    swap_id = await take(fleet, pay, get)

    async def is_locked() -> bool:
        status, _ = await leg_of(fleet, "maker", swap_id, "p")
        return status != "unseen"

    await fleet.until(is_locked)
    await fleet["taker"].kill()
    await fleet.pass_blocks_to(await expiry_of(fleet, "maker", swap_id, "p"))

    async def is_back() -> bool:
        return await fleet.phase("maker", swap_id) == "refunded"

    await fleet.until(is_back)
    await fleet.pass_blocks_to(await expiry_of(fleet, "maker", swap_id, "i"))
    await fleet["taker"].start()
    await fleet.until_ended(swap_id)
    return await ends_of(fleet, swap_id)


async def crash(fleet: AccountFleet, pay: str, get: str) -> Ends:
    """One daemon is killed and started again with every block, then the other."""
    swap_id = await take(fleet, pay, get)
    names = ("maker", "taker")
    for number in range(30):
        ends = await ends_of(fleet, swap_id)
        if ends == COMPLETED:
            return ends
        await fleet.restart(names[number % 2], politely=False)
        await fleet.block()
    return await ends_of(fleet, swap_id)


STORIES: Final[dict[str, tuple[Story, frozenset[Ends]]]] = {
    "happy": (happy, frozenset({COMPLETED})),
    "refund A": (refund_a, frozenset({("never_funded", "refunded")})),
    "refund B": (refund_b, frozenset({REFUNDED})),
    "crash": (crash, frozenset({COMPLETED})),
}
"""By name: the story and how it may end for maker and taker."""
