"""Owns runs of forge: a project folder of their own, put together from `forge/`, and the code that
the tests create the contracts from.

That is what the project ships, not a build of the sources with other settings; or a mutant of it,
for which the tests need not be compiled again.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from protocol.evm.contract import artifact
from tests.evm_contract.compiler import HELPERS, HERE
from tests.nodes.binaries import find_node

FORGE = HERE / "forge"

_CONFIG = """\
[profile.default]
src = "src"
test = "src"
libs = []
solc = "{solc}"
evm_version = "cancun"
offline = true
optimizer = false  # quick to compile

[profile.default.fuzz]
runs = {fuzz}

[profile.default.invariant]
runs = {runs}
depth = {depth}
check_interval = 100  # of all slots at once; each call is checked by itself
fail_on_revert = true
shrink_run_limit = 0
dictionary_weight = 0  # the handler hashes what it gets
include_storage = false
include_push_bytes = false
show_metrics = false
"""


@contextmanager
def project(*, fuzz: int, runs: int, depth: int) -> Iterator[Path]:
    """A folder that forge can test, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="forge-") as name:
        folder = Path(name)
        source = folder / "src"
        source.mkdir()
        for path in [*FORGE.glob("*.sol"), HELPERS / "Tokens.sol"]:
            shutil.copy(path, source)
        config = _CONFIG.format(solc=find_node("solc"), fuzz=fuzz, runs=runs, depth=depth)
        (folder / "foundry.toml").write_text(config)
        yield folder


def shipped() -> tuple[str, str]:
    """The creation code of both contracts."""
    return artifact.native().creation, artifact.token().creation


def play(folder: Path, codes: tuple[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """`forge test` in that folder, of these `codes`, with what it says."""
    native, token = codes
    return subprocess.run(
        [find_node("forge"), "test", *words],
        cwd=folder,
        env={
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "NO_COLOR": "1",
            "NATIVE_HTLC": "0x" + native,
            "TOKEN_HTLC": "0x" + token,
        },
        capture_output=True,
        text=True,
        check=False,
    )
