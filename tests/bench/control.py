"""The control socket: one client beside bitcoind's RPC, and fifty at once."""

import time

import trio

from swapd.control.client import open_client
from tests.bench.report import Row, milliseconds, p99, spread
from tests.daemons.process import SwapdProcess
from tests.nodes import Party

CALLS = 1_000
CLIENTS = 50
CALLS_EACH = 100


async def measure(daemon: SwapdProcess, party: Party) -> list[Row]:
    """getinfo beside getblockcount, in turn on warm connections; then many clients."""
    ours: list[float] = []
    theirs: list[float] = []
    async with open_client(daemon.socket) as client:
        for _ in range(50):
            await client.call("getinfo", {})
            await party.rpc("BTC", "getblockcount")
        for _ in range(CALLS):
            began = time.perf_counter()
            await client.call("getinfo", {})
            ours.append(time.perf_counter() - began)
            began = time.perf_counter()
            await party.rpc("BTC", "getblockcount")
            theirs.append(time.perf_counter() - began)
    rate, waits = await _many(daemon)
    return [
        Row("getinfo round trip", spread(ours), f"getblockcount {spread(theirs)}", "not slower"),
        Row(
            f"{CLIENTS} clients at once",
            f"{rate:,.0f} calls/s",
            "",
            "",
            f"p99 {milliseconds(p99(waits))}; clients on the same two cores",
        ),
    ]


async def _many(daemon: SwapdProcess) -> tuple[float, list[float]]:
    waits: list[float] = []

    async def one() -> None:
        async with open_client(daemon.socket) as client:
            for _ in range(CALLS_EACH):
                began = time.perf_counter()
                await client.call("getinfo", {})
                waits.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(CLIENTS):
            nursery.start_soon(one)
    return CLIENTS * CALLS_EACH / (time.perf_counter() - began), waits
