"""`./dev gas checks`: what each check of the contract costs, measured by leaving it out.

Owns: which checks, and their table. Must not know: what the calls cost beside a peer (`gas`).
"""

import random
from typing import NamedTuple

import msgspec

from protocol.evm.contract import artifact
from tests.evm_contract import build, gas
from tests.evm_contract.anvil import running_anvil
from tests.evm_contract.compiler import compile_sources, contract_sources
from tests.evm_contract.deployed import Deployed
from tests.evm_contract.mutants.mutant import HTLC, NATIVE, TOKEN, Mutant, mutated

LOCK = "lock again keep"
CLAIM = "claim keep"


class Check(NamedTuple):
    """A check, the call that pays for it, and the source without it."""

    what: str
    call: str
    without: tuple[Mutant, ...]


def _cut(path: str, old: str, new: str = "") -> Mutant:
    return Mutant(old, path, old, new)


CHECKS = (
    Check(
        "a lock's deadline and expiry",
        LOCK,
        (_cut(HTLC, "        if (late) revert TooLate();\n"),),
    ),
    Check(
        "receiver and amount of a lock",
        LOCK,
        (_cut(HTLC, "        if (bad) revert BadTerms();\n"),),
    ),
    Check(
        "the slot is not live",
        LOCK,
        (
            _cut(HTLC, "        if (live) revert Occupied();\n"),
            _cut(HTLC, "            live := slt(sload(key), 0)\n"),
        ),
    ),
    Check(
        "what arrived is measured",
        LOCK,
        (
            _cut(TOKEN, "        uint256 before = _balance();\n"),
            _cut(TOKEN, "        uint256 then = _balance();\n"),
            _cut(TOKEN, "if (then - before != amount) revert NotReceived();"),
        ),
    ),
    Check(
        "no lock within a lock",
        LOCK,
        (
            _cut(TOKEN, "        uint256 mine = gasleft();\n        drawing = mine;\n"),
            _cut(TOKEN, "        if (drawing != mine) revert Reentered();\n"),
        ),
    ),
    Check(
        "the token's answer, in a lock or an end",
        LOCK,
        (
            _cut(
                TOKEN,
                "default { yes := and(yes, and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1))) }",
                "default { }",
            ),
        ),
    ),
    Check(
        "the answer of SHA-256, in a claim",
        CLAIM,
        (
            _cut(HTLC, "                ok := and(ok, eq(returndatasize(), 0x20))\n"),
            _cut(HTLC, "ok := staticcall(gas(), 2", "pop(staticcall(gas(), 2"),
            _cut(HTLC, "0x20, 0x00, 0x20)\n            }", "0x20, 0x00, 0x20))\n            }"),
        ),
    ),
    Check(
        "the payment of coins, in a claim",
        CLAIM,
        (_cut(NATIVE, "        if (!ok) revert PayoutFailed();\n"),),
    ),
)


def _codes(without: tuple[Mutant, ...]) -> dict[str, artifact.Artifact]:
    sources = contract_sources()
    for mutant in without:
        sources[mutant.path] = mutated(mutant, sources[mutant.path])
    compiled = compile_sources(sources, warnings=True)
    return {
        name: msgspec.json.decode(build.artifact(compiled[name]), type=artifact.Artifact)
        for name in ("NativeHtlc", "TokenHtlc")
    }


def _measured(without: tuple[Mutant, ...], call: str) -> tuple[int, int]:
    codes = _codes(without)
    rng = random.Random(5)
    with running_anvil() as node:
        there = Deployed.on(node, codes["NativeHtlc"], codes["TokenHtlc"])
        native, token = (
            gas.singles(gas.Side(there, rng, token=token))[call] for token in (False, True)
        )
    return native, token


def table() -> str:
    """As markdown."""
    lines = ["| check | coin | token |", "|---|---:|---:|"]
    whole = {call: _measured((), call) for call in (LOCK, CLAIM)}
    for check in CHECKS:
        cells = (
            f"{before - without:,}" if before != without else ""
            for before, without in zip(
                whole[check.call], _measured(check.without, check.call), strict=True
            )
        )
        lines.append(f"| {check.what} | {' | '.join(cells)} |")
    return "\n".join(lines)
