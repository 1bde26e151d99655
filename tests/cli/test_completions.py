"""The shells' completion files are those that the commands make."""

import os
import subprocess
import sys

import pytest

from swapd.cli import completions
from tests.cli.conftest import ROOT


@pytest.mark.parametrize("name", completions.FILES)
def test_the_completion_files_are_current(name: str) -> None:
    text = (ROOT / "config" / "completions" / name).read_text(encoding="utf-8")
    again = "run: python -m swapd.cli.completions"
    assert text == completions.render(completions.FILES[name]), again
    assert "_SWAP_CLI_COMPLETE=" in text


def test_commands_are_completed() -> None:
    environ = {
        "PYTHONPATH": os.fspath(ROOT),
        "_SWAP_CLI_COMPLETE": "bash_complete",
        "COMP_WORDS": "swap-cli offer p",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-m", "swapd.cli"], env=environ, capture_output=True, check=True
    )
    assert done.stdout == b"plain,post\n"
