"""What the network tests share: nodes of ours, and raw libp2p hosts that misbehave."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import trio
from libp2p import create_yamux_muxer_option, new_host
from libp2p.abc import IHost, INetStream, ISecureTransport
from libp2p.crypto.secp256k1 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from msgspec import structs
from multiaddr import Multiaddr  # type: ignore[import-untyped]  # it ships no types

from swapd.network.client import Libp2pPeers, NetworkConfig
from swapd.network.limits import NetworkLimits
from swapd.ports import Channel, GossipMessage, PeerEvent

PROTOCOL = "/swapd/test/1"
TOPIC = "t/one"
GOOD = "tests.network.validators:accept_good"
ANYTHING = "tests.network.validators:accept_anything"
ANY_PORT = "/ip4/127.0.0.1/tcp/0"
PATIENCE = 30.0
QUICK = structs.replace(NetworkLimits(), redial_first_seconds=0.05, redial_cap_seconds=0.3)

Item = TypeVar("Item")


def address_of(node: Libp2pPeers) -> str:
    identity = node.identity()
    return f"{identity.addresses[0]}/p2p/{identity.peer_id}"


def make(
    *bootstrap: Libp2pPeers,
    validator: str = GOOD,
    limits: NetworkLimits = QUICK,
    listen: str = ANY_PORT,
    clock: Callable[[], int] | None = None,
) -> Libp2pPeers:
    config = NetworkConfig(
        listen=(listen,),
        validator=validator,
        bootstrap=tuple(address_of(node) for node in bootstrap),
        allow_private=True,
        limits=limits,
    )
    return Libp2pPeers(config, os.urandom(32), clock=clock)


@contextlib.asynccontextmanager
async def running(*nodes: Libp2pPeers) -> AsyncIterator[None]:
    """The nodes, all listening."""
    async with trio.open_nursery() as nursery:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as starting:
                for node in nodes:
                    starting.start_soon(_start, nursery, node)
        yield
        nursery.cancel_scope.cancel()


async def _start(nursery: trio.Nursery, node: Libp2pPeers) -> None:
    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        await node.run(task_status=task_status)

    await nursery.start(run)


async def connected(node: Libp2pPeers, *others: Libp2pPeers) -> None:
    """Waits until all `others` are connected to `node`. Takes its events."""
    missing = {other.identity().peer_id for other in others}
    with trio.fail_after(PATIENCE):
        async for event in node.events():
            if event.up:
                missing.discard(event.peer_id)
            if not missing:
                return


async def next_event(node: Libp2pPeers, *, up: bool) -> PeerEvent:
    with trio.fail_after(PATIENCE):
        async for event in node.events():
            if event.up is up:
                return event
    raise AssertionError("the events ended")


async def next_gossip(node: Libp2pPeers) -> GossipMessage:
    with trio.fail_after(PATIENCE):
        return await node.gossip().receive()


async def until(channel: trio.MemoryReceiveChannel[Item], wanted: Callable[[Item], bool]) -> Item:
    with trio.fail_after(PATIENCE):
        async for item in channel:
            if wanted(item):
                return item
    raise AssertionError("the channel ended")


@contextlib.asynccontextmanager
async def raw_host(
    security: dict[TProtocol, ISecureTransport] | None = None, listen: str | None = None
) -> AsyncIterator[IHost]:
    """A libp2p host as anyone could run it, in this process."""
    key_pair = create_new_key_pair(os.urandom(32))
    noise = NoiseTransport(key_pair, noise_privkey=create_noise_key_pair().private_key)
    host = new_host(
        key_pair=key_pair,
        sec_opt=security if security is not None else {NOISE: noise},
        muxer_opt=create_yamux_muxer_option(),
    )
    async with host.run(listen_addrs=[Multiaddr(listen)] if listen else []):
        try:
            yield host
        finally:
            with trio.move_on_after(5, shield=True):
                await host.close()


async def dial(host: IHost, node: Libp2pPeers) -> None:
    """Connects a raw host to one of our nodes."""
    with trio.fail_after(PATIENCE):
        await host.connect(info_from_p2p_addr(Multiaddr(address_of(node))))


async def stream_to(host: IHost, node: Libp2pPeers, protocol: str) -> INetStream:
    """A raw stream to one of our nodes."""
    peer = info_from_p2p_addr(Multiaddr(address_of(node))).peer_id
    with trio.fail_after(PATIENCE):
        return await host.new_stream(peer, [TProtocol(protocol)])


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits for something that gives no event of its own."""
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - neither libp2p nor the kernel tells us when
            await trio.sleep(0.01)


async def read_to_end(stream: INetStream) -> None:
    """Reads until the stream raises."""
    with trio.fail_after(PATIENCE):
        while True:
            await stream.read(1)


async def send_for_ever(channel: Channel, message: bytes) -> None:
    """Sends until the channel raises."""
    with trio.fail_after(PATIENCE):
        while True:
            await channel.send(message)
