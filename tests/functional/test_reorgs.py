"""Real reorganisations at each step of a swap, on each chain: within the depth nobody loses a unit,
beyond it the loser says so. All of them by `./dev faults` too, as a table.
"""

import pytest

from tests.daemons.fleet import Fleet
from tests.faults import deep, reorgs
from tests.faults.chains import Branch
from tests.faults.deep import Deep
from tests.faults.reorgs import Reorg

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(600)]

SAMPLE = (
    Reorg("lock I final", "BTC", 1, Branch.EMPTY),
    Reorg("lock P final", "LTC", 2, Branch.EMPTY),
)


@pytest.mark.parametrize("case", SAMPLE, ids=str)
async def test_a_reorganisation_within_the_depth_costs_nobody_a_unit(
    fleet: Fleet, case: Reorg
) -> None:
    await case.run(fleet)


async def test_a_taker_whose_claim_a_deep_reorganisation_undid_is_told_that_it_lost(
    fleet: Fleet,
) -> None:
    await Deep("lock P final", "p", stolen=True, expected=("completed", "lost")).run(fleet)


@pytest.mark.slow
@pytest.mark.parametrize("case", reorgs.ALL, ids=str)
async def test_no_reorganisation_within_the_depth_costs_anybody_a_unit(
    fleet: Fleet, case: Reorg
) -> None:
    await case.run(fleet)


@pytest.mark.slow
@pytest.mark.parametrize("case", deep.ALL, ids=str)
async def test_beyond_the_depth_the_loser_says_so_and_nobody_claims_a_refund_he_never_had(
    fleet: Fleet, case: Deep
) -> None:
    await case.run(fleet)
