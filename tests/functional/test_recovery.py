"""The machine is lost in the middle of a swap: seed words and recovery file bring it to its end.

A sample; `python -m tests.functional.kills --lose` loses it at every point of every story.
"""

import pytest

from tests.daemons.mortal import Kill, MortalFleet
from tests.functional.kills.arena import play
from tests.functional.kills.plan import Cell, Run

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("party", "point"),
    [
        ("maker", "effect:before:BroadcastClaim"),
        pytest.param("taker", "journal:after:ClaimBuilt", marks=pytest.mark.slow),
    ],
)
async def test_a_machine_lost_after_both_have_locked_loses_no_coin(
    fleet: MortalFleet, party: str, point: str
) -> None:
    fleet.loses_machines = True
    try:
        cell = Cell("happy", party, Kill(point))
        found = await play(fleet, Run("happy", (cell,)))
    finally:
        fleet.loses_machines = False
    assert found == {cell: "completed"}
