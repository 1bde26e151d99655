"""Owns standing between daemons: all of a fleet's libp2p connections go through wires of ours.

Each daemon listens at a port that nobody is told, and announces its wire instead.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import trio

from swapd.control.failures import CallError
from tests.daemons.fleet import Fleet
from tests.faults import judge
from tests.faults.steps import begin
from tests.faults.wire import Wire
from tests.functional import accounts
from tests.nodes.ports import free_port

_KEYS: Final = ("p2p.listen", "p2p.announce")
Wires = Mapping[str, Wire]


@asynccontextmanager
async def wired(fleet: Fleet, *, seed: int) -> AsyncIterator[Wires]:
    """While it is open, whoever dials a daemon dials its wire."""
    wires: dict[str, Wire] = {}
    async with trio.open_nursery() as nursery:
        for index, daemon in enumerate(fleet.all):
            wires[daemon.name] = Wire(("127.0.0.1", free_port()), seed + index)
            await nursery.start(wires[daemon.name].serve)
        try:
            for daemon in fleet.all:
                wire = wires[daemon.name]
                daemon.settings["p2p.listen"] = _address(wire.target[1])
                daemon.settings["p2p.announce"] = _address(wire.port)
            await _restart(fleet)
            yield wires
        finally:
            with trio.CancelScope(shield=True):
                for daemon in fleet.all:
                    for key in _KEYS:
                        daemon.settings.pop(key, None)
                await _restart(fleet)
            nursery.cancel_scope.cancel()


def _address(port: int) -> str:
    return f"/ip4/127.0.0.1/tcp/{port}"


async def _restart(fleet: Fleet) -> None:
    for daemon in fleet.all:
        await daemon.kill()
    await fleet.relay.start()
    bootstrap = (await fleet.relay.address(),)
    async with trio.open_nursery() as nursery:
        for daemon in fleet.daemons.values():
            daemon.bootstrap = bootstrap
            nursery.start_soon(daemon.start)


@dataclass(frozen=True)
class Bad:
    """A swap over wires that are like this from before the take until its end."""

    name: str
    delay: float = 0.0
    loss: float = 0.0
    cut: float = 0.0

    def __str__(self) -> str:
        return f"libp2p: {self.name}"

    async def run(self, fleet: Fleet) -> str:
        """How the swap ended. Raises AssertionError when anybody lost, or nothing was carried."""
        async with wired(fleet, seed=1) as wires:
            before = await accounts.balances(fleet)
            for wire in wires.values():
                wire.delay, wire.loss, wire.cut = self.delay, self.loss, self.cut
            swap_id = await _insist(fleet)
            found = await judge.verdict(fleet, before, swap_id)
            assert wires["maker"].carried
            assert wires["relay"].carried
            broken = sum(wire.broken for wire in wires.values())
            assert bool(broken) == bool(self.cut)
        return f"{found}, {broken} connections broken"


_TRIES: Final = 8


async def _insist(fleet: Fleet) -> str:
    """A take, again when the connection broke: the error says that nothing was agreed, or a swap
    that only one side has ends by itself."""
    for _ in range(_TRIES):
        try:
            return await begin(fleet)
        except CallError as error:
            if not error.retryable:
                raise
            await fleet["maker"].call("offer.cancel", every=True)
    raise AssertionError(f"no take in {_TRIES}")


ALL: Final = (
    Bad("every chunk 0.2 s late", delay=0.2),
    Bad("one chunk in five lost and sent again", delay=0.02, loss=0.2),
    Bad("one chunk in twenty breaks its connection", cut=0.05),
)
