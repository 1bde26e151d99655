"""The worlds with a chain that has accounts, or two: everything else is that of the pure tier.

Owns: `run`, as a tier of its own, so that the worlds of older seeds stay what they were.
"""

from tests.simulation.pure import world
from tests.simulation.result import Result


def run(seed: int, *, tell: bool = False) -> Result:
    """The whole life of the mixed world of `seed`, judged."""
    return world.run(seed, tell=tell, mixed=True)
