"""What systemd is told, over a real socket of either kind."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog.testing
import trio
from trio.testing import MockClock

from swapd.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """$NOTIFY_SOCKET and its other end."""
    name = str(tmp_path / "n") if request.param == "path" else f"@swapd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind("\0" + name[1:] if name.startswith("@") else name)
        end.settimeout(5)
        yield name, end


def test_ready_and_stopping_are_told(heard: tuple[str, socket.socket]) -> None:
    name, end = heard
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready("running")
    assert end.recv(1000) == b"READY=1\nSTATUS=running"
    notifier.stopping()
    assert end.recv(1000) == b"STOPPING=1\nSTATUS=stopping"


async def test_the_watchdog_is_fed_three_times_as_often_as_it_wants(
    heard: tuple[str, socket.socket], autojump_clock: MockClock
) -> None:
    name, end = heard
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "3000000"})
    with trio.move_on_after(2.5):
        await notifier.keep_alive()
    assert [end.recv(1000) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    end.settimeout(0)
    with pytest.raises(BlockingIOError):
        end.recv(1000)


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}],
)
async def test_without_a_watchdog_of_ours_nothing_is_fed(environ: dict[str, str]) -> None:
    with trio.fail_after(5):
        await Notifier(environ).keep_alive()


def test_a_socket_that_is_gone_stops_nothing() -> None:
    with structlog.testing.capture_logs() as lines:
        Notifier({"NOTIFY_SOCKET": "/nowhere/notify"}).ready("running")
        Notifier({}).ready("running")
    assert [line["event"] for line in lines] == ["notify.failed"]
