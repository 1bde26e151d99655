"""Compiles a mutant of the contract and lets forge look for it.

Owns: what is run against each, `Verdict`. Must not know: which mutants there are, how verdicts are
shown. The seed is always the same: a mutant that is caught once is caught always.
"""

from pathlib import Path
from typing import NamedTuple

from tests.evm_contract import forge
from tests.evm_contract.compiler import compile_sources, contract_sources
from tests.evm_contract.mutants.mutant import Mutant, mutated

FUZZ, RUNS, DEPTH = 128, 10, 500
SEED = "5"
CAMPAIGN = "CampaignTest"
PLAIN = {"viaIR": False, "optimizer": {"enabled": False}}
"""What is broken is the source: the quick way to compile it does."""


class Verdict(NamedTuple):
    """What became of a mutant: `by` is the test that caught it, empty when it survived."""

    mutant: Mutant
    by: str


def codes(mutant: Mutant | None = None) -> tuple[str, str]:
    """The creation code of both contracts, with that change or without."""
    sources = contract_sources()
    if mutant is not None:
        sources[mutant.path] = mutated(mutant, sources[mutant.path])
    compiled = compile_sources(sources, PLAIN, warnings=True)
    native, token = (
        str(compiled[name]["evm"]["bytecode"]["object"]) for name in ("NativeHtlc", "TokenHtlc")
    )
    return native, token


def look(project: Path, found: tuple[str, str]) -> str:
    """The first test that fails with that code; empty if none does."""
    for part in (("--no-match-contract", CAMPAIGN), ("--match-contract", CAMPAIGN)):
        done = forge.play(project, found, "--fail-fast", "--fuzz-seed", SEED, *part)
        if done.returncode:
            return _failed(done.stdout + done.stderr)
    return ""


def _failed(said: str) -> str:
    lines = [line for line in said.splitlines() if line.startswith("[FAIL")]
    if not lines:
        raise RuntimeError(said[-2000:])
    name = lines[0].partition("] ")[2] or lines[0]
    return name.split("(")[0].removeprefix("testFuzz_").removeprefix("test_")


def hunt(project: Path, mutant: Mutant) -> Verdict:
    """Compile it and look."""
    return Verdict(mutant, look(project, codes(mutant)))
