"""Shell completions of swap-cli: `python -m swapd.cli.completions [FOLDER]`.

Owns: the files in config/completions. A test fails when they are not what this makes.
"""

import re
import sys
from pathlib import Path

from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from swapd.cli.main import cli

FILES: dict[str, type[ShellComplete]] = {
    "swap-cli.bash": BashComplete,
    "_swap-cli": ZshComplete,
    "swap-cli.fish": FishComplete,
}
_VARIABLE = "_SWAP_CLI_COMPLETE"


def render(kind: type[ShellComplete]) -> str:
    """One shell's file. It asks swap-cli itself at each press of the key, so it is never out of
    date with the commands."""
    shell = kind(cli, {}, "swap-cli", _VARIABLE)
    # Not `source()`: for bash that looks for a bash on this machine.
    text = re.sub(r"[ \t]+$", "", shell.source_template % shell.source_vars(), flags=re.MULTILINE)
    return text.strip() + "\n"


def main() -> int:
    """Writes all of them into the named folder (default config/completions)."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "config/completions")
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in FILES.items():
        (folder / name).write_text(render(kind), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
