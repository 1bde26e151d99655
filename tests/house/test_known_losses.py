"""Every test that docs/known-losses.md names exists, and every row names one."""

import ast
import functools
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "known-losses.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
LATER = "later, issue 5"
"""Classes of tokens, of which not all is shown yet."""


def rows() -> list[list[str]]:
    """The cells of the table, without its head."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@functools.cache
def names_in(path: str) -> frozenset[str]:
    """The functions at the top of a test module by which pytest finds its tests."""
    tree = ast.parse((PROJECT / path).read_text("utf-8"))
    functions = (n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(n.name for n in functions if n.name.startswith("test_"))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:50])
def test_a_known_loss_has_a_defence_and_tests_that_exist(row: list[str]) -> None:
    happened, defence, tests = row
    assert happened
    assert defence
    if tests == LATER:
        return
    named = NAMED.findall(tests)
    assert named
    assert NAMED.sub("", tests).strip() == "", "something that is no test"
    for path, name in named:
        assert name in names_in(path), f"{path} has no {name}"


def test_no_class_left_for_later_is_one_of_the_chains_we_have() -> None:
    later = [happened for happened, _, tests in rows() if tests == LATER]
    assert len(later) <= 1
    assert all("oken" in happened or "contract" in happened for happened in later)
