"""What is around a swap breaks while it runs: network process, relay, node, the daemon itself."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import trio

from swapd.control.failures import CallError
from tests.daemons.fleet import Fleet
from tests.daemons.process import SwapdProcess
from tests.functional import accounts
from tests.functional.test_vanishing import begin, leg_reaches

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(240)]


def network_child(daemon: SwapdProcess) -> int:
    """The process id of a daemon's network process."""
    children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
    found = [
        int(pid)
        for pid in children
        if b"swapd.network" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(found) == 1, children
    return found[0]


async def until_health(fleet: Fleet, name: str, *, healthy: bool) -> dict[str, Any]:
    """Waits until a daemon is healthy, or not; returns what it says."""
    with trio.fail_after(30):
        found = await fleet[name].call("health")
        while found["healthy"] != healthy:
            await trio.sleep(0.05)
            found = await fleet[name].call("health")
    told: dict[str, Any] = found
    return told


async def test_killed_network_processes_and_a_dead_relay_cost_a_running_swap_nothing(
    fleet: Fleet,
) -> None:
    """The relay that comes back is the same to all who have it in their configuration."""
    before, known = await accounts.balances(fleet), await fleet.relay.address()
    swap_id = await begin(fleet)
    await fleet.relay.kill()
    for name in ("maker", "taker"):
        os.kill(network_child(fleet[name]), signal.SIGKILL)
    await leg_reaches(fleet, "taker", swap_id, "p", "confirmed")
    await fleet.relay.start()
    assert await fleet.relay.address() == known
    await fleet.until_ended(swap_id)
    assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("completed", "completed")
    await accounts.check(fleet, before, swap_id)
    for name in ("maker", "taker"):
        assert network_child(fleet[name])
    await fleet.post("maker", "2 LTC", buy="BTC", price="0.01", seen_by=["taker", "taker2"])


async def test_a_killed_network_process_comes_back_and_offers_flow_again(fleet: Fleet) -> None:
    old = network_child(fleet["maker"])
    os.kill(old, signal.SIGKILL)
    await fleet.post("maker", "2 LTC", buy="BTC", price="0.01", seen_by=["taker"])
    assert network_child(fleet["maker"]) != old


async def test_both_stopped_in_the_middle_tell_what_is_open_and_go_on_where_they_were(
    fleet: Fleet,
) -> None:
    """The maker by a signal, the taker by its socket."""
    before = await accounts.balances(fleet)
    swap_id = await begin(fleet)
    standing = await fleet.post("maker", "1 LTC", buy="BTC", price="0.02", seen_by=["taker2"])
    await leg_reaches(fleet, "maker", swap_id, "i", "confirmed")
    assert await fleet["maker"].stop() == 0
    await fleet.until_gone("taker2", standing, seconds=20)
    told = [e for e in fleet["maker"].events() if e["event"] == "daemon.open_swap"][-1]
    assert told["swap"] == swap_id
    assert told["safe_unattended_until"] > fleet.world.clock.now()
    await fleet["maker"].start()

    await leg_reaches(fleet, "taker", swap_id, "p", "confirmed")
    answer = await fleet["taker"].call("stop")
    assert [row["swap_id"] for row in answer["open_swaps"]] == [swap_id]
    assert await fleet["taker"].wait_ended() == 0
    await fleet["taker"].start()

    await fleet.until_ended(swap_id)
    assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("completed", "completed")
    await accounts.check(fleet, before, swap_id)
    for name in ("maker", "taker"):
        names = [event["event"] for event in fleet[name].events()]
        last_start = len(names) - 1 - names[::-1].index("daemon.resumed")
        assert fleet[name].events()[last_start]["swaps"] == 1
        assert "daemon.ready" in names[last_start:]


async def test_a_node_that_restarts_in_the_middle_delays_a_swap_and_nothing_else(
    fleet: Fleet,
) -> None:
    before = await accounts.balances(fleet)
    swap_id = await begin(fleet)
    await leg_reaches(fleet, "maker", swap_id, "i", "confirmed")
    node = fleet.world["maker"].node("LTC")
    await node.stop()
    told = await until_health(fleet, "maker", healthy=False)
    assert any(problem["where"] == "LTC" for problem in told["problems"])
    with pytest.raises(CallError) as refused:
        await fleet["maker"].call("address", asset="LTC")
    assert (refused.value.name, refused.value.retryable) == ("node_unreachable", True)

    await fleet.world.restart("maker", "LTC")
    await until_health(fleet, "maker", healthy=True)
    await fleet.until_ended(swap_id)
    assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("completed", "completed")
    await accounts.check(fleet, before, swap_id)


@pytest.mark.slow
async def test_the_offers_of_a_killed_maker_leave_the_books_within_ninety_seconds(
    fleet: Fleet,
) -> None:
    offer_id = await fleet.post("maker", "2 LTC", buy="BTC", price="0.01", seen_by=["taker"])
    await fleet["maker"].kill()
    await fleet.until_gone("taker", offer_id, seconds=90)


async def test_a_maker_that_comes_back_after_kill_publishes_its_offers_again(
    fleet: Fleet,
) -> None:
    await fleet.post("maker", "2 LTC", buy="BTC", price="0.01", seen_by=["taker"])
    await fleet["maker"].kill()
    await fleet["maker"].start()
    [own] = (await fleet["maker"].call("offer.list"))["offers"]
    await fleet.until_listed("taker", own["offer"]["offer_id"])
    swap_id = await fleet.take("taker", own["offer"]["offer_id"], "1 LTC")
    await fleet.until_ended(swap_id)
    assert await fleet.phase("taker", swap_id) == "completed"


async def test_no_log_line_of_any_daemon_holds_the_passphrase_or_a_preimage(fleet: Fleet) -> None:
    swap_id = await begin(fleet)
    swap = await fleet.until_phase("taker", swap_id, "completed")
    await fleet.until_ended(swap_id)
    claim = next(t for t in swap["legs"][1]["transactions"] if t["what"] == "claim")
    tx = await fleet.world.funder.rpc("LTC", "getrawtransaction", claim["txid"], True)
    preimage = tx["vin"][0]["txinwitness"][0]
    assert len(preimage) == 64
    for daemon in fleet.all:
        text = daemon.log.read_text()
        assert preimage not in text
        assert "only for tests" not in text
    assert preimage not in json.dumps({**swap, "legs": []})
