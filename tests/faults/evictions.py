"""Owns the fee market in a swap: a stranger fills the mempools and pays more at every block.

Each claim, refund and kill must be mined before its deadline, as the chain tells. Each case has
nodes of its own, with small mempools and small blocks.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from tests.daemons.fleet import Fleet
from tests.faults import judge, pace
from tests.faults.crowd import Crowd, options
from tests.faults.stage import PARTIES, stage
from tests.faults.steps import STEPS, Way
from tests.functional import accounts
from tests.functional.test_vanishing import deadline
from tests.nodes.world import CHAINS

ABSENCE: Final = 30
"""O on regtest: the maker's refund or kill is final so long before the deadline of his claim."""

FREEZE: Final = 140
"""Seconds after expiry I by which the taker's refund is mined: refund_I on regtest, at most."""

IMPATIENCE: Final = 2.5
"""Seconds: a transaction that the miner will not have is not waited for longer."""

_BLOCK: Final = 10


@dataclass(frozen=True)
class Crowding:
    """Mempools are full, and dearer by `growth` percent a block, from `step` on. The swap must end
    as `expected`; without it, in any way that loses nothing."""

    step: str
    growth: int
    way: Way = Way.USUAL
    expected: str = ""
    own_nodes: bool = field(default=True, init=False)

    def __str__(self) -> str:
        return f"mempools full from '{self.step}' on, {self.growth}% dearer a block ({self.way})"

    async def run(self) -> str:
        """How the swap ended. Raises AssertionError when anybody lost, or was late."""
        async with stage(options(PARTIES)) as fleet:
            crowds = [Crowd(fleet.world, chain, growth=self.growth) for chain in CHAINS]
            for crowd in crowds:
                await crowd.gather()
            before = await accounts.balances(fleet)
            swap_id = await STEPS[self.step](fleet, self.way)
            for crowd in crowds:
                await crowd.fill()
            return await self._through(fleet, before, swap_id, crowds)

    async def _through(
        self, fleet: Fleet, before: accounts.Balances, swap_id: str, crowds: list[Crowd]
    ) -> str:
        async def rise() -> None:
            for crowd in crowds:
                await crowd.rise()

        await pace.until_ended(fleet, swap_id, blocks=90, patience=IMPATIENCE, before=rise)
        found = await judge.judged(fleet, before, swap_id)
        made = [line for name in judge.BOTH for line in await in_time(fleet, name, swap_id)]
        assert self.expected in {"", found}, f"{found}: {made}"
        floors = [f"{crowd.chain} {await crowd.floor() / 1000:.0f}/vB" for crowd in crowds]
        return f"{found}; {', '.join(made)}; least rate at the end {', '.join(floors)}"


async def in_time(fleet: Fleet, name: str, swap_id: str) -> list[str]:
    """What a party had mined after its lock, each as "what seconds to spare". Raises AssertionError
    for what came later than it must."""
    swap = await fleet.swap(name, swap_id)
    found = []
    for leg in swap["legs"]:
        for tx in leg["transactions"]:
            mine = tx["what"] in ({"refund", "kill"} if leg["ours"] else {"claim"})
            if mine and tx["depth"] is not None:
                at = await _mined_at(fleet, tx)
                left = _latest(swap, leg, tx) - at
                line = f"{name}'s {tx['what']} {left} s to spare"
                assert left >= 0, line
                found.append(line)
    return found


async def _mined_at(fleet: Fleet, tx: dict[str, Any]) -> int:
    told = await fleet.world.funder.rpc(tx["ticker"], "getrawtransaction", tx["txid"], True)
    return int(told["blocktime"])


def _latest(swap: dict[str, Any], leg: dict[str, Any], tx: dict[str, Any]) -> int:
    """When a transaction must be in a block, from safety.md's own words."""
    maker = swap["summary"]["role"] == "participant"
    if tx["what"] == "claim":
        return deadline(swap, "expiry_i" if maker else "expiry_p")
    if maker:
        final_by = deadline(swap, "claim_deadline") - ABSENCE
        return final_by - _BLOCK * (int(leg["final_depth"]) - 1)
    if tx["what"] == "kill":
        return deadline(swap, "expiry_p")
    return deadline(swap, "expiry_i") + FREEZE


ALL: Final = (
    *(
        Crowding(step, 15, way)
        for way in Way
        for step in ("agreed", "lock I final", "lock P final", "claim P mined")
    ),
    Crowding("lock P final", 40),
    Crowding("refund P due", 15, expected="refunded"),
    Crowding("refund P due", 15, Way.REVERSE, expected="refunded"),
    Crowding("refund I due", 15, expected="maker never_funded, taker refunded"),
    Crowding("refund I due", 15, Way.REVERSE, expected="maker never_funded, taker refunded"),
    Crowding("kill I sent", 15, expected="never_funded"),
    Crowding("kill P sent", 15, Way.REVERSE),
)
