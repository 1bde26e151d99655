"""The board looks at every source, tells every listener, and nothing a source does breaks it."""

from collections.abc import Sequence

import structlog.testing
import trio
from trio.testing import MockClock

from swapd.alarms.alarm import Alarm, Source
from swapd.alarms.board import LOOK_SECONDS, SOURCE_SECONDS, Board
from swapd.alarms.damping import CLEAR_SECONDS, RAISE_SECONDS, Change
from tests.fakes.clock import FakeClock

GRAVE = Alarm("disk_full", "critical", "/data", "no space", "free some")


class Finding:
    """A source whose findings a test sets."""

    def __init__(self, *alarms: Alarm) -> None:
        self.alarms: Sequence[Alarm] = alarms

    async def look(self) -> Sequence[Alarm]:
        return self.alarms


def board(*sources: Source) -> tuple[Board, list[tuple[str, str, int]]]:
    made, told = Board(FakeClock()), list[tuple[str, str, int]]()
    made.add(*sources)

    def follow(change: Change, since: int) -> None:
        told.append((change.what, change.alarm.code, since))

    made.listen(follow)
    return made, told


async def test_what_a_source_finds_is_told_shown_and_logged(autojump_clock: MockClock) -> None:
    source = Finding(GRAVE)
    made, told = board(source.look)
    with structlog.testing.capture_logs() as lines:
        await made.look()
    assert told == [("raised", "disk_full", FakeClock().now())]
    assert [held.alarm for held in made.holding()] == [GRAVE]
    assert made.severity() == "critical"
    line = next(line for line in lines if line["event"] == "alarm.raised")
    assert (line["log_level"], line["code"]) == ("critical", "disk_full")
    assert line["remedy"] == "free some"


async def test_it_looks_again_by_itself_and_clears(autojump_clock: MockClock) -> None:
    source = Finding(GRAVE)
    made, told = board(source.look)
    async with trio.open_nursery() as nursery:
        await nursery.start(made.run)
        await trio.sleep(LOOK_SECONDS)
        source.alarms = ()
        await trio.sleep(CLEAR_SECONDS + 2 * LOOK_SECONDS)
        nursery.cancel_scope.cancel()
    assert [what for what, _, _ in told] == ["raised", "cleared"]
    assert made.holding() == ()
    assert made.severity() is None


async def test_a_source_that_raises_keeps_its_findings_and_is_an_alarm_itself(
    autojump_clock: MockClock,
) -> None:
    answers: list[Sequence[Alarm] | Exception] = [(GRAVE,)]

    async def flaky() -> Sequence[Alarm]:
        answer = answers[-1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    made, _ = board(flaky)
    await made.look()
    answers.append(RuntimeError("a bug"))
    with structlog.testing.capture_logs():
        await made.look()
        await trio.sleep(RAISE_SECONDS)
        await made.look()
    codes = {held.alarm.code: held.alarm for held in made.holding()}
    assert set(codes) == {"disk_full", "check_failed"}
    assert "a bug" in codes["check_failed"].text


async def test_a_source_that_hangs_holds_up_no_other(autojump_clock: MockClock) -> None:
    made, told = board(trio.sleep_forever, Finding(GRAVE).look)
    with trio.fail_after(SOURCE_SECONDS + 1):
        await made.look()
    assert ("raised", "disk_full", FakeClock().now()) in told


async def test_a_listener_that_breaks_keeps_no_other_from_hearing(
    autojump_clock: MockClock,
) -> None:
    made = Board(FakeClock())
    made.add(Finding(GRAVE).look)

    def broken(_change: Change, _since: int) -> None:
        raise RuntimeError("a bug")

    heard: list[str] = []
    made.listen(broken)
    made.listen(lambda change, _: heard.append(change.what))
    with structlog.testing.capture_logs():
        await made.look()
    assert heard == ["raised"]


async def test_a_poke_looks_at_once(autojump_clock: MockClock) -> None:
    source = Finding()
    made, told = board(source.look)
    async with trio.open_nursery() as nursery:
        await nursery.start(made.run)
        await trio.sleep(0.1)
        source.alarms = (GRAVE,)
        made.poke()
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    assert told
