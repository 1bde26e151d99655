"""Owns the reorganisations: at each step of a swap, on each chain, within and beyond the depth.

Within the depth that the terms require, a swap completes or everybody is refunded. Beyond it a
party may lose; then it must say so, and never that it was refunded.
"""

from dataclasses import dataclass
from typing import Final

from tests.daemons.fleet import Fleet
from tests.faults import judge, pace
from tests.faults.chains import Branch, reorganise
from tests.faults.steps import STEPS, Way
from tests.functional import accounts
from tests.nodes import Chain

WITHIN: Final[dict[Chain, tuple[int, ...]]] = {"BTC": (1,), "LTC": (1, 2)}
"""Blocks that may be replaced without violating what is assumed: less than the depth (2 and 3)."""


@dataclass(frozen=True)
class Reorg:
    """A reorganisation of `blocks` blocks of `chain` as soon as `step` is reached."""

    step: str
    chain: Chain
    blocks: int
    branch: Branch
    way: Way = Way.USUAL

    def __str__(self) -> str:
        return f"{self.step}; {self.chain} by {self.blocks}, {self.branch} ({self.way})"

    async def run(self, fleet: Fleet) -> str:
        """How the swap ended. Raises AssertionError when anybody lost anything."""
        before = await accounts.balances(fleet)
        swap_id = await STEPS[self.step](fleet, self.way)
        await reorganise(fleet.world, self.chain, self.blocks, self.branch)
        found = await judge.verdict(fleet, before, swap_id)
        await pace.calm(fleet)
        return found


def _can_be(step: str, way: Way) -> bool:
    """What is in no block is not undone.
    Litecoin's nodes replace nothing in their mempools: no lock there can be killed."""
    if not step.endswith(("mined", "final")):
        return False
    return not step.startswith("kill") or way.chain(step[5].lower()) == "BTC"


ALL: Final = tuple(
    Reorg(step, chain, blocks, branch, way)
    for way in Way
    for step in STEPS
    for chain, depths in WITHIN.items()
    for blocks in depths
    for branch in Branch
    if _can_be(step, way)
)
"""Every step that can be, on each chain, by each depth that may be, with either new branch."""
