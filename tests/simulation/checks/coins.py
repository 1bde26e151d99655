"""What became of every coin, recounted from a ledger's blocks alone.

Owns: `Books`: outputs, their spends, and everything that no chain may ever show. Must not know: the
ledger's own indexes, which are not asked, nor the code under test.
"""

import hashlib
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, Protocol


class Tx(Protocol):
    """A transaction as a block holds it."""

    @property
    def txid(self) -> str: ...
    @property
    def spends(self) -> tuple[str, ...]: ...
    @property
    def outputs(self) -> tuple[tuple[Hashable, int], ...]: ...
    @property
    def fee(self) -> int: ...
    @property
    def lock_time(self) -> int: ...
    @property
    def raw(self) -> object: ...


class Block(Protocol):
    """A block; the first transaction makes its coins."""

    @property
    def height(self) -> int: ...
    @property
    def time(self) -> int: ...
    @property
    def txs(self) -> Sequence[Tx]: ...


class Rule(NamedTuple):
    """How an output to an HTLC's script may be spent."""

    hashlock: bytes
    expiry: int


class Output(NamedTuple):
    """An output, and what spent it: `spent` is the transaction, None while nothing did."""

    ref: str
    script: Hashable
    units: int
    height: int
    is_coinbase: bool


class Books:
    """One chain, recounted. `by_block_time`: its refunds wait for the time of the block that takes
    them, not for a median."""

    def __init__(
        self,
        blocks: Sequence[Block],
        rules: Mapping[Hashable, Rule],
        *,
        by_block_time: bool = False,
    ) -> None:
        self.outputs: dict[str, Output] = {}
        self.by_script: dict[Hashable, list[Output]] = {}
        self.spent: dict[str, tuple[Tx, int]] = {}
        self.heights: dict[str, int] = {}
        self.faults: list[str] = []
        self._issued = 0
        self._fees = 0
        self._rules = rules
        self._by_block_time = by_block_time
        times: list[int] = []
        for block in blocks:
            median = sorted(times[-11:])[len(times[-11:]) // 2] if times else 0
            if by_block_time:
                median = block.time
            for index, tx in enumerate(block.txs):
                self._count(tx, block.height, median, is_coinbase=index == 0)
            times.append(block.time)
        unspent = sum(o.units for ref, o in self.outputs.items() if ref not in self.spent)
        if unspent + self._fees != self._issued:
            self.faults.append(
                f"coins: {self._issued} were made, {unspent} + {self._fees} are left"
            )

    def _count(self, tx: Tx, height: int, median: int, *, is_coinbase: bool) -> None:
        if tx.txid in self.heights:
            self.faults.append(f"{tx.txid} is mined twice")
        self.heights[tx.txid] = height
        made = sum(units for _, units in tx.outputs)
        if tx.spends:
            self._fees += tx.fee
            going_in = 0
            for ref in tx.spends:
                going_in += self._spend(ref, tx, height, median)
            if going_in != made + tx.fee:
                self.faults.append(
                    f"{tx.txid} spends {going_in}, pays {made} and a fee of {tx.fee}"
                )
        else:
            self._issued += made
        for number, (script, units) in enumerate(tx.outputs):
            output = Output(f"{tx.txid}:{number}", script, units, height, is_coinbase)
            self.outputs[output.ref] = output
            self.by_script.setdefault(script, []).append(output)

    def _spend(self, ref: str, tx: Tx, height: int, median: int) -> int:
        output = self.outputs.get(ref)
        if output is None:
            self.faults.append(f"{tx.txid} spends {ref}, which does not exist")
            return 0
        if ref in self.spent:
            self.faults.append(f"{ref} is spent by {self.spent[ref][0].txid} and by {tx.txid}")
        if output.is_coinbase and height - output.height < 100:
            self.faults.append(f"{tx.txid} spends a coinbase of height {output.height} at {height}")
        self.spent[ref] = tx, height
        rule = self._rules.get(output.script)
        if rule is not None:
            why = _why_not_allowed(rule, tx, median, timed=not self._by_block_time)
            if why:
                self.faults.append(f"{tx.txid} spends {ref}: {why}")
        return output.units

    def kind_of_spend(self, ref: str) -> str:
        """ "claim", "refund", or "" while unspent."""
        if ref not in self.spent:
            return ""
        return witness_of(self.spent[ref][0])[0]


def witness_of(tx: Tx) -> tuple[str, bytes]:
    """The path that a spend of an HTLC takes, and the preimage it shows."""
    raw = tx.raw
    if isinstance(raw, tuple) and len(raw) == 2 and raw[0] == "claim" and isinstance(raw[1], bytes):
        return "claim", raw[1]
    if isinstance(raw, tuple) and raw and raw[0] == "refund":
        return "refund", b""
    return "unknown", b""


def _why_not_allowed(rule: Rule, tx: Tx, median: int, *, timed: bool) -> str:
    kind, preimage = witness_of(tx)
    if kind == "claim":
        fits = len(preimage) == 32 and hashlib.sha256(preimage).digest() == rule.hashlock
        return "" if fits else "a claim with a wrong preimage"
    if kind == "refund":
        early = (timed and tx.lock_time < rule.expiry) or median <= rule.expiry
        return "a refund before its time" if early else ""
    return "neither claim nor refund"
