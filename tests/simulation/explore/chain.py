"""One chain as a small immutable value: the few transactions that matter, and how ripe refunds are.

Owns: what a mempool accepts, what a block or a reorg does to it. Must not know: parties, the
machine, who plays. Every function returns a new value, or the same one when nothing changed.

Heights are depths here, so that two moments that differ only in their height are one state. Depths
stop growing at `CAP`, which is deeper than anything asked for or undone. Of block times only one
thing matters: whether the median of the last eleven is past the expiry of the leg, which is so when
six of them are, as long as they never fall.
"""

from typing import NamedTuple

CAP = 4
"""Depths are told up to here."""

RIPE = 6
"""So many of the last eleven blocks must be past the expiry."""

VSIZE = {"lock": 153, "pay": 110, "claim": 139, "refund": 131}
"""Virtual bytes by kind; `pay` is a kill, a double spend or the operator's own payment."""

RELAY = 1000
"""The least rate, and what a replacement must add, in base units per 1000 vbytes."""


class Tx(NamedTuple):
    """`by` is the letter of the party that signed it; `spends` are coins, or the names of locks;
    `units` what a lock pays; `mark` tells a lock that can't be spent in time ("coinbase");
    `depth` 0 in the mempool."""

    name: str
    kind: str
    by: str
    spends: tuple[str, ...]
    fee: int
    units: int = 0
    mark: str = ""
    depth: int = 0


class Chain(NamedTuple):
    """`ripe` counts blocks stamped past the expiry. `txs` are sorted, oldest first. `aired` are
    locks that left a daemon and are neither in a block nor in the mempool: cheques that their
    receiver may still bring in (rule 1)."""

    replaces: bool
    ripe: int = 0
    txs: tuple[Tx, ...] = ()
    aired: tuple[Tx, ...] = ()


class Table:
    """Chains by number."""

    def __init__(self) -> None:
        self._values: list[Chain] = []
        self._numbers: dict[Chain, int] = {}

    def __getitem__(self, number: int) -> Chain:
        return self._values[number]

    def number(self, value: Chain) -> int:
        """The number of a chain: the same for equal ones."""
        number = self._numbers.setdefault(value, len(self._values))
        if number == len(self._values):
            self._values.append(value)
        return number


def find(chain: Chain, name: str) -> Tx | None:
    """That transaction, in a block or in the mempool."""
    return next((tx for tx in chain.txs if tx.name == name), None)


def spender(chain: Chain, ref: str) -> Tx | None:
    """What spends a coin or a lock."""
    return next((tx for tx in chain.txs if ref in tx.spends), None)


def with_descendants(chain: Chain, names: set[str]) -> set[str]:
    """`names` and everything that hangs on them."""
    found = set(names)
    while True:
        more = {tx.name for tx in chain.txs if tx.name not in found and found & set(tx.spends)}
        if not more:
            return found
        found |= more


def to_beat(chain: Chain, tx: Tx) -> int:
    """What it and its descendants pay."""
    names = with_descendants(chain, {tx.name})
    return sum(other.fee for other in chain.txs if other.name in names)


def _sorted(txs: list[Tx]) -> tuple[Tx, ...]:
    return tuple(sorted(txs, key=lambda tx: (-tx.depth, tx.name)))


def _aired(chain: Chain, gone: list[Tx]) -> tuple[Tx, ...]:
    """What is still a cheque once `chain.txs` stand and `gone` are in no mempool any more."""
    there = {tx.name for tx in chain.txs}
    buried = {ref for tx in chain.txs if tx.depth >= CAP for ref in tx.spends}
    cheques = {tx.name: tx for tx in (*chain.aired, *gone) if tx.kind == "lock"}
    return tuple(
        cheques[name]._replace(depth=0)
        for name in sorted(cheques)
        if name not in there and not buried & set(cheques[name].spends)
    )


def _with(chain: Chain, txs: list[Tx], gone: list[Tx]) -> Chain:
    new = chain._replace(txs=_sorted(txs))
    return new._replace(aired=_aired(new, gone))


def air(chain: Chain, tx: Tx) -> Chain:
    """It left its daemon, and got lost on the way."""
    return _with(chain, list(chain.txs), [tx])


def refusal(chain: Chain, tx: Tx, *, forced: bool = False) -> str:
    """Why the mempool does not take it, "" when it does. `forced`: who sends it pays whatever the
    replacement costs, or knows a miner."""
    if find(chain, tx.name) is not None:
        return "known"
    if tx.kind == "refund" and chain.ripe < RIPE:
        return "non-final"
    if tx.kind in {"claim", "refund"} and any(find(chain, ref) is None for ref in tx.spends):
        return "missing"
    rivals = [other for other in chain.txs if set(other.spends) & set(tx.spends)]
    if any(rival.depth for rival in rivals):
        return "spent"
    if not rivals or forced:
        return ""
    if not chain.replaces:
        return "conflict"
    least = sum(to_beat(chain, rival) for rival in rivals) + RELAY * VSIZE[tx.kind] // 1000
    return "" if tx.fee >= least else "insufficient fee"


def submit(chain: Chain, tx: Tx, *, forced: bool = False) -> Chain:
    """Into the mempool, in the place of what it replaces; a refused lock has left its daemon."""
    if refusal(chain, tx, forced=forced):
        return chain if find(chain, tx.name) is not None else air(chain, tx)
    rivals = {other.name for other in chain.txs if set(other.spends) & set(tx.spends)}
    gone = with_descendants(chain, rivals)
    kept = [other for other in chain.txs if other.name not in gone]
    return _with(chain, [*kept, tx], [other for other in chain.txs if other.name in gone])


def drop(chain: Chain, names: set[str]) -> Chain:
    """Evicted, with what hangs on them."""
    gone = with_descendants(chain, names)
    if not gone & {tx.name for tx in chain.txs}:
        return chain
    kept = [tx for tx in chain.txs if tx.name not in gone]
    return _with(chain, kept, [tx for tx in chain.txs if tx.name in gone])


def unconfirmed(chain: Chain, by: str) -> set[str]:
    """Names of the party's transactions in the mempool, with what hangs on them."""
    return with_descendants(chain, {tx.name for tx in chain.txs if not tx.depth and tx.by in by})


def _ripened(chain: Chain, *, past: bool) -> Chain:
    return chain._replace(ripe=min(chain.ripe + 1, RIPE)) if past else chain


def mine(chain: Chain, *, past: bool, without: frozenset[str] = frozenset()) -> Chain:
    """A block with the mempool but for `without`; `past` when its time is past the expiry."""
    txs = [
        tx._replace(depth=min(tx.depth + 1, CAP)) if tx.depth or tx.name not in without else tx
        for tx in chain.txs
    ]
    return _with(_ripened(chain, past=past), txs, [])


def reorg(chain: Chain, blocks: int, *, past: bool, lost: bool) -> Chain:
    """The last `blocks` blocks are replaced by one more, all of them empty and of the same times;
    what they held is in the mempool again, or `lost`."""
    undone = {tx.name for tx in chain.txs if 0 < tx.depth <= blocks}
    txs = [
        tx._replace(depth=0)
        if tx.name in undone
        else tx._replace(depth=min(tx.depth + 1, CAP) if tx.depth else 0)
        for tx in chain.txs
    ]
    back = _with(_ripened(chain, past=past), txs, [])
    return drop(back, undone) if lost else back
