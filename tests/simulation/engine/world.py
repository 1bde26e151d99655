"""One world from its seed to its end: who is in it, the run, the verdict.

Owns: putting the parts together; what all of them may ask (may this daemon be away now?).
Must not know: how any part does its work.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any, Final

import structlog
import trio
import trio.testing

from protocol.assets import AssetId
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from swapd.engine import hooks
from tests.fakes.ledger import FakeLedger
from tests.fakes.wallet_keys import keys_of
from tests.simulation.engine import plan, verdict
from tests.simulation.engine.daemon import BTC, LTC, WHO, Daemon
from tests.simulation.engine.determinism import same_every_time
from tests.simulation.engine.duties import Duties
from tests.simulation.engine.network import Network
from tests.simulation.engine.referee import Referee
from tests.simulation.engine.thief import Den
from tests.simulation.engine.timeline import Timeline
from tests.simulation.engine.watch import Watch
from tests.simulation.engine.weather import Miner, StampClock
from tests.simulation.result import Result

NAMES: Final = ("ann", "bob", "cat", "dan")
LONGEST: Final = 900
"""Seconds after which every swap of a calm world must have ended."""

BLOCK: Final = 20_000
"""Vbytes of a block here: room for all that swaps want, and little more."""

BUSY: Final = 60
"""Seconds in which operators begin new things."""

ECHO: Final = 35
"""Seconds after the last end in which everybody hears of it: a heartbeat of a maker and more."""

TALK: Final = 90
"""Seconds in which a take that was begun has come to an end, one way or the other."""

COINS: Final = {BTC: 50_000_000, LTC: 4_000_000_000}
BUGS: Final = frozenset(
    {
        "swap.runner_failed", "swap.effect_broke", "swap.view_failed", "swap.listener_failed",
        "take.failed", "offer not stored for a bug",
    }
)  # fmt: skip
"""What the engine logs when it caught a bug of its own."""


class Scene:
    """Everything in one world. `over`: nothing that happens now counts any more."""

    def __init__(
        self, seed: int, clock: trio.testing.MockClock, *, tell: bool, watched: bool = False
    ) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.timeline = Timeline(clock)
        self.over = False
        self._done_since: float | None = None
        self.stamps: dict[AssetId, StampClock] = {}
        self.ledgers: dict[AssetId, FakeLedger] = {}
        for params in (BITCOIN_REGTEST, LITECOIN_REGTEST):
            self._found(params)
        self.miners = {
            asset: Miner(self, asset, ledger, self.rng, deepest=1 if asset == BTC else 2)
            for asset, ledger in self.ledgers.items()
        }
        self.referee = Referee(
            self.timeline.now, self.seen_depth, lambda a: self.miners[a].shaken, tell=tell
        )
        self.duties = Duties(self)
        self.referee.on_duty = self.duties.begin
        self.network = Network(self.timeline, self.rng)
        self.daemons: dict[str, Daemon] = {}
        self.is_calm = False
        self.calm_since = 0.0
        self._thieves_looked = 0.0
        self.begun = self.timeline.now()
        self.sees_books = self.rng.random() < 0.2
        self.broken: dict[str, float] = {}
        self.watch = Watch(self) if watched else None
        self.nursery: trio.Nursery

    def _found(self, params: Any) -> None:
        """A chain with some history: its first blocks are minutes old."""
        stamp = StampClock(self.timeline)
        stamp.shift = -15 * 10
        ledger = FakeLedger(
            params, stamp, replaces=params.replaces, block_vsize=BLOCK, mempool_limit=4 * BLOCK
        )
        for _ in range(13):
            stamp.shift += 10
            ledger.mine()
        self.stamps[params.asset_id], self.ledgers[params.asset_id] = stamp, ledger

    # --- the run ---

    async def run(self) -> None:
        """From the first daemon's start to the end of every swap."""
        async with trio.open_nursery() as nursery:
            self.nursery = nursery
            count = self.rng.randint(2, 4)
            thieves = self.rng.choice((0, 0, 1, 1, 1))
            for number, name in enumerate(NAMES[:count]):
                kind = Den if number >= count - thieves else Daemon
                self.daemons[name] = kind(self, name, Random(self.rng.random()), coins=COINS)
                if self.watch is not None:
                    self.watch.offer(self.daemons[name])
                self.daemons[name].start()
            for stamp in self.stamps.values():
                stamp.shift = 0
            plan.fill(self, self.rng)
            if self.watch is not None:
                self.watch.begin()
            phase = self.rng.choice((0.0, 0.0, 0.0, 3.0))
            self.miners[BTC].begin(5.0)
            self.miners[LTC].begin(5.0 + phase)
            await self.timeline.run(self._is_over)
            self.referee.tallies["seconds"] += int(self.timeline.now() - self.begun)
            verdict.judge(self)
            self.over = True
            nursery.cancel_scope.cancel()

    def calm_down(self) -> None:
        """From here on the world is kind."""
        self.referee.note("calm")
        self.is_calm = True
        self.calm_since = self.timeline.now()
        self.network.rough = self.network.cuts = 0.0
        self.network.tap = None
        for miner in self.miners.values():
            miner.calm_down()

    def _is_over(self) -> bool:
        age = self.timeline.now() - self.begun
        if age > LONGEST:
            return True
        if age < BUSY or (self.sees_books and not self.is_settled()):
            return False
        if not self._is_done():
            self._done_since = None
            return False
        if self._done_since is None:
            self._done_since = self.timeline.now()
        # What the last end changed in an offer must have reached the other books.
        return self.timeline.now() - self._done_since >= ECHO

    def is_settled(self) -> bool:
        """The world has been calm for long enough that all books must tell the truth."""
        return self.is_calm and self.timeline.now() - max(self.calm_since, self.begun + BUSY) > 100

    def _is_done(self) -> bool:
        # A take that is being talked about when the world ends is no promise forgotten.
        may_talk = self.timeline.now() - self.begun < BUSY + TALK
        for daemon in self.daemons.values():
            if daemon.is_honest and (daemon.disk.open or not daemon.ready):
                return False
            if daemon.is_honest and may_talk and any(daemon.ledger.held(a) for a in (BTC, LTC)):
                return False
        return True

    def after_block(self) -> None:
        """Thieves look once at what the moment's blocks brought."""
        if self._thieves_looked == self.timeline.now():
            return
        self._thieves_looked = self.timeline.now()
        for name in sorted(self.daemons):
            daemon = self.daemons[name]
            if isinstance(daemon, Den):
                for job in daemon.jobs:
                    if not job.is_over():
                        self.timeline.after(0, partial(self.nursery.start_soon, job.move))

    def after_fork(self) -> None:
        """Thieves have a word before the new branch is mined."""
        for name in sorted(self.daemons):
            daemon = self.daemons[name]
            if isinstance(daemon, Den):
                for job in daemon.jobs:
                    job.respend_now()

    # --- what the parts ask ---

    def seen_depth(self, asset: AssetId, script: bytes, units: int) -> int:
        """How deep the deepest unspent output of that script and amount is."""
        found = self.ledgers[asset].chain.unspent(script, mempool=False)
        return max([paid.depth for paid in found if paid.units == units], default=0)

    def break_for(self, name: str, what: str) -> None:
        """An assumption is broken for this daemon ("": for all) from now on."""
        self.referee.note(f"PROMISE BROKEN on purpose: {name or 'all'} {what}")
        self.referee.tallies["broken " + ("absence" if name else "reorg")] += 1
        self.broken.setdefault(name, self.timeline.now())

    def fork_too_deep(self, asset: AssetId, depth: int) -> None:
        """More blocks are undone than make a lock final."""
        self.break_for("", f"{self.ledgers[asset].params.ticker} loses {depth} blocks")
        self.miners[asset].fork(depth)

    def broken_at(self, daemon: Daemon) -> float | None:
        """Since when an assumption of this daemon's promise is broken on purpose."""
        found = [self.broken[name] for name in ("", daemon.name) if name in self.broken]
        return min(found, default=None)


@contextmanager
def _listening(scene: Scene) -> Iterator[None]:
    """Hooks and logs lead to the scene."""

    def point(name: str) -> None:
        daemon = WHO.get()
        if daemon is not None:
            daemon.at_point(name)

    def hear(_logger: object, method: str, event: Any) -> Any:
        name = str(event.get("event"))
        if method == "exception" or name in BUGS:
            scene.referee.violated(f"the engine logged a bug: {name} {event.get('exception', '')}")
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.format_exc_info, hear],
        wrapper_class=structlog.make_filtering_bound_logger(40),
        cache_logger_on_first_use=False,
    )
    hooks.observe(point)
    try:
        yield
    finally:
        hooks.observe(None)
        structlog.configure(**before)


def run(seed: int, *, tell: bool = False, watched: bool = False) -> Result:
    """The world of `seed`, from its first second to its last; `tell` keeps its story. `watched`:
    with watchtowers, and clients that rely on them."""
    clock = trio.testing.MockClock()
    keys_of.cache_clear()  # a wallet of the same name in an earlier world used other keys
    box: list[Scene] = []

    async def main() -> None:
        scene = Scene(seed, clock, tell=tell, watched=watched)
        box.append(scene)
        with _listening(scene):
            await scene.run()

    with same_every_time(seed):
        trio.run(main, clock=clock)
    referee = box[0].referee
    swaps = {swap for daemon in box[0].daemons.values() for swap in daemon.disk.journal}
    return Result(
        seed, len(swaps), tuple(referee.violations), tuple(referee.story), dict(referee.tallies)
    )
