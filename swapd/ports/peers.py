"""The port to the peer-to-peer network: `Peers`, `Channel`, their values and errors.

Must not know: any adapter.
"""

from typing import Protocol

import trio
from msgspec import Struct

from swapd.ports.errors import PortError


class PeerError(PortError):
    """The network failed at something."""


class ChannelClosed(PeerError):
    """The other side, or the network, ended this channel."""


class NetworkDown(PeerError):
    """The network process is not running at this moment; it is being restarted."""


class PeerUnreachable(PeerError):
    """None of the addresses answered with the right key."""


class InvalidAddress(PeerError):
    """Not a multiaddress we can dial."""


class ListenError(PeerError):
    """The listening address is in use or not ours."""


class PeerInfo(Struct, frozen=True):
    """A connected peer; `connected_since` unix seconds."""

    peer_id: str
    addresses: tuple[str, ...]
    inbound: bool
    connected_since: int
    latency_ms: int | None


class PeerEvent(Struct, frozen=True):
    """A peer came (`up`) or went."""

    peer_id: str
    up: bool


class NetworkIdentity(Struct, frozen=True):
    """Our own peer id and the multiaddresses we listen on, each without the /p2p suffix."""

    peer_id: str
    addresses: tuple[str, ...]


class GossipMessage(Struct, frozen=True):
    """One gossip message, already validated in the network process."""

    topic: str
    data: bytes
    from_peer: str


class Channel(Protocol):
    """One direct, encrypted, authenticated message channel; messages are at most 64 KiB."""

    peer_id: str
    protocol: str

    async def send(self, message: bytes) -> None:
        """Raises ChannelClosed."""
        ...

    async def receive(self) -> bytes:
        """Raises ChannelClosed; callers put a deadline around it."""
        ...

    async def aclose(self) -> None: ...


class Peers(Protocol):
    """The peer-to-peer network."""

    async def wait_ready(self) -> None: ...

    def identity(self) -> NetworkIdentity: ...

    async def publish(self, topic: str, data: bytes) -> None:
        """Raises NetworkDown, ValueError when over 64 KiB."""
        ...

    async def drain(self) -> None:
        """Returns when what was published has left for our peers, or could not in a second."""
        ...

    async def subscribe(self, topic: str) -> None: ...

    async def unsubscribe(self, topic: str) -> None: ...

    def gossip(self) -> trio.MemoryReceiveChannel[GossipMessage]: ...

    def events(self) -> trio.MemoryReceiveChannel[PeerEvent]: ...

    async def open(self, peer_id: str, addresses: tuple[str, ...], protocol: str) -> Channel:
        """Raises PeerUnreachable, NetworkDown."""
        ...

    def serve(self, protocol: str) -> trio.MemoryReceiveChannel[Channel]:
        """Inbound channels of this protocol from now on."""
        ...

    async def connect(self, multiaddr: str) -> PeerInfo:
        """`multiaddr` ends in /p2p/<peer id>. Raises InvalidAddress, PeerUnreachable."""
        ...

    async def disconnect(self, peer_id: str) -> None: ...

    async def penalise(self, peer_id: str, why: str) -> None: ...

    async def peers(self) -> tuple[PeerInfo, ...]: ...

    def peer_count(self) -> int:
        """How many are connected, as last heard from the network process."""
        ...
