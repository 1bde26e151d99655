"""What one watch has found so far, and the facts that follow from it. No I/O.

Owns: `WatchState`: the blocks scanned for one leg, what was in them, and how it is undone when
they leave the chain. Must not know: nodes, how blocks are fetched.
"""

from collections.abc import Iterable
from typing import assert_never

from msgspec import Struct

from protocol.bitcoin.errors import BitcoinError
from protocol.bitcoin.htlc import Htlc, lock_outputs
from protocol.bitcoin.scan import contains_outpoint, contains_script
from protocol.bitcoin.spend_view import SpentByClaim, SpentByRefund, SpentUnknown, classify_spend
from protocol.bitcoin.tx import Mweb, OutPoint, Transaction, parse_tx
from protocol.swap.facts import Conflict, LockSeen, Restriction, Spend, SpendKind
from protocol.terms import LegTerms
from swapd.ports import LegWatch


class SeenTx(Struct, frozen=True):
    """A transaction as read: parsed, its raw bytes, and its id as nodes print it."""

    tx: Transaction
    raw: bytes
    txid: str


class _Lock(Struct, frozen=True):
    height: int
    units: int
    restriction: Restriction
    raw: bytes
    ours: bool


class _Spend(Struct, frozen=True):
    height: int
    txid: str
    kind: SpendKind
    preimage: bytes | None


def htlc_of(leg: LegTerms, hashlock: bytes) -> Htlc:
    """The HTLC of a leg. Raises HtlcError (a ValueError) for terms that no lock may have."""
    return Htlc(leg.claim_key, leg.refund_key, hashlock, leg.expiry)


def parse_ref(ref: str) -> OutPoint:
    """`<txid>:<index>` as an outpoint. Raises ValueError."""
    txid, _, index = ref.partition(":")
    if not index.isascii() or not index.isdigit() or len(index) > 10:
        msg = f"an output is named <txid>:<index>, not {ref[:90]!r}"
        raise ValueError(msg)
    return OutPoint.of(txid, int(index))


class WatchState:
    """Facts of one watch. `hashes` are the scanned blocks, the first at `watch.since_height`."""

    def __init__(self, watch: LegWatch) -> None:
        """Raises ValueError for terms or inputs that are malformed."""
        self.watch = watch
        self.htlc = htlc_of(watch.leg, watch.hashlock)
        self.script = self.htlc.script_pubkey()
        self.own_inputs = frozenset(parse_ref(ref) for ref in watch.own_inputs)
        self.hashes: list[str] = []
        self._locks: dict[OutPoint, _Lock] = {}
        self._spends: dict[OutPoint, _Spend] = {}
        self._conflicts: dict[str, int] = {}

    @property
    def cursor(self) -> int:
        """Height of the last scanned block; one below `since_height` when there is none."""
        return self.watch.since_height + len(self.hashes) - 1

    @property
    def outpoints(self) -> frozenset[OutPoint]:
        """Every output whose spending matters: locks found in blocks, and our own inputs."""
        return self.own_inputs.union(self._locks)

    @property
    def unsettled(self) -> frozenset[OutPoint]:
        """Those of `outpoints` that no scanned block spends."""
        return frozenset(self.outpoints - self._spends.keys())

    @property
    def has_lock(self) -> bool:
        """Whether some scanned block holds an output of the agreed amount to the script."""
        agreed = self.watch.leg.amount.units
        return any(lock.units == agreed for lock in self._locks.values())

    def matches(self, raw: bytes) -> bool:
        """Whether a raw block or transaction may concern this watch. A miss is certain."""
        return contains_script(raw, self.script) or any(
            contains_outpoint(raw, outpoint) for outpoint in self.outpoints
        )

    def add_block(self, block_hash: str) -> None:
        """The block after the cursor is scanned; its transactions were given to `add_tx`."""
        self.hashes.append(block_hash)

    def add_tx(self, seen: SeenTx, height: int, restriction: Restriction) -> None:
        """One transaction of the block that is being scanned, in the order of the block."""
        for outpoint, spend in _spends(self.htlc, seen, self._locks):
            self._spends[outpoint] = _Spend(height, seen.txid, spend.kind, spend.preimage)
        outputs = lock_outputs(seen.tx, self.htlc)
        for index in outputs:
            outpoint = OutPoint.of(seen.txid, index)
            units = seen.tx.outputs[index].amount
            self._locks[outpoint] = _Lock(
                height, units, restriction, _replayable(seen), self._touches_own(seen.tx)
            )
        if self._is_conflict(seen.tx):
            self._conflicts[seen.txid] = height

    def drop_block(self) -> None:
        """The last scanned block is not in the best chain any more: forget what it held."""
        gone = self.cursor
        self.hashes.pop()
        self._locks = {o: lock for o, lock in self._locks.items() if lock.height < gone}
        self._spends = {o: spend for o, spend in self._spends.items() if spend.height < gone}
        self._conflicts = {t: height for t, height in self._conflicts.items() if height < gone}

    def locks(self, tip_height: int, mempool: Iterable[SeenTx]) -> tuple[LockSeen, ...]:
        """Every output to the script, oldest first, with its spend; mempool ones at depth 0."""
        pool = tuple(mempool)
        found = [
            LockSeen(
                ref=str(outpoint),
                units=lock.units,
                depth=tip_height - lock.height + 1,
                restriction=lock.restriction,
                spend=self._spend_of(outpoint, tip_height, pool),
                raw=lock.raw,
                ours=lock.ours,
            )
            for outpoint, lock in self._locks.items()
        ]
        for seen in pool:
            for index in lock_outputs(seen.tx, self.htlc):
                outpoint = OutPoint.of(seen.txid, index)
                if outpoint not in self._locks:
                    found.append(
                        LockSeen(
                            ref=str(outpoint),
                            units=seen.tx.outputs[index].amount,
                            depth=0,
                            spend=self._spend_of(outpoint, tip_height, pool),
                            raw=_replayable(seen),
                            ours=self._touches_own(seen.tx),
                        )
                    )
        return tuple(found)

    def conflict(self, tip_height: int, mempool: Iterable[SeenTx]) -> Conflict | None:
        """The deepest other spend of one of our own inputs."""
        if self._conflicts:
            txid, height = min(self._conflicts.items(), key=lambda item: item[1])
            return Conflict(txid, tip_height - height + 1)
        for seen in mempool:
            if self._is_conflict(seen.tx):
                return Conflict(seen.txid, 0)
        return None

    def _is_conflict(self, tx: Transaction) -> bool:
        """It spends a coin of our lock and is no version of it: nothing pays the exact amount."""
        paid = {tx.outputs[index].amount for index in lock_outputs(tx, self.htlc)}
        return self._touches_own(tx) and self.watch.leg.amount.units not in paid

    def _touches_own(self, tx: Transaction) -> bool:
        return any(txin.outpoint in self.own_inputs for txin in tx.inputs)

    def _spend_of(
        self, outpoint: OutPoint, tip_height: int, pool: tuple[SeenTx, ...]
    ) -> Spend | None:
        mined = self._spends.get(outpoint)
        if mined is not None:
            depth = tip_height - mined.height + 1
            return Spend(mined.kind, mined.txid, depth, mined.preimage)
        for seen in pool:
            for _, spend in _spends(self.htlc, seen, [outpoint]):
                return spend
        return None


def read_tx(raw: bytes) -> SeenTx | None:
    """A transaction, or None for one that this package cannot hold: it has no transparent inputs
    (wholly inside MWEB), or an output of more than 21 million coins. Neither spends a lock."""
    try:
        tx = parse_tx(raw)
    except BitcoinError:
        return None
    return SeenTx(tx, raw, tx.txid().hex())


def _replayable(seen: SeenTx) -> bytes:
    """The raw bytes, if any node would take them again."""
    return seen.raw if seen.tx.mweb is Mweb.NONE else b""


def _spends(
    htlc: Htlc, seen: SeenTx, outpoints: Iterable[OutPoint]
) -> Iterable[tuple[OutPoint, Spend]]:
    """How `seen` spends each of `outpoints` that it spends, at depth 0."""
    for outpoint in outpoints:
        match classify_spend(htlc, seen.tx, outpoint):
            case None:
                continue
            case SpentByClaim(preimage):
                yield outpoint, Spend(SpendKind.CLAIM, seen.txid, 0, preimage)
            case SpentByRefund():
                yield outpoint, Spend(SpendKind.REFUND, seen.txid, 0)
            case SpentUnknown():
                yield outpoint, Spend(SpendKind.UNKNOWN, seen.txid, 0)
            case unreachable:
                assert_never(unreachable)
