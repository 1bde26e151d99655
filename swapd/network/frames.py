"""What the daemon and its network process say to each other over their socket pair.

Owns: the frames of both directions (tagged msgpack structs behind a 4-byte big-endian length, at
most 256 KiB), their bounds, and the two queues that carry them. Each side checks all it receives:
the child is as little trusted as the peers it talks to. Must not know: libp2p, what frames mean.
"""

from collections import deque
from typing import Annotated, Final, Generic, TypeVar

import msgspec
import trio
from msgspec import Meta, Struct

from swapd.network.limits import (
    GOSSIP_QUEUE,
    MAX_ADDRESS,
    MAX_ADDRESSES,
    MAX_FRAME,
    MAX_KNOWN_PEERS,
    MAX_MESSAGE,
    MAX_PEER_ID,
    MAX_PROTOCOL,
    MAX_SERVED,
    MAX_TEXT,
    MAX_TOPIC,
    MAX_TOPICS,
    OUTBOX_BYTES,
    OUTBOX_FRAMES,
    NetworkLimits,
)

Topic = Annotated[str, Meta(min_length=1, max_length=MAX_TOPIC)]
ProtocolId = Annotated[str, Meta(min_length=2, max_length=MAX_PROTOCOL, pattern="^/")]
Address = Annotated[str, Meta(min_length=1, max_length=MAX_ADDRESS)]
Addresses = Annotated[tuple[Address, ...], Meta(max_length=MAX_ADDRESSES)]
PeerId = Annotated[str, Meta(min_length=8, max_length=MAX_PEER_ID)]
Payload = Annotated[bytes, Meta(max_length=MAX_MESSAGE)]
Number = Annotated[int, Meta(ge=0, le=2**53)]
Text = Annotated[str, Meta(max_length=MAX_TEXT)]


class FrameError(Exception):
    """The other side broke the protocol of the socket pair, or stopped reading from it."""


class EndOfFrames(Exception):
    """The other side is gone."""


class KnownPeer(Struct, frozen=True, forbid_unknown_fields=True):
    """A peer to stay connected to. `keep`: for ever; otherwise it is forgotten after some tries."""

    peer_id: PeerId
    addresses: Addresses
    keep: bool


# --- From the daemon to the child -------------------------------------------------------------


class Start(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The first frame, and the only one with a secret: the 32-byte secp256k1 network key."""

    secret: Annotated[bytes, Meta(min_length=32, max_length=32)]
    listen: Addresses
    announce: Addresses
    validator: Text
    clock_offset: int
    allow_private: bool
    limits: NetworkLimits
    topics: Annotated[tuple[Topic, ...], Meta(max_length=MAX_TOPICS)]
    served: Annotated[tuple[ProtocolId, ...], Meta(max_length=MAX_SERVED)]
    peers: Annotated[tuple[KnownPeer, ...], Meta(max_length=MAX_KNOWN_PEERS * 2)]

    def __repr__(self) -> str:
        """Without the key: a frame must never carry it into a log line."""
        return f"Start(listen={self.listen!r}, validator={self.validator!r})"


class SetClock(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Seconds by which the daemon's clock is ahead of the machine's (test clocks)."""

    offset: int


class Probe(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Are you alive? Answered by Alive."""

    number: Number


class Subscribe(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Follow a topic, over every connection, from now on."""

    topic: Topic


class Unsubscribe(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """No longer follow it."""

    topic: Topic


class Publish(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Answered by Done or Refused."""

    request: Number
    topic: Topic
    data: Payload


class Serve(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Hand over inbound streams of this protocol, as Incoming."""

    protocol: ProtocolId


class Connect(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Answered by Connected or Refused."""

    request: Number
    address: Address


class Disconnect(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Answered by Done: the connections are closed, and the peer is not dialled again."""

    request: Number
    peer_id: PeerId


class Drain(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Answered by Done: what was published is written to the peers, or a second has passed."""

    request: Number


class Penalise(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The daemon found this peer's messages wanting."""

    peer_id: PeerId
    why: Text


class ListPeers(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Answered by PeerList."""

    request: Number


class Open(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A new channel to a peer, dialled first when needed. Answered by Opened or Refused."""

    request: Number
    peer_id: PeerId
    addresses: Addresses
    protocol: ProtocolId


class Send(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """One message for the peer; needs credit, which Written returns."""

    channel: Number
    data: Payload


class Take(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The daemon took one message of the channel: the child may send one more."""

    channel: Number


class Close(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """What was sent before is still delivered."""

    channel: Number


Command = (
    Start | SetClock | Probe | Subscribe | Unsubscribe | Publish | Serve | Connect | Disconnect
    | Drain | Penalise | ListPeers | Open | Send | Take | Close
)  # fmt: skip


# --- From the child to the daemon -------------------------------------------------------------


class Ready(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The child listens; `addresses` without /p2p, `listen` as it could be given to Start again."""

    peer_id: PeerId
    addresses: Addresses
    listen: Addresses


class Failed(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The child cannot start. `kind`: "listen" (address in use or not ours) or "config"."""

    kind: Text
    why: Text


class Alive(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The answer to Probe; `gossip_dropped` counts since the start of the child."""

    number: Number
    gossip_dropped: Number


class Done(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """It is done."""

    request: Number


class Refused(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """`kind`: "address", "unreachable", "invalid" or "busy"."""

    request: Number
    kind: Text
    why: Text


class Peer(Struct, frozen=True, forbid_unknown_fields=True):
    """A connected peer; `connected_since` unix seconds by the daemon's clock."""

    peer_id: PeerId
    addresses: Addresses
    inbound: bool
    connected_since: Number
    latency_ms: Number | None


class Connected(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The peer is connected, and will be dialled again when it is lost."""

    request: Number
    peer: Peer


class PeerList(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """At most as many as fit; the limits keep all of them within one frame."""

    request: Number
    peers: tuple[Peer, ...]


class PeerUp(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The first connection to this peer."""

    peer: Peer


class PeerDown(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The last connection to this peer is gone."""

    peer_id: PeerId


class Gossip(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A validated message; `from_peer` is who handed it to us, not its author."""

    topic: Topic
    data: Payload
    from_peer: PeerId


class Opened(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The channel that was asked for; data may follow."""

    request: Number
    channel: Number


class Incoming(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """A peer opened a channel of a protocol that we serve."""

    channel: Number
    peer_id: PeerId
    protocol: ProtocolId


class Received(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """One message of the peer; needs credit, which Take returns."""

    channel: Number
    data: Payload


class Written(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """One message of the channel is on its way: the daemon may send one more."""

    channel: Number


class Closed(Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """The last frame of a channel."""

    channel: Number
    why: Text


Report = (
    Ready | Failed | Alive | Done | Refused | Connected | PeerList | PeerUp | PeerDown | Gossip
    | Opened | Incoming | Received | Written | Closed
)  # fmt: skip

_ENCODER: Final = msgspec.msgpack.Encoder()
_LENGTH: Final = 4
_READ: Final = 256 * 1024
_BATCH: Final = 256 * 1024

In = TypeVar("In")


def encode(frame: Command | Report) -> bytes:
    """Length and body. Raises FrameError when over 256 KiB, which is our own mistake."""
    body = _ENCODER.encode(frame)
    if len(body) > MAX_FRAME:
        raise FrameError(f"a {type(frame).__name__} frame of {len(body)} bytes is over {MAX_FRAME}")
    return len(body).to_bytes(_LENGTH, "big") + body


_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Whatever msgspec raises over bytes: it lets text that is not UTF-8, and nesting that is too deep,
through as they are."""

_COMMANDS: Final[msgspec.msgpack.Decoder[Command]] = msgspec.msgpack.Decoder(Command)


def check(command: Command) -> None:
    """Bounds are only checked by whoever decodes, and the child ends over a wrong frame: so what
    the daemon was handed by others is checked before it is sent. Raises ValueError."""
    try:
        _COMMANDS.decode(_ENCODER.encode(command))
    except (msgspec.DecodeError, OverflowError, TypeError) as error:
        raise ValueError(f"{type(command).__name__}: {error}") from error


class FrameReader(Generic[In]):
    """Typed frames out of a stream. `kind` is the closed union of what may come."""

    def __init__(self, stream: trio.abc.ReceiveStream, kind: object) -> None:
        self._stream = stream
        self._decoder: msgspec.msgpack.Decoder[In] = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()

    async def receive(self) -> In:
        """The next frame. Raises FrameError for a wrong one, EndOfFrames at the end."""
        size = int.from_bytes(await self._take(_LENGTH), "big")
        if size > MAX_FRAME:
            raise FrameError(f"a frame of {size} bytes was announced, {MAX_FRAME} is the limit")
        try:
            return self._decoder.decode(await self._take(size))
        except _UNREADABLE as error:
            raise FrameError(f"not a frame of ours: {error}") from error

    async def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            try:
                chunk = await self._stream.receive_some(_READ)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise EndOfFrames from error
            if not chunk:
                raise EndOfFrames
            self._buffer += chunk
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


class Outbox:
    """Frames that wait to be written. `put` never blocks: what it takes is bounded by requests and
    credits, so a full box means that the other side is stuck. Gossip may be dropped instead."""

    def __init__(self, stream: trio.abc.SendStream) -> None:
        self._stream = stream
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._gossip: deque[bytes] = deque()
        self._wake = trio.Event()
        self._empty = trio.Event()
        self.dropped = 0

    def put(self, frame: Command | Report) -> None:
        """Raises FrameError when the other side has stopped reading long ago."""
        data = encode(frame)
        if len(self._frames) >= OUTBOX_FRAMES or self._bytes + len(data) > OUTBOX_BYTES:
            raise FrameError("the other side of the socket pair does not read")
        self._frames.append(data)
        self._bytes += len(data)
        self._wake.set()

    def put_gossip(self, frame: Gossip) -> None:
        """Drops the oldest gossip when there is too much, and counts it."""
        if len(self._gossip) >= GOSSIP_QUEUE:
            self._gossip.popleft()
            self.dropped += 1
        self._gossip.append(encode(frame))
        self._wake.set()

    async def run(self) -> None:
        """Writes for ever. Raises EndOfFrames when the other side is gone."""
        while True:
            await self._wake.wait()
            batch = self._batch()
            if not batch:
                self._wake = trio.Event()
                self._empty.set()
                self._empty = trio.Event()
                continue
            try:
                await self._stream.send_all(batch)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise EndOfFrames from error

    async def flushed(self) -> None:
        """Returns once all that was put has been written."""
        while self._frames or self._wake.is_set():
            await self._empty.wait()

    def _batch(self) -> bytes:
        batch = bytearray()
        while self._frames and len(batch) < _BATCH:
            data = self._frames.popleft()
            self._bytes -= len(data)
            batch += data
        while self._gossip and len(batch) < _BATCH:
            batch += self._gossip.popleft()
        return bytes(batch)
