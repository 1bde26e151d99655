"""The parts of the network that need no network: arithmetic, framing, addresses, both queues."""

from collections.abc import AsyncIterator

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import create_new_key_pair as ed25519_key
from libp2p.crypto.secp256k1 import create_new_key_pair as secp256k1_key
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2

from swapd.network import frames
from swapd.network.addresses import (
    BadAddress,
    is_private,
    parse_address,
    parse_peer,
    reachable,
    split_peer,
)
from swapd.network.admission import Allowance, InboundSlots, PeerRates, PenaltyBook, origin_of
from swapd.network.channel import PeerChannel
from swapd.network.client import Libp2pPeers, NetworkConfig
from swapd.network.gossip import Malformed, take_frame, weight_of
from swapd.network.limits import CHANNEL_QUEUE, GOSSIP_QUEUE, MAX_FRAME, NetworkLimits
from swapd.network.session import Declined, Session
from swapd.ports import ChannelClosed, InvalidAddress, NetworkDown
from tests.network.helpers import GOOD, PATIENCE, send_for_ever

PEER = str(ID.from_pubkey(secp256k1_key(b"\x01" * 32).public_key))


# --- Rates, penalties, slots --------------------------------------------------------------------


def test_a_bucket_lets_the_burst_through_and_then_the_rate() -> None:
    bucket = Allowance(rate=10, burst=20, now=0)
    assert bucket.spend(20, now=0) == 0
    assert bucket.spend(1, now=0) == pytest.approx(0.1)
    assert bucket.spend(0, now=0.1) == 0
    assert bucket.spend(21, now=100) == pytest.approx(0.1)


def test_a_peers_rate_is_in_messages_and_in_bytes_and_outlives_its_connection() -> None:
    rates = PeerRates(messages=1, messages_burst=2, size=100, size_burst=1000)
    assert rates.spend("a", 2, 1000, now=0) == 0
    assert rates.spend("b", 1, 1100, now=0) == pytest.approx(1)
    assert rates.spend("a", 3, 0, now=1) == pytest.approx(2)


def test_penalties_fade_and_the_last_straw_refuses_for_a_while() -> None:
    book = PenaltyBook(limit=100, refuse_seconds=60)
    assert not book.add("a", 60, now=0)
    assert not book.add("a", 60, now=120)
    assert not book.refused("a", now=120)
    assert book.add("a", 60, now=121)
    assert book.refused("a", now=180)
    assert not book.refused("a", now=181)
    assert not book.refused("b", now=121)


def test_inbound_slots_are_bounded_in_all_and_by_origin_and_come_back() -> None:
    slots = InboundSlots(total=3, per_origin=2)
    assert [slots.take("10.0.0.1") for _ in range(3)] == [True, True, False]
    assert slots.take("10.0.0.2")
    assert not slots.take("10.0.0.3")
    slots.give_back("10.0.0.1")
    assert slots.take("10.0.0.3")


def test_an_ipv6_origin_is_its_64_bit_network_and_mapped_addresses_are_ipv4() -> None:
    assert origin_of("2001:db8::1") == origin_of("2001:db8::ffff:1")
    assert origin_of("2001:db8::1") != origin_of("2001:db8:0:1::1")
    assert origin_of("::ffff:10.0.0.1") == origin_of("10.0.0.1")
    assert origin_of("fe80::1%eth0") == origin_of("fe80::2")


# --- Gossip frames ------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=300)), st.integers(1, 50))
def test_frames_come_out_as_they_went_in_however_they_are_cut(
    bodies: list[bytes], step: int
) -> None:
    wire = b"".join(
        (bytes([len(body)]) if len(body) < 128 else bytes([len(body) & 127 | 128, len(body) >> 7]))
        + body
        for body in bodies
    )
    buffer, out = bytearray(), []
    for start in range(0, len(wire), step):
        buffer += wire[start : start + step]
        while (frame := take_frame(buffer, 300)) is not None:
            out.append(frame)
    assert out == bodies
    assert not buffer


@given(st.binary(max_size=40))
def test_any_bytes_give_a_frame_or_nothing_or_malformed(data: bytes) -> None:
    buffer = bytearray(data)
    try:
        frame = take_frame(buffer, 100)
    except Malformed:
        return
    assert frame is None or (len(frame) <= 100 and frame in data)


def test_a_frame_over_the_limit_is_malformed_before_it_is_there() -> None:
    with pytest.raises(Malformed):
        take_frame(bytearray(b"\xad\x02"), 300)
    assert take_frame(bytearray(b"\xac\x02"), 300) is None


def test_a_frame_weighs_what_is_in_it_and_never_nothing() -> None:
    assert weight_of(rpc_pb2.RPC()) == 1
    control = rpc_pb2.ControlMessage(graft=[rpc_pb2.ControlGraft(topicID="t")] * 3)
    assert weight_of(rpc_pb2.RPC(publish=[rpc_pb2.Message()] * 4, control=control)) == 7


# --- Addresses ----------------------------------------------------------------------------------


def test_addresses_are_an_ip_or_name_and_a_tcp_port() -> None:
    assert str(parse_address("/ip4/1.2.3.4/tcp/5", names=False)) == "/ip4/1.2.3.4/tcp/5"
    assert str(parse_address(f"/ip6/::1/tcp/5/p2p/{PEER}", names=False)) == "/ip6/::1/tcp/5"
    assert parse_address("/dns4/example.org/tcp/5", names=True)
    peer, address = split_peer(f"/ip4/1.2.3.4/tcp/5/p2p/{PEER}")
    assert (str(peer), str(address)) == (PEER, "/ip4/1.2.3.4/tcp/5")


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "1.2.3.4:5", "/ip4/1.2.3.4", "/ip4/1.2.3.4/udp/5", "/ip4/1.2.3.4/tcp/x",
        "/ip4/1.2.3.4/tcp/65536", "/ip4/1.2.3/tcp/5", "/ip4/1.2.3.4/tcp/5/ws", "/ip6/zz/tcp/1",
        "/dns4/example.org/tcp/5", "/unix/tmp/tcp/1", "/ip4/1.2.3.4/tcp/-1", "/ip4/1.2.3.4/tcp/٣",
    ],
)  # fmt: skip
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        parse_address(text, names=False)


def test_peer_ids_are_taken_in_one_spelling_and_with_their_key() -> None:
    assert str(parse_peer(PEER)) == PEER
    other = str(ID.from_pubkey(ed25519_key(b"\x02" * 32).public_key))
    assert str(parse_peer(other)) == other
    for text in ("", "x", PEER[:-1], PEER + "1", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"):
        with pytest.raises(BadAddress):
            parse_peer(text)


def test_private_addresses_are_known_as_such() -> None:
    for ip in ("127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254"):
        assert is_private(parse_address(f"/ip4/{ip}/tcp/1", names=False))
    assert is_private(parse_address("/ip6/fd00::1/tcp/1", names=False))
    assert not is_private(parse_address("/ip4/8.8.8.8/tcp/1", names=False))


def test_all_interfaces_are_told_to_others_one_by_one() -> None:
    assert reachable(("/ip4/192.0.2.1/tcp/5",)) == ("/ip4/192.0.2.1/tcp/5",)
    told = reachable(("/ip4/0.0.0.0/tcp/5",))
    assert told
    assert all(text.startswith("/ip4/") and text.endswith("/tcp/5") for text in told)
    assert "/ip4/0.0.0.0/tcp/5" not in told


# --- The socket pair ----------------------------------------------------------------------------


@pytest.fixture
async def pair() -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    one, two = (trio.SocketStream(sock) for sock in trio.socket.socketpair())
    async with one, two:
        yield one, two


async def test_frames_cross_and_wrong_ones_are_named(
    pair: tuple[trio.SocketStream, trio.SocketStream],
) -> None:
    one, two = pair
    reader: frames.FrameReader[frames.Report] = frames.FrameReader(two, frames.Report)
    closed = frames.Closed(channel=7, why="over")
    await one.send_all(frames.encode(closed) * 2)
    assert await reader.receive() == closed
    assert await reader.receive() == closed
    wrong = [
        b"",
        b"\xc1",
        msgspec.msgpack.encode({"type": "Nonsense"}),
        msgspec.msgpack.encode({"type": "Closed", "channel": -1, "why": ""}),
        msgspec.msgpack.encode({"type": "Closed", "channel": 1, "why": "", "more": 1}),
        msgspec.msgpack.encode({"type": "Gossip", "topic": "", "data": b"", "from_peer": PEER}),
        msgspec.msgpack.encode({"type": "Probe", "number": 1}),
    ]
    for body in wrong:
        await one.send_all(len(body).to_bytes(4, "big") + body)
        with pytest.raises(frames.FrameError):
            await reader.receive()
    await one.send_all((MAX_FRAME + 1).to_bytes(4, "big"))
    with pytest.raises(frames.FrameError, match="announced"):
        await reader.receive()


async def test_the_end_of_the_pair_is_told_from_an_error(
    pair: tuple[trio.SocketStream, trio.SocketStream],
) -> None:
    one, two = pair
    reader: frames.FrameReader[frames.Report] = frames.FrameReader(two, frames.Report)
    await one.send_all(b"\x00\x00")
    await one.aclose()
    with pytest.raises(frames.EndOfFrames):
        await reader.receive()


async def test_when_the_daemon_does_not_read_gossip_gives_way_and_nothing_else(
    pair: tuple[trio.SocketStream, trio.SocketStream],
) -> None:
    one, two = pair
    outbox = frames.Outbox(one)
    for number in range(GOSSIP_QUEUE + 5):
        outbox.put_gossip(frames.Gossip(topic="t", data=b"%d" % number, from_peer=PEER))
    outbox.put(frames.Closed(channel=1, why=""))
    assert outbox.dropped == 5
    reader: frames.FrameReader[frames.Report] = frames.FrameReader(two, frames.Report)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(outbox.run)
        assert isinstance(await reader.receive(), frames.Closed)
        first = await reader.receive()
        assert isinstance(first, frames.Gossip)
        assert first.data == b"5"
        nursery.cancel_scope.cancel()


async def test_a_box_that_nobody_empties_is_an_error_in_the_end(
    pair: tuple[trio.SocketStream, trio.SocketStream],
) -> None:
    outbox = frames.Outbox(pair[0])

    def fill() -> None:
        while True:
            outbox.put(frames.Received(channel=1, data=bytes(65_536)))

    with pytest.raises(frames.FrameError, match="does not read"):
        fill()


def test_the_key_is_in_no_representation_of_the_frame_that_carries_it() -> None:
    start = frames.Start(
        secret=b"s" * 32, listen=(), announce=(), validator="v", clock_offset=0,
        allow_private=False, limits=NetworkLimits(), topics=(), served=(), peers=(),
    )  # fmt: skip
    assert "ssss" not in repr(start)


def test_a_configuration_out_of_bounds_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="secret"):
        Libp2pPeers(NetworkConfig(listen=(), validator=GOOD), b"short")
    with pytest.raises(InvalidAddress):
        Libp2pPeers(NetworkConfig(listen=(), validator=GOOD, bootstrap=("/ip4/x",)), bytes(32))
    limits = NetworkLimits(max_connections=0)
    with pytest.raises(ValueError, match="max_connections"):
        Libp2pPeers(NetworkConfig(listen=(), validator=GOOD, limits=limits), b"\x01" * 32)


# --- A child that lies --------------------------------------------------------------------------


class Silent:
    """A listener that remembers nothing and takes no channels."""

    def on_ready(self, report: frames.Ready) -> None: ...

    def on_failed(self, report: frames.Failed) -> None: ...

    def on_gossip(self, report: frames.Gossip) -> None: ...

    def on_peer_up(self, peer: frames.Peer) -> None: ...

    def on_peer_down(self, peer_id: str) -> None: ...

    def on_channel(self, channel: PeerChannel) -> bool:
        return channel.protocol == "/taken/1"

    def on_dropped(self, gossip: int) -> None: ...


INCOMING = frames.Incoming(channel=1, peer_id=PEER, protocol="/taken/1")
RECEIVED = frames.Received(channel=1, data=b"x")

LIES: dict[str, list[frames.Report]] = {
    "a channel twice": [INCOMING, INCOMING],
    "beyond its credit": [INCOMING, *[RECEIVED] * (CHANNEL_QUEUE + 1)],
    "credit never taken": [INCOMING, frames.Written(channel=1)],
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_child_that_breaks_the_rules_is_ended(
    pair: tuple[trio.SocketStream, trio.SocketStream], lie: str
) -> None:
    session = Session(pair[0], Silent())
    await pair[1].send_all(b"".join(map(frames.encode, LIES[lie])))
    with trio.fail_after(PATIENCE):
        assert "broke the rules" in await session.run()


async def test_frames_about_nothing_we_know_are_ignored(
    pair: tuple[trio.SocketStream, trio.SocketStream],
) -> None:
    session = Session(pair[0], Silent())
    strays: list[frames.Report] = [
        RECEIVED, frames.Written(channel=9), frames.Closed(channel=9, why=""),
        frames.Done(request=5), frames.Opened(request=5, channel=6),
        frames.Refused(request=9, kind="x", why=""), frames.Alive(number=9, gossip_dropped=0),
    ]  # fmt: skip
    await pair[1].send_all(b"".join(map(frames.encode, strays)))
    reader: frames.FrameReader[frames.Command] = frames.FrameReader(pair[1], frames.Command)

    async def read_and_end() -> None:
        assert await reader.receive() == frames.Close(channel=6)
        await pair[1].send_eof()

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read_and_end)
            assert await session.run() == "it ended"


async def test_when_the_child_ends_everyone_who_waits_is_told(
    pair: tuple[trio.SocketStream, trio.SocketStream],
) -> None:
    session = Session(pair[0], Silent())
    ask = frames.Publish(request=session.number(), topic="t", data=b"")
    told: list[str] = []

    async def publish() -> None:
        with pytest.raises(NetworkDown):
            await session.ask(ask, frames.Done, PATIENCE)
        told.append("publish")

    async def receive(channel: PeerChannel) -> None:
        with pytest.raises(ChannelClosed):
            await channel.receive()
        told.append("receive")

    async def send(channel: PeerChannel) -> None:
        with pytest.raises(ChannelClosed):
            await send_for_ever(channel, b"x")
        told.append("send")

    channel = session._add_channel(1, PEER, "/taken/1")
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish)
            nursery.start_soon(receive, channel)
            nursery.start_soon(send, channel)
            await trio.testing.wait_all_tasks_blocked()
            session.end("killed")
    assert sorted(told) == ["publish", "receive", "send"]
    with pytest.raises(NetworkDown, match="killed"):
        await session.ask(ask, frames.Done, PATIENCE)


async def test_an_answer_of_the_wrong_kind_is_no_success(
    pair: tuple[trio.SocketStream, trio.SocketStream],
) -> None:
    session = Session(pair[0], Silent())
    ask = frames.Publish(request=1, topic="t", data=b"")
    reader: frames.FrameReader[frames.Command] = frames.FrameReader(pair[1], frames.Command)

    async def answer() -> None:
        assert await reader.receive() == ask
        await pair[1].send_all(frames.encode(frames.PeerList(request=1, peers=())))

    async def run() -> None:
        assert "nonsense" in await session.run()

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            nursery.start_soon(answer)
            with pytest.raises(NetworkDown, match="something else"):
                await session.ask(ask, frames.Done, PATIENCE)


async def test_a_request_out_of_bounds_never_reaches_the_child(
    pair: tuple[trio.SocketStream, trio.SocketStream],
) -> None:
    session = Session(pair[0], Silent())
    with pytest.raises(Declined, match="peer_id"):
        await session.ask(frames.Disconnect(request=1, peer_id=""), frames.Done, PATIENCE)
    assert not session._waiting


async def test_a_channel_opened_for_a_caller_that_gave_up_is_closed(
    pair: tuple[trio.SocketStream, trio.SocketStream],
) -> None:
    session = Session(pair[0], Silent())
    ask = frames.Open(request=3, peer_id=PEER, addresses=(), protocol="/taken/1")
    reader: frames.FrameReader[frames.Command] = frames.FrameReader(pair[1], frames.Command)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.run)
        with trio.move_on_after(0.05):
            await session.open(ask, PATIENCE)
        assert await reader.receive() == ask
        await pair[1].send_all(frames.encode(frames.Opened(request=3, channel=4)))
        with trio.fail_after(PATIENCE):
            assert await reader.receive() == frames.Close(channel=4)
        nursery.cancel_scope.cancel()
