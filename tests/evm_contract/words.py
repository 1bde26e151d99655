"""Owns calldata, keys and values as docs/contract.md describes them, written independently of the
project's own code, so that tests hold one against the other."""

import hashlib
import random
from dataclasses import dataclass, replace
from typing import Any

from tests.evm_contract.anvil import keccak

LIVE = 1 << 255


def word(value: int | bytes) -> bytes:
    """A number or an address as 32 bytes, right-aligned."""
    return value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\x00")


def selector(signature: str) -> bytes:
    """The first four bytes of a call."""
    return keccak(signature.encode())[:4]


def call(signature: str, *arguments: int | bytes) -> bytes:
    """A call whose arguments are all single words, 32-byte ones as they are."""
    return selector(signature) + b"".join(map(word, arguments))


def call_bytes(signature: str, items: bytes, *fixed: int | bytes) -> bytes:
    """A call whose last argument is `bytes` and whose others, `fixed`, are single words."""
    head = b"".join(map(word, fixed)) + word(32 * (len(fixed) + 1))
    padded = items + bytes(-len(items) % 32)
    return selector(signature) + head + word(len(items)) + padded


@dataclass(frozen=True)
class Swap:
    """One lock's terms, with its secret."""

    locker: bytes
    receiver: bytes
    amount: int
    expiry: int
    deadline: int
    index: int
    preimage: bytes

    @property
    def hashlock(self) -> bytes:
        """SHA-256 of the preimage."""
        return hashlib.sha256(self.preimage).digest()

    @property
    def payee(self) -> bytes:
        """receiver(20) | amount(12)."""
        return self.receiver + self.amount.to_bytes(12, "big")

    @property
    def packed_entry(self) -> bytes:
        """locker(20) | index(1) | expiry(5)."""
        return self.locker + bytes([self.index]) + self.expiry.to_bytes(5, "big")

    @property
    def entry(self) -> bytes:
        """The same, as a word."""
        return self.packed_entry + bytes(6)

    @property
    def key(self) -> bytes:
        """The storage slot."""
        return word(self.locker + bytes([self.index]))

    @property
    def value(self) -> bytes:
        """What is in the slot while the swap is live."""
        digest = keccak(self.hashlock + self.payee + word(self.expiry))
        return word(int.from_bytes(digest, "big") | LIVE)

    def lock_native(self) -> bytes:
        """The call; the amount is the value sent."""
        times = self.expiry.to_bytes(5, "big") + self.deadline.to_bytes(5, "big")
        terms = self.receiver + bytes([self.index]) + times + bytes(1)
        return call("lock(uint256,uint256)", self.hashlock, terms)

    def lock_token(self) -> bytes:
        """The call; the token must have been approved."""
        return call("lock(bytes32,uint256,uint256)", self.hashlock, self.payee, self.when)

    def lock_with_permit(self, until: int, v: int, r: bytes, s: bytes) -> bytes:
        """The same call, with what the locker signed instead of an allowance."""
        return call(
            "lockWithPermit(bytes32,uint256,uint256,uint256,uint8,bytes32,bytes32)",
            self.hashlock, self.payee, self.when, until, v, r, s,
        )  # fmt: skip

    @property
    def when(self) -> bytes:
        """index(1) | expiry(5) | deadline(5)."""
        times = self.expiry.to_bytes(5, "big") + self.deadline.to_bytes(5, "big")
        return bytes([self.index]) + times + bytes(21)

    def claim(self) -> bytes:
        """The receiver's own claim."""
        return call("claim(bytes32,bytes32,uint96)", self.preimage, self.entry, self.amount)

    def claim_for(self) -> bytes:
        """Anybody's claim."""
        return call("claimFor(bytes32,bytes32,bytes32)", self.preimage, self.entry, self.payee)

    def refund(self) -> bytes:
        """Anybody's refund."""
        return call("refund(bytes32,bytes32,bytes32)", self.hashlock, self.entry, self.payee)

    def with_fee(self, what: str, relay: bytes, not_before: int, signature: bytes) -> bytes:
        """The claim or the refund with a signed fee; `signature` is r(32) | vs(32)."""
        first = self.preimage if what == "claim" else self.hashlock
        return call(
            f"{what}WithFee(bytes32,bytes32,bytes32,uint256,uint40,bytes32,bytes32)",
            first, self.entry, self.payee, relay, not_before, signature[:32], signature[32:],
        )  # fmt: skip

    def fee_digest(self, chain: int, contract: bytes, relay: bytes, not_before: int) -> bytes:
        """What the receiver signs for a claim with a fee, the locker for a refund (EIP-712)."""
        types = (
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        )
        names = keccak(b"swapd HTLC") + keccak(b"1")
        domain = keccak(keccak(types) + names + word(chain) + word(contract))
        types = b"Fee(bytes32 slot,bytes32 value,address relayer,uint96 fee,uint40 notBefore)"
        fee = word(relay[:20]) + word(relay[20:]) + word(not_before)
        return keccak(b"\x19\x01" + domain + keccak(keccak(types) + self.key + self.value + fee))

    def lock_item(self) -> bytes:
        """This lock in a batch."""
        amount = self.amount.to_bytes(12, "big")
        terms = self.receiver + bytes([self.index]) + self.expiry.to_bytes(5, "big")
        return self.hashlock + terms + amount

    def claim_item(self) -> bytes:
        """This claim in a batch of the receiver's own."""
        return self.preimage + self.packed_entry + self.amount.to_bytes(12, "big")

    def claim_for_item(self) -> bytes:
        """This claim in a batch of anybody's."""
        return self.preimage + self.packed_entry + self.payee

    def refund_item(self) -> bytes:
        """This refund in a batch."""
        return self.hashlock + self.packed_entry + self.payee

    def changed(self, **changes: Any) -> "Swap":
        """The same with other terms."""
        return replace(self, **changes)


def lock_many(swaps: list[Swap]) -> bytes:
    """All of them in one call, of either contract."""
    items = b"".join(swap.lock_item() for swap in swaps)
    return call_bytes("lockMany(uint40,bytes)", items, swaps[0].deadline)


def claim_these(swaps: list[Swap]) -> bytes:
    """The receiver's own claims in one call."""
    return call_bytes("claimThese(bytes)", b"".join(swap.claim_item() for swap in swaps))


def claim_for_many(gas_each: int, swaps: list[Swap]) -> bytes:
    """Anybody's claims in one call."""
    items = b"".join(swap.claim_for_item() for swap in swaps)
    return call_bytes("claimForMany(uint256,bytes)", items, gas_each)


def refund_many(gas_each: int, swaps: list[Swap]) -> bytes:
    """Anybody's refunds in one call."""
    items = b"".join(swap.refund_item() for swap in swaps)
    return call_bytes("refundMany(uint256,bytes)", items, gas_each)


def account(rng: random.Random) -> bytes:
    """An address without zero bytes, so that figures do not move with luck."""
    return bytes(rng.randint(1, 255) for _ in range(20))


def secret(rng: random.Random) -> bytes:
    """A preimage without zero bytes."""
    return bytes(rng.randint(1, 255) for _ in range(32))
