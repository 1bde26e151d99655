"""A swap's one storage slot in the HTLC contract: where it is, what it holds, what that means.

Owns: `SlotTerms` and the layouts of the contract's words. Must not know: transactions, nodes.

A slot belongs to its locker. Its top bit says whether a swap is live in it; else it holds how its
last swap ended: the preimage of a claim or the hashlock of a refund, each without its top bit, so
that what is found must be tried with both. Whoever reads a slot knows the terms: a slot that holds
none of what they give holds another swap, or none.
Source: protocol/evm/contract/Htlc.sol.
"""

import hashlib
from typing import Final

from msgspec import Struct

from protocol.errors import DecodeError
from protocol.evm.keccak import keccak256

MAX_AMOUNT: Final = 2**96 - 1
MAX_TIME: Final = 2**40 - 1
KEEP_SLOTS: Final = 128
"""Slots below it stay non-zero after a swap, so that the next one in them is cheaper; the others
are cleared, and then do not tell how their swap ended."""

_TOP: Final = 1 << 255


class SlotTerms(Struct, frozen=True):
    """What a slot commits to. `locker` and `receiver` are accounts, `slot` one of the locker's,
    `expiry` unix seconds, `amount` base units."""

    locker: bytes
    slot: int
    receiver: bytes
    amount: int
    expiry: int
    hashlock: bytes

    def __post_init__(self) -> None:
        """Raises DecodeError for terms that no lock may have."""
        sizes = (len(self.locker), len(self.receiver), len(self.hashlock))
        if sizes != (20, 20, 32) or not any(self.receiver) or not any(self.locker):
            msg = "a lock is between two accounts, under a hash of 32 bytes"
            raise DecodeError(msg)
        if not 0 <= self.slot < KEEP_SLOTS:
            msg = f"a lock is in slot 0 to {KEEP_SLOTS - 1}, not {self.slot}"
            raise DecodeError(msg)
        if not 0 < self.amount <= MAX_AMOUNT or not 0 < self.expiry <= MAX_TIME:
            msg = "an amount has at most 96 bits, a time 40, and neither is 0"
            raise DecodeError(msg)

    @property
    def entry(self) -> bytes:
        """locker(20) | slot(1) | expiry(5) | zeros(6)."""
        return self.locker + bytes([self.slot]) + self.expiry.to_bytes(5, "big") + bytes(6)

    @property
    def payee(self) -> bytes:
        """receiver(20) | amount(12)."""
        return self.receiver + self.amount.to_bytes(12, "big")


class Live(Struct, frozen=True):
    """These very terms are locked."""


class Claimed(Struct, frozen=True):
    """Ended by a claim, which left the preimage."""

    preimage: bytes


class Refunded(Struct, frozen=True):
    """Ended by a refund."""


class Other(Struct, frozen=True):
    """Nothing of these terms: not yet locked, or the slot went on to something else."""


Reading = Live | Claimed | Refunded | Other


def slot_key(locker: bytes, slot: int) -> bytes:
    """The 32-byte storage key of one of a locker's slots."""
    return bytes(11) + locker + bytes([slot])


def live_value(terms: SlotTerms) -> bytes:
    """What the slot holds while the swap is live."""
    committed = terms.hashlock + terms.payee + terms.expiry.to_bytes(32, "big")
    return (int.from_bytes(keccak256(committed), "big") | _TOP).to_bytes(32, "big")


def is_live(value: bytes) -> bool:
    """Whether any swap is live in a slot that holds `value`."""
    return value[0] >= 0x80


def read_slot(terms: SlotTerms, value: bytes) -> Reading:
    """What 32 bytes of storage say of a swap."""
    if is_live(value):
        return Live() if value == live_value(terms) else Other()
    for candidate in (value, _with_top(value)):
        if hashlib.sha256(candidate).digest() == terms.hashlock:
            return Claimed(candidate)
    return Refunded() if value == _without_top(terms.hashlock) else Other()


def _with_top(value: bytes) -> bytes:
    return bytes([value[0] | 0x80]) + value[1:]


def _without_top(value: bytes) -> bytes:
    return bytes([value[0] & 0x7F]) + value[1:]
