"""The data directory: whose it is, who may see it, and that one daemon at a time has it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from swapd import paths
from swapd.lockfile import AlreadyLockedError, LockError, locked
from swapd.paths import PathError

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from swapd.lockfile import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_data_directory_is_made_for_the_owner_only(tmp_path: Path) -> None:
    places = paths.data_paths(tmp_path / "a" / "b", "regtest")
    paths.prepare(places)
    assert places.root.stat().st_mode & 0o777 == 0o700
    assert places.root == tmp_path / "a" / "b" / "regtest"
    assert {places.seed.parent, places.database.parent, places.lock.parent} == {places.root}


def test_a_directory_of_ours_that_others_may_enter_is_closed(tmp_path: Path) -> None:
    places = paths.data_paths(tmp_path, "regtest")
    places.root.mkdir(mode=0o755)
    places.root.chmod(0o755)
    paths.prepare(places)
    assert places.root.stat().st_mode & 0o777 == 0o700


def test_a_directory_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = paths.data_paths(tmp_path, "regtest")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(PathError, match="belongs to another user"):
        paths.prepare(places)


def test_a_file_in_the_place_of_the_directory_is_told(tmp_path: Path) -> None:
    (tmp_path / "regtest").touch()
    with pytest.raises(PathError, match="cannot be used: File exists"):
        paths.prepare(paths.data_paths(tmp_path, "regtest"))


def test_the_longest_socket_path_fits_the_system(tmp_path: Path) -> None:
    # unix(7): 108 bytes with the final zero; the server binds a temporary name first.
    longest = Path("/" + "s" * (paths.MAX_SOCKET_PATH - 8 - 1))
    assert paths.data_paths(tmp_path, "regtest", longest).socket == longest
    with pytest.raises(PathError, match="1 bytes too long"):
        paths.data_paths(tmp_path, "regtest", Path(f"{longest}s"))
    with pytest.raises(PathError, match="too long"):  # bytes count, not characters
        paths.data_paths(tmp_path, "regtest", Path("/" + "ü" * 60))


def test_the_xdg_directories_are_used_when_absolute() -> None:
    assert paths.default_base({"HOME": "/h"}) == Path("/h/.local/share/swapd")
    assert paths.default_base({"HOME": "/h", "XDG_DATA_HOME": "/x"}) == Path("/x/swapd")
    assert paths.default_base({"HOME": "/h", "XDG_DATA_HOME": "x"}) == Path("/h/.local/share/swapd")
    assert paths.default_config_files({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}) == (
        Path("/x/swapd/swapd.toml"),
        Path("/etc/swapd/swapd.toml"),
    )
    with pytest.raises(PathError, match="HOME is not set"):
        paths.default_base({})


@pytest.mark.parametrize(
    ("mode", "readable", "said"),
    [
        (0o600, False, None),
        (0o644, True, None),
        (0o640, False, "can be read by others"),
        (0o604, False, "can be read by others"),
        (0o620, True, "can be changed by others"),
        (0o602, False, "can be changed by others"),
    ],
)
def test_loose_files_are_told(tmp_path: Path, mode: int, readable: bool, said: str | None) -> None:
    file = tmp_path / "f"
    file.touch()
    file.chmod(mode)
    warning = paths.loose_permissions(file, readable=readable)
    assert (warning is None) if said is None else (said in (warning or ""))
    assert paths.loose_permissions(tmp_path / "nowhere", readable=readable) is None


def start_holder(lock: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its stdin ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_daemon_is_told_who_has_the_directory(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with start_holder(lock) as holder:
        with (
            pytest.raises(AlreadyLockedError, match="choose another data_dir") as caught,
            locked(lock),
        ):
            pytest.fail("two have it")
        assert caught.value.pid == holder.pid
        assert f"process {holder.pid}" in str(caught.value)
        holder.communicate("")
    with locked(lock):
        assert lock.read_text() == f"{os.getpid()}\n"
        assert lock.stat().st_mode & 0o777 == 0o600
    with locked(lock):
        pass


def test_a_killed_daemon_leaves_no_lock_behind(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with start_holder(lock) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with locked(lock):
            pass


def test_a_child_process_does_not_inherit_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with locked(lock):
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)  # noqa: S607 - found on PATH
    with child, locked(lock):
        child.communicate(b"")


def test_a_holder_that_has_not_written_its_number_yet_is_another_process(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with start_holder(lock) as holder:
        lock.write_text("")
        with (
            pytest.raises(AlreadyLockedError, match="in use by another process") as caught,
            locked(lock),
        ):
            pytest.fail("two have it")
        assert caught.value.pid is None
        holder.communicate("")


def test_a_lock_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="No such file"), locked(tmp_path / "nowhere" / "lock"):
        pytest.fail("held")
