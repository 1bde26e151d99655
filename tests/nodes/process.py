"""Owns child processes that never outlive us: not after a cancelled test, not after kill -9.

The kernel ends the child when the thread that started it ends (PR_SET_PDEATHSIG, set by
util-linux' setpriv after the fork, where no Python code needs to run). So: spawn from the main
thread. If we died before the kernel was asked, the child sees that its parent is another and ends.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import trio

_UNLESS_ORPHANED = '[ "$PPID" = "$0" ] && exec "$@"'  # $0 is our process id


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `argv`; the kernel kills it if we die first."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise FileNotFoundError("setpriv is missing: install util-linux")
    orphan_check = ["/bin/sh", "-c", _UNLESS_ORPHANED, str(os.getpid())]
    return subprocess.Popen(
        [setpriv, "--pdeathsig", "KILL", *orphan_check, *map(str, argv)],
        env=env,
        cwd=cwd,
        stdin=stdin,
        stdout=stdout,
        stderr=sys.stderr if stderr is None else stderr,
        pass_fds=pass_fds,
    )


async def wait_ended(process: subprocess.Popen[bytes], timeout: float) -> int | None:
    """The exit code as soon as `process` ends, or None if it is still there after `timeout` s."""
    if process.poll() is not None:
        return process.returncode
    pidfd = os.pidfd_open(process.pid)
    try:
        with trio.move_on_after(timeout):
            await trio.lowlevel.wait_readable(pidfd)
    finally:
        os.close(pidfd)
    return process.poll()


async def end(process: subprocess.Popen[bytes], *, grace: float) -> int:
    """SIGTERM, `grace` seconds, then SIGKILL; returns the exit code. Not cancellable."""
    with trio.CancelScope(shield=True):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            await wait_ended(process, grace)
    return await kill(process)


async def kill(process: subprocess.Popen[bytes]) -> int:
    """SIGKILL now; returns the exit code. Not cancellable."""
    with trio.CancelScope(shield=True):
        if process.poll() is None:
            process.kill()
            await wait_ended(process, 10)
    return process.wait()
