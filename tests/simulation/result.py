"""What one seed came to: the same shape for every tier of the simulation.

Owns: `Result`. Must not know: tiers, worlds, how results are shown.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Result(NamedTuple):
    """`swaps` simulated; `violations` in words, empty when every promise held; `story` has one line
    per event, empty unless asked for; `tallies` count what happened (ends, moves, faults)."""

    seed: int
    swaps: int
    violations: tuple[str, ...]
    story: tuple[str, ...]
    tallies: Mapping[str, int]
