"""Every command that README.md and docs/ show can be typed as it stands there."""

import re
import shlex
from pathlib import Path

import click
import pytest

from swapd.cli.app import App
from swapd.cli.main import cli as tree
from swapd.commands import cli as daemon
from tests.cli.conftest import ROOT

PAGES = (
    "README.md",
    "docs/money.md",
    "docs/operate.md",
    "docs/how-it-works.md",
    "docs/runbook.md",
    "docs/towers.md",
)
STANDS_FOR = {"OFFER": "0f" * 32, "SWAP": "5a" * 32, "ID": "5a" * 32}


def shown(page: Path, program: str) -> list[str]:
    """The commands between backticks on a page."""
    return re.findall(rf"`({program} [^`]+)`", page.read_text(encoding="utf-8"))


def entered(command: click.Command, words: list[str], *, whole: bool) -> None:
    """Parses a command line down to its last command. Raises click.UsageError."""
    context = click.Context(
        command, obj=App({}, interactive=False), help_option_names=["-h", "--help"]
    )
    while isinstance(command, click.Group):
        assert words, "a group is no command"
        name = words.pop(0)
        assert name in command.commands, name
        command = command.commands[name]
    if whole or words:
        command.make_context(command.name, words, parent=context)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_exist(page: str) -> None:
    for line in shown(ROOT / page, "swap-cli"):
        words = [STANDS_FOR.get(word, word) for word in shlex.split(line)[1:]]
        if words[-1] == "--help":
            words.pop()
        entered(tree, words, whole=False)
    for line in shown(ROOT / page, "swapd"):
        entered(daemon, shlex.split(line)[1:], whole=False)


def test_the_commands_in_readmes_table_are_whole() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(r"\| to \| type \|\n(.+?)\n\n", text, re.DOTALL)
    assert table
    lines = re.findall(r"`(swap-cli [^`]+)`", table.group(1))
    assert len(lines) > 15
    for line in lines:
        words = [STANDS_FOR.get(word, word) for word in shlex.split(line)[1:]]
        entered(tree, words, whole=True)
