"""The checkers of the simulation share nothing with what they check."""

import ast
from pathlib import Path

import pytest

SIMULATION = Path(__file__).resolve().parents[1] / "simulation"
CHECKERS = sorted((SIMULATION / "checks").rglob("*.py"))
THEIR_OWN = "tests.simulation.checks"
PLAIN = {"collections", "dataclasses", "functools", "hashlib", "math", "typing"}


@pytest.mark.parametrize("path", CHECKERS, ids=lambda path: path.name)
def test_a_checker_imports_nothing_of_the_code_it_checks(path: Path) -> None:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module or "")
    strangers = {n for n in names if n.split(".")[0] not in PLAIN and not n.startswith(THEIR_OWN)}
    assert strangers == set()


def test_there_are_checkers() -> None:
    assert {"coins.py", "doors.py", "ends.py", "acting.py"} <= {path.name for path in CHECKERS}
