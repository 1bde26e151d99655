"""The list of kill points is whole, the stories get to all of it, the matrix forgets nothing."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.daemons.mortal import Kill
from tests.functional.kills.account_stories import BY_NAME, out_of_reach, stories_of
from tests.functional.kills.arena import NOT_PASSED
from tests.functional.kills.matrix import FAILED, Matrix
from tests.functional.kills.plan import KILLS_PER_RUN, Cell, Run, kills_of, name_of, runs
from tests.functional.kills.points import EFFECTS, EVENTS, PARTIES, POINTS, UNREACHABLE
from tests.functional.kills.stories import STORIES

SWAPD = Path(__file__).resolve().parents[2] / "swapd"


def _hooks() -> dict[str, list[str]]:
    """What is said at each call of `hooks.point` in the daemon, by file; a name as {}."""
    found: dict[str, list[str]] = {}
    for path in SWAPD.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "hooks.point":
                [said] = node.args
                assert isinstance(said, ast.JoinedStr)
                parts = [p.value if isinstance(p, ast.Constant) else "{}" for p in said.values]
                found.setdefault(path.name, []).append("".join(map(str, parts)))
    return found


def test_the_daemon_has_hooks_around_the_journal_and_around_effects_and_nowhere_else() -> None:
    assert _hooks() == {
        "journal.py": ["journal:before:{}", "journal:after:{}"],
        "effects.py": ["effect:before:{}", "effect:after:{}"],
    }


def test_every_event_and_effect_has_a_point_before_and_after_it() -> None:
    assert set(POINTS) == {
        *(f"journal:{when}:{name}" for name in EVENTS for when in ("before", "after")),
        *(f"effect:{when}:{name}" for name in EFFECTS for when in ("before", "after")),
    }
    assert {"Agreed", "Observed", "LockBuilt", "CancelRequested"} <= set(EVENTS)
    assert {"BroadcastLock", "BroadcastClaim", "ResendTheirLock"} <= set(EFFECTS)
    assert not set(EVENTS) & set(EFFECTS), "a name tells which of the two it is"


@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("name", [*EVENTS, *EFFECTS])
def test_a_story_gets_everywhere_or_there_is_a_reason_why_none_can(party: str, name: str) -> None:
    told = [story.name for story in STORIES if name in story.reaches.get(party, ())]
    reason = UNREACHABLE.get((party, name), "")
    assert bool(told) != bool(reason), (told, reason)


def test_stories_speak_of_events_and_effects_that_exist() -> None:
    told = BY_NAME.values()
    spoken = {name for story in told for names in story.reaches.values() for name in names}
    assert spoken <= {*EVENTS, *EFFECTS}
    assert {party for story in told for party in story.reaches} <= set(PARTIES)
    assert {story.name for story in STORIES} < set(BY_NAME)


@pytest.mark.parametrize("pair", [("BTC", "ETH"), ("ETH", "BTC"), ("USDC", "LTC")], ids="/".join)
@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("name", [*EVENTS, *EFFECTS])
def test_with_a_chain_of_accounts_too_every_point_is_reached_or_says_why_not(
    pair: tuple[str, str], party: str, name: str
) -> None:
    told = [each for each in stories_of(pair) if name in BY_NAME[each].reaches.get(party, ())]
    reasons = {**UNREACHABLE, **out_of_reach(pair)}
    assert bool(told) != ((party, name) in reasons), told


def test_an_effect_counts_once_for_each_state_and_an_append_always() -> None:
    passed = [
        *("effect:before:BroadcastLock", "effect:after:BroadcastLock"),
        *("effect:before:BroadcastLock", "effect:after:BroadcastLock"),
        *("journal:before:Observed", "journal:after:Observed"),
        *("journal:before:Observed", "journal:after:Observed"),
        *("effect:before:BroadcastLock", "effect:after:BroadcastLock"),
    ]
    assert list(kills_of(passed)) == [
        Kill("effect:before:BroadcastLock", 1),
        Kill("effect:after:BroadcastLock", 1),
        Kill("journal:before:Observed", 1),
        Kill("journal:after:Observed", 1),
        Kill("journal:before:Observed", 2),
        Kill("journal:after:Observed", 2),
        Kill("effect:before:BroadcastLock", 3),
        Kill("effect:after:BroadcastLock", 3),
    ]


def test_what_a_kill_undid_comes_once_more_for_the_kills_behind_it() -> None:
    planned = [
        Kill("journal:before:Observed", 1),
        Kill("journal:before:LockBuilt", 1),
        Kill("effect:before:BuildLock", 2),
        Kill("journal:after:LockBuilt", 2),
        Kill("effect:after:BuildLock", 3),
        Kill("journal:before:Observed", 4),
    ]
    cells = tuple(Cell("happy", "maker", kill) for kill in planned)
    assert Run("happy", cells).kills() == {
        "maker": (
            Kill("journal:before:Observed", 1),
            Kill("journal:before:LockBuilt", 1),
            Kill("effect:before:BuildLock", 3),
            Kill("journal:after:LockBuilt", 2),
            Kill("effect:after:BuildLock", 4),
            Kill("journal:before:Observed", 5),
        )
    }


walks = st.lists(st.sampled_from(POINTS), max_size=60)


@given(taker=walks, maker=walks)
def test_every_kill_is_tried_in_exactly_one_run_and_no_run_has_too_many(
    taker: list[str], maker: list[str]
) -> None:
    passed = {"taker": taker, "maker": maker}
    planned = runs("happy", passed, dict.fromkeys(PARTIES, (*EVENTS, *EFFECTS)))
    cells = [cell for run in planned for cell in run.cells]
    expected = {Cell("happy", p, kill) for p in PARTIES for kill in kills_of(passed[p])}
    assert set(cells) == expected
    assert len(cells) == len(expected)
    for run in planned:
        for party in PARTIES:
            mine = [cell for cell in run.cells if cell.party == party]
            assert len(mine) <= KILLS_PER_RUN
        if any(name_of(cell.kill.point) == "Agreed" for cell in run.cells):
            assert len(run.cells) == 1


def _whole(matrix: Matrix) -> None:
    """Everything that can be reached was tried, and went well."""
    for story in STORIES:
        for party, names in story.reaches.items():
            points = [point for point in POINTS if name_of(point) in names]
            cells = {Cell(story.name, party, Kill(point)): "completed" for point in points}
            matrix.note(cells)


def test_a_matrix_with_everything_in_it_is_fine_and_one_with_a_gap_is_not() -> None:
    matrix = Matrix()
    _whole(matrix)
    assert matrix.is_fine(whole=True)
    cells = len(matrix.results)
    assert list(matrix.summary(whole=True))[-1] == f"kill points: {cells} of {cells} fine"

    lost = Cell("the taker's lock falls out", "maker", Kill("effect:after:ResendTheirLock"))
    matrix.note({lost: NOT_PASSED})
    assert list(matrix.missing()) == [("maker", "effect:after:ResendTheirLock")]
    assert not matrix.is_fine(whole=True)
    text = list(matrix.summary(whole=True))
    assert text[-1] == f"kill points: {cells - 1} of {cells} fine"
    assert any(line.startswith("FORGOTTEN: effect:after:ResendTheirLock") for line in text)


def test_a_failed_kill_fails_the_matrix_and_is_told_with_its_reason() -> None:
    matrix = Matrix()
    _whole(matrix)
    broken = Cell("happy", "taker", Kill("journal:after:LockBuilt"))
    matrix.note({broken: FAILED})
    matrix.fail("happy, taker", "two locks")
    cells = len(matrix.results)
    assert not matrix.is_fine(whole=True)
    text = list(matrix.summary(whole=True))
    assert text[-1] == f"kill points: {cells - 1} of {cells} fine"
    assert "FAILED happy, taker: two locks" in text


def test_a_point_on_no_list_and_a_story_that_goes_astray_fail_the_matrix() -> None:
    matrix = Matrix()
    matrix.count("cancelled by the maker", {"maker": ["effect:before:Novelty"], "taker": []})
    assert set(matrix.reasons) == {
        "cancelled by the maker: maker: CancelRequested",
        "cancelled by the maker: maker: effect:before:Novelty",
    }
    assert not matrix.is_fine(whole=False)
