"""Each repair of libp2p, alone, on hosts in this process: what it repairs fails without it."""

import os
import socket
import struct
from collections.abc import Callable

import pytest
import trio
from libp2p import create_yamux_muxer_option, new_host
from libp2p.abc import IHost, INetStream
from libp2p.crypto.secp256k1 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.host.exceptions import StreamFailure
from libp2p.network.config import ConnectionConfig
from libp2p.network.exceptions import SwarmException
from libp2p.network.stream.exceptions import StreamError
from libp2p.network.swarm import Swarm
from libp2p.peer.peerinfo import PeerInfo
from libp2p.pubsub import pubsub as pubsub_module
from libp2p.pubsub.pb import rpc_pb2
from libp2p.stream_muxer.yamux import yamux
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.transport.tcp import tcp
from multiaddr import Multiaddr  # type: ignore[import-untyped]  # it ships no types

from swapd.network import patches
from swapd.network.admission import InboundSlots
from swapd.network.limits import PEER_QUEUE_BYTES, PEER_QUEUE_FRAMES
from tests.network.helpers import PATIENCE, eventually, raw_host, read_to_end

ANY = "/ip4/127.0.0.1/tcp/0"
ECHO = TProtocol("/test/echo/1")
Put = Callable[[object, str, object], None]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Put:
    return monkeypatch.setattr


async def connect(one: IHost, two: IHost) -> Yamux:
    """Connects and returns the first's muxer."""
    with trio.fail_after(PATIENCE):
        await one.connect(PeerInfo(two.get_id(), two.get_addrs()))
    muxed = one.get_network().get_connections(two.get_id())[0].muxed_conn
    assert isinstance(muxed, Yamux)
    return muxed


async def echo(stream: INetStream) -> None:
    await stream.write(await stream.read(100))
    await stream.close()


async def ends(stream: INetStream) -> None:
    """Waits for the end of a stream, whichever way it comes."""
    with pytest.raises(StreamError):
        await read_to_end(stream)


async def test_b1_a_handler_that_raises_ends_its_stream_and_not_the_process(put: Put) -> None:
    patches.guard_stream_handlers(put)

    async def broken(stream: INetStream) -> None:
        await stream.read(1)
        raise RuntimeError("a peer provoked this")

    async with raw_host(listen=ANY) as server, raw_host() as client:
        server.set_stream_handler(TProtocol("/test/broken/1"), broken)
        server.set_stream_handler(ECHO, echo)
        await connect(client, server)
        provoking = await client.new_stream(server.get_id(), [TProtocol("/test/broken/1")])
        await provoking.write(b"x")
        await ends(provoking)
        stream = await client.new_stream(server.get_id(), [ECHO])
        await stream.write(b"alive")
        assert await stream.read(100) == b"alive"


async def test_a_handler_that_returns_without_closing_leaves_nothing_open(put: Put) -> None:
    patches.guard_stream_handlers(put)

    async def careless(stream: INetStream) -> None:
        await stream.read(1)

    async with raw_host(listen=ANY) as server, raw_host() as client:
        server.set_stream_handler(ECHO, careless)
        await connect(client, server)
        muxed = server.get_network().get_connections(client.get_id())[0].muxed_conn
        assert isinstance(muxed, Yamux)
        with trio.fail_after(PATIENCE):
            for _ in range(20):
                stream = await client.new_stream(server.get_id(), [ECHO])
                await stream.write(b"x")
                await ends(stream)
        await eventually(lambda: len(muxed.streams) <= 3)


async def test_b1_an_error_in_a_connections_own_task_ends_that_connection_only(put: Put) -> None:
    provoked = trio.Event()
    sweeper = Yamux._stale_stream_sweeper

    async def broken(self: Yamux) -> None:
        if self.is_initiator:
            await sweeper(self)
        await provoked.wait()
        raise RuntimeError("a peer provoked this")

    async with raw_host(listen=ANY) as server, raw_host() as client:
        patches.guard_connection_tasks(put)
        put(Yamux, "_stale_stream_sweeper", broken)
        muxed = await connect(client, server)
        provoked.set()
        with trio.fail_after(PATIENCE):
            await muxed.event_closed.wait()
        networks = client.get_network(), server.get_network()
        await eventually(lambda: not any(network.get_connections() for network in networks))
        put(Yamux, "_stale_stream_sweeper", sweeper)
        assert not (await connect(client, server)).is_closed


async def test_b2_inbound_slots_are_for_connections_that_live(put: Put) -> None:
    slots = InboundSlots(total=2, per_origin=2)
    patches.release_inbound_slots(slots, put)
    key_pair = create_new_key_pair(os.urandom(32))
    limited = new_host(
        key_pair=key_pair,
        muxer_opt=create_yamux_muxer_option(),
        connection_config=ConnectionConfig(
            max_connections=2, min_connections=0, low_watermark=0, high_watermark=2
        ),
    )
    async with limited.run(listen_addrs=[Multiaddr(ANY)]), raw_host() as client:
        for _ in range(3):
            muxed = await connect(client, limited)
            await client.disconnect(limited.get_id())
            await muxed.event_closed.wait()
            await eventually(lambda: not limited.get_network().get_connections())
            await eventually(lambda: not slots._taken)


async def test_one_address_cannot_take_all_inbound_slots(put: Put) -> None:
    slots = InboundSlots(total=10, per_origin=3)
    patches.release_inbound_slots(slots, put)
    async with raw_host(listen=ANY) as server, raw_host() as client:
        port = int(str(server.get_addrs()[0]).split("/")[4])
        greedy = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(3)]
        for stream in greedy:
            assert await stream.receive_some(1)
        with pytest.raises(Exception, match="unable to connect"):
            await connect(client, server)
        for stream in greedy:
            await stream.aclose()
        await eventually(lambda: not slots._taken)
        network = client.get_network()
        assert isinstance(network, Swarm)
        network.unblock_peer(server.get_id())
        await connect(client, server)


async def test_streams_of_one_connection_are_limited(put: Put) -> None:
    patches.guard_stream_handlers(put)
    patches.limit_inbound_streams(5, put)
    held = trio.Event()

    async def hold(stream: INetStream) -> None:
        await stream.write(b"x")
        await held.wait()

    async with raw_host(listen=ANY) as server, raw_host() as client:
        server.set_stream_handler(ECHO, hold)
        muxed = await connect(client, server)
        await muxed.open_stream()
        opened = 0
        with trio.fail_after(PATIENCE):
            for _ in range(10):
                try:
                    stream = await client.new_stream(server.get_id(), [ECHO])
                    opened += await stream.read(1) == b"x"
                except (StreamError, StreamFailure):
                    break
        assert 1 <= opened <= 5
        held.set()


async def test_a_peer_that_does_not_answer_pings_is_dropped(put: Put) -> None:
    async with raw_host(listen=ANY) as server, raw_host() as client:
        patches.drop_hung_peers(0.05, 0.3, put)
        answering = await connect(client, server)
        with trio.move_on_after(0.5):
            await answering.event_closed.wait()
        assert not answering.is_closed
        assert answering._ping_id > 1

        async def deaf(_self: Yamux, _frame: bytes) -> None:
            await trio.lowlevel.checkpoint()

        put(Yamux, "_write_frame", deaf)
        with trio.fail_after(PATIENCE):
            await answering.event_closed.wait()


async def test_a_peer_that_ignores_its_window_is_disconnected(put: Put) -> None:
    patches.enforce_receive_window(put)
    patches.credit_half_windows(put)

    async def stall(stream: INetStream) -> None:
        await trio.sleep_forever()

    async with raw_host(listen=ANY) as server, raw_host() as client:
        server.set_stream_handler(ECHO, stall)
        muxed = await connect(client, server)
        stream = await client.new_stream(server.get_id(), [ECHO])
        number = stream.muxed_stream.stream_id  # type: ignore[attr-defined]  # yamux has it
        body = bytes(60_000)
        header = struct.pack(yamux.YAMUX_HEADER_FORMAT, 0, yamux.TYPE_DATA, 0, number, len(body))
        with trio.fail_after(PATIENCE):
            while not muxed.is_closed:
                try:
                    await muxed._write_frame(header + body)
                except Exception:  # noqa: BLE001 - closed while writing has many names
                    await muxed.event_closed.wait()


async def test_b9_megabytes_pass_with_few_window_updates(put: Put) -> None:
    patches.enforce_receive_window(put)
    patches.credit_half_windows(put)
    updates = 0
    original = yamux.YamuxStream.send_window_update

    async def counted(self: yamux.YamuxStream, increment: int, skip_lock: bool = False) -> None:
        nonlocal updates
        updates += 1
        await original(self, increment, skip_lock)

    put(yamux.YamuxStream, "send_window_update", counted)
    total = 4 * 1024 * 1024
    done = trio.Event()

    async def drain(stream: INetStream) -> None:
        left = total
        while left:
            left -= len(await stream.read(4096))
        done.set()

    async with raw_host(listen=ANY) as server, raw_host() as client:
        server.set_stream_handler(ECHO, drain)
        await connect(client, server)
        stream = await client.new_stream(server.get_id(), [ECHO])
        with trio.fail_after(PATIENCE):
            for _ in range(total // 65536):
                await stream.write(bytes(65536))
            await done.wait()
    window = 256 * 1024
    assert updates <= total // (window // 2) + 2


async def test_b5_the_queue_to_a_peer_is_long_and_bounded_in_bytes(put: Put) -> None:
    patches.bound_outbound_queues(put)
    queue = vars(pubsub_module)["RpcQueue"]()
    assert isinstance(queue, patches.BoundedRpcQueue)
    small = rpc_pb2.RPC(publish=[rpc_pb2.Message(data=b"x")])
    assert sum(queue.push(small) for _ in range(PEER_QUEUE_FRAMES + 9)) == PEER_QUEUE_FRAMES
    large = rpc_pb2.RPC(publish=[rpc_pb2.Message(data=bytes(65_000))])
    other = patches.BoundedRpcQueue()
    taken = sum(other.push(large) for _ in range(1000))
    assert taken == PEER_QUEUE_BYTES // large.ByteSize()
    assert await other.pop() == large
    assert other.pop_nowait() == large
    assert other.push(large)
    assert other.push(large)
    assert not other.push(large)


async def test_b10_our_own_record_is_built_once(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    async with raw_host(listen=ANY) as host:
        patches.cache_own_record(put)
        record = vars(pubsub_module)["env_to_send_in_RPC"]
        first, new = record(host)
        assert new
        monkeypatch.setattr(type(host), "get_addrs", lambda _self: pytest.fail("built again"))
        assert record(host) == (first, False)


async def test_a_port_is_bound_exclusively(put: Put) -> None:
    patches.bind_exclusively(put)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Exception, match="in use"):
            await tcp._open_reuseport_listeners("127.0.0.1", taken.getsockname()[1])


async def test_b6_b7_streams_never_dial_by_themselves(put: Put) -> None:
    patches.never_dial_implicitly(put)
    async with raw_host(listen=ANY) as server, raw_host() as client:
        client.get_peerstore().add_addrs(server.get_id(), server.get_addrs(), 60)
        with pytest.raises(SwarmException, match="not connected"):
            await client.new_stream(server.get_id(), [ECHO])
        network = client.get_network()
        assert isinstance(network, Swarm)
        await network.dial_addr(server.get_addrs()[0], server.get_id())
        server.set_stream_handler(ECHO, echo)
        stream = await client.new_stream(server.get_id(), [ECHO])
        await stream.write(b"now we are")
        assert await stream.read(100) == b"now we are"
