"""Owns a network in memory: nodes by peer id, direct channels, gossip, and ways to disturb them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

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

MAX_MESSAGE = 64 * 1024
CONNECTED_SINCE = 1_700_000_000

Tap = Callable[[str, str, bytes], bytes | None]
"""Sees (from, to, message) of every channel and says what arrives; None ends the channel."""


def _pass(_from: str, _to: str, message: bytes) -> bytes | None:
    return message


class FakeChannel:
    """One end of a channel. What was sent before an end is still received, as on a real stream."""

    def __init__(
        self,
        network: "FakeNetwork",
        own: str,
        peer_id: str,
        protocol: str,
        out: trio.MemorySendChannel[bytes],
        inbound: trio.MemoryReceiveChannel[bytes],
    ) -> None:
        self.peer_id = peer_id
        self.protocol = protocol
        self._network = network
        self._own = own
        self._out = out
        self._in = inbound

    async def send(self, message: bytes) -> None:
        if len(message) > MAX_MESSAGE:
            raise ValueError(f"a message of {len(message)} bytes, at most {MAX_MESSAGE}")
        arrives = self._network.tap(self._own, self.peer_id, message)
        if arrives is None:
            await self.aclose()
            raise ChannelClosed("the connection was cut")
        try:
            await self._out.send(arrives)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ChannelClosed("the other side ended this channel") from None

    async def receive(self) -> bytes:
        try:
            return await self._in.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            raise ChannelClosed("the other side ended this channel") from None

    async def aclose(self) -> None:
        self._out.close()
        self._in.close()
        await trio.lowlevel.checkpoint()


@dataclass
class FakeNetwork:
    """Everybody who joined can reach everybody. `cut` names those who can't be reached."""

    tap: Tap = _pass
    cut: set[str] = field(default_factory=set)
    nodes: dict[str, "FakePeers"] = field(default_factory=dict)

    def join(self, peer_id: str) -> "FakePeers":
        """A node of this name, connected to all others."""
        node = FakePeers(self, peer_id)
        self.nodes[peer_id] = node
        for other in self.nodes.values():
            if other is not node:
                other.meet(peer_id, up=True)
                node.meet(other.peer_id, up=True)
        return node


class FakePeers:
    """The Peers port of one node. `down` is a network process that is restarting; `penalised`
    lists (peer id, why)."""

    def __init__(self, network: FakeNetwork, peer_id: str) -> None:
        self.network = network
        self.peer_id = peer_id
        self.down = False
        self.penalised: list[tuple[str, str]] = []
        self.opened: list[str] = []
        self.topics: set[str] = set()
        self._known: set[str] = set()
        self._served: dict[str, trio.MemorySendChannel[FakeChannel]] = {}
        self._gossip = trio.open_memory_channel[GossipMessage](math.inf)
        self._events = trio.open_memory_channel[PeerEvent](math.inf)

    def _check_up(self) -> None:
        if self.down:
            raise NetworkDown("the network process is restarting")

    def meet(self, peer_id: str, *, up: bool) -> None:
        """A peer came or went."""
        (self._known.add if up else self._known.discard)(peer_id)
        self._events[0].send_nowait(PeerEvent(peer_id, up))

    async def wait_ready(self) -> None:
        await trio.lowlevel.checkpoint()

    def identity(self) -> NetworkIdentity:
        return NetworkIdentity(self.peer_id, (f"/memory/{self.peer_id}",))

    async def publish(self, topic: str, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self._check_up()
        if len(data) > MAX_MESSAGE:
            raise ValueError(f"a message of {len(data)} bytes, at most {MAX_MESSAGE}")
        for node in self.network.nodes.values():
            is_reached = node.peer_id in self._known and not node.down
            if is_reached and topic in node.topics and node.peer_id not in self.network.cut:
                node.deliver(GossipMessage(topic, data, self.peer_id))

    def deliver(self, message: GossipMessage) -> None:
        """Gossip arrives."""
        self._gossip[0].send_nowait(message)

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

    async def open(self, peer_id: str, addresses: tuple[str, ...], protocol: str) -> FakeChannel:
        await trio.lowlevel.checkpoint()
        self._check_up()
        self.opened.append(peer_id)
        other = self.network.nodes.get(peer_id)
        if other is None or other.down or {peer_id, self.peer_id} & self.network.cut:
            raise PeerUnreachable(f"{peer_id} does not answer at {', '.join(addresses)}")
        if protocol not in other._served:
            raise PeerUnreachable(f"{peer_id} does not speak {protocol}")
        out, theirs = trio.open_memory_channel[bytes](64)
        back, inbound = trio.open_memory_channel[bytes](64)
        await other._served[protocol].send(
            FakeChannel(self.network, peer_id, self.peer_id, protocol, back, theirs)
        )
        return FakeChannel(self.network, self.peer_id, peer_id, protocol, out, inbound)

    def serve(self, protocol: str) -> trio.MemoryReceiveChannel[FakeChannel]:
        send, receive = trio.open_memory_channel[FakeChannel](math.inf)
        self._served[protocol] = send
        return receive

    async def connect(self, multiaddr: str) -> PeerInfo:
        await trio.lowlevel.checkpoint()
        self._check_up()
        address, separator, peer_id = multiaddr.partition("/p2p/")
        if not separator:
            raise InvalidAddress(f"no /p2p part: {multiaddr}")
        other = self.network.nodes.get(peer_id)
        if other is None or other.down or peer_id in self.network.cut:
            raise PeerUnreachable(f"{peer_id} does not answer at {address}")
        self.meet(peer_id, up=True)
        other.meet(self.peer_id, up=True)
        return self._info(peer_id)

    async def disconnect(self, peer_id: str) -> None:
        await trio.lowlevel.checkpoint()
        if peer_id in self._known:
            self.meet(peer_id, up=False)
            self.network.nodes[peer_id].meet(self.peer_id, up=False)

    async def penalise(self, peer_id: str, why: str) -> None:
        await trio.lowlevel.checkpoint()
        self.penalised.append((peer_id, why))

    async def drain(self) -> None:
        await trio.lowlevel.checkpoint()

    def peer_count(self) -> int:
        return len(self._known)

    async def peers(self) -> tuple[PeerInfo, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(self._info(peer_id) for peer_id in sorted(self._known))

    def _info(self, peer_id: str) -> PeerInfo:
        return PeerInfo(peer_id, (f"/memory/{peer_id}",), False, CONNECTED_SINCE, 1)
