"""docs/cli.md, made from the commands: `python -m swapd.cli.docs [FILE]`.

Owns: the layout. A test fails when the file in the repository is not what this makes.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from swapd.cli import exits
from swapd.cli.main import cli

_WIDTH = 90

_INTRODUCTION = """\
# swap-cli

<!-- Made by `python -m swapd.cli.docs`; a test checks that it is current. -->

`swap-cli` talks to a running `swapd` through its control socket ([rpc.md](rpc.md)). Begin with
`swap-cli guide`: it leads from an empty directory to a first swap by questions.

- **Which daemon.** `--socket`, or `--network` and `--datadir`, or the configuration that the daemon
  itself reads, or the only daemon there is under `~/.local/share/swapd`.
- **Amounts** are numbers with a ticker: `--sell 0.5 BTC` or `"0.5 BTC"`. They are exact: more
  digits than the coin has are refused, nothing is rounded.
- **Ids** may be cut short to their first digits, at least 4, as long as only one begins so.
- **Money moves only after a yes.** Commands that move it show what will happen and ask, unless
  `--yes`; where nobody can be asked (a pipe, `--json`) they refuse without `--yes`.
- **Repeating.** `--key` makes a repeated command happen once, for example after a lost connection.
- **For programs.** `--json` prints one JSON value a line and nothing else, errors too
  (`{"error": {...}}`); `swap watch --json` prints a line for each change. Colours and live views
  are for terminals only; `NO_COLOR` is heeded.
"""


def render() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, "## Exit codes\n\n" + "\n".join(_codes())]
    parts += [f"## {path}\n\n```\n{text}\n```" for path, text in _pages(cli, "swap-cli")]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _codes() -> Iterator[str]:
    yield "| code | meaning |"
    yield "|---|---|"
    for code, words in exits.WORDS.items():
        yield f"| {code} | {words} |"


def _pages(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command,
        info_name=path,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        help_option_names=["-h", "--help"],
    )
    with context as c:
        yield path, command.get_help(c)
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _pages(command.commands[name], f"{path} {name}")


def main() -> int:
    """Writes the page to the named file (default docs/cli.md)."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/cli.md")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
