"""Repairs of libp2p 0.8.1, each one small function that replaces one method or constant.

Owns: what cannot be repaired from outside because libp2p itself makes the objects. What we make
ourselves is subclassed instead (see `gossip`, `node`). Applied once, in the child, never in the
daemon. Must not know: what the network is used for.

The version is pinned exactly, because these functions touch private names; every one of them has
a test that fails without it. `put` is setattr, or a test's own that can be undone.
"""

import struct
from collections.abc import Callable
from typing import Final

import structlog
import trio
from libp2p.abc import IHost, IMuxedStream, INetConn, INetStream
from libp2p.host.basic_host import BasicHost
from libp2p.io.abc import ReadWriteCloser
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.network.exceptions import SwarmException
from libp2p.network.swarm import Swarm
from libp2p.peer import peerstore
from libp2p.peer.id import ID
from libp2p.pubsub import gossipsub as gossipsub_module
from libp2p.pubsub import pubsub as pubsub_module
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.rpc_queue import RpcQueue
from libp2p.stream_muxer.yamux import yamux as yamux_module
from libp2p.stream_muxer.yamux.yamux import Yamux, YamuxStream
from libp2p.transport.tcp import tcp as tcp_module

from swapd.network.addresses import Multiaddr
from swapd.network.admission import InboundSlots
from swapd.network.limits import PEER_QUEUE_BYTES, PEER_QUEUE_FRAMES, NetworkLimits

# ruff: noqa: SLF001 - repairing a library from outside is to touch its private names

Put = Callable[[object, str, object], None]

_log = structlog.get_logger("network.patches")
_WINDOW: Final = yamux_module.DEFAULT_WINDOW_SIZE
_RECORD_SECONDS: Final = 60.0
_CLOSE_SECONDS: Final = 2.0


def apply_all(limits: NetworkLimits, slots: InboundSlots, put: Put = setattr) -> None:
    """All repairs, once per process and before a host is made."""
    guard_stream_handlers(put)
    guard_connection_tasks(put)
    release_inbound_slots(slots, put)
    limit_inbound_streams(limits.streams_per_connection, put)
    drop_hung_peers(limits.ping_seconds, limits.ping_timeout_seconds, put)
    enforce_receive_window(put)
    credit_half_windows(put)
    bound_outbound_queues(put)
    cache_own_record(put)
    bind_exclusively(put)
    never_dial_implicitly(put)


def guard_stream_handlers(put: Put = setattr) -> None:
    """B1: an exception in any stream handler ended the whole process. Also: a handler that returned
    without closing its stream left it open on both sides for ever."""
    original = BasicHost._swarm_stream_handler

    async def guarded(self: BasicHost, stream: INetStream) -> None:
        try:
            await original(self, stream)
        except Exception as error:  # noqa: BLE001 - whatever a remote peer provokes ends here
            _log.info("stream handler failed", peer=_peer(stream), error=repr(error)[:200])
            await reset_quietly(stream)
        else:
            if getattr(stream, "is_closed", False) is not True:
                await reset_quietly(stream)  # after a goodbye, a reset could overtake data

    put(BasicHost, "_swarm_stream_handler", guarded)


def guard_connection_tasks(put: Put = setattr) -> None:
    """B1, one level lower: an exception in a connection's own tasks ended the whole process."""
    original_yamux, original_swarm = Yamux.start, SwarmConn.start

    async def start_yamux(self: Yamux) -> None:
        try:
            await original_yamux(self)
        except Exception as error:  # noqa: BLE001 - whatever a remote peer provokes ends here
            _log.info("connection failed", peer=str(self.peer_id), error=repr(error)[:200])
            await close_abruptly(self)

    async def start_swarm(self: SwarmConn) -> None:
        try:
            await original_swarm(self)
        except Exception as error:  # noqa: BLE001 - as above
            _log.info("connection failed", error=repr(error)[:200])
            if isinstance(self.muxed_conn, Yamux):
                await close_abruptly(self.muxed_conn)

    put(Yamux, "start", start_yamux)
    put(SwarmConn, "start", start_swarm)


def release_inbound_slots(slots: InboundSlots, put: Put = setattr) -> None:
    """B2: an inbound slot was held for the life of the process, so that the 251st inbound
    connection ever was refused. Here it is held as long as the connection lives; and slots are
    counted by origin too, so that one address cannot take them all."""

    async def handle(self: Swarm, stream: ReadWriteCloser, maddr: Multiaddr) -> None:
        address = _remote_address(stream)
        if address is None or not slots.take(address):
            await stream.close()
            return
        connection = RawConnection(stream, False)  # noqa: FBT003 - libp2p's signature
        try:
            muxed = await self.upgrade_inbound_raw_conn(connection, maddr)
            if isinstance(muxed, Yamux):
                await muxed.event_closed.wait()
        except Exception as error:  # noqa: BLE001 - a failed handshake is the peer's affair
            _log.debug("inbound connection ended", origin=address, error=repr(error)[:200])
        finally:
            slots.give_back(address)
            with trio.move_on_after(_CLOSE_SECONDS, shield=True):
                await connection.close()

    put(Swarm, "_handle_inbound_connection", handle)


def limit_inbound_streams(limit: int, put: Put = setattr) -> None:
    """A peer could open streams without end, and exhaust a limit that all peers share. Counted are
    the muxer's own entries: they also hold what one side has closed and the other has not."""
    original = SwarmConn._handle_muxed_stream

    async def handle(self: SwarmConn, stream: IMuxedStream) -> None:
        streams = getattr(self.muxed_conn, "streams", {})
        if len(streams) > limit:
            _log.info("too many streams", peer=str(self.muxed_conn.peer_id), limit=limit)
            await stream.reset()
            return
        await original(self, stream)

    put(SwarmConn, "_handle_muxed_stream", handle)


def drop_hung_peers(interval: float, timeout: float, put: Put = setattr) -> None:
    """A peer that had stopped answering was kept for ever. The muxer's own ping, which every
    implementation answers, is sent every `interval` seconds and awaited for `timeout`; it costs
    12 bytes where a ping stream costs 5 ms of CPU."""

    async def measure(self: Yamux) -> None:
        while not self.event_shutting_down.is_set():
            answered = False
            with trio.move_on_after(timeout):
                answered = await _ping(self)
            if self.event_shutting_down.is_set():
                return
            if not answered:
                _log.info("peer hangs", peer=str(self.peer_id))
                await close_abruptly(self)
                return
            with trio.move_on_after(interval):
                await self.event_shutting_down.wait()

    put(Yamux, "_measure_rtt_loop", measure)


async def _ping(muxed: Yamux) -> bool:
    """True when the answer came; False when the ping could not even be written."""
    muxed._ping_id = (muxed._ping_id + 1) % 2**32
    muxed._ping_event = trio.Event()
    muxed._ping_sent_time = trio.current_time()
    header = struct.pack(
        yamux_module.YAMUX_HEADER_FORMAT,
        0,
        yamux_module.TYPE_PING,
        yamux_module.FLAG_SYN,
        0,
        muxed._ping_id,
    )
    try:
        await muxed._write_frame(header)
    except Exception:  # noqa: BLE001 - every transport has its own way to say that it is closed
        return False
    await muxed._ping_event.wait()
    return True


class WindowOverrun(trio.TooSlowError):
    """A peer sent more than it was allowed to. It is a TooSlowError because that is the one error
    on which the muxer's read loop closes the connection instead of carrying on."""


class _BoundedBuffer(bytearray):
    """What one stream has received and nobody has read yet: never more than its window."""

    def extend(self, data: bytes) -> None:  # type: ignore[override]  # the muxer appends bytes only
        if len(self) + len(data) > _WINDOW:
            raise WindowOverrun
        super().extend(data)


class _BoundedBuffers(dict[int, bytearray]):
    """The muxer stores a plain bytearray for a new stream; here it becomes a bounded one."""

    def __setitem__(self, stream_id: int, buffer: bytearray) -> None:
        super().__setitem__(stream_id, _BoundedBuffer(buffer))


def enforce_receive_window(put: Put = setattr) -> None:
    """A peer that ignored its window was logged, and could fill our memory."""
    original = Yamux.__init__

    def init(self: Yamux, *args: object, **kwargs: object) -> None:
        original(self, *args, **kwargs)  # type: ignore[arg-type]  # handed through unchanged
        self.stream_buffers = _BoundedBuffers()

    put(Yamux, "__init__", init)


def credit_half_windows(put: Put = setattr) -> None:
    """B9: a window update was sent for every read, three for each gossip message, with the credit
    counted twice. As the specification has it: once half of a fixed window is consumed."""

    async def credit(self: YamuxStream, *, bytes_read: int = 0) -> None:
        self._pending_recv_release += bytes_read
        if self._pending_recv_release < _WINDOW // 2:
            return
        release, self._pending_recv_release = self._pending_recv_release, 0
        self.recv_window += release
        await self.send_window_update(release)

    put(YamuxStream, "_auto_tune_and_send_window_update", credit)


class BoundedRpcQueue(RpcQueue):
    """What waits to be gossiped to one peer, bounded by count and by bytes."""

    def __init__(self) -> None:
        super().__init__(max_size=PEER_QUEUE_FRAMES)
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Bytes that wait."""
        return self._waiting

    def push(self, rpc: rpc_pb2.RPC, priority: bool = False) -> bool:  # noqa: FBT001, FBT002 - libp2p's signature
        size = rpc.ByteSize()
        if self._waiting + size > PEER_QUEUE_BYTES or not super().push(rpc, priority):
            return False
        self._waiting += size
        return True

    async def pop(self) -> rpc_pb2.RPC | None:
        return self._taken(await super().pop())

    def pop_nowait(self) -> rpc_pb2.RPC | None:
        """The next frame, or None when nothing waits."""
        return self._taken(self._queue.pop())

    def _taken(self, rpc: rpc_pb2.RPC | None) -> rpc_pb2.RPC | None:
        if rpc is not None:
            self._waiting -= rpc.ByteSize()
        return rpc


def bound_outbound_queues(put: Put = setattr) -> None:
    """B5: a queue of 32 frames to each peer dropped most of a burst without a word."""
    put(pubsub_module, "RpcQueue", BoundedRpcQueue)


def cache_own_record(put: Put = setattr) -> None:
    """B10: our signed address record was rebuilt for every gossip frame. It is built once a minute
    here; our addresses do not change while the process lives."""
    original = peerstore.env_to_send_in_RPC
    cached: dict[int, tuple[float, bytes]] = {}

    def record(host: IHost) -> tuple[bytes, bool]:
        known, now = cached.get(id(host)), trio.current_time()
        if known is not None and now - known[0] < _RECORD_SECONDS:
            return known[1], False
        envelope, _ = original(host)
        cached[id(host)] = (now, envelope)
        return envelope, True

    put(pubsub_module, "env_to_send_in_RPC", record)
    put(gossipsub_module, "env_to_send_in_RPC", record)


def bind_exclusively(put: Put = setattr) -> None:
    """SO_REUSEPORT let two daemons listen on one port, each with half of the connections."""

    def set_flags(sock: trio.socket.SocketType) -> None:
        sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)

    put(tcp_module, "_set_reuse_flags", set_flags)


def never_dial_implicitly(put: Put = setattr) -> None:
    """Opening a stream to a peer that has just left dialled it, at whatever addresses it had told
    us; with a head start of 250 ms for rivals that are not there (B6), and a refusal for a minute
    after a failure (B7). Our dialler alone decides who is dialled, and where."""

    async def dial_peer(self: Swarm, peer_id: ID) -> list[INetConn]:
        connections = [conn for conn in self.get_connections(peer_id) if not conn.is_closed]
        if not connections:
            raise SwarmException(f"not connected to {peer_id}")
        return connections

    put(Swarm, "dial_peer", dial_peer)


async def close_abruptly(muxed: Yamux) -> None:
    """Ends a connection without saying goodbye, which a hung peer would never take delivery of."""
    with trio.move_on_after(_CLOSE_SECONDS, shield=True):
        await muxed._cleanup_on_error()


async def reset_quietly(stream: INetStream) -> None:
    """Ends a stream whatever state it is in; nothing is sent when it is already closed."""
    with trio.move_on_after(_CLOSE_SECONDS, shield=True):
        try:
            await stream.reset()
        except Exception as error:  # noqa: BLE001 - the connection may be gone in many ways
            _log.debug("stream did not reset", error=repr(error)[:200])


def _peer(stream: INetStream) -> str:
    return str(stream.muxed_conn.peer_id)


def _remote_address(stream: ReadWriteCloser) -> str | None:
    """The IP address of the other end; libp2p's own getter knows no IPv6."""
    socket_stream = getattr(stream, "stream", None)
    if not isinstance(socket_stream, trio.SocketStream):
        return None
    try:
        return str(socket_stream.socket.getpeername()[0])
    except OSError:
        return None
