"""When alarms begin and end: what flaps does not ring all night, what is grave rings at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from swapd.alarms.alarm import SEVERITIES, Alarm, rank
from swapd.alarms.damping import CLEAR_SECONDS, RAISE_SECONDS, Damper

MILD = Alarm("node_down", "warning", "BTC", "no answer", "start it")
GRAVE = replace(MILD, severity="critical")
LOOK = 10.0


def looks(damper: Damper, seen: list[Alarm], start: float, seconds: float) -> list[str]:
    """The changes while `seen` is what every look finds."""
    found: list[str] = []
    for step in range(int(seconds / LOOK) + 1):
        found += [change.what for change in damper.look(seen, start + step * LOOK)]
    return found


def test_a_critical_alarm_is_raised_at_the_first_sight() -> None:
    damper = Damper()
    assert [c.what for c in damper.look([GRAVE], 0)] == ["raised"]
    assert damper.holding() == (GRAVE,)


def test_a_milder_one_is_raised_only_when_it_lasts() -> None:
    damper = Damper()
    assert damper.look([MILD], 0) == ()
    assert damper.holding() == ()
    assert [c.what for c in damper.look([MILD], RAISE_SECONDS)] == ["raised"]


def test_single_sights_far_apart_raise_nothing() -> None:
    damper = Damper()
    for moment in range(0, 2000, 100):
        assert damper.look([MILD], moment) == ()
        assert damper.look([], moment + 10) == ()


def test_an_alarm_ends_only_when_it_was_away_for_a_while() -> None:
    damper = Damper()
    damper.look([GRAVE], 0)
    assert damper.look([], CLEAR_SECONDS - 1) == ()
    assert damper.holding() == (GRAVE,)
    assert [c.what for c in damper.look([], CLEAR_SECONDS)] == ["cleared"]
    assert damper.holding() == ()


def test_what_flaps_within_the_patience_is_told_once() -> None:
    damper, told = Damper(), []
    for step in range(360):
        seen = [GRAVE] if step % 5 == 0 else []
        told += [change.what for change in damper.look(seen, step * LOOK)]
    assert told == ["raised"]


def test_each_return_within_the_hour_doubles_the_patience() -> None:
    damper, now = Damper(), 0.0
    for expected in (60, 120, 240, 480, 960):
        damper.look([GRAVE], now)
        assert damper.look([], now + expected - 1) == ()
        assert [c.what for c in damper.look([], now + expected)] == ["cleared"]
        now += expected + 1


def test_an_hour_later_it_is_new_again() -> None:
    damper = Damper()
    looks(damper, [GRAVE], 0, 0)
    assert looks(damper, [], 10, 100) == ["cleared"]
    damper.look([GRAVE], 4000)
    assert [c.what for c in damper.look([], 4000 + CLEAR_SECONDS)] == ["cleared"]


def test_it_gets_worse_at_once_and_milder_after_a_while() -> None:
    damper = Damper()
    looks(damper, [MILD], 0, 20)
    assert [c.what for c in damper.look([GRAVE], 30)] == ["changed"]
    assert damper.look([MILD], 40) == ()
    assert damper.holding() == (GRAVE,)
    assert looks(damper, [MILD], 50, CLEAR_SECONDS) == ["changed"]
    assert damper.holding() == (MILD,)


def test_another_text_is_the_same_alarm_and_is_shown() -> None:
    damper = Damper()
    damper.look([GRAVE], 0)
    again = replace(GRAVE, text="still no answer")
    assert damper.look([again], 10) == ()
    assert damper.holding() == (again,)


def test_subjects_are_apart_and_the_worst_comes_first() -> None:
    damper, other = Damper(), replace(MILD, subject="LTC")
    looks(damper, [other, GRAVE], 0, 20)
    assert damper.holding() == (GRAVE, other)
    damper.look([other], 200)
    assert damper.holding() == (other,)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*SEVERITIES, ""]), st.sampled_from(["BTC", "LTC"]), st.integers(0, 400)
        ),
        max_size=40,
    )
)
def test_raised_and_cleared_take_turns_and_tell_what_holds(
    story: list[tuple[str, str, int]],
) -> None:
    damper, now, held = Damper(), 0.0, dict[tuple[str, str], Alarm]()
    for severity, subject, seconds in story:
        now += seconds
        seen = [Alarm("x", severity, subject, "", "")] if severity else []  # type: ignore[arg-type]  # one of the three
        for change in damper.look(seen, now):
            assert (change.alarm.key in held) == (change.what != "raised")
            held[change.alarm.key] = change.alarm
            if change.what == "cleared":
                del held[change.alarm.key]
        assert {alarm.key for alarm in damper.holding()} == set(held)
        for alarm in damper.holding():
            assert rank(alarm.severity) >= max(
                [rank(s.severity) for s in seen if s.key == alarm.key], default=0
            )


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_table_of_tracks_stays_small(severity: str) -> None:
    damper = Damper()
    for number in range(1000):
        alarm = Alarm("x", severity, str(number), "", "")  # type: ignore[arg-type]  # the same
        damper.look([alarm], number * 4000.0)
    assert len(damper._tracks) <= 2
