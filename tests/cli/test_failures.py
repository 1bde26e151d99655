"""Where the daemon is looked for, and how each kind of failure ends: by its exit code."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from swapd.api.errors import ApiError, ErrorName
from swapd.cli import docs, exits
from swapd.cli.place import NoDaemonError, Place, PlaceError, find_socket
from tests.cli.conftest import ROOT, Daemon, Terminal
from tests.fakes.operations import SWAP_ID


def program(*arguments: str, home: Path) -> subprocess.Popen[str]:
    """swap-cli as a process of its own."""
    environ = {"HOME": os.fspath(home), "PATH": os.environ["PATH"], "PYTHONPATH": os.fspath(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "swapd.cli", *arguments],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=home,
    )


def test_exit_codes_are_what_they_always_were() -> None:
    assert sorted(exits.WORDS) == [0, 1, 2, 3, 4, 5, 6, 130]


def test_help_names_every_exit_code(bare: Terminal) -> None:
    result = bare("--help")
    assert result.code == 0
    flat = " ".join(result.out.split())
    assert all(f"{code} {words}" in flat for code, words in exits.WORDS.items())


def test_the_page_about_commands_is_current() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert text == docs.render(), "run: python -m swapd.cli.docs"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["nonsense"],
        ["swap"],
        ["info", "--nonsense"],
        ["balance", "BTC", "LTC"],
        ["swap", "show"],
        ["swap", "show", "xyz!"],
        ["--network", "moonnet", "info"],
        ["wallet", "split", "0", "1", "BTC"],
        ["peer", "list", "--limit", "0"],
    ],
)
def test_a_wrong_command_line_ends_with_3(cli: Terminal, command: list[str]) -> None:
    result = cli(*command)
    assert result.code == 3
    assert result.err


def test_no_daemon_ends_with_2_and_says_how_to_get_one(bare: Terminal) -> None:
    result = bare("info")
    assert result.code == 2
    assert "no daemon" in result.err
    assert "swapd run" in result.err
    assert "swap-cli guide" in result.err


def test_no_daemon_in_json_ends_with_2_too(bare: Terminal) -> None:
    result = bare("--network", "regtest", "info", "--json")
    assert result.code == 2
    assert result.json["error"]["name"] == "cannot_connect"
    assert result.err == ""


def test_a_dead_daemons_socket_ends_with_2(bare: Terminal) -> None:
    path = bare.home / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(os.fspath(path))
    result = bare("--socket", os.fspath(path), "info")
    assert result.code == 2
    assert "not running" in result.err


def test_a_daemon_that_goes_away_ends_with_2(bare: Terminal) -> None:
    path = bare.home / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()
        process = program("--socket", os.fspath(path), "info", home=bare.home)
        listener.accept()[0].close()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "closed the connection" in err


def test_something_else_on_the_socket_is_told_as_such(bare: Terminal) -> None:
    path = bare.home / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()
        process = program("--socket", os.fspath(path), "info", home=bare.home)
        peer, _ = listener.accept()
        peer.sendall(b"220 mail.example.org ESMTP\n")
        _, err = process.communicate(timeout=30)
        peer.close()
    assert process.returncode == 1
    assert "can't be understood" in err


def test_as_a_process_it_answers_and_ends_with_0(cli: Terminal) -> None:
    process = program("info", home=cli.home)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert "regtest" in out
    assert "\x1b" not in out


def test_as_a_process_an_error_reply_ends_with_1(cli: Terminal) -> None:
    cli.daemon.operations.fail("balance", ApiError(ErrorName.WALLET_LOCKED, "locked"))
    process = program("balance", home=cli.home)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("error: locked\n")


def test_interrupted_it_ends_with_130(cli: Terminal) -> None:
    # Tests that run in the background of a shell would have it ignore the signal from its start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = program("swap", "watch", home=cli.home)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert "watching" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_a_reader_that_leaves_is_no_failure(cli: Terminal) -> None:
    process = program("swap", "watch", SWAP_ID, "--json", home=cli.home)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    rows = iter(range(8, 10_000))

    def change(_: str) -> None:
        swaps = cli.daemon.operations.swaps
        swaps[0] = replace(swaps[0], sequence=next(rows))

    cli.daemon.operations.on_call = change
    assert process.wait(30) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


# --- Where it is --------------------------------------------------------------------------------


def test_a_named_socket_is_taken_as_it_is(tmp_path: Path) -> None:
    assert find_socket(Place(socket=Path("s")), {}, tmp_path) == tmp_path / "s"


def test_datadir_and_network_need_no_home_and_no_configuration(tmp_path: Path) -> None:
    place = Place(datadir=Path("d"), network="signet")
    assert find_socket(place, {}, tmp_path) == tmp_path / "d" / "signet" / "rpc.sock"


def test_a_network_alone_is_looked_for_in_the_usual_place(tmp_path: Path) -> None:
    found = find_socket(Place(network="regtest"), {"HOME": os.fspath(tmp_path)}, tmp_path)
    assert found == tmp_path / ".local/share/swapd/regtest/rpc.sock"


def test_the_daemons_own_configuration_is_heeded(tmp_path: Path) -> None:
    file = tmp_path / ".config" / "swapd" / "swapd.toml"
    file.parent.mkdir(parents=True)
    file.write_text('network = "signet"\n[control]\nsocket = "/run/swapd/s"\n')
    file.chmod(0o600)
    assert find_socket(Place(), {"HOME": os.fspath(tmp_path)}, tmp_path) == Path("/run/swapd/s")


def test_a_mistake_in_the_configuration_is_told(bare: Terminal) -> None:
    file = bare.home / "c.toml"
    file.write_text('netwrok = "regtest"\n')
    result = bare("--config", "c.toml", "info")
    assert result.code == 3
    assert "netwrok" in result.err


def test_the_only_daemon_there_is_needs_no_name(cli: Terminal) -> None:
    assert cli("info").code == 0


def test_of_two_daemons_one_must_be_named(cli: Terminal) -> None:
    other = cli.daemon.base / "signet" / "rpc.sock"
    other.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as second:
        second.bind(os.fspath(other))
    result = cli("info")
    assert result.code == 3
    assert "signet, regtest" in result.err
    assert cli("--network", "regtest", "info").code == 0


def test_without_home_and_names_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match="HOME"):
        find_socket(Place(), {}, tmp_path)
    with pytest.raises(NoDaemonError):
        find_socket(Place(), {"HOME": os.fspath(tmp_path)}, tmp_path)


def test_a_daemon_elsewhere_is_reached_by_its_datadir(bare: Terminal, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "elsewhere")
    bare.daemon = daemon
    daemon.start()
    try:
        assert bare("--datadir", "elsewhere", "--network", "regtest", "info").code == 0
        assert bare("--datadir", "elsewhere", "info").code == 0
    finally:
        daemon.stop()
