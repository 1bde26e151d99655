"""Owns runs of forge against the code that the project ships: a project folder of their own, put
together from `forge/` and the artifacts.

The tests see the shipped bytes, not a build of the sources with other settings.
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
optimizer = true
optimizer_runs = 200

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


def _code() -> str:
    functions = "".join(
        f"    function {name}() internal pure returns (bytes memory) {{\n"
        f'        return hex"{found.creation}";\n    }}\n'
        for name, found in (("native", artifact.native()), ("token", artifact.token()))
    )
    return f"pragma solidity 0.8.30;\n\nlibrary Code {{\n{functions}}}\n"


@contextmanager
def project(*, fuzz: int, runs: int, depth: int) -> Iterator[Path]:
    """A folder that forge can test, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="forge-") as name:
        folder = Path(name)
        source = folder / "src"
        source.mkdir()
        for path in [*FORGE.glob("*.sol"), HELPERS / "Tokens.sol"]:
            shutil.copy(path, source)
        (source / "Code.sol").write_text(_code())
        config = _CONFIG.format(solc=find_node("solc"), fuzz=fuzz, runs=runs, depth=depth)
        (folder / "foundry.toml").write_text(config)
        yield folder


def test(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`forge test` in that folder, with what it says."""
    return subprocess.run(
        [find_node("forge"), "test", *arguments],
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.environ["PATH"], "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
