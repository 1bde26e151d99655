"""Breadth first through all states of one scenario, half tick by half tick.

Owns: the visited sets, counts, the way back to the start, the bound on time.
Must not know: what a move is, what is right.

Time never goes back, so what was visited is remembered for one half tick only. Every state is
followed to the end of the swap, also by the calm continuation (no disturbance left or none taken):
that none is still open at the horizon shows that an end is reached from every state.
"""

from array import array
from typing import NamedTuple

from tests.simulation.explore.game import HALF, Game, Next, Scenario, World

HORIZON = 620
"""Seconds after the agreement at which every swap has ended: T_I, the headers that a refund waits,
its depth, the longest absence, and a hundred seconds for what came in between."""

MANY = 3
"""Violations of one kind that are told."""


class Violation(NamedTuple):
    """What is wrong, and the events that led there, one a line."""

    fault: str
    story: tuple[str, ...]


class Result(NamedTuple):
    """What a search visited. `depth` disturbances, `seconds` of the swap until the last end,
    `complete` False when it stopped at its limit of states."""

    scenario: Scenario
    depth: int
    states: int
    transitions: int
    ends: int
    seconds: int
    complete: bool
    violations: tuple[Violation, ...]


class Search:
    """One scenario with at most `depth` disturbances, at most `limit` states; `hasty` stops after
    the half tick of the first violation."""

    def __init__(self, scenario: Scenario, depth: int, limit: int, *, hasty: bool = False) -> None:
        self.game = Game(scenario, depth)
        self.limit = limit
        self.hasty = hasty
        self.transitions = 0
        self.ends = 0
        self.violations: list[Violation] = []
        self._faults: dict[str, int] = {}
        self._parents = array("q", [-1])
        self._labels = array("q", [0])
        self._times = array("i", [scenario.start])
        self._words: dict[str, int] = {"": 0}
        self._texts = [""]

    def run(self) -> Result:
        """Until every state has ended, or the limit."""
        game = self.game
        layer = {game.begin(): 0}
        layer = self._phase(layer, "acts")
        while layer and game.now < HORIZON and not self._is_enough():
            layer = self._closure(layer, unseen=True)
            game.advance()
            layer = self._closure(self._phase(layer, "blocks"), unseen=False)
            layer = self._phase(layer, "acts")
        complete = not layer or game.now >= HORIZON
        if complete:
            for node in list(layer.values())[:1]:
                self._violated("no end is reached", node)
        return Result(
            game.scenario,
            game.depth,
            len(self._parents),
            self.transitions,
            self.ends,
            game.now,
            complete,
            tuple(self.violations),
        )

    def _is_enough(self) -> bool:
        return len(self._parents) >= self.limit or (self.hasty and bool(self.violations))

    def _phase(self, layer: dict[World, int], phase: str) -> dict[World, int]:
        found: dict[World, int] = {}
        successors = self.game.acts if phase == "acts" else self.game.blocks
        for world, node in layer.items():
            for step in successors(world):
                self.transitions += 1
                if step.world in found and not step.faults:
                    continue
                new = self._node(node, step)
                if step.faults:
                    for fault in step.faults:
                        self._violated(fault, new)
                elif phase == "acts" and self.game.is_over(step.world):
                    found[step.world] = -1
                    self.ends += 1
                else:
                    found[step.world] = new
        return {world: node for world, node in found.items() if node >= 0}

    def _closure(self, layer: dict[World, int], *, unseen: bool) -> dict[World, int]:
        found = dict(layer)
        waiting = list(layer)
        while waiting:
            world = waiting.pop()
            node = found[world]
            for step in self.game.sends(world, unseen=unseen):
                self.transitions += 1
                if step.world not in found:
                    found[step.world] = self._node(node, step)
                    waiting.append(step.world)
        return found

    def _node(self, parent: int, step: Next) -> int:
        label = self._words.setdefault(step.label, len(self._texts))
        if label == len(self._texts):
            self._texts.append(step.label)
        self._parents.append(parent)
        self._labels.append(label)
        self._times.append(self.game.now)
        return len(self._parents) - 1

    def _violated(self, fault: str, node: int) -> None:
        count = self._faults[fault] = self._faults.get(fault, 0) + 1
        if count <= MANY:
            self.violations.append(Violation(fault, self._story(node)))

    def _story(self, node: int) -> tuple[str, ...]:
        lines: list[str] = []
        while node > 0:
            text = self._texts[self._labels[node]]
            if text:
                lines.append(f"{self._times[node]:4} s  {text}")
            node = self._parents[node]
        return tuple(reversed(lines))


def explore(scenario: Scenario, depth: int, limit: int = 1 << 62, *, hasty: bool = False) -> Result:
    """All states of `scenario` with at most `depth` disturbances."""
    return Search(scenario, depth, limit, hasty=hasty).run()


assert HORIZON % HALF == 0
