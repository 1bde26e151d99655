"""What a person on a terminal sees, and what goes into files."""

import io
import os
import pty
import subprocess
import sys
import threading

import pytest
from msgspec.structs import replace
from rich.console import Console, RenderableType

from swapd.api.values import LegStatus, SwapPhase
from swapd.cli.live import picture
from swapd.cli.output import duration, until
from tests.cli.conftest import ROOT, Terminal
from tests.fakes.operations import NOW, SWAP_ID, TXID, detail, leg, summary


def open_terminal() -> tuple[int, int]:
    """Both ends of a pseudo terminal. In a bare chroot nobody has mounted /dev/pts: root does for
    this moment; the two descriptors outlive the mount."""
    try:
        return pty.openpty()
    except OSError:
        if os.geteuid() != 0:
            raise
    subprocess.run(["/bin/mount", "-t", "devpts", "devpts", "/dev/pts"], check=True)
    try:
        return pty.openpty()
    finally:
        subprocess.run(["/bin/umount", "-l", "/dev/pts"], check=True)


def on_a_terminal(cli: Terminal, *arguments: str, **environ: str) -> tuple[int, str]:
    """A process whose output is a terminal: exit code and what it wrote."""
    ours, theirs = open_terminal()
    process = subprocess.Popen(
        [sys.executable, "-m", "swapd.cli", *arguments],
        env={
            "HOME": os.fspath(cli.home),
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.fspath(ROOT),
            "TERM": "xterm-256color",
            "COLUMNS": "140",
            "TZ": "UTC",
            **environ,
        },
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    written = bytearray()

    def read() -> None:
        # Linux ends a terminal's output with EIO when its last writer is gone.
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:
                return
            if not data:
                return
            written.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    _, err = process.communicate(timeout=60)
    reader.join(20)
    os.close(ours)
    assert err == b""
    return process.returncode, written.decode()


def change_phases(cli: Terminal, *phases: SwapPhase) -> None:
    rounds = iter(phases)

    def next_phase(name: str) -> None:
        if name in ("swap_get", "swap_wait"):
            cli.daemon.operations.swaps = [summary(0x5A, next(rounds))]

    cli.daemon.operations.on_call = next_phase


def test_a_terminal_gets_a_live_view_to_the_end(cli: Terminal) -> None:
    change_phases(cli, SwapPhase.LOCKING, SwapPhase.CLAIMING, SwapPhase.COMPLETED)
    code, text = on_a_terminal(cli, "swap", "wait", SWAP_ID)
    assert code == 0
    for seen in ("LOCKING", "CLAIMING", "COMPLETED", "your LTC", "their BTC", "1 of 3"):
        assert seen in text
    assert "\x1b[1;3" in text, "colours on a terminal"


def test_no_color_is_heeded(cli: Terminal) -> None:
    change_phases(cli, SwapPhase.COMPLETED)
    _, text = on_a_terminal(cli, "swap", "wait", SWAP_ID, NO_COLOR="1")
    assert "COMPLETED" in text
    assert not any(f"\x1b[{style}3{colour}m" in text for style in ("", "1;") for colour in range(8))


def test_json_on_a_terminal_is_json_still(cli: Terminal) -> None:
    _, text = on_a_terminal(cli, "swap", "list", "--json")
    assert text.startswith("{")
    assert "\x1b" not in text


def test_tables_on_a_terminal_are_drawn(cli: Terminal) -> None:
    _, text = on_a_terminal(cli, "balance")
    assert "1.5" in text
    assert "─" in text


def test_a_file_gets_plain_columns_never_wrapped(cli: Terminal) -> None:
    out = cli.raises_nothing("peer", "list").out
    assert "─" not in out
    assert "\x1b" not in out
    lines = cli.raises_nothing("swap", "show", SWAP_ID).out.splitlines()
    assert any(TXID in line and "1 of 3" in line for line in lines)


def drawn(of: RenderableType) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(of)
    return console.export_text()


def test_the_picture_shows_both_legs_and_every_deadline() -> None:
    text = drawn(picture(detail()))
    rows = [line.split() for line in text.splitlines()]
    ours = next(r for r in rows if r[:2] == ["your", "LTC"])
    theirs = next(r for r in rows if r[:2] == ["their", "BTC"])
    assert ours[2:4] == ["40", "confirmed"]
    assert ours[-4:] == ["1", "of", "3", "confirmations"]
    assert theirs[2:4] == ["0.5", "unseen"]
    assert theirs[-4:] == ["0", "of", "2", "confirmations"]
    assert "reveal gate" in text
    assert "in 2 min" in text
    assert "in 6 min 10 s" in text
    assert "chain: 2 more confirmations of your lock" in text


def test_the_picture_of_an_ended_swap_has_no_deadlines_left() -> None:
    text = drawn(picture(detail(summary(0x5A, SwapPhase.REFUNDED))))
    assert "REFUNDED" in text
    assert "the maker never locked" in text
    assert "reveal gate" not in text


@pytest.mark.parametrize(("depth", "full"), [(0, 0), (1, 6), (2, 13), (3, 20), (9, 20)])
def test_the_bar_grows_with_depth_and_no_further_than_full(depth: int, full: int) -> None:
    one = leg(ours=True, status=LegStatus.CONFIRMED, depth=depth)
    shown = replace(detail(), legs=(one,))
    text = drawn(picture(shown))
    assert text.count("█") == full
    assert text.count("░") == 20 - full


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600 + 25 * 60 + 3, "1 h 25 min"),
        (86_400 * 2 + 5, "2 d 5 s"),
        (-61, "-1 min 1 s"),
    ],
)
def test_spans_have_two_units(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_moments_are_before_or_after() -> None:
    assert until(NOW + 90, NOW) == "in 1 min 30 s"
    assert until(NOW - 90, NOW) == "1 min 30 s ago"
