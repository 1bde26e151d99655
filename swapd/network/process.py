"""Starting and ending the network process, from the daemon's side.

Owns: the socket pair, the child's environment and its end. Must not know: what is said over the
pair. POSIX only, like the rest of the daemon.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import trio

_PASSED_ON: Final = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE", "COVERAGE_PROCESS_START",
)  # fmt: skip
_WAIT_SECONDS: Final = 5.0


class ChildProcess:
    """A running child and our end of the pair."""

    def __init__(self, process: subprocess.Popen[bytes], stream: trio.SocketStream) -> None:
        self._process = process
        self.stream = stream

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    async def end(self) -> int:
        """Kills the child, which has nothing to save, and returns its exit code."""
        self._process.send_signal(signal.SIGKILL)
        await trio.aclose_forcefully(self.stream)
        with trio.move_on_after(_WAIT_SECONDS):
            await trio.to_thread.run_sync(self._process.wait, abandon_on_cancel=True)
        return self._process.returncode if self._process.returncode is not None else -1

    async def exit_code(self, seconds: float) -> int | None:
        """Waits a moment for a child that ends by itself; None when it does not."""
        with trio.move_on_after(seconds):
            return await trio.to_thread.run_sync(self._process.wait, abandon_on_cancel=True)
        return None


def spawn() -> ChildProcess:
    """Starts a child. It blocks for some milliseconds and must not be moved to a worker thread:
    the child dies with the thread that started it (PR_SET_PDEATHSIG), not only with the process.
    Raises OSError."""
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "swapd.network.child", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=_environment(),
            process_group=0,
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return ChildProcess(process, trio.SocketStream(trio.socket.from_stdlib_socket(ours)))


def _environment() -> dict[str, str]:
    """Little of ours, so that no variable tunes libp2p behind our back; and the way to our own
    packages when they are not installed but run from their source tree."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    root = Path(__file__).resolve().parents[2]
    if not root.name.endswith("-packages"):
        known = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{root}{os.pathsep}{known}" if known else str(root)
    return environment
