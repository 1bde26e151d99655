"""Owns outages: of a node, of a daemon's network process. Knows nothing of swaps."""

import enum
import os
import signal

from tests.daemons.fleet import Fleet
from tests.faults import pace
from tests.functional.test_interruptions import network_child
from tests.nodes import Chain, Node


class Outage(enum.StrEnum):
    """What befalls a node while a block or two come."""

    RESTARTED = "restarted"
    KILLED = "killed, its mempool lost"
    STALLED = "stalled"


async def endure(fleet: Fleet, party: str, chain: Chain, outage: Outage, *, blocks: int) -> None:
    """A party's node is out while `blocks` blocks come on both chains, and then is back."""
    node = fleet.world[party].node(chain)
    match outage:
        case Outage.RESTARTED:
            await node.stop()
        case Outage.KILLED:
            await node.kill()
            (node.datadir / "regtest" / "mempool.dat").unlink(missing_ok=True)
        case Outage.STALLED:
            await stall(fleet, node, party, blocks)
            return
    await _pass(fleet, party, blocks)
    await fleet.world.restart(party, chain)


async def stall(fleet: Fleet, node: Node, party: str, blocks: int) -> None:
    """Stops the process in its tracks. Nobody else may wait for it meanwhile."""
    process = node._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    node._process = None  # the world takes it for one that is down
    try:
        await _pass(fleet, party, blocks)
    finally:
        node._process = process
        process.send_signal(signal.SIGCONT)
    await node.set_time(fleet.world.clock.now())
    await fleet.world.connect()


async def _pass(fleet: Fleet, party: str, blocks: int) -> None:
    for _ in range(blocks):
        await pace.settle(fleet, blind=[party], patience=2)
        await fleet.world.pass_time(10)


def kill_network(fleet: Fleet, *names: str) -> None:
    """kill -9 of the network processes of these daemons."""
    for name in names:
        os.kill(network_child(fleet[name]), signal.SIGKILL)
