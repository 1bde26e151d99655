"""Full mempools whose least fee rises, and locks that an operator bumps by hand, on real nodes."""

import pytest

from tests.daemons.fleet import Fleet
from tests.faults import bumps, evictions
from tests.faults.bumps import Bump
from tests.faults.evictions import Crowding

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(900)]


@pytest.mark.slow
@pytest.mark.parametrize("case", evictions.ALL, ids=str)
async def test_claims_refunds_and_kills_are_mined_in_time_past_full_mempools(
    case: Crowding,
) -> None:
    await case.run()


@pytest.mark.parametrize(
    "case",
    [bumps.ALL[0], *(pytest.param(case, marks=pytest.mark.slow) for case in bumps.ALL[1:])],
    ids=str,
)
async def test_a_lock_that_its_operator_bumped_by_hand_is_recognised(
    fleet: Fleet, case: Bump
) -> None:
    await case.run(fleet)
