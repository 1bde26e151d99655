"""A node of ours against raw libp2p hosts that do what ours never would."""

import contextlib
import os
from collections.abc import AsyncIterator
from typing import cast

import pytest
import trio
from libp2p.abc import IHost, INetStream
from libp2p.crypto.secp256k1 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.stream.exceptions import StreamError
from libp2p.network.swarm import Swarm
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.tools.anyio_service import background_trio_service
from libp2p.utils.varint import encode_uvarint
from msgspec import structs

from swapd.network.client import Libp2pPeers
from swapd.network.limits import MAX_MESSAGE
from tests.network.helpers import (
    ANY_PORT,
    PATIENCE,
    PROTOCOL,
    QUICK,
    TOPIC,
    dial,
    make,
    next_event,
    next_gossip,
    raw_host,
    read_to_end,
    running,
    stream_to,
)

MESHSUB = "/meshsub/1.1.0"


def frame(rpc: rpc_pb2.RPC) -> bytes:
    data = rpc.SerializeToString()
    return encode_uvarint(len(data)) + data


async def still_works(node: Libp2pPeers, pid: int | None) -> None:
    """The same process as before serves a peer that behaves."""
    friend = make(node)
    await friend.subscribe(TOPIC)
    async with running(friend):
        await friend.connect(f"{node.identity().addresses[0]}/p2p/{node.identity().peer_id}")
        await friend.publish(TOPIC, b"a word from a friend")
        assert (await next_gossip(node)).data == b"a word from a friend"
    assert node.child_pid == pid


MALFORMED = {
    "not a protobuf": encode_uvarint(5) + b"\xff" * 5,
    "a length that does not end": b"\xff" * 12,
    "a length over the limit": encode_uvarint(2**31),
    "a truncated field": encode_uvarint(3) + b"\x12\x7f\x00",
}

HOSTILE = {
    "a key that is none": rpc_pb2.RPC(
        publish=[
            rpc_pb2.Message(
                from_id=b"\x12\x20" + bytes(32), seqno=b"1", data=b"x", topicIDs=[TOPIC],
                signature=b"s", key=b"\xff\xff",
            )
        ]
    ),
    "an author that is none": rpc_pb2.RPC(
        publish=[rpc_pb2.Message(from_id=b"", seqno=b"", topicIDs=[TOPIC], signature=b"s")]
    ),
    "no topic": rpc_pb2.RPC(publish=[rpc_pb2.Message(data=b"x")]),
    "over 64 KiB": rpc_pb2.RPC(
        publish=[rpc_pb2.Message(data=bytes(MAX_MESSAGE + 1), topicIDs=[TOPIC])]
    ),
    "inventions": rpc_pb2.RPC(
        control=rpc_pb2.ControlMessage(
            ihave=[rpc_pb2.ControlIHave(topicID=TOPIC, messageIDs=[b"\xff" * 50] * 3000)],
            iwant=[rpc_pb2.ControlIWant(messageIDs=[b"", b"zz", b"\xff" * 1000])],
            graft=[rpc_pb2.ControlGraft(topicID=f"t/{number}") for number in range(200)],
            prune=[
                rpc_pb2.ControlPrune(topicID=f"t/{number}", backoff=2**60) for number in range(200)
            ],
        )
    ),
    "a record that is none": rpc_pb2.RPC(senderRecord=b"\x00\x01\x02"),
}  # fmt: skip


async def _offend(stream: INetStream, data: bytes) -> None:
    """Until the node hangs up: sometimes before we have said all of it."""
    await stream.write(data)
    await stream.write(MALFORMED["not a protobuf"])
    await read_to_end(stream)


async def test_b1_whatever_is_written_to_the_gossip_stream_the_process_lives() -> None:
    node = make(limits=structs.replace(QUICK, penalty_limit=100_000))
    await node.subscribe(TOPIC)
    async with running(node):
        pid = node.child_pid
        async with raw_host() as attacker:
            await dial(attacker, node)
            for data in [*map(frame, HOSTILE.values()), *MALFORMED.values()]:
                stream = await stream_to(attacker, node, MESHSUB)
                with pytest.raises(StreamError):
                    await _offend(stream, data)
            await still_works(node, pid)


async def test_a_peer_that_sends_malformed_gossip_twice_is_refused() -> None:
    node = make()
    async with running(node), raw_host() as attacker:
        await dial(attacker, node)
        await next_event(node, up=True)
        for _ in range(2):
            stream = await stream_to(attacker, node, MESHSUB)
            await stream.write(MALFORMED["not a protobuf"])
        assert (await next_event(node, up=False)).peer_id == str(attacker.get_id())
        with pytest.raises(Exception, match="unable to connect"):
            await dial(attacker, node)


async def test_b3_a_peer_that_offers_plaintext_only_is_refused() -> None:
    node = make()
    key_pair = create_new_key_pair(os.urandom(32))
    async with (
        running(node),
        raw_host({TProtocol(PLAINTEXT_PROTOCOL_ID): InsecureTransport(key_pair)}) as attacker,
    ):
        with pytest.raises(Exception, match="unable to connect"):
            await dial(attacker, node)
        with pytest.raises(trio.WouldBlock):
            node.events().receive_nowait()


async def test_connections_that_come_and_go_use_nothing_up() -> None:
    """B2, over a whole node: its limits count what lives."""
    limits = structs.replace(QUICK, max_connections=2, inbound_per_ip=2)
    node = make(limits=limits)
    async with running(node), raw_host() as visitor:
        for _ in range(4):
            await dial(visitor, node)
            await next_event(node, up=True)
            await visitor.disconnect(next(iter(visitor.get_connected_peers())))
            await next_event(node, up=False)


async def test_idle_sockets_of_one_address_do_not_shut_others_out() -> None:
    node = make(limits=structs.replace(QUICK, inbound_per_ip=4))
    async with running(node), contextlib.AsyncExitStack() as stack:
        port = int(node.identity().addresses[0].rpartition("/")[2])

        async def knock(origin: str) -> bool:
            """Whether a socket from this address is spoken to."""
            stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=origin)
            await stack.enter_async_context(stream)
            with trio.fail_after(PATIENCE):
                return not await ended(stream)

        assert [await knock("127.0.0.1") for _ in range(5)] == [True] * 4 + [False]
        assert await knock("127.0.0.2")


async def ended(stream: trio.SocketStream) -> bool:
    try:
        return await stream.receive_some(1) == b""
    except trio.BrokenResourceError:
        return True


@pytest.mark.parametrize(
    "data",
    [(MAX_MESSAGE + 1).to_bytes(4, "big"), b"\xff\xff\xff\xff", b"\x00\x00\x00\x05abc"],
    ids=["one byte over", "four gigabytes", "less than announced"],
)
async def test_a_channel_with_wrong_framing_is_closed(data: bytes) -> None:
    node = make(limits=structs.replace(QUICK, io_timeout_seconds=0.3))
    inbound = node.serve(PROTOCOL)
    async with running(node), raw_host() as attacker:
        await dial(attacker, node)
        stream = await stream_to(attacker, node, PROTOCOL)
        await stream.write((2).to_bytes(4, "big") + b"ok" + data)
        with trio.fail_after(PATIENCE):
            channel = await inbound.receive()
            assert channel.peer_id == str(attacker.get_id())
            assert await channel.receive() == b"ok"
            with pytest.raises(StreamError):
                await read_to_end(stream)


@pytest.fixture
async def gossiping_host() -> AsyncIterator[tuple[IHost, Pubsub]]:
    """A raw host that speaks gossipsub as libp2p ships it."""
    async with raw_host(listen=ANY_PORT) as host:
        router = GossipSub(
            protocols=[TProtocol(MESHSUB)], degree=3, degree_low=2, degree_high=4,
            heartbeat_interval=1,
        )  # fmt: skip
        pubsub = Pubsub(host, router, strict_signing=True)
        async with background_trio_service(pubsub), background_trio_service(router):
            await pubsub.wait_until_ready()
            yield host, pubsub


async def test_gossip_of_an_unpatched_libp2p_peer_is_understood_both_ways(
    gossiping_host: tuple[IHost, Pubsub],
) -> None:
    host, pubsub = gossiping_host
    node = make()
    await node.subscribe(TOPIC)
    async with running(node):
        subscription = await pubsub.subscribe(TOPIC)
        await dial(host, node)
        await pubsub.wait_for_subscription(next(iter(host.get_connected_peers())), TOPIC, PATIENCE)
        await pubsub.publish(TOPIC, b"from the library")
        assert (await next_gossip(node)).data == b"from the library"
        await node.publish(TOPIC, b"from ours")
        with trio.fail_after(PATIENCE):
            heard = await subscription.get()
            while heard.data != b"from ours":
                heard = await subscription.get()


async def test_a_message_without_a_good_signature_is_dropped(
    gossiping_host: tuple[IHost, Pubsub],
) -> None:
    host, pubsub = gossiping_host
    node = make()
    await node.subscribe(TOPIC)
    async with running(node):
        await dial(host, node)
        node_id = next(iter(host.get_connected_peers()))
        await pubsub.wait_for_subscription(node_id, TOPIC, PATIENCE)
        forged = rpc_pb2.Message(
            data=b"forged", topicIDs=[TOPIC], from_id=host.get_id().to_bytes(), seqno=b"12345678",
            signature=b"nonsense",
        )  # fmt: skip
        assert pubsub.peer_queues[node_id].push(rpc_pb2.RPC(publish=[forged]))
        await pubsub.publish(TOPIC, b"signed")
        assert (await next_gossip(node)).data == b"signed"


async def test_streams_that_are_opened_and_left_hanging_do_not_stop_a_node() -> None:
    node = make(limits=structs.replace(QUICK, streams_per_connection=8))
    await node.subscribe(TOPIC)
    async with running(node):
        pid = node.child_pid
        async with raw_host() as attacker:
            await dial(attacker, node)
            muxed = attacker.get_network().get_connections()[0].muxed_conn
            assert isinstance(muxed, Yamux)
            with trio.fail_after(PATIENCE):
                for _ in range(60):
                    await muxed.open_stream()
            await still_works(node, pid)


async def test_a_stream_that_dies_while_it_is_opened_is_opened_again() -> None:
    node = make()
    async with running(node), raw_host(listen=ANY_PORT) as other:

        async def hold(stream: INetStream) -> None:
            await read_to_end(stream)

        other.set_stream_handler(TProtocol(PROTOCOL), hold)
        await dial(other, node)
        swarm = cast("Swarm", other.get_network())
        usual = swarm.common_stream_handler
        refused: list[str] = []

        async def reset_twice(stream: INetStream) -> None:
            if len(refused) < 2:
                refused.append("reset")
                await stream.reset()
            else:
                await usual(stream)

        swarm.set_stream_handler(reset_twice)
        with trio.fail_after(PATIENCE):
            channel = await node.open(str(other.get_id()), (), PROTOCOL)
            await channel.aclose()
        assert refused == ["reset", "reset"]
