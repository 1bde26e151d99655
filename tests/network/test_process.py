"""The network process as a process: how it starts, fails to start, and dies."""

import os
import signal
import socket
import subprocess
import sys
import textwrap

import pytest
import trio

from swapd.ports import ListenError, PeerError
from tests.network.helpers import PATIENCE, eventually, make, running


async def test_a_port_in_use_is_fatal_at_the_start_and_named(real_processes: None) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        node = make(listen=f"/ip4/127.0.0.1/tcp/{port}")
        with pytest.raises(ListenError, match=f"port {port}"), trio.fail_after(PATIENCE):
            await node.run()
    unknown = make(validator="tests.network.validators:not_there")
    with pytest.raises(PeerError, match="not_there"), trio.fail_after(PATIENCE):
        await unknown.run()


async def test_after_a_restart_a_port_in_use_is_waited_for() -> None:
    node = make()
    async with running(node):
        port = int(node.identity().addresses[0].rpartition("/")[2])
        with socket.socket() as thief:
            assert node.child_pid is not None
            os.kill(node.child_pid, signal.SIGKILL)
            await eventually(lambda: node.child_pid is None)
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            thief.bind(("127.0.0.1", port))
            thief.listen()
            await eventually(lambda: node._failed is not None)
        with trio.fail_after(PATIENCE):
            await node.wait_ready()
        assert node.identity().addresses == (f"/ip4/127.0.0.1/tcp/{port}",)


async def test_the_network_process_does_not_outlive_a_killed_daemon(real_processes: None) -> None:
    script = textwrap.dedent("""
        import os, trio
        from tests.network.helpers import make
        async def main():
            node = make()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.run)
                await node.wait_ready()
                print(node.child_pid, flush=True)
                await trio.sleep_forever()
        trio.run(main)
    """)
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as daemon:  # noqa: ASYNC220 - starting it is quick enough to block
        assert daemon.stdout is not None
        with trio.fail_after(PATIENCE):
            line = await trio.to_thread.run_sync(daemon.stdout.readline)
        handle = os.pidfd_open(int(line))
        try:
            daemon.kill()
            with trio.fail_after(PATIENCE):
                await trio.lowlevel.wait_readable(handle)
        finally:
            os.close(handle)
