"""Owns the reorganisations that the terms exclude: as deep as the depth, or deeper.

Whoever loses must say `lost` and which assumption did not hold, and never that it was refunded.
"""

from dataclasses import dataclass
from typing import Final

import trio

from tests.daemons.fleet import Fleet
from tests.faults import judge, pace
from tests.faults.chains import Branch, reorganise
from tests.faults.steps import STEPS, Way, depth_of, leg_of
from tests.functional import accounts
from tests.nodes import Chain, decimal_amount

_FEE: Final = 5_000


async def _again(fleet: Fleet, swap_id: str, leg: str, owner: str) -> str:
    """The coins of the owner's lock, to the owner: a double spend; raw."""
    swap = await fleet.swap(owner, swap_id)
    chain: Chain = leg_of(swap, leg)["ticker"]
    [lock] = [tx for tx in leg_of(swap, leg)["transactions"] if tx["what"] == "lock"]
    party, funder = fleet.world[owner], fleet.world.funder
    told = await funder.rpc(chain, "getrawtransaction", lock["txid"], True)
    coins = []
    for vin in told["vin"]:
        source = await funder.rpc(chain, "getrawtransaction", vin["txid"], True)
        out = source["vout"][vin["vout"]]
        script = out["scriptPubKey"]["hex"]
        coins.append(
            {
                "txid": vin["txid"],
                "vout": vin["vout"],
                "scriptPubKey": script,
                "amount": out["value"],
            }
        )
    total = sum(_units(coin["amount"]) for coin in coins)
    amounts = {await party.new_address(chain): decimal_amount(total - _FEE)}
    raw = await party.rpc(chain, "createrawtransaction", coins, amounts)
    # The node takes these coins for spent: it has to be told what they were.
    signed = await party.rpc(chain, "signrawtransactionwithwallet", raw, coins)
    assert signed["complete"]
    return str(signed["hex"])


def _units(amount: object) -> int:
    whole, _, rest = str(amount).partition(".")
    return int(whole) * 100_000_000 + int(rest.ljust(8, "0"))


async def _heard(fleet: Fleet, swap_id: str) -> None:
    """Waits until the maker knows of the taker's claim; nodes pass it on by their clock."""
    with trio.fail_after(60):
        while depth_of(await fleet.swap("maker", swap_id), "p", "claim") < 0:
            await fleet.world.clock.advance(1)
            await trio.sleep(0.2)


@dataclass(frozen=True)
class Deep:
    """At `step` the chain of `leg` goes back to before its lock. With `stolen` its owner spends the
    coins elsewhere on the new branch. `expected` are the ends (maker, taker)."""

    step: str
    leg: str
    stolen: bool
    expected: tuple[str, str]
    way: Way = Way.USUAL

    def __str__(self) -> str:
        what = "double-spent" if self.stolen else "left out"
        return f"beyond the depth: {self.step}; lock {self.leg.upper()} {what} ({self.way})"

    async def run(self, fleet: Fleet) -> str:
        """How the swap ended. Raises AssertionError when it ended otherwise, or untold."""
        before = await accounts.balances(fleet)
        swap_id = await STEPS[self.step](fleet, self.way)
        await pace.relay(fleet)
        await pace.settle(fleet)
        owner = "taker" if self.leg == "i" else "maker"
        if self.leg == "p":
            await _heard(fleet, swap_id)
        chain = self.way.chain(self.leg)
        depth = int(leg_of(await fleet.swap(owner, swap_id), self.leg)["depth"])
        instead = [await _again(fleet, swap_id, self.leg, owner)] if self.stolen else []
        await reorganise(fleet.world, chain, depth, Branch.EMPTY, instead=instead)
        await pace.until_ended(fleet, swap_id, blocks=90)
        found = await accounts.ends(fleet, swap_id, *judge.BOTH)
        assert found == self.expected, f"{found}\n{await judge.reasons(fleet, swap_id)}"
        if "lost" in found:
            await _lost_alone(fleet, before, swap_id)
        elif not self.stolen:
            await judge.exact(fleet, before, swap_id)
        await pace.calm(fleet)
        return f"maker {found[0]}, taker {found[1]}"


async def _lost_alone(fleet: Fleet, before: accounts.Balances, swap_id: str) -> None:
    """Who says "lost" has lost its leg and names the assumption; the other one has both."""
    after = await accounts.balances(fleet)
    for name in judge.BOTH:
        swap = await fleet.swap(name, swap_id)
        for leg in swap["legs"]:
            moved = after[name, leg["ticker"]] - before[name, leg["ticker"]]
            units = int(leg["amount"]["units"])
            if swap["summary"]["phase"] == "lost":
                assert (-2 * units < moved <= -units) if leg["ours"] else (moved <= 0), moved
            else:
                assert (moved > -units) if leg["ours"] else (moved > 0), moved
        if swap["summary"]["phase"] == "lost":
            [told] = [
                event
                for event in fleet[name].events()
                if event["event"] == "swap.ended" and event["swap"] == swap_id
            ]
            assert "reorganised too deep" in told["reason"], told


ALL: Final = (
    Deep("lock P mined", "i", stolen=True, expected=("refunded", "never_funded")),
    Deep("claim P mined", "i", stolen=True, expected=("lost", "completed")),
    Deep("lock P final", "p", stolen=True, expected=("completed", "lost")),
    Deep("claim P mined", "p", stolen=True, expected=("completed", "lost"), way=Way.REVERSE),
    Deep("lock P final", "i", stolen=False, expected=("completed", "completed")),
    Deep("claim P mined", "p", stolen=False, expected=("completed", "completed")),
)
