"""Whole daemons of the real engine in one seeded world: `run(seed)`.

Owns: the tier's one entry. Must not know: how it is called or its results are shown.
"""

from tests.simulation.engine.world import run

__all__ = ["run"]
