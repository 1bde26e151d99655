"""The clocks and the source of chance."""

import time
from pathlib import Path

import pytest

from swapd.clock import ClockFileError, FileClock, WallClock, entropy
from swapd.ports import Clock
from tests.fakes.clock import FakeClock, FakeEntropy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A clock file at 1790000000."""
    path = tmp_path / "clock"
    path.write_text("1790000000\n")
    return path


def test_the_wall_clock_is_the_machines() -> None:
    before = time.time_ns() // 1_000_000
    clock: Clock = WallClock()
    assert before // 1000 <= clock.now() <= clock.now_ms() // 1000
    assert before <= clock.now_ms() <= time.time_ns() // 1_000_000


def test_the_clock_file_is_read_at_each_call(file: Path) -> None:
    clock: Clock = FileClock(file, pytest.fail)
    assert (clock.now(), clock.now_ms()) == (1_790_000_000, 1_790_000_000_000)
    file.write_text("1790000001")  # in place, same length
    assert clock.now() == 1_790_000_001
    fresh = file.with_suffix(".new")
    fresh.write_text(" 1790000600\n")
    fresh.replace(file)
    assert clock.now_ms() == 1_790_000_600_000


def test_the_clock_never_goes_back(file: Path) -> None:
    clock = FileClock(file, pytest.fail)
    file.write_text("1789999999")
    assert clock.now() == 1_790_000_000
    file.write_text("1790000001")
    assert clock.now() == 1_790_000_001


def test_an_unreadable_file_keeps_the_time_and_complains_once_per_cause(file: Path) -> None:
    complaints: list[str] = []
    clock = FileClock(file, complaints.append)
    for broken in ("", "soon", "-5", "1" * 12, "²"):
        file.write_text(broken)
        assert clock.now() == clock.now() == 1_790_000_000
    file.unlink()
    assert clock.now() == clock.now() == 1_790_000_000
    assert len(complaints) == 2
    assert "no unix time in ASCII digits; the time stays at 1790000000" in complaints[0]
    assert "cannot be read: No such file" in complaints[1]
    file.write_text("1790000009")
    assert clock.now() == 1_790_000_009
    file.unlink()
    assert clock.now() == 1_790_000_009
    assert len(complaints) == 3


def test_without_a_first_value_there_is_no_clock(tmp_path: Path) -> None:
    with pytest.raises(ClockFileError, match="No such file"):
        FileClock(tmp_path / "clock", pytest.fail)


def test_entropy_is_as_long_as_asked_and_fresh() -> None:
    assert len(entropy(32)) == 32
    assert entropy(32) != entropy(32)


def test_the_fakes_move_by_hand_and_repeat() -> None:
    clock = FakeClock(100)
    assert clock.advance(1.5) == 101
    assert clock.now_ms() == 101_500
    clock.set(102)
    assert clock.now_ms() == 102_000
    with pytest.raises(ValueError, match="only goes forward"):
        clock.set(101)
    first, again = FakeEntropy("a"), FakeEntropy("a")
    drawn = [first(32), first(32)]
    assert drawn == [again(32), again(32)]
    assert drawn[0] != drawn[1]
