"""A leg of a swap as the contract on its chain knows it.

Owns: `LockTerms`, names of locks and of the coins that kill them, gas limits, preimages in calls.
Must not know: nodes. The contract's words are `protocol.evm.slots` and `calls`.

Gas limits are fixed, so that nothing is ever estimated with a preimage (safety rule 7): what the
contract needs at its dearest, and for tokens what a proxy with checks of its own may add. What a
transfer of a token takes is looked at before anything is locked (`Asset`), so that no claim fails
for want of gas.
"""

import hashlib
from typing import Final

from msgspec import Struct

from protocol.errors import DecodeError
from protocol.evm import calls
from protocol.evm.slots import SlotTerms, live_value, slot_key
from protocol.terms import Kind, LegTerms

GAS_PLAIN: Final = 21_000
GAS_TRANSFER: Final = 60_000
"""Of the chain's own coin, to a contract wallet too."""

GAS_NATIVE: Final = 90_000
GAS_TOKEN: Final = 250_000
GAS_APPROVE: Final = 120_000
GAS_BESIDE: Final = 60_000
"""Of a token's lock, claim or refund: all but the transfer, and room for a first-time receiver."""

MAX_SCAN: Final = 64 * 1024
"""Bytes of calldata that are searched for a preimage."""


class LockTerms(Struct, frozen=True):
    """One leg. `contract` is the HTLC's address, `token` the token's, None for the chain's own
    coin; `finalized`: the chain's own word on what is final decides its depth; `gas`: the limit of
    a lock, claim or refund."""

    swap: SlotTerms
    contract: bytes
    token: bytes | None
    finalized: bool
    gas: int = GAS_NATIVE

    @property
    def key(self) -> bytes:
        """The storage key of its slot."""
        return slot_key(self.swap.locker, self.swap.slot)

    @property
    def ref(self) -> str:
        """The name of the lock: contract, slot, and the value that its terms put there."""
        slot = f"{self.swap.locker.hex()}{self.swap.slot:02x}"
        return f"0x{self.contract.hex()}:{slot}:{live_value(self.swap).hex()}"

    def lock_call(self, deadline: int) -> tuple[int, bytes]:
        """Value and data."""
        if self.token is None:
            return self.swap.amount, calls.lock_native(self.swap, deadline)
        return 0, calls.lock_token(self.swap, deadline)

    def claim_call(self, preimage: bytes, sender: bytes) -> bytes:
        """The receiver's own form is cheaper."""
        if sender == self.swap.receiver:
            return calls.claim(self.swap, preimage)
        return calls.claim_for(self.swap, preimage)

    def refund_call(self) -> bytes:
        """Anybody's."""
        return calls.refund(self.swap)


def lock_terms(
    leg: LegTerms,
    hashlock: bytes,
    *,
    contract: bytes,
    token: bytes | None,
    gas: int = GAS_NATIVE,
) -> LockTerms:
    """Raises ValueError for a leg of another kind, or one that no lock may have."""
    if leg.kind is not Kind.EVM or len(leg.refund_key) != 21 or len(leg.claim_key) != 20:
        msg = "that is no leg of a chain with accounts"
        raise ValueError(msg)
    try:
        swap = SlotTerms(
            locker=leg.refund_key[:20],
            slot=leg.refund_key[20],
            receiver=leg.claim_key,
            amount=int(leg.amount.units),
            expiry=leg.expiry,
            hashlock=hashlock,
        )
    except DecodeError as error:
        raise ValueError(str(error)) from None
    finalized = leg.pace is not None and leg.pace.finality > 0
    return LockTerms(swap, contract, token, finalized, gas)


def coin_of(account: bytes, nonce: int) -> str:
    """The one thing of which only one version of a lock, or its kill, can ever be mined."""
    return f"0x{account.hex()}:{nonce}"


def parse_coin(coin: str) -> tuple[bytes, int]:
    """Account and nonce. Raises ValueError."""
    account, _, nonce = coin.partition(":")
    if len(account) != 42 or not account.startswith("0x") or not nonce.isascii():
        msg = f"a nonce is named <account>:<nonce>, not {coin[:80]!r}"
        raise ValueError(msg)
    if not nonce.isdigit() or len(nonce) > 20:
        msg = f"a nonce is named <account>:<nonce>, not {coin[:80]!r}"
        raise ValueError(msg)
    return bytes.fromhex(account[2:]), int(nonce)


def shown_preimage(data: bytes, hashlock: bytes) -> bytes | None:
    """The 32 bytes anywhere in a transaction that open a hashlock: also where another contract
    passes them on."""
    for start in range(min(len(data), MAX_SCAN) - 31):
        candidate = data[start : start + 32]
        if hashlib.sha256(candidate).digest() == hashlock:
            return candidate
    return None
