"""Owns how Solidity is compiled here: the pinned solc, standard JSON in and out.

Knows where our contract's sources are and the settings they are always compiled with; nothing of
nodes, and nothing of what the contracts do.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import protocol
from tests.nodes.binaries import find_node

CONTRACT: Final = Path(protocol.__file__).parent / "evm" / "contract"
HERE: Final = Path(__file__).parent
HELPERS: Final = HERE / "sources"

_WANTED: Final = (
    "abi",
    "evm.bytecode.object",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
    "evm.methodIdentifiers",
)


def settings() -> dict[str, Any]:
    """What the contract is compiled with, from its own folder."""
    return cast("dict[str, Any]", json.loads((CONTRACT / "settings.json").read_text()))


def compile_sources(
    sources: Mapping[str, str], changes: Mapping[str, Any] | None = None, *, warnings: bool = False
) -> dict[str, Any]:
    """Contract name -> solc's answer about it, with the contract's own settings.

    `changes` replace settings of the same name. Raises RuntimeError with solc's words, also for a
    warning, unless `warnings` are no matter.
    """
    asked = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": {
            **settings()["settings"],
            **(changes or {}),
            "outputSelection": {"*": {"*": list(_WANTED)}},
        },
    }
    done = subprocess.run(
        [find_node("solc"), "--standard-json"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    said = [
        item["formattedMessage"]
        for item in answer.get("errors", [])
        if item["severity"] == "error" or not warnings
    ]
    if said:
        raise RuntimeError("\n".join(said))
    return {name: found for file in answer["contracts"].values() for name, found in file.items()}


def compiler_version() -> str:
    """The version that the solc in use reports."""
    done = subprocess.run(
        [find_node("solc"), "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout.split("Version: ")[1].strip()


def contract_sources() -> dict[str, str]:
    """The contract's own files."""
    return {name: (CONTRACT / name).read_text() for name in settings()["sources"]}


def helper_sources() -> dict[str, str]:
    """Tokens, receivers and the peer, for tests and measurements only."""
    return {path.name: path.read_text() for path in sorted(HELPERS.glob("*.sol"))}
