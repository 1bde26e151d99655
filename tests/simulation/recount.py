"""Owns the second opinion on a chain: everything worked out again from its blocks alone.

Shares no code with `ledger`. Must not know: mempools, indexes, what scripts mean.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple, Protocol


class _Tx(Protocol):
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


class _Block(Protocol):
    @property
    def time(self) -> int: ...
    @property
    def txs(self) -> "Sequence[_Tx]": ...


class Recount(NamedTuple):
    """`issued` base units came from nothing (grants and subsidies); `unspent` is what each ref
    holds now. `faults` says what no valid chain contains; () for a sound one."""

    issued: int
    unspent: dict[str, tuple[Hashable, int]]
    faults: tuple[str, ...]

    @property
    def total(self) -> int:
        """Units in all unspent outputs."""
        return sum(units for _, units in self.unspent.values())


def recount(blocks: "Sequence[_Block]", maturity: int = 100) -> Recount:
    """From the first block on. Coins are conserved when `total == issued` and nothing is at
    fault."""
    unspent: dict[str, tuple[Hashable, int]] = {}
    born: dict[str, tuple[int, bool]] = {}
    faults: list[str] = []
    issued = 0
    times: list[int] = []
    for height, block in enumerate(blocks):
        median = sorted(times[-11:])[len(times[-11:]) // 2] if times else 0
        if block.time <= median:
            faults.append(f"block {height} is not after the median time")
        fees = 0
        for position, tx in enumerate(block.txs):
            gone = 0
            for ref in tx.spends:
                if ref not in unspent:
                    faults.append(f"{tx.txid} in block {height} spends {ref}: not there, or spent")
                    continue
                gone += unspent.pop(ref)[1]
                made, is_coinbase = born[ref]
                if is_coinbase and height - made < maturity:
                    faults.append(f"{tx.txid} in block {height} spends the young coinbase {ref}")
            if tx.lock_time and tx.lock_time >= median:
                faults.append(f"{tx.txid} in block {height} came before its time {tx.lock_time}")
            made_units = 0
            for number, output in enumerate(tx.outputs):
                ref = f"{tx.txid}:{number}"
                if ref in unspent:
                    faults.append(f"{ref} is made twice")
                unspent[ref] = output
                born[ref] = (height, position == 0)
                made_units += output[1]
            if tx.spends:
                fees += tx.fee
                if gone != made_units + tx.fee:
                    faults.append(f"{tx.txid} in block {height} makes or loses coins")
            else:
                issued += made_units
        issued -= fees
        times.append(block.time)
    return Recount(issued, unspent, tuple(faults))
