"""A process that has libp2p imported already and forks network processes for the tests.

Importing libp2p takes a second of CPU, forking takes milliseconds. What comes out is the same
process as the daemon starts, except that it dies with this one; the tests in `test_process` start
it the daemon's way.
"""

import contextlib
import os
import random
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import trio

from swapd.network.process import ChildProcess

ROOT = Path(__file__).resolve().parents[2]


class Forked(ChildProcess):
    """A forked network process: it is the zygote's child, so its exit code is not ours to see."""

    def __init__(self, pid: int, stream: trio.SocketStream) -> None:
        self._pid = pid
        self._handle = os.pidfd_open(pid)
        self.stream = stream

    @property
    def pid(self) -> int:
        return self._pid

    async def end(self) -> int:
        if self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            await trio.lowlevel.wait_readable(self._handle)
            os.close(self._handle)
            self._handle = -1
        await trio.aclose_forcefully(self.stream)
        return -1

    async def exit_code(self, seconds: float) -> int | None:
        with trio.move_on_after(seconds):
            await trio.lowlevel.wait_readable(self._handle)
            await self.end()
            return 0
        return None


class Zygote:
    """The test's end: `spawn` is what `swapd.network.process.spawn` is."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.network.zygote", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                cwd=ROOT,
            )

    def spawn(self) -> ChildProcess:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._ours, [b"f"], [theirs.fileno()])
        pid = int(self._ours.recv(100))
        return Forked(pid, trio.SocketStream(trio.socket.from_stdlib_socket(ours)))

    def close(self) -> None:
        self._ours.close()
        self._process.wait()


def serve(fd: int) -> None:
    """Forks one network process per request until the tests are gone."""
    import swapd.network.node  # noqa: F401 - the point of this process
    from swapd.network import child

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    requests = socket.socket(fileno=fd)
    while True:
        select.select([requests], [], [])
        data, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
        if not data:
            return
        pid = os.fork()
        if pid == 0:
            requests.close()
            random.seed()
            sys.argv = ["child", str(descriptors[0])]
            os._exit(child.main())
        os.close(descriptors[0])
        requests.send(b"%d" % pid)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
