"""The scenarios that are explored.

Owns: the list. Must not know: how they are explored.
"""

from tests.simulation.explore.game import Scenario

SCENARIOS = (
    Scenario("both honest", "ip"),
    Scenario("taker honest", "i"),
    Scenario("maker honest", "p"),
    Scenario("both honest, chain P replaces", "ip", replaces=True),
    Scenario("taker honest, chain P replaces", "i", replaces=True),
    Scenario("maker honest, chain P replaces", "p", replaces=True),
    Scenario("both honest, early stamps", "ip", early=20),
    Scenario("taker honest, early stamps", "i", early=20),
    Scenario("maker honest, early stamps", "p", early=20),
    Scenario("both honest, beyond the assumptions", "ip", within=False),
    Scenario("taker honest, beyond the assumptions", "i", within=False),
    Scenario("maker honest, beyond the assumptions", "p", within=False),
    Scenario("taker honest, its clock stands still", "i", stopped=True),
    Scenario("maker honest, its clock stands still", "p", stopped=True),
    Scenario("maker honest, claims hidden, beyond", "p", within=False, fickle=True),
)

USUAL = SCENARIOS[:3]
"""Those that a short run takes."""
