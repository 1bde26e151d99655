"""Nodes of ours with each other, over real sockets, each with its own network process."""

import itertools
import os
import signal
import time

import pytest
import trio
from msgspec import structs

from swapd.network.client import Libp2pPeers
from swapd.network.limits import CHANNEL_QUEUE, MAX_MESSAGE
from swapd.ports import (
    Channel,
    ChannelClosed,
    InvalidAddress,
    NetworkDown,
    PeerUnreachable,
)
from tests.network.helpers import (
    ANYTHING,
    PATIENCE,
    PROTOCOL,
    QUICK,
    TOPIC,
    address_of,
    connected,
    make,
    next_event,
    next_gossip,
    running,
    send_for_ever,
    until,
)


async def echo(inbound: trio.MemoryReceiveChannel[Channel]) -> None:
    """Serves channels that answer each message with itself."""

    async def answer(channel: Channel) -> None:
        try:
            while True:
                await channel.send(await channel.receive())
        except ChannelClosed:
            await channel.aclose()

    async with trio.open_nursery() as nursery:
        async for channel in inbound:
            nursery.start_soon(answer, channel)


async def is_closed(channel: Channel) -> bool:
    """True once it is; waits otherwise."""
    with pytest.raises(ChannelClosed):
        await channel.receive()
    return True


async def test_maker_and_taker_meet_through_a_relay_and_then_talk_directly(
    real_processes: None,
) -> None:
    relay = make()
    async with running(relay), trio.open_nursery() as nursery:
        maker, taker = make(relay), make(relay)
        for node in (relay, maker, taker):
            await node.subscribe(TOPIC)
        nursery.start_soon(echo, maker.serve(PROTOCOL))
        async with running(maker, taker):
            await connected(relay, maker, taker)

            await maker.publish(TOPIC, b"an offer")
            heard = await next_gossip(taker)
            assert (heard.topic, heard.data) == (TOPIC, b"an offer")
            assert heard.from_peer == relay.identity().peer_id
            assert (await next_gossip(relay)).from_peer == maker.identity().peer_id

            identity = maker.identity()
            assert identity.peer_id not in {peer.peer_id for peer in await taker.peers()}
            channel = await taker.open(identity.peer_id, identity.addresses, PROTOCOL)
            with trio.fail_after(PATIENCE):
                for message in (b"", b"take", os.urandom(MAX_MESSAGE)):
                    await channel.send(message)
                    assert await channel.receive() == message
                await channel.aclose()
            with pytest.raises(ChannelClosed):
                await channel.send(b"after the end")

            known = {peer.peer_id: peer for peer in await taker.peers()}
            assert not known[identity.peer_id].inbound
            assert known[identity.peer_id].addresses == identity.addresses
            assert abs(known[identity.peer_id].connected_since - time.time()) < 3600
            nursery.cancel_scope.cancel()


async def test_unsubscribed_topics_and_own_messages_do_not_arrive() -> None:
    one, two = make(), make()
    await one.subscribe(TOPIC)
    await two.subscribe(TOPIC)
    await two.subscribe("t/other")
    async with running(one, two):
        await one.subscribe("t/other")
        await two.unsubscribe(TOPIC)
        info = await one.connect(address_of(two))
        assert info.peer_id == two.identity().peer_id
        assert not info.inbound
        await one.publish(TOPIC, b"nobody follows this")
        await one.publish("t/other", b"this is followed")
        assert (await next_gossip(two)).data == b"this is followed"
        with pytest.raises(trio.WouldBlock):
            one.gossip().receive_nowait()


async def test_a_killed_network_process_costs_a_reconnect_and_nothing_else() -> None:
    relay = make()
    async with running(relay), trio.open_nursery() as nursery:
        maker, taker = make(relay), make(relay)
        for node in (relay, maker, taker):
            await node.subscribe(TOPIC)
        nursery.start_soon(echo, relay.serve(PROTOCOL))
        async with running(maker, taker):
            await connected(relay, maker, taker)
            await connected(taker, relay)  # who is dialled may know of it before who dials
            before = relay.identity()
            channel = await taker.open(before.peer_id, (), PROTOCOL)
            published = itertools.count()

            async def keep_publishing() -> None:
                for number in published:
                    await maker.publish(TOPIC, b"%d" % number)
                    await trio.sleep(0.02)

            nursery.start_soon(keep_publishing)
            await next_gossip(taker)

            assert relay.child_pid is not None
            os.kill(relay.child_pid, signal.SIGKILL)
            assert (await next_event(relay, up=False)).peer_id
            with pytest.raises(NetworkDown):
                await relay.publish(TOPIC, b"while it is down")
            assert await relay.peers() == ()
            with pytest.raises(ChannelClosed):
                await send_for_ever(channel, b"are you there?")

            with trio.fail_after(PATIENCE):
                await relay.wait_ready()
            assert relay.identity() == before
            latest = next(published)
            await until(taker.gossip(), lambda message: int(message.data) > latest)
            again = await taker.open(before.peer_id, (), PROTOCOL)
            with trio.fail_after(PATIENCE):
                await again.send(b"back")
                assert await again.receive() == b"back"
            nursery.cancel_scope.cancel()


async def test_the_publisher_is_heard_again_after_its_own_process_was_killed() -> None:
    """Its sequence numbers go on: peers remember for minutes what they have seen."""
    one, two = make(), make()
    for node in (one, two):
        await node.subscribe(TOPIC)
    async with running(one, two):
        await one.connect(address_of(two))
        for number in range(50):
            await one.publish(TOPIC, b"before %d" % number)
        await until(two.gossip(), lambda message: message.data == b"before 49")
        assert one.child_pid is not None
        os.kill(one.child_pid, signal.SIGKILL)
        await next_event(two, up=False)
        with trio.fail_after(PATIENCE):
            await one.wait_ready()
        await next_event(two, up=True)
        await one.publish(TOPIC, b"after")
        assert (await next_gossip(two)).data == b"after"


async def test_an_invalid_message_is_not_passed_on_and_its_sender_is_refused_in_the_end() -> None:
    relay = make()
    async with running(relay):
        honest, liar = make(relay), make(relay, validator=ANYTHING)
        for node in (relay, honest, liar):
            await node.subscribe(TOPIC)
        async with running(honest, liar):
            await connected(relay, honest, liar)
            with pytest.raises(ValueError, match="our own validator"):
                await honest.publish(TOPIC, b"bad")
            await liar.publish(TOPIC, b"bad")
            await liar.publish(TOPIC, b"raise")
            await liar.publish(TOPIC, b"fine")
            assert (await next_gossip(honest)).data == b"fine"

            for number in range(10):
                await liar.publish(TOPIC, b"bad %d" % number)
            gone = await next_event(relay, up=False)
            assert gone.peer_id == liar.identity().peer_id
            await next_event(liar, up=False)
            with pytest.raises(PeerUnreachable):
                await liar.connect(address_of(relay))
            with pytest.raises(PeerUnreachable, match="misbehaved"):
                await relay.connect(address_of(liar))
            assert [peer.peer_id for peer in await relay.peers()] == [honest.identity().peer_id]


async def test_the_daemon_can_have_a_peer_refused_or_just_hang_up() -> None:
    one, two = make(), make()
    async with running(one, two):
        await one.connect(address_of(two))
        await one.disconnect(two.identity().peer_id)
        await next_event(one, up=False)
        assert await one.peers() == ()
        await one.connect(address_of(two))
        for _ in range(3):
            await one.penalise(two.identity().peer_id, "it lied about its funds")
        await next_event(one, up=False)
        with pytest.raises(PeerUnreachable, match="misbehaved"):
            await one.connect(address_of(two))


async def test_a_flood_is_slowed_down_to_the_agreed_rate_and_the_node_stays_responsive() -> None:
    limits = structs.replace(QUICK, messages_per_second=50, messages_burst=50)
    one, two = make(limits=limits), make()
    await one.subscribe(TOPIC)
    async with running(one, two), trio.open_nursery() as nursery:
        nursery.start_soon(echo, one.serve(PROTOCOL))
        await two.subscribe(TOPIC)
        await two.connect(address_of(one))
        channel = await two.open(one.identity().peer_id, (), PROTOCOL)
        began = trio.current_time()
        for number in range(600):
            await two.publish(TOPIC, b"%d" % number)
        with trio.fail_after(PATIENCE):
            await channel.send(b"still there?")
            assert await channel.receive() == b"still there?"
        heard = one.gossip().statistics().current_buffer_used
        assert heard <= 50 + 50 * (trio.current_time() - began) + 1
        assert len(await one.peers()) == 1
        nursery.cancel_scope.cancel()


async def test_a_hung_peer_is_disconnected() -> None:
    limits = structs.replace(QUICK, ping_seconds=0.2, ping_timeout_seconds=1.0)
    one, two = make(limits=limits), make()
    async with running(one, two):
        await one.connect(address_of(two))
        assert two.child_pid is not None
        os.kill(two.child_pid, signal.SIGSTOP)
        try:
            assert (await next_event(one, up=False)).peer_id == two.identity().peer_id
        finally:
            os.kill(two.child_pid, signal.SIGCONT)


async def test_a_reader_that_does_not_take_its_messages_loses_the_channel() -> None:
    limits = structs.replace(QUICK, slow_reader_seconds=0.2)
    one, two = make(limits=limits), make()
    inbound = one.serve(PROTOCOL)
    async with running(one, two):
        channel = await two.open(one.identity().peer_id, one.identity().addresses, PROTOCOL)
        with trio.fail_after(PATIENCE):
            slow = await inbound.receive()
            with pytest.raises(ChannelClosed):
                await send_for_ever(channel, bytes(MAX_MESSAGE))
            for _ in range(CHANNEL_QUEUE):
                assert await slow.receive() == bytes(MAX_MESSAGE)
            with pytest.raises(ChannelClosed, match="in time"):
                await slow.receive()


async def test_channels_of_one_peer_are_limited_and_unserved_protocols_refused() -> None:
    limits = structs.replace(QUICK, channels_per_peer=2)
    one, two = make(limits=limits), make()
    inbound = one.serve(PROTOCOL)
    async with running(one, two):
        target = one.identity()
        kept = [await two.open(target.peer_id, target.addresses, PROTOCOL) for _ in range(2)]
        with trio.fail_after(PATIENCE):
            for channel in kept:
                await channel.send(b"first")
            ours = [await inbound.receive() for _ in range(2)]
            third = await two.open(target.peer_id, (), PROTOCOL)
            with pytest.raises(ChannelClosed):
                await third.receive()
            await kept[0].aclose()
            for channel in ours:
                assert await channel.receive() == b"first"
            ended = 0
            for channel in ours:
                with trio.move_on_after(0.5):
                    ended += await is_closed(channel)
            assert ended == 1
            fourth = await two.open(target.peer_id, (), PROTOCOL)
            await fourth.send(b"there is room again")
            assert await (await inbound.receive()).receive() == b"there is room again"
        with pytest.raises(PeerUnreachable):
            await two.open(target.peer_id, (), "/swapd/unheard-of/1")


async def test_what_cannot_work_is_refused_with_a_reason() -> None:
    node = make()
    with pytest.raises(NetworkDown):
        node.identity()
    with pytest.raises(NetworkDown):
        await node.publish(TOPIC, b"too early")
    stranger = structs.replace(node._config, allow_private=False)
    careful = Libp2pPeers(stranger, os.urandom(32))
    async with running(node, careful):
        with pytest.raises(ValueError, match="65537 bytes"):
            await node.publish(TOPIC, bytes(MAX_MESSAGE + 1))
        for wrong in ("", "nonsense", "/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1/p2p/xyz"):
            with pytest.raises(InvalidAddress):
                await node.connect(wrong)
        peer_id = careful.identity().peer_id
        with pytest.raises(PeerUnreachable):
            await node.connect(f"/ip4/127.0.0.1/tcp/1/p2p/{peer_id}")
        with pytest.raises(PeerUnreachable):
            await node.connect(f"{node.identity().addresses[0]}/p2p/{peer_id}")
        for peer in ("", "x" * 1000, "no-peer-id"):
            with pytest.raises(PeerUnreachable):
                await node.open(peer, ("/ip4/127.0.0.1/tcp/1",), PROTOCOL)
        with pytest.raises(PeerUnreachable):
            await node.open(peer_id, ("/" * 1000,), PROTOCOL)
        with pytest.raises(ValueError, match="topic"):
            await node.subscribe("t" * 1000)
        with pytest.raises(PeerUnreachable, match="no address"):
            await node.open(peer_id, (), PROTOCOL)
        with pytest.raises(PeerUnreachable, match="private"):
            await careful.open(node.identity().peer_id, node.identity().addresses, PROTOCOL)
        node.serve(PROTOCOL)
        with pytest.raises(ValueError, match="served already"):
            node.serve(PROTOCOL)


async def test_messages_are_judged_by_the_daemons_clock_even_when_it_jumps() -> None:
    ahead = 1_000_000
    node = make(clock=lambda: int(time.time()) + ahead)
    async with running(node):
        await node.publish(TOPIC, b"at:%d" % (time.time() + ahead))
        ahead *= 2
        with trio.fail_after(PATIENCE):
            while True:
                try:
                    await node.publish(TOPIC, b"at:%d" % (time.time() + ahead))
                    break
                except ValueError:
                    await trio.sleep(0.05)
