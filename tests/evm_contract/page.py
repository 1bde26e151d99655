"""Owns where docs/contract.md has its two tables of gas."""

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "contract.md"
STARTS = ("| | native | goal |", "| check | coin | token |")


def found(number: int) -> str:
    """The table as it is written there."""
    text = PAGE.read_text()
    start = text.index(STARTS[number])
    return text[start : text.index("\n\n", start)]


def write(*tables: str) -> None:
    """Put these there instead."""
    for number, table in enumerate(tables):
        PAGE.write_text(PAGE.read_text().replace(found(number), table))
