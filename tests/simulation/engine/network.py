"""A network that delays, loses, repeats, reorders and parts: the Peers port without libp2p.

Owns: links, gossip, channels, and what strangers do to them. Must not know: what messages mean,
but for the gossip validator that each network process runs.

A channel is a stream: its messages come in order and none is lost unless the channel ends. Gossip
promises nothing. What one node publishes reaches everybody who is connected to it over others.
"""

import math
from collections.abc import Callable, Iterable
from random import Random

import trio

from protocol.gossip import validate_message
from swapd.ports import (
    ChannelClosed,
    GossipMessage,
    InvalidAddress,
    NetworkDown,
    NetworkIdentity,
    PeerEvent,
    PeerInfo,
    PeerUnreachable,
)
from tests.simulation.engine.timeline import Timeline

MAX_MESSAGE = 64 * 1024
KEPT_MESSAGES = 200
"""Of those that passed by, for whoever wants to replay them."""


class SimChannel:
    """One end of a stream. `other` is set once both ends exist."""

    def __init__(self, network: "Network", own: str, peer_id: str, protocol: str) -> None:
        self.peer_id = peer_id
        self.protocol = protocol
        self.other: SimChannel | None = None
        self.own = own
        self._network = network
        self._out, self._in = trio.open_memory_channel[bytes](math.inf)
        self._arrived = 0.0
        self.closed = False

    async def send(self, message: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if len(message) > MAX_MESSAGE:
            raise ValueError(f"a message of {len(message)} bytes, at most {MAX_MESSAGE}")
        if self.closed or self.other is None:
            raise ChannelClosed("the other side ended this channel")
        for arrives in self._network.carried(self.own, self.peer_id, message):
            if arrives is None:
                self.cut()
                raise ChannelClosed("the connection was cut")
            self._post(arrives)

    def _post(self, message: bytes) -> None:
        other, network = self.other, self._network
        assert other is not None
        when = max(self._arrived, network.timeline.now() + network.delay())
        self._arrived = when
        if when <= network.timeline.now():
            other.arrive(message)
        else:
            network.timeline.at(when, lambda: other.arrive(message))

    def arrive(self, message: bytes) -> None:
        """What the other end sent, unless this one is closed by now."""
        if not self.closed:
            self._out.send_nowait(message)

    async def receive(self) -> bytes:
        try:
            return await self._in.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise ChannelClosed("the other side ended this channel") from None

    def cut(self) -> None:
        """Both ends are over; what has arrived is still received."""
        for end in (self, self.other):
            if end is not None and not end.closed:
                end.closed = True
                end._out.close()

    async def aclose(self) -> None:
        self.closed = True
        self._out.close()
        self._in.close()
        other = self.other
        if other is not None and not other.closed:
            # Whatever is on its way still arrives before the end does.
            self._network.timeline.at(self._arrived, self.cut)
        await trio.lowlevel.checkpoint()


class Network:
    """Everybody who joined is linked to everybody, but for `parted` pairs."""

    def __init__(self, timeline: Timeline, rng: Random, *, rough: float = 0.0) -> None:
        self.timeline = timeline
        self.nodes: dict[str, SimPeers] = {}
        self.rough = rough
        """How likely each message is delayed, and each gossip message lost or repeated."""
        self.cuts = 0.0
        """How likely a channel's message ends it instead."""
        self.tap: Callable[[str, str, bytes], tuple[bytes, ...] | None] | None = None
        """What a hostile relay makes of a message: several, others, or None."""
        self.seen: list[tuple[str, bytes]] = []
        self._rng = rng
        self._parted: set[frozenset[str]] = set()
        self._channels: list[SimChannel] = []

    # --- weather ---

    def delay(self) -> float:
        """Seconds that the next message takes."""
        if self._rng.random() >= self.rough:
            return 0.0
        return self._rng.choice((0.2, 1.0, 4.0))

    def carried(self, own: str, other: str, message: bytes) -> Iterable[bytes | None]:
        """What arrives of a channel's message; None is the channel's end."""
        if not self.linked(own, other) or self._rng.random() < self.cuts:
            return (None,)
        if self.tap is None:
            return (message,)
        tapped = self.tap(own, other, message)
        return (None,) if tapped is None else tapped

    def linked(self, a: str, b: str) -> bool:
        """Whether two nodes are up and on one side."""
        if a not in self.nodes or b not in self.nodes or frozenset((a, b)) in self._parted:
            return False
        return not (self.nodes[a].down or self.nodes[b].down)

    def part(self, a: str, b: str) -> None:
        """The link of two nodes fails, with all that ran over it."""
        if frozenset((a, b)) not in self._parted:
            self._parted.add(frozenset((a, b)))
            self._drop(a, b)
            self._tell(a, b, up=False)

    def heal(self, a: str, b: str) -> None:
        """The link is back."""
        if frozenset((a, b)) in self._parted:
            self._parted.discard(frozenset((a, b)))
            self._tell(a, b, up=True)

    def _tell(self, a: str, b: str, *, up: bool) -> None:
        for own, other in ((a, b), (b, a)):
            if own in self.nodes and other in self.nodes:
                self.nodes[own].meet(other, up=up)

    def _drop(self, a: str, b: str) -> None:
        for channel in self._channels:
            if {channel.own, channel.peer_id} == {a, b}:
                channel.cut()
        self._channels = [channel for channel in self._channels if not channel.closed]

    def join(self, peer_id: str) -> "SimPeers":
        """A node, new or back again; whatever it had before is over."""
        self.leave(peer_id)
        node = SimPeers(self, peer_id)
        self.nodes[peer_id] = node
        for other in sorted(self.nodes):
            if other != peer_id and self.linked(other, peer_id):
                self._tell(other, peer_id, up=True)
        return node

    def leave(self, peer_id: str) -> None:
        """A node vanishes without a word."""
        node = self.nodes.pop(peer_id, None)
        if node is None:
            return
        for other in sorted(self.nodes):
            self._drop(peer_id, other)
            self.nodes[other].meet(peer_id, up=False)

    # --- gossip ---

    def spread(self, origin: str, topic: str, data: bytes) -> None:
        """To everybody who can be reached over others, each by a way of its own."""
        if not validate_message(topic, data, int(self.timeline.now())):
            return
        self.seen.append((topic, data))
        del self.seen[:-KEPT_MESSAGES]
        reached, hop = {origin}, [origin]
        while hop:
            nearer, hop = hop, []
            for own in nearer:
                for other in sorted(self.nodes):
                    if other not in reached and self.linked(own, other):
                        reached.add(other)
                        hop.append(other)
                        self._hand(GossipMessage(topic, data, own), other)

    def _hand(self, message: GossipMessage, to: str) -> None:
        copies = 1
        if self._rng.random() < self.rough:
            copies = self._rng.choice((0, 2))
        for _ in range(copies):
            when = self.delay()
            if when:
                self.timeline.after(when, lambda: self._deliver(message, to))
            else:
                self._deliver(message, to)

    def _deliver(self, message: GossipMessage, to: str) -> None:
        node = self.nodes.get(to)
        if node is not None and message.topic in node.topics and not node.down:
            node.deliver(message)

    # --- channels ---

    def connect(self, own: str, peer_id: str, protocol: str) -> SimChannel:
        """A new stream. Raises PeerUnreachable."""
        if not self.linked(own, peer_id):
            raise PeerUnreachable(f"{peer_id} does not answer")
        inbound = self.nodes[peer_id].served.get(protocol)
        if inbound is None:
            raise PeerUnreachable(f"{peer_id} does not speak {protocol}")
        here = SimChannel(self, own, peer_id, protocol)
        there = SimChannel(self, peer_id, own, protocol)
        here.other, there.other = there, here
        self._channels = [*(c for c in self._channels if not c.closed), here]
        inbound.send_nowait(there)
        return here


class SimPeers:
    """The Peers port of one run of one node."""

    def __init__(self, network: Network, peer_id: str) -> None:
        self.network = network
        self.peer_id = peer_id
        self.down = False
        self.penalised: list[tuple[str, str]] = []
        self.topics: set[str] = set()
        self.served: dict[str, trio.MemorySendChannel[SimChannel]] = {}
        self._known: set[str] = set()
        self._gossip = trio.open_memory_channel[GossipMessage](math.inf)
        self._events = trio.open_memory_channel[PeerEvent](math.inf)

    def meet(self, peer_id: str, *, up: bool) -> None:
        """A peer came or went."""
        if up is not (peer_id in self._known):
            (self._known.add if up else self._known.discard)(peer_id)
            self._events[0].send_nowait(PeerEvent(peer_id, up))

    def deliver(self, message: GossipMessage) -> None:
        """Gossip arrives."""
        self._gossip[0].send_nowait(message)

    async def _up(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.down or self.network.nodes.get(self.peer_id) is not self:
            raise NetworkDown("the network process is restarting")

    async def wait_ready(self) -> None:
        await trio.lowlevel.checkpoint()

    def identity(self) -> NetworkIdentity:
        return NetworkIdentity(self.peer_id, (f"/memory/{self.peer_id}",))

    async def publish(self, topic: str, data: bytes) -> None:
        await self._up()
        if len(data) > MAX_MESSAGE:
            raise ValueError(f"a message of {len(data)} bytes, at most {MAX_MESSAGE}")
        self.network.spread(self.peer_id, topic, data)

    async def drain(self) -> None:
        await trio.lowlevel.checkpoint()

    async def subscribe(self, topic: str) -> None:
        await trio.lowlevel.checkpoint()
        self.topics.add(topic)

    async def unsubscribe(self, topic: str) -> None:
        await trio.lowlevel.checkpoint()
        self.topics.discard(topic)

    def gossip(self) -> trio.MemoryReceiveChannel[GossipMessage]:
        return self._gossip[1]

    def events(self) -> trio.MemoryReceiveChannel[PeerEvent]:
        return self._events[1]

    async def open(self, peer_id: str, addresses: tuple[str, ...], protocol: str) -> SimChannel:
        await self._up()
        return self.network.connect(self.peer_id, peer_id, protocol)

    def serve(self, protocol: str) -> trio.MemoryReceiveChannel[SimChannel]:
        send, receive = trio.open_memory_channel[SimChannel](math.inf)
        self.served[protocol] = send
        return receive

    async def connect(self, multiaddr: str) -> PeerInfo:
        await self._up()
        _, separator, peer_id = multiaddr.partition("/p2p/")
        if not separator:
            raise InvalidAddress(f"no /p2p part: {multiaddr}")
        if not self.network.linked(self.peer_id, peer_id):
            raise PeerUnreachable(f"{peer_id} does not answer")
        return self._info(peer_id)

    async def disconnect(self, peer_id: str) -> None:
        await trio.lowlevel.checkpoint()

    async def penalise(self, peer_id: str, why: str) -> None:
        await trio.lowlevel.checkpoint()
        self.penalised.append((peer_id, why))

    async def peers(self) -> tuple[PeerInfo, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(self._info(peer_id) for peer_id in sorted(self._known))

    def peer_count(self) -> int:
        return len(self._known)

    def _info(self, peer_id: str) -> PeerInfo:
        return PeerInfo(peer_id, (f"/memory/{peer_id}",), False, 1_700_000_000, 1)
