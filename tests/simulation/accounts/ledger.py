"""Owns a blockchain with accounts and the HTLC contract, told in the words of `Ledger`.

A nonce is an output that only its account spends: whoever replaces or kills spends the same one.
Those of an account that are in an `order` are mined in it: the next waits for the one before. A
transaction to the contract waits in the mempool as a *call* that spends nothing but its nonce; what
it does is decided in the block that takes it, so that a call can be mined and come to nothing. In
its block it stands as what it did: then books and checkers read it like any other transaction. A
live slot is an unspent output to the slot's name.

Must not know: who sends calls, what they are for. Blocks carry their own time: nothing waits for a
median. A replacement of a nonce pays a tenth more for each unit of gas (as nodes ask).
"""

import hashlib
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from tests.simulation.ledger import MISSING, Block, Ledger
from tests.simulation.mempool import SimTx, fee_at

BUMP_PERCENT = 10


class Slot(NamedTuple):
    """What a slot commits to; the coins can only go to `receiver` or `locker`."""

    hashlock: bytes
    units: int
    expiry: int
    receiver: Hashable
    locker: Hashable


class LockCall(NamedTuple):
    """Makes the slot live, up to and including a block of the time `deadline`."""

    slot: Hashable
    deadline: int


class ClaimCall(NamedTuple):
    """By anybody who knows the preimage."""

    slot: Hashable
    preimage: bytes


class RefundCall(NamedTuple):
    """By anybody, in a block after the expiry."""

    slot: Hashable


class AccountLedger(Ledger):
    """`slots` are the terms behind the slots' names."""

    def __init__(
        self, *, start: int, interval: int, prefix: str, limit: int | None, history: int = 20
    ) -> None:
        """`final_height` is what the chain itself calls final: whoever owns the ledger moves it.
        `held_up` counts the times that a transaction waited for an earlier nonce."""
        self.slots: dict[Hashable, Slot] = {}
        self.final_height = -1
        self._calls: dict[str, SimTx] = {}
        self.held_up = 0
        self._orders: dict[Hashable, list[str]] = {}
        self._places: dict[str, tuple[Hashable, int]] = {}
        super().__init__(
            start=start,
            interval=interval,
            mempool_limit=limit,
            block_vsize=30_000_000,
            history=history,
            prefix=prefix,
        )

    def order(self, account: Hashable, refs: Sequence[str]) -> None:
        """These are the nonces of an account, in their order."""
        self._orders[account] = list(refs)
        self._places.update({ref: (account, number) for number, ref in enumerate(refs)})

    # --- what is asked ---

    def live(self, slot: Hashable) -> str:
        """The ref of the lock that lies in a slot; empty when none does."""
        return next((ref for ref in self._by_script.get(slot, {}) if ref not in self._spent), "")

    def waiting(self, slot: Hashable) -> list[SimTx]:
        """Calls that concern a slot and wait in the mempool."""
        return [tx for tx in self.mempool.values() if getattr(tx.raw, "slot", None) == slot]

    def late_blocks(self, deadline: int) -> int:
        """How many blocks have a later time."""
        found = 0
        for block in reversed(self.blocks):
            if block.time <= deadline:
                break
            found += 1
        return found

    # --- the mempool ---

    def _judge(self, tx: SimTx) -> tuple[str, dict[str, None]]:
        pool = self.pool
        if tx.txid in self.mempool or tx.txid in self._mined:
            return "known", {}
        why = self._why_unspendable(tx)
        if why:
            return ("nonce too low" if why == MISSING else why), {}
        if tx.fee < fee_at(self.mempool_min_rate, tx.vsize):
            return "underpriced", {}
        rivals = pool.rivals(tx)
        for txid in rivals:
            rival = pool.txs[txid]
            if 100 * tx.fee * rival.vsize < (100 + BUMP_PERCENT) * rival.fee * tx.vsize:
                return "replacement transaction underpriced", {}
        return "", pool.descendants(rivals) if rivals else {}

    def _why_invalid(self, tx: SimTx, rivals: Sequence[str]) -> str:
        """Of what comes back after a reorganisation: a call before it may go otherwise on this
        branch, and leave another sum than this one was made of."""
        spent = [self.output(ref) for ref in tx.spends]
        if None in spent:
            return MISSING
        before = sum(output[1] for output in spent if output is not None)
        if before != tx.fee + sum(units for _, units in tx.outputs):
            return MISSING
        return self._why_unspendable(tx)

    # --- blocks ---

    def _connect(self, time: int, txs: Sequence[SimTx], coinbase_to: Hashable) -> Block:
        txs = self._in_order(txs)
        done: list[SimTx] = []
        made: dict[Hashable, str] = {}
        ended: set[str] = set()
        for tx in txs:
            result = self._executed(tx, time, made, ended)
            if result is not tx:
                self._calls[tx.txid] = tx
            done.append(result)
        block = super()._connect(time, done, coinbase_to)._replace(median_time=time)
        self.blocks[-1] = block
        return block

    def _in_order(self, txs: Sequence[SimTx]) -> Sequence[SimTx]:
        """Without those that an earlier nonce is still missing for, which wait on."""
        if not self._orders:
            return txs
        left, found, used = list(txs), list[SimTx](), set[str]()
        while True:
            ready = [tx for tx in left if all(self._is_next(ref, used) for ref in tx.spends)]
            if not ready:
                self.held_up += len(left)
                return found
            found += ready
            used.update(ref for tx in ready for ref in tx.spends)
            left = [tx for tx in left if tx not in ready]

    def _is_next(self, ref: str, used: set[str]) -> bool:
        account, number = self._places.get(ref, (None, 0))
        if number == 0:
            return True
        before = self._orders[account][number - 1]
        return before in used or self.spend_in_block(before) is not None

    def _executed(self, tx: SimTx, time: int, made: dict[Hashable, str], ended: set[str]) -> SimTx:
        """What a transaction does in a block of `time`, after those that were `made` and `ended`
        in it."""
        call = tx.raw
        if not isinstance(call, LockCall | ClaimCall | RefundCall):
            return tx
        old = self.live(call.slot)
        live = made.get(call.slot) or (old if old not in ended else "")
        terms = self.slots[call.slot]
        if isinstance(call, LockCall):
            if live or time > call.deadline:
                (_, units), (back, rest), *more = tx.outputs
                return tx._replace(outputs=((back, units + rest), *more), raw=("failed",))
            made[call.slot] = f"{tx.txid}:0"
            return tx._replace(raw=("locked",))
        # A lock of this very block is not read yet: who claims so early pays for nothing.
        output = self._outputs.get(live)
        if output is None or output[1] != terms.units:
            return tx._replace(raw=("failed",))
        if isinstance(call, ClaimCall):
            opens = hashlib.sha256(call.preimage).digest() == terms.hashlock
            if not opens or len(call.preimage) != 32:
                return tx._replace(raw=("failed",))
            payee = terms.receiver
            raw: tuple[object, ...] = ("claim", call.preimage)
        elif time > terms.expiry:
            payee, raw = terms.locker, ("refund",)
        else:
            return tx._replace(raw=("failed",))
        ended.add(live)
        paid = ((payee, output[1]), *tx.outputs)
        return tx._replace(spends=(live, *tx.spends), outputs=paid, raw=raw)

    def _return_to_mempool(self, gone: Sequence[Block]) -> None:
        calls = self._calls
        super()._return_to_mempool(
            [b._replace(txs=tuple(calls.get(tx.txid, tx) for tx in b.txs)) for b in gone]
        )
