"""The tier of watchtowers: the engine's worlds, in which some daemons rely on towers.

Owns: nothing but its `run`. Must not know: how towers are built in (`watch`).
"""

from functools import partial

from tests.simulation.engine import world

run = partial(world.run, watched=True)
