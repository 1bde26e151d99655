"""Owns the outages in a swap: each party's node on each chain, the network processes; each step."""

from dataclasses import dataclass
from typing import Final

from tests.daemons.fleet import Fleet
from tests.faults import judge
from tests.faults.outage import Outage, endure, kill_network
from tests.faults.steps import STEPS, Way
from tests.functional import accounts
from tests.nodes import Chain
from tests.nodes.world import CHAINS


@dataclass(frozen=True)
class NodeOut:
    """A party's node is out for a block, as soon as `step` is reached."""

    step: str
    party: str
    chain: Chain
    outage: Outage

    def __str__(self) -> str:
        return f"{self.step}; the {self.party}'s {self.chain} node {self.outage}"

    async def run(self, fleet: Fleet) -> str:
        """How the swap ended. Raises AssertionError when anybody lost anything."""
        before = await accounts.balances(fleet)
        swap_id = await STEPS[self.step](fleet, Way.USUAL)
        await endure(fleet, self.party, self.chain, self.outage, blocks=1)
        return await judge.verdict(fleet, before, swap_id)


@dataclass(frozen=True)
class NetworkKilled:
    """Both daemons' network processes die, as soon as `step` is reached."""

    step: str

    def __str__(self) -> str:
        return f"{self.step}; both network processes killed"

    async def run(self, fleet: Fleet) -> str:
        """How the swap ended. Raises AssertionError when anybody lost anything."""
        before = await accounts.balances(fleet)
        swap_id = await STEPS[self.step](fleet, Way.USUAL)
        kill_network(fleet, *judge.BOTH)
        found = await judge.verdict(fleet, before, swap_id)
        assert found == EXPECTED.get(self.step, "completed")
        return found


EXPECTED: Final = {
    "refund P mined": "refunded",
    "refund I mined": "maker never_funded, taker refunded",
    "kill I mined": "never_funded",
}
POINTS: Final = (
    "agreed",
    "lock I mined",
    "lock I final",
    "lock P mined",
    "lock P final",
    "claim P mined",
    "claim I mined",
    *EXPECTED,
)

OUTAGES: Final = tuple(
    NodeOut(step, party, chain, outage)
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
    for outage in Outage
)
NETWORKS: Final = tuple(NetworkKilled(step) for step in POINTS)
