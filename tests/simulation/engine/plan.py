"""What a seed means: who takes part, what goes wrong and when.

Owns: every draw that shapes a world before it begins. Must not know: how faults are done.
"""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from tests.simulation.engine.daemon import BTC, LTC, Daemon
from tests.simulation.engine.lies import Liar
from tests.simulation.engine.nodes import Mood
from tests.simulation.engine.operators import Operator

if TYPE_CHECKING:
    from tests.simulation.engine.world import Scene

TROUBLE_ENDS: Final = 230.0
"""Seconds after which the world is calm."""

LONG: Final = 24.0
"""Seconds: an absence that the terms (30 s) allow, with time to look around between two."""

SHORT: Final = 4.0
"""An absence that no rule forbids at any moment."""


MOODS: Final = tuple(mood for mood in Mood if mood is not Mood.WELL)


class Trouble:
    """The faults of one honest daemon, each within what the promise assumes."""

    def __init__(self, daemon: Daemon, rng: Random) -> None:
        self._daemon = daemon
        self._scene: Scene = daemon.scene
        self._rng = rng
        self._away_until = 0.0

    def begin(self, count: int) -> None:
        """Draws so many faults between now and the calm."""
        kinds: tuple[Callable[[], None], ...] = (
            self._node, self._node, self._crash_soon, self._crash_soon, self._crash_soon,
            self._killed, self._full, self._slips, self._clock, self._network, self._operator,
        )  # fmt: skip
        for _ in range(count):
            # Most of a swap's life is its first two minutes.
            when = self._rng.uniform(1, self._rng.choice((120.0, TROUBLE_ENDS - LONG)))
            self._scene.timeline.after(when, self._rng.choice(kinds))

    def _absence(self) -> float | None:
        """How long this daemon may be away from now on; None: not at all, it just was."""
        now = self._scene.timeline.now()
        if now < self._away_until + 15:
            return None
        wanted = self._rng.choice((1.0, SHORT, LONG, LONG))
        seconds = min(wanted, self._scene.duties.may_be_away(self._daemon, wanted, SHORT))
        self._away_until = now + seconds
        self._daemon.sicken(seconds)
        return seconds

    def _tell(self, what: str) -> None:
        self._scene.referee.tallies["fault " + what.partition(" for ")[0]] += 1
        self._scene.referee.note(f"{self._daemon.name}: {what}")

    def _node(self) -> None:
        seconds = self._absence()
        if seconds is None:
            return
        mood = self._rng.choice(MOODS)
        for asset in self._rng.choice(((BTC,), (LTC,), (BTC, LTC))):
            self._daemon.set_mood(asset, mood)
            self._scene.timeline.after(seconds, partial(self._daemon.set_mood, asset, Mood.WELL))
        self._tell(f"a node is {mood.value} for {seconds:.0f} s")

    def _crash_soon(self) -> None:
        """At one of the next points that it passes."""
        points, wanted = (
            self._rng.randint(1, 7),
            self._rng.choice(("", "journal", "store", "effect")),
        )

        def is_here(name: str) -> bool:
            nonlocal points
            if wanted and not name.startswith(wanted):
                return False
            points -= 1
            return points <= 0

        self._daemon.restart_after = self._rng.choice((0.5, SHORT))
        self._daemon.crash_at = is_here

    def _killed(self) -> None:
        seconds = self._absence()
        if seconds is not None:
            self._tell(f"killed for {seconds:.0f} s")
            self._daemon.kill(seconds)

    def _full(self) -> None:
        seconds = self._absence()
        if seconds is not None:
            self._tell(f"disk full for {seconds:.0f} s")
            self._daemon.set_full(True)
            self._scene.timeline.after(seconds, lambda: self._daemon.set_full(False))

    def _slips(self) -> None:
        self._tell("calls slip")
        self._daemon.sicken(40)
        self._daemon.set_slips(self._rng.choice((0.02, 0.1)))
        self._scene.timeline.after(40, lambda: self._daemon.set_slips(0.0))

    def _clock(self) -> None:
        """Ahead by as much as it likes; behind by little, or by so much that it shows."""
        shift = self._rng.choice((-3600, -600, -1, 1, 600, 3600, 4 * 3600))
        seconds = self._rng.choice((5, 40))
        self._tell(f"clock off by {shift} s")
        self._daemon.sicken(seconds)
        self._daemon.clock.jump = shift
        self._daemon.clock.was_far_ahead |= shift >= 600
        self._scene.timeline.after(seconds, lambda: setattr(self._daemon.clock, "jump", 0))

    def _network(self) -> None:
        others = [name for name in sorted(self._scene.daemons) if name != self._daemon.name]
        other, seconds = self._rng.choice(others), self._rng.choice((2, 20, 90))
        self._tell(f"parted for {seconds} s")
        network = self._scene.network
        network.part(self._daemon.name, other)
        self._scene.timeline.after(seconds, lambda: network.heal(self._daemon.name, other))

    def _operator(self) -> None:
        operator = Operator(self._daemon)
        act = self._rng.choice(
            (
                operator.withdraw,
                operator.give_up,
                operator.give_up,
                lambda: operator.meddle(bump=True),
                lambda: operator.meddle(bump=False),
            )
        )
        act()


def break_a_promise(scene: "Scene", rng: Random) -> None:
    """Breaks an assumption of the promise on purpose: then, and only then, coins may be lost."""
    when = rng.uniform(60, 200)
    if rng.random() < 0.5:
        asset = rng.choice((BTC, LTC))
        deep = rng.randint(3, 6)
        scene.timeline.after(when, lambda: scene.fork_too_deep(asset, deep))
        return
    name = rng.choice(sorted(scene.daemons))
    daemon, seconds = scene.daemons[name], rng.uniform(100, 400)

    def vanish() -> None:
        scene.break_for(name, f"was away for {seconds:.0f} s")
        daemon.sicken(seconds)
        daemon.kill(seconds)

    scene.timeline.after(when, vanish)


def fill(scene: "Scene", rng: Random) -> None:
    """Puts offers, takes and faults on the timeline."""
    names = sorted(scene.daemons)
    makers = rng.sample(names, rng.randint(1, max(1, len(names) - 1)))
    for name in makers:
        for _ in range(rng.randint(2, 3)):
            operator, sells_ltc = Operator(scene.daemons[name]), rng.random() < 0.6
            scene.timeline.after(
                rng.uniform(0.5, 3),
                partial(operator.post, sells_ltc=sells_ltc),
            )
    takers = [name for name in names if name not in makers] or names
    for _ in range(rng.randint(3, 7)):
        operator = Operator(scene.daemons[rng.choice(takers if rng.random() < 0.9 else names)])
        scene.timeline.after(rng.uniform(4, 40), operator.take)
    if rng.random() < 0.15:
        scene.calm_down()
        return
    if rng.random() < 0.12:
        break_a_promise(scene, rng)
    thieves = frozenset(name for name in names if not scene.daemons[name].is_honest)
    if thieves and rng.random() < 0.6:
        liar = Liar(scene, rng, thieves, rng.choice((0.03, 0.15)))
        scene.network.tap = liar.tap
        for _ in range(rng.randint(0, 12)):
            scene.timeline.after(rng.uniform(5, TROUBLE_ENDS), liar.gossip)
    scene.network.rough = rng.choice((0.0, 0.1, 0.4))
    scene.network.cuts = rng.choice((0.0, 0.0, 0.02, 0.1))
    for miner in scene.miners.values():
        miner.wild = rng.random() < 0.7
        miner.grudge = rng.choice((0.0, 0.0, 0.3))
    for name in names:
        if scene.daemons[name].is_honest:
            Trouble(scene.daemons[name], rng).begin(rng.choice((0, 1, 3, 6, 9)))
    scene.timeline.after(TROUBLE_ENDS, scene.calm_down)
