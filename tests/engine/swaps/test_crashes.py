"""kill -9 at every single step of every story: the same ends, the same coins."""

from collections import Counter

import pytest
from trio.testing import MockClock

from swapd.engine import journal
from tests.engine.swaps.stage import Stage
from tests.engine.swaps.stories import ENDS, STORIES, check_books

ROWS = {"Agreed", "Observed", "LockBuilt", "KillBuilt", "ClaimBuilt", "RefundBuilt"}
EFFECTS = {
    "BuildLock",
    "BroadcastLock",
    "BuildKill",
    "BroadcastKill",
    "BuildClaim",
    "BroadcastClaim",
    "BuildRefund",
    "BroadcastRefund",
}


def expected_points() -> set[str]:
    """Every place where a process may end, but for what only reorganisations and operators do."""
    rows = {f"journal:{when}:{row}" for when in ("before", "after") for row in ROWS}
    return rows | {f"effect:{when}:{effect}" for when in ("before", "after") for effect in EFFECTS}


def numbered(points: list[str]) -> list[tuple[str, int]]:
    """Each point with how often it was passed."""
    seen: Counter[str] = Counter()
    found = []
    for name in points:
        seen[name] += 1
        found.append((name, seen[name]))
    return found


def first_times(points: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The first time each point was passed."""
    return [(name, times) for name, times in points if times == 1]


async def test_the_stories_pass_every_point_where_a_process_may_end(
    mock_clock: MockClock,
) -> None:
    seen: set[str] = set()
    for story, who in STORIES.values():
        stage = Stage(mock_clock)
        async with stage.running():
            await story(stage)
        seen |= set(stage.points[who])
    assert seen == expected_points()


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize(
    "every", [False, pytest.param(True, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
async def test_a_crash_at_any_point_changes_neither_the_end_nor_the_coins(
    name: str, every: bool, mock_clock: MockClock
) -> None:
    story, who = STORIES[name]
    stage = Stage(mock_clock)
    async with stage.running():
        await story(stage)
    points = numbered(stage.points[who])
    for point, times in points if every else first_times(points):
        stage = Stage(mock_clock)
        stage.crash_at = (who, point, times)
        async with stage.running():
            swap = await story(stage)
        party = stage.taker if who == "taker" else stage.maker
        assert party.crashes == 1, (point, times)
        if swap.swap_id not in party.disk.journal:
            assert point == "journal:before:Agreed"
            continue
        assert party.end(swap) is ENDS[name], (point, times)
        await check_books(party, swap, ENDS[name])


@pytest.mark.parametrize("name", STORIES)
async def test_the_journal_of_every_story_replays_to_the_state_on_disk(
    name: str, stage: Stage, mock_clock: MockClock
) -> None:
    story, _ = STORIES[name]
    async with stage.running():
        swap = await story(stage)
    for party in stage.parties():
        rows = tuple(party.disk.journal[swap.swap_id])
        assert journal.replay(rows) == journal.load_state(rows[-1])
        assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
        assert len(rows) < 40, "a swap that only waits writes nothing"
