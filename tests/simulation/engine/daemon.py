"""A whole daemon made of the real engine, which can die at any moment and be started again.

Owns: its composition (as in swapd.daemon), its disk, clock and nodes, its deaths. Must not know:
why somebody kills it, what its operator wants.

A dead process does nothing more: all its ports raise `Died`, so that nothing which its tasks still
try while they unwind can reach the world.
"""

import contextlib
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, Final

import trio

from protocol.assets import AssetId
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.signing import PublicKey
from protocol.terms import Exposure, Timing
from swapd.engine.maker import Maker
from swapd.engine.market import Market
from swapd.engine.offers import OwnOffers
from swapd.engine.reservations import Reservations
from swapd.engine.swaps import Swaps
from swapd.engine.taker import Taker
from swapd.engine.tower_talk import TowerAddress
from swapd.engine.towers import Towers, TowerSettings
from swapd.engine.world import World
from swapd.policy import Policy
from swapd.ports import StoreError
from tests.fakes.chain import FakeChain
from tests.fakes.clock import FakeEntropy
from tests.fakes.signer import FakeSigner
from tests.fakes.store import FakeDisk
from tests.simulation.engine.disks import SimStore
from tests.simulation.engine.nodes import Mood, SimNode

if TYPE_CHECKING:
    from tests.simulation.engine.world import Scene

BTC: Final = BITCOIN_REGTEST.asset_id
LTC: Final = LITECOIN_REGTEST.asset_id
PAIRS: Final = ((BTC, LTC),)
WHO: contextvars.ContextVar["Daemon | None"] = contextvars.ContextVar("who", default=None)


class Died(BaseException):
    """The process ended here. No `except Exception` may see it."""


class QuickSigner(FakeSigner):
    """Computes its maker key once, as the real signer does."""

    @cached_property
    def _own(self) -> PublicKey:
        return super().maker_key()

    def maker_key(self) -> PublicKey:
        return self._own


class WallClock:
    """What one machine believes the time is: the truth, and by how much it is wrong."""

    def __init__(self, truth: Callable[[], float], offset: float) -> None:
        self._truth = truth
        self.offset = offset
        self.jump = 0.0
        self.was_far_ahead = False
        """What it posted then is in the future of all others."""

    def now(self) -> int:
        return int(self._truth() + self.offset + self.jump)

    def now_ms(self) -> int:
        return int((self._truth() + self.offset + self.jump) * 1000)


class Daemon:
    """One operator's machine. `alive`: a process runs; `ready`: it is through its start."""

    is_honest = True

    def __init__(
        self, scene: "Scene", name: str, rng: Random, *, coins: Mapping[AssetId, int]
    ) -> None:
        self.scene = scene
        self.name = name
        self.rng = rng
        self.disk = FakeDisk()
        self.signer = QuickSigner(name)
        self.clock = WallClock(scene.timeline.now, rng.uniform(-2, 2))
        self.policy = Policy(
            timing=Timing.REGTEST, exposure=Exposure(30, 6), max_open_swaps_per_peer=8
        )
        self.alive = self.ready = False
        self.runs = 0
        self.moods: dict[AssetId, Mood] = {BTC: Mood.WELL, LTC: Mood.WELL}
        self.slips = 0.0
        self.disk_full = False
        self.store: SimStore | None = None
        self.crash_at: Callable[[str], bool] | None = None
        self.restart_after = 3.0
        self.sick_until = 0.0
        """When its last fault so far is over."""
        self.employs: tuple[TowerAddress, ...] = ()
        self.towers: Towers | None = None
        self._scope = trio.CancelScope()
        self.wallets = {asset: FakeChain(scene.ledgers[asset], name) for asset in (BTC, LTC)}
        self.nodes: dict[AssetId, SimNode] = {}
        for asset, wallet in self.wallets.items():
            wallet.grant(coins[asset], 4)

    # --- life and death ---

    def start(self) -> None:
        """A process of this daemon begins, unless one runs."""
        if not self.alive:
            self.alive = True
            self.runs += 1
            self.scene.nursery.start_soon(self._process, self.runs)

    def kill(self, restart_after: float | None) -> None:
        """kill -9; started again after so many seconds (None: never by itself)."""
        if not self.alive:
            return
        self.scene.referee.note(f"{self.name} is killed")
        self._die()
        self._scope.cancel()
        if restart_after is not None:
            self.scene.timeline.after(restart_after, self.start)

    def _die(self) -> None:
        self.alive = self.ready = False
        self.scene.network.leave(self.name)

    def _point(self, run: int, name: str) -> None:
        """A named point was reached by the process number `run`."""
        self._check_alive(run)
        if self.crash_at is not None and self.crash_at(name):
            self.crash_at = None
            self.scene.referee.note(f"{self.name} crashes at {name}")
            self.scene.referee.tallies["crash " + name.partition(":")[0]] += 1
            self._die()
            self.sicken(self.restart_after)
            self.scene.timeline.after(self.restart_after, self.start)
            raise Died(name)

    def at_point(self, name: str) -> None:
        """A hook of the engine."""
        self._point(_RUN.get(), name)

    def _check_alive(self, run: int) -> None:
        if not self.alive or run != self.runs:
            raise Died("this process is dead")

    async def _process(self, run: int) -> None:
        WHO.set(self)
        _RUN.set(run)
        try:
            with trio.CancelScope() as scope:
                self._scope = scope
                await self._engine(run)
        except BaseException as error:  # noqa: BLE001 - a process ends here, whatever the reason
            if self._is_mine(run):
                self._explain(error)
        finally:
            if self._is_mine(run):
                self._die()
                self.scene.timeline.after(self.restart_after, self.start)

    def _is_mine(self, run: int) -> bool:
        """Whether this process has not been killed: then its end is its own doing."""
        return self.alive and run == self.runs and not self.scene.over

    def _explain(self, error: BaseException) -> None:
        """A daemon may end by itself only when its disk fails while it starts."""
        leaves = _leaves(error)
        if not self.ready and all(isinstance(leaf, StoreError | trio.Cancelled) for leaf in leaves):
            self.scene.referee.note(f"{self.name} can't start: {leaves[0]}")
            return
        told = "; ".join(repr(leaf) for leaf in leaves[:3])
        self.scene.referee.violated(f"{self.name}: the daemon ended by itself: {told}")

    # --- the engine ---

    def build(self, run: int) -> World:
        """Everything that a process has in memory, new."""
        referee = self.scene.referee
        self.store = SimStore(
            self.disk,
            on_row=lambda row: referee.on_row(self, row),
            at_write=lambda moment, what: self._point(run, f"store:{moment}:{what}"),
        )
        self.store.is_full = self.disk_full
        for asset in (BTC, LTC):
            self.wallets[asset] = FakeChain(self.scene.ledgers[asset], self.name)
            self.nodes[asset] = SimNode(
                self.wallets[asset],
                self.clock,
                self.rng,
                before_broadcast=lambda raw: referee.on_broadcast(self, raw),
                died=lambda: self._check_alive(run),
            )
            self.nodes[asset].slips = self.slips
            self.nodes[asset].become(self.moods[asset])
        self.peers = self.scene.network.join(self.name)
        return World(
            chains={LTC: self.nodes[LTC], BTC: self.nodes[BTC]},
            peers=self.peers,
            store=self.store,
            signer=self.signer,
            clock=self.clock,
            entropy=FakeEntropy(f"{self.name}/{run}/{self.scene.seed}"),
            policy=self.policy,
        )

    async def _engine(self, run: int) -> None:
        world = self.build(run)
        async with trio.open_nursery() as safety:
            for node in self.nodes.values():
                await safety.start(node.run)
            self.ledger = Reservations()
            self.swaps = self.make_swaps(world)
            self.swaps.listen(self.ledger.follow)
            if self.employs:
                self._employ(world, safety)
            await safety.start(self.swaps.run)
            await self.swaps.resume()
            self.ledger.adopt(self.swaps.open())
            async with trio.open_nursery() as nursery:
                self.market = Market(world, PAIRS, epoch=1)
                await nursery.start(self.market.run)
                self.offers = OwnOffers(world, self.market, held=self.ledger.held)
                self.swaps.listen(self.offers.follow)
                await self.offers.start(self.swaps.get, self.swaps.open)
                await nursery.start(self.offers.run)
                await nursery.start(Maker(world, self.offers, self.ledger, self.swaps).run)
                self.taker = Taker(world, self.ledger, self.swaps)
                self.nursery = nursery
                self.ready = True
                await trio.sleep_forever()

    def _employ(self, world: World, nursery: trio.Nursery) -> None:
        """As swapd.daemon does, before anything is resumed."""
        settings = TowerSettings(claims=self.employs, refunds=self.employs)
        self.towers = Towers(world, settings, self.swaps)
        world.towers.guard(self.towers.hold_back)
        self.swaps.listen(self.towers.follow)
        nursery.start_soon(self.towers.run)

    def make_swaps(self, world: World) -> Any:
        """Who runs what was agreed: the real engine."""
        return Swaps(world)

    def do(self, act: Callable[[], Awaitable[None]], *, patience: int = 20) -> None:
        """The operator does something, as soon as the daemon runs."""
        started = False
        if self.ready:
            with contextlib.suppress(RuntimeError):  # the process is ending at this very moment
                self.nursery.start_soon(act)
                started = True
        if not started and patience:
            self.scene.timeline.after(5, lambda: self.do(act, patience=patience - 1))

    # --- faults ---

    def sicken(self, seconds: float) -> None:
        """A fault lasts so long from now."""
        self.sick_until = max(self.sick_until, self.scene.timeline.now() + seconds)

    def is_well(self, since: float) -> bool:
        """It runs, and nothing was wrong with it since then."""
        return self.ready and self.sick_until <= since

    def set_mood(self, asset: AssetId, mood: Mood) -> None:
        """How this daemon's node is from now on, also for the next process."""
        self.moods[asset] = mood
        if asset in self.nodes:
            self.nodes[asset].become(mood)

    def set_full(self, full: bool) -> None:
        """The disk fills up, or has room again."""
        self.disk_full = full
        if self.store is not None:
            self.store.is_full = full

    def set_slips(self, slips: float) -> None:
        """How likely single calls fail."""
        self.slips = slips
        if self.nodes:
            for node in self.nodes.values():
                node.slips = slips


_RUN: contextvars.ContextVar[int] = contextvars.ContextVar("run", default=0)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for part in error.exceptions for leaf in _leaves(part)]
    return [error]
