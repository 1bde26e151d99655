"""Owns partitions between the nodes of a chain: a party's node is cut off in the middle of a swap,
mines a branch of its own, and is healed; one of the two branches loses, within the depth.
"""

from dataclasses import dataclass
from typing import Final

from tests.daemons.fleet import Fleet, other
from tests.faults import judge, pace
from tests.faults.steps import STEPS, Way
from tests.functional import accounts
from tests.nodes import Chain
from tests.nodes.world import BLOCK_SECONDS, CHAINS

LOSER: Final[dict[Chain, int]] = {"BTC": 1, "LTC": 2}
"""Blocks of the branch that loses: one less than the depth."""


@dataclass(frozen=True)
class Partition:
    """At `step` the party's node is alone on `chain`; `wins` says whether its branch does."""

    step: str
    party: str
    chain: Chain
    wins: bool
    way: Way = Way.USUAL

    def __str__(self) -> str:
        whose = "its own" if self.wins else "the other"
        return (
            f"{self.step}; the {self.party}'s {self.chain} node cut off, healed onto {whose} branch"
        )

    async def run(self, fleet: Fleet) -> str:
        """How the swap ended. Raises AssertionError when anybody lost anything."""
        before = await accounts.balances(fleet)
        swap_id = await STEPS[self.step](fleet, self.way)
        await self._apart(fleet)
        found = await judge.verdict(fleet, before, swap_id)
        await pace.calm(fleet)
        return found

    async def _apart(self, fleet: Fleet) -> None:
        loser = LOSER[self.chain]
        here, there = (loser + 1, loser) if self.wins else (loser, loser + 1)
        await fleet.world.isolate(self.party, self.chain)
        for index in range(max(here, there)):
            # Who is alone sees no word of the others' on this chain: it is not waited for.
            await pace.settle(fleet, blind=[self.party], patience=3)
            await fleet.world.clock.advance(BLOCK_SECONDS)
            await _mine(fleet, other(self.chain))
            if index < there:
                await fleet.world._generate(self.chain)
            if index < here:
                node = fleet.world[self.party].node(self.chain)
                await node.rpc("generatetoaddress", 1, await node.nobody())
        await pace.settle(fleet, blind=[self.party], patience=3)
        await fleet.world.rejoin(self.party, self.chain)


async def _mine(fleet: Fleet, chain: Chain) -> None:
    await fleet.world._generate(chain)
    await fleet.world.agree(chain)


ALL: Final = tuple(
    Partition(step, party, chain, wins)
    for step in (
        "agreed",
        "lock I mined",
        "lock I final",
        "lock P mined",
        "lock P final",
        "claim P mined",
    )
    for party in judge.BOTH
    for chain in CHAINS
    for wins in (True, False)
)
