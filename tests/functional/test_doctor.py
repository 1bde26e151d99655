"""The doctor on real nodes: in order, with a node down, and with no daemon at all."""

import json
import sys
from typing import Any

import pytest
import trio

from tests.daemons.fleet import Fleet
from tests.daemons.process import SwapdProcess

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(240)]


async def examined(daemon: SwapdProcess, *, running: bool) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and who is concerned by each code."""
    command = [sys.executable, "-m", "swapd.cli", "--socket", str(daemon.socket), "doctor"]
    if not running:
        command = daemon.command("doctor")
    done = await trio.run_process([*command, "--json"], capture_stdout=True, check=False)
    told: dict[str, Any] = json.loads(done.stdout)
    found: dict[str, list[str]] = {}
    for each in told["findings"]:
        found.setdefault(each["code"], []).append(each["subject"])
        assert each["remedy"]
    return done.returncode, found


async def test_the_doctor_finds_a_dead_node_with_the_daemon_and_without(fleet: Fleet) -> None:
    daemon, node = fleet["taker2"], fleet.world["taker2"].node("BTC")
    await fleet.world.pass_time(10)
    code, found = await examined(daemon, running=True)
    assert (code, found.get("replacement_unknown")) == (0, ["LTC"]), found
    assert "mode_loose" not in found, "what swapd makes itself is only for its owner"

    await node.kill()
    code, found = await examined(daemon, running=True)
    assert (code, found["node_unreachable"]) == (6, ["BTC"])
    await daemon.stop()
    daemon.seed.chmod(0o644)
    code, found = await examined(daemon, running=False)
    assert (code, found["node_unreachable"]) == (6, ["BTC"])
    assert found["mode_loose"] == [str(daemon.seed)]

    await node.start(fleet.world.clock.now())
    await node.rpc("loadwallet", fleet.world["taker2"].wallet)
    daemon.seed.chmod(0o600)
    code, found = await examined(daemon, running=False)
    assert code == 0, found
