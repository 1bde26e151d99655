"""A mutant as a value, and the files that most of them break.

Owns: `Mutant`. Must not know: which mutants there are, how one is applied or judged.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One broken rule: in `path` the text `old`, which is there exactly once, becomes `new`.

    `tiers` look for it in this order: "pure", "mixed", "engine" and "towers" worlds, "explore", the
    exploration of one swap, or "tests", the tests named in `tests`: for what no world can bring
    about because another rule stands behind this one. `only` is the name of the scenario that is
    explored, or what the names of those have in common.
    """

    name: str
    rule: str
    what: str
    path: str
    old: str
    new: str
    tiers: tuple[str, ...] = ("pure",)
    tests: tuple[str, ...] = ()
    only: str = ""


def by_tests(
    name: str, rule: str, what: str, path: str, old: str, new: str, tests: tuple[str, ...]
) -> Mutant:
    """One that only `tests` look for."""
    return Mutant(name, rule, what, path, old, new, tiers=("tests",), tests=tests)


def of_tower(name: str, what: str, path: str, old: str, new: str, tests: tuple[str, ...]) -> Mutant:
    """The same of the rule of watchtowers."""
    return by_tests(name, "22", what, path, old, new, tests)


READING = "protocol/swap/reading.py"
MACHINE = "protocol/swap/machine.py"
PENDING = "protocol/swap/pending.py"
TIMELOCKS = "protocol/swap/timelocks.py"
FEES = "protocol/swap/fees.py"
RUNNER = "swapd/engine/runner.py"
BOOK = "protocol/book.py"
MAKER = "protocol/negotiation/maker.py"
TAKER = "protocol/negotiation/taker.py"
CHECKS = "protocol/negotiation/checks.py"
SWAP_TESTS = (
    "tests/protocol/swap/test_scenarios.py",
    "tests/protocol/swap/test_gates.py",
    "tests/protocol/swap/test_hostile.py",
    "tests/protocol/swap/test_totality.py",
)
