"""A maker who is away from his lock until the end, and a tower that acts for him: the sample of
`./dev towers`, which runs all the others."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.daemons.mortal import MortalFleet
from tests.towers.cases import CASES, play
from tests.towers.stage import Stage

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(240)]


@pytest.fixture
async def stage(fleet: MortalFleet, tmp_path: Path) -> AsyncIterator[Stage]:
    """The fleet with room for towers on the second taker's nodes."""
    made = Stage(fleet, tmp_path, watchers="taker2")
    yield made
    await made.close()


async def test_a_maker_who_is_away_from_his_lock_on_is_paid_by_his_tower(stage: Stage) -> None:
    case = next(case for case in CASES if case.name == "maker away, taker claims")
    result = await play(stage, case)
    assert result.end == "completed"
    assert stage.towers[0].told()[0].startswith("READY=1\n")
