"""Owns how a swap of a fleet is brought to each step of its life, to have something done to it.

A step is reached when both nodes and daemons know it. The taker buys 2 LTC for BTC, so the
initiator's leg I is on BTC and the participant's leg P on LTC; `Way.REVERSE` swaps them.
"""

import enum
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import trio

from tests.daemons.fleet import Fleet
from tests.faults import pace
from tests.functional.test_vanishing import deadline
from tests.nodes import Chain


class Way(enum.StrEnum):
    """Which coins the taker pays with, and so on which chain leg I is."""

    USUAL = "I on BTC"
    REVERSE = "I on LTC"

    def chain(self, leg: str) -> Chain:
        """The chain of leg "i" or "p"."""
        return "BTC" if (leg == "i") == (self is Way.USUAL) else "LTC"


async def begin(fleet: Fleet, way: Way = Way.USUAL) -> str:
    """A take of everything in an offer, agreed; the swap's id."""
    if way is Way.USUAL:
        offered: tuple[str, Chain, str] = ("2 LTC", "BTC", "0.01")
    else:
        offered = ("0.02 BTC", "LTC", "100")
    sell, buy, price = offered
    offer_id = await fleet.post("maker", sell, buy=buy, price=price, seen_by=["taker"])
    return await fleet.take("taker", offer_id)


def leg_of(swap: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A leg of what `swap.get` answered."""
    found: dict[str, Any] = next(leg for leg in swap["legs"] if leg["name"] == name)
    return found


def depth_of(swap: Mapping[str, Any], leg: str, what: str) -> int:
    """Confirmations of the newest lock, claim, refund or kill of a leg; -1 for none in sight."""
    depths = [
        int(tx["depth"])
        for tx in leg_of(swap, leg)["transactions"]
        if tx["what"] == what and tx["depth"] is not None
    ]
    return max(depths, default=-1)


async def sees(
    fleet: Fleet, name: str, swap_id: str, wanted: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """Waits, without a block, until a daemon's word on a swap is as wanted; returns it."""
    with trio.fail_after(60):
        # The daemon's own long poll tells of an end only.
        while not wanted(swap := await fleet.swap(name, swap_id)):  # noqa: ASYNC110 - see above
            await trio.sleep(0.05)
    return swap


async def until_depth(
    fleet: Fleet, name: str, swap_id: str, leg: str, what: str, depth: int
) -> None:
    """Lets blocks pass until a daemon sees its transaction so deep."""

    async def reached() -> bool:
        return depth_of(await fleet.swap(name, swap_id), leg, what) >= depth

    await pace.until(fleet, reached)


async def lock_reaches(fleet: Fleet, swap_id: str, leg: str, depth: int | None) -> None:
    """Lets blocks pass until both daemons see a lock so deep; None for final."""

    async def reached() -> bool:
        found = [leg_of(await fleet.swap(n, swap_id), leg) for n in ("maker", "taker")]
        return all(x["depth"] >= (x["final_depth"] if depth is None else depth) for x in found)

    await pace.until(fleet, reached)


async def cancel(fleet: Fleet, name: str, swap_id: str, leg: str) -> None:
    """A party cancels while its lock is unconfirmed; its kill is in the mempools then."""
    await sees(fleet, name, swap_id, lambda swap: depth_of(swap, leg, "lock") == 0)
    await fleet[name].call("swap.cancel", swap_id=swap_id)
    await sees(fleet, name, swap_id, lambda swap: depth_of(swap, leg, "kill") == 0)
    await pace.relay(fleet)


async def _i_mined(fleet: Fleet, way: Way) -> str:
    swap_id = await begin(fleet, way)
    await lock_reaches(fleet, swap_id, "i", 1)
    return swap_id


async def _i_final(fleet: Fleet, way: Way) -> str:
    swap_id = await begin(fleet, way)
    await lock_reaches(fleet, swap_id, "i", None)
    return swap_id


async def _p_mined(fleet: Fleet, way: Way) -> str:
    swap_id = await begin(fleet, way)
    await lock_reaches(fleet, swap_id, "p", 1)
    return swap_id


async def _p_final(fleet: Fleet, way: Way) -> str:
    swap_id = await begin(fleet, way)
    await lock_reaches(fleet, swap_id, "p", None)
    await pace.relay(fleet)
    return swap_id


async def _claim_p_mined(fleet: Fleet, way: Way) -> str:
    swap_id = await begin(fleet, way)
    await until_depth(fleet, "taker", swap_id, "p", "claim", 1)
    return swap_id


async def _claim_i_mined(fleet: Fleet, way: Way) -> str:
    swap_id = await begin(fleet, way)
    await until_depth(fleet, "maker", swap_id, "i", "claim", 1)
    return swap_id


async def _refund_p_due(fleet: Fleet, way: Way) -> str:
    """The taker vanished when both had locked, and is back when the maker may take back."""
    swap_id = await begin(fleet, way)
    await lock_reaches(fleet, swap_id, "p", 1)
    await fleet["taker"].kill()
    swap = await fleet.swap("maker", swap_id)
    await pace.pass_to(fleet, deadline(swap, "expiry_p"))
    await fleet["taker"].start()
    return swap_id


async def _refund_p_mined(fleet: Fleet, way: Way) -> str:
    swap_id = await _refund_p_due(fleet, way)
    await until_depth(fleet, "maker", swap_id, "p", "refund", 1)
    return swap_id


async def _refund_i_due(fleet: Fleet, way: Way) -> str:
    """The maker vanished before it locked, and is back when the taker may take back."""
    swap_id = await begin(fleet, way)
    await pace.settle(fleet)
    await fleet["maker"].kill()
    await until_depth(fleet, "taker", swap_id, "i", "lock", 1)
    swap = await fleet.swap("taker", swap_id)
    await pace.pass_to(fleet, deadline(swap, "expiry_i"))
    await fleet["maker"].start()
    return swap_id


async def _refund_i_mined(fleet: Fleet, way: Way) -> str:
    swap_id = await _refund_i_due(fleet, way)
    await until_depth(fleet, "taker", swap_id, "i", "refund", 1)
    return swap_id


async def _kill_i_sent(fleet: Fleet, way: Way) -> str:
    """The taker cancels while its lock is unconfirmed."""
    swap_id = await begin(fleet, way)
    await cancel(fleet, "taker", swap_id, "i")
    return swap_id


async def _kill_i_mined(fleet: Fleet, way: Way) -> str:
    swap_id = await _kill_i_sent(fleet, way)
    await until_depth(fleet, "taker", swap_id, "i", "kill", 1)
    return swap_id


async def _kill_p_sent(fleet: Fleet, way: Way) -> str:
    """The maker cancels while its lock is unconfirmed."""
    swap_id = await _i_final(fleet, way)
    await cancel(fleet, "maker", swap_id, "p")
    return swap_id


async def _kill_p_mined(fleet: Fleet, way: Way) -> str:
    swap_id = await _kill_p_sent(fleet, way)
    await until_depth(fleet, "maker", swap_id, "p", "kill", 1)
    return swap_id


STEPS: Final[Mapping[str, Callable[[Fleet, Way], Awaitable[str]]]] = MappingProxyType(
    {
        "agreed": begin,
        "lock I mined": _i_mined,
        "lock I final": _i_final,
        "lock P mined": _p_mined,
        "lock P final": _p_final,
        "claim P mined": _claim_p_mined,
        "claim I mined": _claim_i_mined,
        "refund P due": _refund_p_due,
        "refund P mined": _refund_p_mined,
        "refund I due": _refund_i_due,
        "refund I mined": _refund_i_mined,
        "kill I sent": _kill_i_sent,
        "kill I mined": _kill_i_mined,
        "kill P sent": _kill_p_sent,
        "kill P mined": _kill_p_mined,
    }
)
"""Step -> what brings a new swap there; its id."""
