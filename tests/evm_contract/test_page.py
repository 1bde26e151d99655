"""docs/contract.md has a page for each function, and quotes tests that exist."""

import re

import pytest

from protocol.evm.contract import artifact
from tests.evm_contract import gas, page
from tests.evm_contract.compiler import HERE

PAGE = page.PAGE.read_text()
NEAR = 60
"""What random bytes that happen to be zero move a figure by."""


def test_every_function_has_its_page() -> None:
    names = {
        signature.split("(")[0]
        for found in (artifact.native(), artifact.token())
        for signature in found.selectors
    }
    assert names == set(re.findall(r"^## `(\w+)`$", PAGE, re.MULTILINE))


def test_what_the_page_quotes_are_tests_that_forge_runs() -> None:
    sources = [path.read_text() for path in (HERE / "forge").glob("*.t.sol")]
    tests = set(re.findall(r"function test(?:Fuzz)?_(\w+)\(", "".join(sources)))
    quoted = {" ".join(words.split()) for words in re.findall(r'(?<=[( ])"([^"]+)"(?=[,)])', PAGE)}
    assert {name.replace(" ", "_") for name in quoted} == tests


def _figures(table: str) -> dict[str, list[int]]:
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    return {
        f"{number} {row[0].strip()}": [
            int(row[column].replace(",", "").strip() or 0) for column in (1, 3)
        ]
        for number, row in enumerate(rows[2:])
    }


@pytest.mark.slow  # compiles the peer
def test_the_table_of_gas_is_what_is_measured() -> None:
    written = _figures(page.found(0))
    measured = _figures(gas.table(gas.measure()))
    assert written.keys() == measured.keys()
    for name, figures in written.items():
        for ours, now in zip(figures, measured[name], strict=True):
            assert abs(ours - now) <= NEAR, name
