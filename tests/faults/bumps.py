"""Owns what an operator does by hand to a lock that hangs: `bumpfee` in the node's own wallet."""

from dataclasses import dataclass
from typing import Any, Final

from tests.daemons.fleet import Fleet
from tests.faults import judge, pace
from tests.faults.steps import STEPS, Way, depth_of, leg_of, sees
from tests.functional import accounts


@dataclass(frozen=True)
class Bump:
    """The party bumps its unconfirmed lock, on Bitcoin, where nodes replace."""

    party: str

    def __str__(self) -> str:
        return f"the {self.party} bumps its lock by hand"

    async def run(self, fleet: Fleet) -> str:
        """How the swap ended. Raises AssertionError unless it completed with the bumped lock."""
        taker = self.party == "taker"
        leg, step = ("i", "agreed") if taker else ("p", "lock I final")
        before = await accounts.balances(fleet)
        swap_id = await STEPS[step](fleet, Way.USUAL if taker else Way.REVERSE)
        swap = await sees(fleet, self.party, swap_id, lambda s: depth_of(s, leg, "lock") == 0)
        [old] = [tx for tx in leg_of(swap, leg)["transactions"] if tx["what"] == "lock"]
        bumped = (await fleet.world[self.party].rpc("BTC", "bumpfee", old["txid"]))["txid"]
        for name in judge.BOTH:
            await sees(fleet, name, swap_id, lambda s: _is_lock(s, leg, bumped))
        found = await judge.verdict(fleet, before, swap_id)
        assert found == "completed", found
        for name in judge.BOTH:
            assert _is_lock(await fleet.swap(name, swap_id), leg, bumped)
        await pace.calm(fleet)
        return found


def _is_lock(swap: dict[str, Any], leg: str, txid: str) -> bool:
    """Whether a daemon takes this transaction for the lock of a leg."""
    outpoint = leg_of(swap, leg)["outpoint"]
    return outpoint is not None and str(outpoint).startswith(txid)


ALL: Final = tuple(Bump(party) for party in judge.BOTH)
