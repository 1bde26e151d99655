"""kill -9 at points of a swap's life, then a restart: completed or refunded, to the unit.

A sample; `python -m tests.functional.kills` tries every point of every story.
"""

import sys

import pytest
import trio

from tests.daemons.mortal import Kill, MortalFleet
from tests.functional.kills.arena import NO_SWAP, play
from tests.functional.kills.plan import Cell, Run

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(300)]


async def ends(fleet: MortalFleet, story: str, **kills: tuple[str, ...]) -> list[str]:
    """How the swap of each of the killed ended; `play` has judged balances and ends."""
    planned = [
        Cell(story, party, Kill(point.partition(" ")[0], int(point.partition(" ")[2] or 1)))
        for party, points in kills.items()
        for point in points
    ]
    found = await play(fleet, Run(story, tuple(planned)))
    return sorted({found[cell] for cell in planned})


@pytest.mark.slow
async def test_both_sides_killed_three_times_in_one_swap_lose_nothing(fleet: MortalFleet) -> None:
    taker = ("journal:after:LockBuilt", "effect:after:BroadcastLock", "effect:before:BuildClaim")
    maker = ("journal:before:Observed 2", "effect:after:BuildLock", "journal:before:ClaimBuilt")
    assert await ends(fleet, "happy", taker=taker, maker=maker) == ["completed"]


async def test_a_taker_killed_as_it_writes_the_swap_down_has_lost_nothing(
    fleet: MortalFleet,
) -> None:
    assert await ends(fleet, "happy", taker=("journal:before:Agreed",)) == [NO_SWAP]


@pytest.mark.slow
async def test_both_sides_killed_while_they_refund_are_refunded_once(fleet: MortalFleet) -> None:
    taker, maker = ("journal:after:RefundBuilt",), ("effect:before:BroadcastRefund",)
    assert await ends(fleet, "refund", taker=taker, maker=maker) == ["refunded"]


async def test_a_taker_killed_while_it_kills_its_lock_never_funded_it(fleet: MortalFleet) -> None:
    taker = ("effect:before:BuildKill",)
    assert await ends(fleet, "the taker's lock hangs", taker=taker) == ["never_funded"]


@pytest.mark.slow
async def test_a_taker_killed_while_it_lifts_its_claim_has_claimed(fleet: MortalFleet) -> None:
    taker = ("journal:before:ChildBuilt",)
    assert await ends(fleet, "the taker's claim hangs", taker=taker) == ["completed"]


@pytest.mark.slow
async def test_a_maker_killed_while_it_resends_the_takers_lock_loses_nothing(
    fleet: MortalFleet,
) -> None:
    maker = ("effect:after:ResendTheirLock",)
    [end] = await ends(fleet, "the taker's lock falls out", maker=maker)
    assert end in {"completed", "refunded"}


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_a_daemon_killed_anywhere_in_any_story_loses_nothing() -> None:
    command = [sys.executable, "-m", "tests.functional.kills"]
    done = await trio.run_process(command, check=False, capture_stdout=True)
    assert done.returncode == 0, done.stdout.decode()[-20_000:]
