"""Whoever looks after a daemon: alarms reach him in every way, figures are served, a drain ends."""

import sys
from pathlib import Path

import httpx
import pytest
import trio

from swapd.api.calls import AlarmEvent, EventNotice
from swapd.control.client import Client
from tests.daemons.fleet import Fleet
from tests.daemons.process import SwapdProcess
from tests.functional.test_vanishing import begin

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(240)]


async def health(daemon: SwapdProcess) -> int:
    """The exit status of `swap-cli health`."""
    command = [sys.executable, "-m", "swapd.cli", "--socket", str(daemon.socket), "health"]
    return (await trio.run_process(command, capture_stdout=True, check=False)).returncode


async def next_alarm(client: Client, code: str) -> AlarmEvent:
    """The next event of an alarm of this code."""
    while True:
        notice = await client.notices.receive()
        event = notice.event if isinstance(notice, EventNotice) else None
        if isinstance(event, AlarmEvent) and event.alarm.code == code:
            return event


@pytest.mark.slow
async def test_an_alarm_reaches_the_socket_the_command_the_figures_and_the_exit_status(
    fleet: Fleet, tmp_path: Path
) -> None:
    out = tmp_path / "told"
    settings = {
        "alarms.command": f"/bin/sh,-c,cat >> {out}",
        "metrics.listen": "127.0.0.1:0",
    }
    daemon = fleet.make("lookout", "taker2", settings=settings)
    await daemon.start()
    port = next(e["port"] for e in reversed(daemon.events()) if e["event"] == "metrics.listening")
    node = fleet.world["taker2"].node("LTC")
    try:
        async with daemon.client() as client:
            await client.call("subscribe", {"topic": "alarms"})
            await node.stop()
            with trio.fail_after(60):
                event = await next_alarm(client, "node_down")
        assert (event.what, event.alarm.subject) == ("raised", "LTC")
        async with httpx.AsyncClient(trust_env=False) as http:
            page = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        assert 'swapd_chain_up{ticker="LTC"} 0.0' in page
        assert 'swapd_alarm{code="node_down",severity="warning",subject="LTC"} 1.0' in page
        listed = (await daemon.call("alarm.list"))["alarms"]
        assert "node_down" in {alarm["code"] for alarm in listed}
        assert await health(daemon) != 0
        with trio.fail_after(30):
            while not out.exists() or b"node_down" not in out.read_bytes():  # noqa: ASYNC110 - another process
                await trio.sleep(0.05)
    finally:
        await daemon.kill()
        await fleet.world.restart("taker2", "LTC")


@pytest.mark.slow
async def test_a_drain_finishes_what_is_open_then_the_daemon_ends_with_zero(fleet: Fleet) -> None:
    swap_id = await begin(fleet)
    taker = fleet["taker"]
    told = await taker.call("drain")
    assert [swap["swap_id"] for swap in told["open_swaps"]] == [swap_id]
    assert told["ends_at_worst"] > fleet.world.clock.now()
    assert (await taker.call("getinfo"))["state"] == "draining"
    await taker.kill()  # the order survives it
    await taker.start()
    await fleet.until_ended(swap_id)
    assert await taker.wait_ended(60) == 0
    assert await fleet.phase("maker", swap_id) == "completed"
    await taker.start()
    assert (await taker.call("getinfo"))["state"] == "running"
