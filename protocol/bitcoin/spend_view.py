"""What a transaction that spends our lock did, read from its witness.

Owns: `SpendView` and the search for preimages in anything seen on a chain.
Must not know: depth, which side we are, what to do about it.

Position alone is never believed (safety.md, Script): a claim is a witness whose script is the
HTLC's, whose first item is 32 bytes and hashes to the hashlock; a refund is one whose script is the
HTLC's, whose first item has the form of a signature, in a transaction that the script's lock time
lets pass. Its second item is usually empty, but need not be: that a failing signature must be
empty (NULLFAIL, BIP146) is relay policy, and a miner can ignore it. Anything else is unknown, which
a valid chain cannot contain for our script; the caller raises the alarm.
"""

from collections.abc import Iterator
from hashlib import sha256

from msgspec import Struct

from protocol.bitcoin.htlc import PREIMAGE_BYTES, Htlc
from protocol.bitcoin.tx import OutPoint, Transaction, TxInput

_WITNESS_ITEMS = 3
_FINAL = 0xFFFFFFFF
_PUSH_32 = bytes([PREIMAGE_BYTES])


class SpentByClaim(Struct, frozen=True):
    """The claimer took the coins and showed this 32-byte preimage."""

    preimage: bytes


class SpentByRefund(Struct, frozen=True):
    """The locker took the coins back."""


class SpentUnknown(Struct, frozen=True):
    """It spends the lock in a way our script does not allow. `detail` is for the log."""

    detail: str


SpendView = SpentByClaim | SpentByRefund | SpentUnknown


def classify_spend(htlc: Htlc, tx: Transaction, outpoint: OutPoint) -> SpendView | None:
    """How `tx` spends the lock at `outpoint`; None when it does not."""
    index = tx.input_spending(outpoint)
    if index is None:
        return None
    txin = tx.inputs[index]
    if len(txin.witness) != _WITNESS_ITEMS:
        return SpentUnknown(f"a witness of {len(txin.witness)} items, not {_WITNESS_ITEMS}")
    first, _, script = txin.witness
    if script != htlc.witness_script():
        return SpentUnknown("the witness script is not that of the lock")
    if htlc.is_preimage(first):
        # Whatever the second item is: a preimage once seen is known, and is used.
        return SpentByClaim(first)
    if not _is_signature(first):
        return SpentUnknown(f"{len(first)} bytes that are neither the preimage nor a signature")
    if tx.lock_time < htlc.expiry or txin.sequence == _FINAL:
        return SpentUnknown(f"a refund that its lock time {tx.lock_time} does not allow")
    return SpentByRefund()


def _is_signature(item: bytes) -> bool:
    """The form of DER with a sighash byte, as consensus demands it (BIP66)."""
    return 9 <= len(item) <= 73 and item[0] == 0x30 and item[1] == len(item) - 3


def find_preimage(tx: Transaction, hashlock: bytes) -> bytes | None:
    """The preimage of `hashlock` if any input of `tx` shows it, whatever it spends (safety.md 8).

    Witness items, and data pushed in a scriptSig, are searched: one preimage claims every output
    under its hashlock, ours or not, and once public it is usable.
    """
    for txin in tx.inputs:
        for candidate in _candidates(txin):
            if len(candidate) == PREIMAGE_BYTES and sha256(candidate).digest() == hashlock:
                return candidate
    return None


def _candidates(txin: TxInput) -> Iterator[bytes]:
    """Everything of an input that could be a preimage."""
    yield from (item for item in txin.witness if len(item) == PREIMAGE_BYTES)
    at = txin.script_sig.find(_PUSH_32)
    while at >= 0:
        yield txin.script_sig[at + 1 : at + 1 + PREIMAGE_BYTES]
        at = txin.script_sig.find(_PUSH_32, at + 1)
