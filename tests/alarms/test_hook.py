"""The operator's command: what it is given, and that it can neither hang nor flood us."""

import json
import os
import shutil
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog.testing
import trio

from swapd.alarms import hook as hooks
from swapd.alarms.alarm import Alarm
from swapd.alarms.damping import Change
from swapd.alarms.hook import FAILED_CODE, QUEUE, Hook

GRAVE = Alarm("disk_full", "critical", "/data; rm -rf /", 'no "space" left', "free some")


def script(folder: Path, text: str) -> str:
    """An executable file in Python."""
    path = folder / "page me"
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@asynccontextmanager
async def running(*command: str) -> AsyncIterator[Hook]:
    hook = Hook(command, network="regtest")
    async with trio.open_nursery() as nursery:
        await nursery.start(hook.run)
        with trio.fail_after(30), structlog.testing.capture_logs():
            yield hook
        nursery.cancel_scope.cancel()


def written(path: Path) -> str:
    """What the command wrote; empty while it is not all there."""
    text = path.read_text() if path.exists() else ""
    return text if text.endswith("\n") else ""


async def until(done: Callable[[], object]) -> None:
    """Processes and files outside tell no event."""
    while not done():  # noqa: ASYNC110 - see above
        await trio.sleep(0.02)


async def output(path: Path) -> str:
    await until(lambda: written(path))
    return written(path)


async def trouble(hook: Hook) -> str:
    """What the hook's own alarm says, once it says something."""
    await until(lambda: hook._trouble)
    (alarm,) = await hook.source()
    assert alarm.code == FAILED_CODE
    return alarm.text


async def test_the_command_gets_the_alarm_as_json_and_in_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/swapd")
    out = tmp_path / "out"
    command = script(
        tmp_path,
        "import json, os, sys\n"
        f"told = {{'in': json.load(sys.stdin), 'argv': sys.argv[1:], 'env': dict(os.environ)}}\n"
        f"open({str(out)!r}, 'w').write(json.dumps(told) + '\\n')",
    )
    async with running(command, "--to", "$HOME `me`") as hook:
        hook.follow(Change("raised", GRAVE), 1_800_000_000)
        told = json.loads(await output(out))
    assert told["in"] == {
        "event": "raised",
        "network": "regtest",
        "since": 1_800_000_000,
        "code": "disk_full",
        "severity": "critical",
        "subject": "/data; rm -rf /",
        "text": 'no "space" left',
        "remedy": "free some",
    }
    assert told["argv"] == ["--to", "$HOME `me`"]
    assert told["env"]["SWAPD_ALARM_CODE"] == "disk_full"
    assert told["env"]["SWAPD_ALARM_SUBJECT"] == "/data; rm -rf /"
    assert "CREDENTIALS_DIRECTORY" not in told["env"]


async def test_a_command_that_hangs_is_killed_with_its_children_and_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "COMMAND_SECONDS", 1.0)
    monkeypatch.setattr(hooks, "PAUSE_SECONDS", 0.0)
    out = tmp_path / "out"
    command = script(
        tmp_path,
        "import json, os, subprocess, sys\n"
        "if json.load(sys.stdin)['event'] == 'raised':\n"
        "    child = subprocess.Popen(['sleep', '1000'])\n"
        f"    open({str(out)!r}, 'w').write(f'{{child.pid}}\\n')\n"
        "    os.execvp('sleep', ['sleep', '1000'])\n",
    )
    async with running(command) as hook:
        hook.follow(Change("raised", GRAVE), 1)
        child = int(await output(out))
        assert "killed" in await trouble(hook)
        await until(lambda: is_gone(child))
        hook.follow(Change("cleared", GRAVE), 1)
        await until(lambda: not hook._trouble)


def is_gone(pid: int) -> bool:
    """Ended; nobody may have asked for its exit code yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(
    ("command", "said"),
    [("/nowhere/page-me", "No such file"), (shutil.which("false"), "ended with")],
)
async def test_a_command_that_fails_is_an_alarm_which_is_not_told_by_the_command(
    command: str, said: str
) -> None:
    async with running(command) as hook:
        hook.follow(Change("raised", GRAVE), 1)
        assert said in await trouble(hook)
        (alarm,) = await hook.source()
        hook.follow(Change("raised", alarm), 1)
        assert not hook._waiting


async def test_one_that_does_not_read_is_no_trouble(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = script(tmp_path, f"import os\nos.close(0)\nopen({str(out)!r}, 'w').write('ok\\n')")
    async with running(command) as hook:
        hook.follow(Change("raised", GRAVE), 1)
        assert await output(out) == "ok\n"
        assert await hook.source() == ()


def test_telling_never_waits_and_the_queue_is_bounded() -> None:
    hook = Hook(("page-me",), network="regtest")
    with structlog.testing.capture_logs() as lines:
        for number in range(QUEUE + 5):
            hook.follow(Change("raised", GRAVE), number)
    assert len(hook._waiting) == QUEUE
    assert hook._waiting[-1][1] == QUEUE + 4
    assert sum(line["event"] == "alarm.command_behind" for line in lines) == 5


async def test_without_a_command_nothing_runs() -> None:
    hook = Hook((), network="regtest")
    hook.follow(Change("raised", GRAVE), 1)
    assert not hook._waiting
    assert await hook.source() == ()


async def test_a_daemon_that_ends_leaves_no_command_behind(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = script(
        tmp_path,
        f"import os\nopen({str(out)!r}, 'w').write(f'{{os.getpid()}}\\n')\n"
        "os.execvp('sleep', ['sleep', '1000'])",
    )
    async with running(command) as hook:
        hook.follow(Change("raised", GRAVE), 1)
        pid = int(await output(out))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
