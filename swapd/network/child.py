"""The network process: `python -m swapd.network.child <fd>`.

Owns: the life of the process. It speaks frames over the socket pair whose descriptor is its only
argument, gets its key in the first frame, and ends when the other end of the pair is closed or its
parent dies. Must not know: anything about the daemon but its frames.
"""

import ctypes
import gc
import logging
import os
import resource
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final, TypeVar

import structlog
import trio

from swapd.network import frames
from swapd.network.limits import CHILD_MEMORY_BYTES, START_TIMEOUT_SECONDS

_PR_SET_PDEATHSIG: Final = 1
_OPEN_FILES: Final = 4096
_FLUSH_SECONDS: Final = 2.0
_EXIT_REFUSED: Final = 78
_EXIT_BROKEN: Final = 70

_log = structlog.get_logger("network.child")

if TYPE_CHECKING:
    from swapd.network.node import Node

Failure = TypeVar("Failure", bound=BaseException)


def main() -> int:
    """Runs until the daemon is gone. Exit code 0, 78 when it could not start, 70 for a bug."""
    _harden()
    _set_up_logs()
    pair = socket.socket(fileno=int(sys.argv[1]))
    try:
        return trio.run(_serve, pair)
    except Exception:  # noqa: BLE001 - logged; the daemon starts another process
        _log.exception("the network process failed")
        return _EXIT_BROKEN


def _harden() -> None:
    """Signals for the daemon's group are the daemon's affair; its death is ours. What a flood can
    make us take is bounded, and no core file holds the key."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    resource.setrlimit(resource.RLIMIT_DATA, (CHILD_MEMORY_BYTES, CHILD_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _set_up_logs() -> None:
    """Our own lines as JSON on the inherited stderr; libp2p's are for its developers, and what
    they say is up to the peers."""
    logging.basicConfig(level=logging.CRITICAL + 1, handlers=[logging.NullHandler()])
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


async def _serve(pair: socket.socket) -> int:
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(pair))
    reader: frames.FrameReader[frames.Command] = frames.FrameReader(stream, frames.Command)
    outbox = frames.Outbox(stream)
    try:
        with trio.fail_after(START_TIMEOUT_SECONDS):
            start = await reader.receive()
    except (frames.EndOfFrames, trio.TooSlowError):
        return 0
    if not isinstance(start, frames.Start):
        raise frames.FrameError("the first frame must be Start")
    code = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_write, outbox)
        code = await _run_node(start, reader, outbox)
        nursery.cancel_scope.cancel()
    return code


async def _run_node(
    start: frames.Start, reader: frames.FrameReader[frames.Command], outbox: frames.Outbox
) -> int:
    """Imports libp2p only now, with its repairs applied before anything is made of it."""
    from swapd.network.admission import InboundSlots  # noqa: PLC0415 - see the docstring
    from swapd.network.host import StartFailure  # noqa: PLC0415 - see the docstring
    from swapd.network.node import Node  # noqa: PLC0415 - see the docstring
    from swapd.network.patches import apply_all  # noqa: PLC0415 - see the docstring

    logging.disable(logging.CRITICAL)
    limits = start.limits
    inbound = limits.max_connections - limits.max_connections // 4
    slots = InboundSlots(total=inbound, per_origin=limits.inbound_per_ip)
    apply_all(limits, slots)
    failed: list[StartFailure] = []
    try:
        node = Node(start, outbox)
        gc.collect()
        gc.freeze()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, node, reader)
            await node.run()
    except* StartFailure as group:
        failed += _leaves(group, StartFailure)
    if not failed:
        return 0
    outbox.put(frames.Failed(kind=failed[0].kind, why=str(failed[0])[:1000]))
    with trio.move_on_after(_FLUSH_SECONDS):
        await outbox.flushed()
    return _EXIT_REFUSED


async def _obey(node: "Node", reader: frames.FrameReader[frames.Command]) -> None:
    """The daemon's commands. When it is gone there is nothing to save and nobody to tell."""
    await node.started.wait()
    try:
        while True:
            node.handle(await reader.receive())
    except frames.EndOfFrames:
        os._exit(0)


async def _write(outbox: frames.Outbox) -> None:
    try:
        await outbox.run()
    except frames.EndOfFrames:
        os._exit(0)


def _leaves(group: BaseExceptionGroup[Failure], kind: type[Failure]) -> list[Failure]:
    """The exceptions of a group, however deep the nurseries were."""
    found: list[Failure] = []
    for item in group.exceptions:
        if isinstance(item, BaseExceptionGroup):
            found += _leaves(item, kind)
        elif isinstance(item, kind):
            found.append(item)
    return found


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # libp2p leaves a thread behind that would be waited for
