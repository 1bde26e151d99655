"""Targets: the socket pair between the daemon and its network process, in both directions.

Owns: samples and calls for frames, and a session that is told lies. Must not know: how inputs are
made. A wrong frame is a FrameError: it costs a restart of that process, never the daemon.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import cast

import trio

from swapd.network import frames
from swapd.network.channel import PeerChannel
from swapd.network.client import Libp2pPeers, NetworkConfig
from swapd.network.limits import CHANNEL_QUEUE, OUTBOX_BYTES, NetworkLimits
from swapd.network.session import Session, _Waiting
from swapd.ports import Channel
from tests.fuzz.shapes import Form
from tests.fuzz.target import REFUSED, Opened, Target

PEER = "16Uiu2HAmPLe7Mzm8TsYUubgCAW1aJoeFScxrLj8ppHFivPo97bUZ"
_ADDRESS = "/ip4/192.0.2.1/tcp/5"
_PROTOCOL = "/swapd/take/1"
_TOPIC = "swapd/1/" + "ab" * 16


class Wire(trio.abc.ReceiveStream):
    """Bytes that arrive at once, then the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        taken, self._data = self._data[:max_bytes], self._data[max_bytes or len(self._data) :]
        return taken

    async def aclose(self) -> None:
        self._data = b""


def commands() -> list[frames.Command]:
    """One of each kind."""
    known = frames.KnownPeer(peer_id=PEER, addresses=(_ADDRESS,), keep=True)
    return [
        frames.Start(
            secret=bytes(32), listen=(_ADDRESS,), announce=(), validator="a:b", clock_offset=-5,
            allow_private=True, limits=NetworkLimits(), topics=(_TOPIC,), served=(_PROTOCOL,),
            peers=(known,),
        ),
        frames.SetClock(offset=7), frames.Probe(number=1), frames.Subscribe(topic=_TOPIC),
        frames.Unsubscribe(topic=_TOPIC), frames.Publish(request=1, topic=_TOPIC, data=b"x"),
        frames.Serve(protocol=_PROTOCOL), frames.Connect(request=2, address=_ADDRESS),
        frames.Disconnect(request=3, peer_id=PEER), frames.Drain(request=4),
        frames.Penalise(peer_id=PEER, why="w"), frames.ListPeers(request=5),
        frames.Open(request=6, peer_id=PEER, addresses=(_ADDRESS,), protocol=_PROTOCOL),
        frames.Send(channel=1, data=b"abc"), frames.Take(channel=1), frames.Close(channel=1),
    ]  # fmt: skip


def reports() -> list[frames.Report]:
    """One of each kind, in an order that makes sense."""
    peer = frames.Peer(
        peer_id=PEER, addresses=(_ADDRESS,), inbound=True, connected_since=5, latency_ms=None
    )
    return [
        frames.Ready(peer_id=PEER, addresses=(_ADDRESS,), listen=(_ADDRESS,)),
        frames.Incoming(channel=1, peer_id=PEER, protocol=_PROTOCOL),
        frames.Received(channel=1, data=b"x"), frames.Opened(request=7, channel=2),
        frames.Closed(channel=1, why="over"), frames.Failed(kind="listen", why="in use"),
        frames.Alive(number=1, gossip_dropped=0), frames.Done(request=1),
        frames.Refused(request=2, kind="busy", why="w"), frames.Connected(request=3, peer=peer),
        frames.PeerList(request=4, peers=(peer, peer)), frames.PeerUp(peer=peer),
        frames.PeerDown(peer_id=PEER), frames.Gossip(topic=_TOPIC, data=b"g", from_peer=PEER),
    ]  # fmt: skip


def _reader(kind: object, sent: Sequence[frames.Command | frames.Report]) -> Opened:
    """Frames behind their lengths, until the end or the first wrong one."""

    async def call(data: bytes) -> object:
        reader: frames.FrameReader[frames.Command | frames.Report]
        reader = frames.FrameReader(Wire(data), kind)
        count = 0
        try:
            while True:
                frame = await reader.receive()
                assert len(frames.encode(frame)) <= len(data) + 2000
                count += 1
        except frames.EndOfFrames:
            return None if count else REFUSED

    return Opened([frames.encode(frame) for frame in sent], acall=call)


def _body(kind: object, sent: Sequence[frames.Command | frames.Report]) -> Opened:
    """The body of one frame: its length is right, whatever is in it."""

    async def call(data: bytes) -> None:
        whole = len(data).to_bytes(4, "big") + data
        reader: frames.FrameReader[frames.Command | frames.Report]
        reader = frames.FrameReader(Wire(whole), kind)
        frame = await reader.receive()
        assert await _reread(frame, kind) == frame

    return Opened([frames.encode(frame)[4:] for frame in sent], acall=call)


async def _reread(frame: frames.Command | frames.Report, kind: object) -> object:
    again: frames.FrameReader[frames.Command | frames.Report]
    again = frames.FrameReader(Wire(frames.encode(frame)), kind)
    return await again.receive()


class _Nowhere(trio.abc.SendStream):
    """Takes whatever is sent."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None: ...

    async def wait_send_all_might_not_block(self) -> None: ...

    async def aclose(self) -> None: ...


def _session(_: ExitStack) -> Opened:
    """A child that says anything to the daemon's side, frame after frame: each is believed, ignored
    or a FrameError, and what is kept of it is bounded."""
    sent = reports()
    sequences = [sent, sent[:4], sent[6:]]
    state: list[tuple[Libp2pPeers, trio.MemoryReceiveChannel[Channel]]] = []

    def fresh() -> None:
        config = NetworkConfig(listen=(_ADDRESS,), validator="a:b")
        peers = Libp2pPeers(config, b"\x01" * 32)
        inbound = peers.serve(_PROTOCOL)
        peers._topics.add(_TOPIC)
        state[:] = [(peers, inbound)]

    async def call(data: bytes) -> object:
        peers, inbound = state[0]
        session = Session(cast("trio.SocketStream", _Nowhere()), peers)
        reader: frames.FrameReader[frames.Report] = frames.FrameReader(Wire(data), frames.Report)
        waiting = frames.Open(request=7, peer_id=PEER, addresses=(), protocol=_PROTOCOL)
        session._waiting[7] = _Waiting(waiting)
        count = 0
        try:
            while True:
                session._handle(await reader.receive())
                count += 1
        except frames.EndOfFrames:
            pass
        finally:
            _check_bounds(session, peers)
            session.end("over")
            _drain(inbound)
        return None if count else REFUSED

    samples = [b"".join(map(frames.encode, one)) for one in sequences]
    return Opened(samples, acall=call, fresh=fresh)


def _check_bounds(session: Session, peers: Libp2pPeers) -> None:
    assert session._outbox._bytes <= OUTBOX_BYTES
    for channel in session._channels.values():
        assert isinstance(channel, PeerChannel)
        assert channel._arrived.statistics().current_buffer_used <= CHANNEL_QUEUE
    assert len(peers._recent) <= 64


def _drain(inbound: trio.MemoryReceiveChannel[Channel]) -> None:
    while True:
        try:
            inbound.receive_nowait()
        except trio.WouldBlock:
            return


_BAD = (frames.FrameError,)

TARGETS = (
    Target("frames.commands", Form.BYTES, lambda _: _reader(frames.Command, commands()), _BAD, 1),
    Target("frames.reports", Form.BYTES, lambda _: _reader(frames.Report, reports()), _BAD, 1),
    Target("frames.command", Form.MSGPACK, lambda _: _body(frames.Command, commands()), _BAD, 4),
    Target("frames.report", Form.MSGPACK, lambda _: _body(frames.Report, reports()), _BAD, 4),
    Target("frames.session", Form.BYTES, _session, _BAD, 1),
)
