"""Owns the artifacts: what is compiled from the sources and kept in the project, and where.

`./dev contract build` writes them; a test compiles again and compares byte for byte.
"""

import json
from pathlib import Path
from typing import Any

from tests.evm_contract.compiler import (
    CONTRACT,
    HERE,
    compile_sources,
    contract_sources,
    helper_sources,
)


def _immutables(compiled: dict[str, Any]) -> list[int]:
    """Where the runtime code holds the constructor's argument: 32 bytes from each of these on."""
    references = compiled["evm"]["deployedBytecode"]["immutableReferences"]
    return sorted(place["start"] for places in references.values() for place in places)


def artifact(compiled: dict[str, Any]) -> str:
    """The text of an artifact file."""
    found = {
        "abi": compiled["abi"],
        "selectors": compiled["evm"]["methodIdentifiers"],
        "creation": compiled["evm"]["bytecode"]["object"],
        "runtime": compiled["evm"]["deployedBytecode"]["object"],
        "immutables": _immutables(compiled),
    }
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


def artifacts() -> dict[Path, str]:
    """File -> what must be in it."""
    ours = compile_sources(contract_sources())
    tokens = compile_sources({"Tokens.sol": helper_sources()["Tokens.sol"]})
    return {
        CONTRACT / "NativeHtlc.json": artifact(ours["NativeHtlc"]),
        CONTRACT / "TokenHtlc.json": artifact(ours["TokenHtlc"]),
        HERE / "TestToken.json": artifact(tokens["TestToken"]),
    }


def write() -> None:
    """Compile and write all of them."""
    for path, text in artifacts().items():
        path.write_text(text)
