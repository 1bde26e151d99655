"""Owns what a watch shows of a chain: a leg's locks, their spends, conflicts; all from indexes.

Must not know: wallets, faults of nodes. `seen_since` is how a claim that was in the mempool and is
gone again is shown once more, as the real adapter does (safety rule 8).
"""

from typing import NamedTuple

from protocol.bitcoin.htlc import Htlc
from protocol.bitcoin.spend_view import SpentByClaim, SpentByRefund, classify_spend
from protocol.bitcoin.tx import OutPoint
from protocol.swap.facts import Conflict, LockSeen, Restriction, Spend, SpendKind
from swapd.ports import LegWatch
from tests.fakes.ledger import FakeLedger, read_tx
from tests.simulation.ledger import Ledger, Paid, SimTx


class _Kind(NamedTuple):
    kind: SpendKind
    preimage: bytes | None


class Sight:
    """One watch. Raises ValueError for terms that no lock may have."""

    def __init__(self, watch: LegWatch, since: int) -> None:
        leg = watch.leg
        self.watch = watch
        self._htlc = Htlc(leg.claim_key, leg.refund_key, watch.hashlock, leg.expiry)
        self._script = self._htlc.script_pubkey()
        self._kinds: dict[tuple[str, str], _Kind] = {}
        self._seen_since: dict[str, int] = {}
        self._since = since

    def locks(self, node: Ledger, ledger: FakeLedger, blind_until: int) -> tuple[LockSeen, ...]:
        """Every output to the leg's script since the watch's first block, oldest first. What came
        and went up to the change `blind_until` was not seen."""
        first = self.watch.since_height
        return tuple(
            self._lock(paid, node, ledger, blind_until)
            for paid in node.paying(self._script)
            if paid.depth == 0 or node.height - paid.depth + 1 >= first
        )

    def _lock(self, paid: Paid, node: Ledger, ledger: FakeLedger, blind_until: int) -> LockSeen:
        ref = paid.ref
        spender = node.spender(ref)
        spend = None
        if spender is not None:
            tx, depth = spender
            to_beat = _to_beat(node, tx) if depth == 0 else 0
            spend = self._spend(tx, ref, depth, to_beat)
        else:
            since = max(blind_until, self._seen_since.get(ref, self._since))
            spend = self._flash(ledger, ref, since)
        self._seen_since[ref] = ledger.changes
        restriction = Restriction.COINBASE if paid.is_coinbase else Restriction.NONE
        holder = node.transaction(ref[:64])
        assert holder is not None
        ours = not set(self.watch.own_inputs).isdisjoint(holder.spends)
        raw = read_tx(holder).raw
        return LockSeen(ref, paid.units, paid.depth, restriction, spend, raw, ours)

    def _spend(self, tx: SimTx, ref: str, depth: int, to_beat: int) -> Spend:
        key = (tx.txid, ref)
        known = self._kinds.get(key)
        if known is None:
            known = self._kinds[key] = _kind(self._htlc, tx, ref)
        return Spend(known.kind, tx.txid, depth, known.preimage, to_beat)

    def _flash(self, ledger: FakeLedger, ref: str, since: int) -> Spend | None:
        """The newest claim that was seen since then."""
        for when, tx in reversed(ledger.sightings.get(ref, [])):
            if when <= since:
                return None
            spend = self._spend(tx, ref, 0, 0)
            if spend.kind is SpendKind.CLAIM:
                return spend
        return None

    def conflict(self, node: Ledger) -> Conflict | None:
        """The deepest other spend of one of our own inputs."""
        found: tuple[int, str] | None = None
        for ref in self.watch.own_inputs:
            spender = node.spender(ref)
            if spender is None:
                continue
            tx, depth = spender
            old = depth and node.height - depth + 1 < self.watch.since_height
            if old or (self._script, self.watch.leg.amount.units) in tx.outputs:
                continue
            if found is None or depth > found[0]:
                found = (depth, tx.txid)
        return None if found is None else Conflict(found[1], found[0])


def _to_beat(node: Ledger, tx: SimTx) -> int:
    return sum(node.mempool[txid].fee for txid in node.pool.descendants((tx.txid,)))


def _kind(htlc: Htlc, tx: SimTx, ref: str) -> _Kind:
    outpoint = OutPoint.of(ref[:64], int(ref[65:]))
    match classify_spend(htlc, read_tx(tx).tx, outpoint):
        case SpentByClaim(preimage):
            return _Kind(SpendKind.CLAIM, preimage)
        case SpentByRefund():
            return _Kind(SpendKind.REFUND, None)
        case _:
            return _Kind(SpendKind.UNKNOWN, None)
