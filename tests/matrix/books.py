"""Owns the books of one swap between two assets: what maker and taker had, have and should have.

Balances are the nodes' own; of the daemons only the amounts that were agreed are believed.
"""

from typing import Final

from tests.daemons.accounts import COINS, AccountFleet
from tests.matrix.stories import COMPLETED, Ends

FEES: Final = {"BTC": 10**5, "LTC": 10**5, "ETH": 5 * 10**15, "BETH": 5 * 10**15}
"""More than all fees of a story are, in base units of what they are paid in."""

Books = dict[tuple[str, str], int]
"""By party and asset, in base units."""


async def of(fleet: AccountFleet, pay: str, get: str) -> Books:
    """What both have of what they swap, and of what its fees are paid in."""
    watched = dict.fromkeys((pay, get, COINS.get(pay, pay), COINS.get(get, get)))
    return {(p, a): await fleet.holdings(p, a) for p in ("maker", "taker") for a in watched}


async def wrong(fleet: AccountFleet, before: Books, pay: str, get: str, ends: Ends) -> str:
    """What is wrong with the balances after the newest swap has ended so for maker and taker;
    empty when each moved by just what the end means, fees apart."""
    told = (await fleet["taker"].call("swap.list", limit=1))["swaps"][0]
    units = {pay: int(told["pay"]["units"]), get: int(told["receive"]["units"])}
    wanted = _moves(pay, get, units) if ends == COMPLETED else {}
    for (party, asset), was in before.items():
        moved = await fleet.holdings(party, asset) - was
        off = wanted.get((party, asset), 0) - moved
        if not 0 <= off <= FEES.get(asset, 0):
            return f"{party}'s {asset} is {off} units short"
    return ""


def _moves(pay: str, get: str, units: dict[str, int]) -> Books:
    """Of a completed swap, fees apart."""
    return {
        ("maker", get): -units[get],
        ("maker", pay): units[pay],
        ("taker", pay): -units[pay],
        ("taker", get): units[get],
    }
