"""What keeps a daemon from starting: one sentence that says what to do, and a stable exit code."""

import socket

import pytest
import trio

from tests.daemons.fleet import Fleet
from tests.daemons.process import SwapdProcess
from tests.functional.test_interruptions import until_health
from tests.nodes import Party

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(120)]

CONFIG, IN_USE, KEYS, CHAIN = 10, 11, 20, 40


async def said(daemon: SwapdProcess) -> tuple[int | None, str]:
    """Starts a daemon that can't start; its exit code and the end of its log."""
    await daemon.start(wait=False)
    code = await daemon.wait_ended(60)
    return code, daemon.tail(4)


@pytest.fixture
def relay(fleet: Fleet) -> SwapdProcess:
    """A daemon without chains, not started."""
    return fleet.make("stray", None)


async def test_a_second_daemon_in_one_data_directory_is_refused(
    fleet: Fleet, relay: SwapdProcess
) -> None:
    relay.write_config()
    relay.config.write_text(
        relay.config.read_text().replace(str(relay.folder), str(fleet.relay.folder))
    )
    command = relay.command("run")
    done = await trio.run_process(command, check=False, capture_stderr=True)
    assert done.returncode == IN_USE
    assert b"in use by process" in done.stderr


async def test_a_wrong_passphrase_is_told_and_changes_nothing(fleet: Fleet) -> None:
    daemon = fleet.make("locked", "taker2")
    await daemon.init()
    seed = (daemon.folder / "regtest" / "seed.enc").read_bytes()
    daemon.passphrase = "not this one"
    code, text = await said(daemon)
    assert code == KEYS
    assert "passphrase" in text
    assert (daemon.folder / "regtest" / "seed.enc").read_bytes() == seed


async def test_a_listening_port_in_use_is_told(fleet: Fleet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = fleet.make("crowded", None, settings={"p2p.listen": f"/ip4/127.0.0.1/tcp/{port}"})
        code, text = await said(daemon)
    assert code == CONFIG
    assert str(port) in text


async def test_a_misspelt_key_is_refused_with_the_right_one(fleet: Fleet) -> None:
    daemon = fleet.make("typo", None, settings={"policy.max_open_swap": "3"})
    code, text = await said(daemon)
    assert code == CONFIG
    assert "policy.max_open_swaps" in text


async def test_a_node_of_another_chain_is_refused(fleet: Fleet) -> None:
    maker = fleet.world["maker"]
    party = Party("mixed", {"BTC": maker.node("LTC"), "LTC": maker.node("LTC")}, maker.wallet)
    daemon = SwapdProcess(
        "mixed", fleet.folder / "mixed", clock=fleet.world.clock.path, party=party
    )
    await daemon.init()
    code, text = await said(daemon)
    assert code == CHAIN
    assert "bitcoin" in text.lower()


async def test_a_daemon_starts_without_its_node_and_says_what_is_wrong(fleet: Fleet) -> None:
    party = fleet.world["taker2"]
    await fleet["taker2"].stop()
    node = party.node("BTC")
    await node.stop()
    await fleet["taker2"].start()
    told = await fleet["taker2"].call("health")
    assert not told["healthy"]
    assert any(p["where"] == "BTC" and p["remedy"] for p in told["problems"])
    checked = await fleet["taker2"].call("pair.check", pair="BTC/LTC")
    assert not checked["swappable"]

    await fleet.world.restart("taker2", "BTC")
    await until_health(fleet, "taker2", healthy=True)
    assert (await fleet["taker2"].call("pair.check", pair="BTC/LTC"))["swappable"]
