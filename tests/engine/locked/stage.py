"""A party of the swap stage that was restarted without its passphrase."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from swapd.engine.ahead import Ahead
from swapd.engine.locked_signer import LOCKED_SIGNER
from swapd.engine.locked_swaps import LockedSwaps
from swapd.engine.mode import Mode
from swapd.engine.world import World
from swapd.policy import Policy
from tests.engine.swaps.stage import BTC, LTC, WHO, Party, Stage
from tests.fakes.chain import FakeChain
from tests.fakes.clock import FakeEntropy
from tests.fakes.store import FakeStore


@asynccontextmanager
async def signing_ahead(*parties: Party) -> AsyncIterator[None]:
    """What the daemon runs beside its swaps."""
    async with trio.open_nursery() as nursery:
        for party in parties:
            ahead = Ahead(party.world, party.swaps)
            party.swaps.listen(ahead.follow)
            await nursery.start(ahead.run)
        yield
        nursery.cancel_scope.cancel()


@dataclass
class Locked:
    """The watcher on a party's disk, with nodes of its own making."""

    party: Party
    world: World
    swaps: LockedSwaps
    btc: FakeChain
    ltc: FakeChain

    @property
    def broadcasts(self) -> list[bytes]:
        return [*self.btc.broadcasts, *self.ltc.broadcasts]


def locked(party: Party) -> Locked:
    """A new process on the party's disk, which has no seed."""
    btc, ltc = FakeChain(party.stage.btc, party.name), FakeChain(party.stage.ltc, party.name)
    world = World(
        chains={LTC: ltc, BTC: btc},
        peers=party.peers,
        store=FakeStore(party.disk),
        signer=LOCKED_SIGNER,
        clock=party.stage.clock,
        entropy=FakeEntropy(party.name),
        policy=Policy(timing=party.world.policy.timing, exposure=party.world.policy.exposure),
        mode=Mode(locked=True),
    )
    return Locked(party, world, LockedSwaps(world), btc, ltc)


@asynccontextmanager
async def watching(watcher: Locked) -> AsyncIterator[None]:
    """The party's daemon is gone; the watcher runs in its place."""
    watcher.party.scope.cancel()
    await trio.testing.wait_all_tasks_blocked()
    async with trio.open_nursery() as nursery:
        WHO.set(watcher.party.name)
        await watcher.swaps.resume()
        await nursery.start(watcher.swaps.run)
        yield
        nursery.cancel_scope.cancel()


async def until_block(stage: Stage, done: object, most: int = 80) -> None:
    """Blocks, until `done()`."""
    for _ in range(most):
        if done():  # type: ignore[operator]  # a callable
            return
        await stage.block()
    raise AssertionError("it never came")
