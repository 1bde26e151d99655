"""Clients of the control socket, and takers, that are slow, silent or never stop.

What is tested elsewhere: floods of calls, lines and replies without end, open calls, too many
clients, clients that never read (tests/control/test_limits.py), subscribers that fall behind
(tests/control/test_subscriptions.py), a taker that falls silent in the middle
(tests/engine/negotiation/test_makers_no.py).
"""

import json
import os
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from protocol.errors import Refusal
from protocol.limits import TAKE_STEP_SECONDS
from protocol.negotiation.messages import PROTOCOL_ID, Refuse, read
from swapd.control.limits import Limits
from swapd.control.server import serve
from swapd.engine.maker import MAX_CHANNELS, MAX_CHANNELS_PER_PEER, MAX_TAKES_PER_MINUTE
from swapd.ports import ChannelClosed
from tests.fakes.clock import FakeClock
from tests.fakes.operations import FakeOperations
from tests.fakes.store import FakeStore
from tests.fuzz.replays import World

PATIENCE = 20
GETINFO = b'{"jsonrpc":"2.0","id":1,"method":"getinfo"}\n'


class Door:
    """A control server and connections to it."""

    def __init__(self, nursery: trio.Nursery, path: Path) -> None:
        self._nursery = nursery
        self._path = path

    async def open(self, limits: Limits) -> None:
        async def run(task_status: trio.TaskStatus[Path]) -> None:
            await serve(
                FakeOperations(),
                FakeStore(),
                FakeClock(),
                self._path,
                on_stop=lambda: None,
                limits=limits,
                task_status=task_status,
            )

        await self._nursery.start(run)

    async def connect(self) -> trio.SocketStream:
        return await trio.open_unix_socket(os.fspath(self._path))

    async def is_served(self) -> bool:
        """Whether somebody else gets an answer now."""
        with trio.fail_after(PATIENCE):
            async with await self.connect() as other:
                await other.send_all(GETINFO)
                return b'"result"' in await other.receive_some(65_536)


@pytest.fixture
async def door(tmp_path: Path, nursery: trio.Nursery) -> Door:
    """Not open yet."""
    return Door(nursery, tmp_path / "run" / "swapd.sock")


async def test_a_request_that_comes_byte_by_byte_holds_nobody_up_and_is_answered(
    door: Door,
) -> None:
    await door.open(Limits())
    async with await door.connect() as slow:
        for byte in GETINFO[:-1]:
            await slow.send_all(bytes([byte]))
        assert await door.is_served()
        await slow.send_all(GETINFO[-1:])
        with trio.fail_after(PATIENCE):
            assert "result" in json.loads(await slow.receive_some(65_536))


async def test_a_client_that_reads_a_byte_now_and_then_is_dropped_all_the_same(door: Door) -> None:
    await door.open(Limits(stall_seconds=0.2, out_high_water=1000))
    asking = b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n' * 2000
    async with await door.connect() as slow, trio.open_nursery() as nursery:

        async def ask_for_ever() -> None:
            while True:
                await slow.send_all(asking)

        async def sip() -> None:
            while await slow.receive_some(1):  # noqa: ASYNC110 - to be slow is the point
                await trio.sleep(0.01)

        nursery.start_soon(sip)
        with trio.fail_after(PATIENCE), pytest.raises(trio.BrokenResourceError):
            await ask_for_ever()
        assert await door.is_served()
        nursery.cancel_scope.cancel()


async def test_silent_clients_take_their_places_and_no_more(door: Door) -> None:
    await door.open(Limits(clients=5))
    async with AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(await door.connect())
        for _ in range(3):
            assert await door.is_served()
            await trio.testing.wait_all_tasks_blocked(0.01)


# --- Takers -----------------------------------------------------------------------------------


@pytest.fixture
def world(mock_clock: MockClock) -> World:
    """A maker with coins and offers. Tests name `mock_clock` too, for trio to use it."""
    return World(mock_clock)


async def refusal_of(world: World, by: str, data: bytes) -> Refusal | None:
    """What `by` is told for saying this to the maker; None when it is told nothing."""
    channel = await world.stage.network.nodes[by].open("maker", (), PROTOCOL_ID)
    try:
        await channel.send(data)
        answer = read(await channel.receive())
    except ChannelClosed:
        return None
    finally:
        await channel.aclose()
        await world.settle()
    assert isinstance(answer, Refuse)
    return answer.refusal


async def test_a_stranger_that_keeps_asking_is_busy_away_for_a_minute_and_penalised(
    world: World, mock_clock: MockClock
) -> None:
    async with world.running():
        told = [
            await refusal_of(world, "stranger", b"\x91\x01")
            for _ in range(MAX_TAKES_PER_MINUTE + 1)
        ]
        assert told == [Refusal.MALFORMED] * MAX_TAKES_PER_MINUTE + [Refusal.BUSY]
        assert len(world.maker.peers.penalised) == MAX_TAKES_PER_MINUTE
        await world.take()  # others are served meanwhile
        await world.settle(61)
        assert await refusal_of(world, "stranger", b"\x91\x01") is Refusal.MALFORMED


async def test_strangers_that_open_channels_and_say_nothing_hold_a_maker_up_for_one_step(
    world: World, mock_clock: MockClock
) -> None:
    """All places taken by silence: the next is told to come back, and soon finds room."""
    async with world.running():
        before = world.everything()
        crowd = [world.stage.network.join(f"silent {n}") for n in range(MAX_CHANNELS // 2)]
        for peers in crowd:
            for _ in range(MAX_CHANNELS_PER_PEER):
                await peers.open("maker", (), PROTOCOL_ID)
        await world.settle()
        assert await refusal_of(world, "stranger", b"\x91\x01") is Refusal.BUSY
        await world.settle(TAKE_STEP_SECONDS + 1)
        await world.settle(2)
        assert world.everything() == before
        await world.take()
