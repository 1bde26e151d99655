"""Peers that are slow, silent or never stop, on direct channels: bounded, dropped, others served.

What is tested elsewhere: malformed gossip and framing, hanging streams, connections by the dozen
(tests/network/test_hostile_peers.py), the rate of gossip (tests/network/test_nodes.py), pings and
queues to slow peers (tests/network/test_patches.py).
"""

import pytest
import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.network.stream.exceptions import StreamError
from msgspec import structs

from swapd.network.limits import CHANNEL_QUEUE, NetworkLimits
from swapd.ports import Channel, ChannelClosed
from tests.network.helpers import (
    ANY_PORT,
    PATIENCE,
    PROTOCOL,
    QUICK,
    dial,
    make,
    raw_host,
    read_to_end,
    running,
    send_for_ever,
    stream_to,
)

pytestmark = pytest.mark.usefixtures("quick_processes")

SHORT: NetworkLimits = structs.replace(
    QUICK, io_timeout_seconds=0.3, channel_idle_seconds=0.3, slow_reader_seconds=0.3
)
MESSAGE = b"\x00\x00\x00\x02ok"


async def _write(stream: INetStream, data: bytes, pause: float) -> None:
    while True:
        await stream.write(data)
        await trio.sleep(pause)


async def write_for_ever(stream: INetStream, data: bytes, pause: float = 0) -> None:
    """Until the other side has closed it."""
    with trio.fail_after(PATIENCE), pytest.raises(StreamError):
        await _write(stream, data, pause)


async def test_a_channel_on_which_nothing_is_said_is_closed_and_gives_its_place_back() -> None:
    node = make(limits=structs.replace(SHORT, channels_per_peer=1))
    inbound = node.serve(PROTOCOL)
    async with running(node), raw_host() as silent:
        await dial(silent, node)
        for _ in range(2):  # the second has the place that the first had
            stream = await stream_to(silent, node, PROTOCOL)
            await stream.write(MESSAGE)
            with trio.fail_after(PATIENCE):
                channel = await inbound.receive()
                assert await channel.receive() == b"ok"
                with pytest.raises(ChannelClosed):
                    await channel.receive()
            with pytest.raises(StreamError):
                await read_to_end(stream)


async def test_a_message_that_comes_byte_by_byte_has_to_end_in_time_all_the_same() -> None:
    node = make(limits=structs.replace(SHORT, channel_idle_seconds=60.0))
    inbound = node.serve(PROTOCOL)
    async with running(node), raw_host() as dripping:
        await dial(dripping, node)
        stream = await stream_to(dripping, node, PROTOCOL)
        await stream.write(MESSAGE + (60_000).to_bytes(4, "big"))
        with trio.fail_after(PATIENCE):
            channel = await inbound.receive()
            assert await channel.receive() == b"ok"
        await write_for_ever(stream, b"x", pause=0.02)
        with pytest.raises(ChannelClosed):
            await channel.receive()


async def test_a_peer_that_never_reads_is_given_up_after_a_bounded_number_of_messages() -> None:
    node = make(limits=SHORT)
    async with running(node), raw_host(listen=ANY_PORT) as deaf:
        forever = trio.Event()

        async def never_read(_: INetStream) -> None:
            await forever.wait()

        deaf.set_stream_handler(TProtocol(PROTOCOL), never_read)
        await dial(deaf, node)
        with trio.fail_after(PATIENCE):
            channel = await node.open(str(deaf.get_id()), (), PROTOCOL)
            with pytest.raises(ChannelClosed):
                await send_for_ever(channel, bytes(60_000))
        forever.set()


async def test_a_flood_that_the_daemon_does_not_take_waits_at_the_peer_then_the_channel_ends() -> (
    None
):
    node = make(limits=structs.replace(SHORT, channel_idle_seconds=60.0))
    inbound = node.serve(PROTOCOL)
    async with running(node), raw_host() as flooding:
        await dial(flooding, node)
        stream = await stream_to(flooding, node, PROTOCOL)
        body = bytes(1000)
        await write_for_ever(stream, (len(body).to_bytes(4, "big") + body) * 20)
        taken: list[bytes] = []
        with trio.fail_after(PATIENCE), pytest.raises(ChannelClosed):
            await take_all(await inbound.receive(), taken)
        assert set(taken) == {body}
        assert len(taken) <= CHANNEL_QUEUE, "more was kept than there was credit for"


async def take_all(channel: Channel, taken: list[bytes]) -> None:
    while True:
        taken.append(await channel.receive())
