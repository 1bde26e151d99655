"""The operator's command: run for each change of an alarm, to page whoever must act.

Owns: that process, its bounds of time and rate. Must not know: what alarms mean. It never delays
anything: changes wait in a short queue, of which the oldest are dropped, and a command that hangs
is killed with everything it started. No shell: the words of the configuration are the arguments.
"""

import os
import signal
import subprocess
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog
import trio

from swapd.alarms.alarm import Alarm
from swapd.alarms.damping import Change

COMMAND_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 1.0
"""Between two runs."""

QUEUE: Final = 64
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")
"""Nothing else of our environment: it may say where secrets lie."""

log = structlog.get_logger("alarms")

FAILED_CODE: Final = "alarm_command_failed"


class Hook:
    """`listen` it to a board; `run` must be running. With no command it does nothing."""

    def __init__(self, command: Sequence[str], *, network: str) -> None:
        self._command = tuple(command)
        self._network = network
        self._waiting: deque[tuple[Change, int]] = deque(maxlen=QUEUE)
        self._wake = trio.Event()
        self._trouble = ""

    def follow(self, change: Change, since: int) -> None:
        """One change of an alarm; returns at once."""
        if not self._command or change.alarm.code == FAILED_CODE:
            return  # that the command fails can't be told by the command
        if len(self._waiting) == QUEUE:
            log.warning("alarm.command_behind", dropped=self._waiting[0][0].alarm.code)
        self._waiting.append((change, since))
        self._wake.set()

    async def source(self) -> Sequence[Alarm]:
        """An alarm source: that nobody is paged any more is one itself."""
        if not self._trouble:
            return ()
        remedy = "run it by hand: it gets one JSON object on its standard input"
        return (Alarm(FAILED_CODE, "warning", self._command[0], self._trouble, remedy),)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs the command for what is waiting, one at a time, for ever."""
        task_status.started()
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._waiting:
                await self._tell(*self._waiting.popleft())
                await trio.sleep(PAUSE_SECONDS)

    async def _tell(self, change: Change, since: int) -> None:
        alarm = change.alarm
        told = {
            "event": change.what,
            "network": self._network,
            "since": since,
            "code": alarm.code,
            "severity": alarm.severity,
            "subject": alarm.subject,
            "text": alarm.text,
            "remedy": alarm.remedy,
        }
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {f"SWAPD_ALARM_{name.upper()}": str(value) for name, value in told.items()}
        code: int | None = None
        try:
            code = await _run(self._command, msgspec.json.encode(told) + b"\n", environment)
            self._trouble = _judge(code)
        except OSError as error:
            self._trouble = f"it can't be run: {error.strerror or error}"
        if self._trouble:
            log.error("alarm.command_failed", code=alarm.code, reason=self._trouble)


def _judge(code: int | None) -> str:
    if code is None:
        return f"it did not end within {COMMAND_SECONDS:.0f} s and was killed"
    return f"it ended with {code}" if code else ""


async def _run(command: Sequence[str], data: bytes, environment: dict[str, str]) -> int | None:
    """Its exit code; None when it was killed for taking too long. Raises OSError."""
    process = await trio.lowlevel.open_process(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd="/",
        start_new_session=True,
    )
    try:
        with trio.move_on_after(COMMAND_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_feed, process, data)
                code = await process.wait()
                nursery.cancel_scope.cancel()
            return code
        return None
    finally:
        if process.returncode is None:
            _end(process)
            with trio.CancelScope(shield=True):
                await process.wait()


async def _feed(process: trio.Process, data: bytes) -> None:
    """A command need not read what it is given."""
    if process.stdin is None:
        return
    async with process.stdin:
        try:
            await process.stdin.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


def _end(process: trio.Process) -> None:
    """It and everything in its session."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
