"""Calls of the HTLC contract and of tokens: the bytes that a transaction carries.

Owns: selectors and argument layouts. Must not know: transactions, gas, nodes.
Sources: protocol/evm/contract/*.sol, EIP-20, the Solidity ABI.
"""

from typing import Final

from protocol.evm.keccak import keccak256
from protocol.evm.slots import SlotTerms


def selector(signature: str) -> bytes:
    """The first four bytes of the hash of a function's signature."""
    return keccak256(signature.encode())[:4]


LOCK_NATIVE: Final = selector("lock(uint256,uint256)")
LOCK_TOKEN: Final = selector("lock(bytes32,uint256,uint256)")
CLAIM: Final = selector("claim(bytes32,bytes32,uint96)")
CLAIM_FOR: Final = selector("claimFor(bytes32,bytes32,bytes32)")
REFUND: Final = selector("refund(bytes32,bytes32,bytes32)")
APPROVE: Final = selector("approve(address,uint256)")
TRANSFER: Final = selector("transfer(address,uint256)")
BALANCE_OF: Final = selector("balanceOf(address)")
ALLOWANCE: Final = selector("allowance(address,address)")
DECIMALS: Final = selector("decimals()")
SYMBOL: Final = selector("symbol()")


def lock_native(terms: SlotTerms, deadline: int) -> bytes:
    """Locks the value of the transaction until `deadline`, later not at all."""
    times = terms.expiry.to_bytes(5, "big") + deadline.to_bytes(5, "big")
    word = terms.receiver + bytes([terms.slot]) + times + bytes(1)
    return LOCK_NATIVE + terms.hashlock + word


def lock_token(terms: SlotTerms, deadline: int) -> bytes:
    """Draws the amount from the sender until `deadline`, later not at all."""
    times = terms.expiry.to_bytes(5, "big") + deadline.to_bytes(5, "big")
    return LOCK_TOKEN + terms.hashlock + terms.payee + bytes([terms.slot]) + times + bytes(21)


def claim(terms: SlotTerms, preimage: bytes) -> bytes:
    """By the receiver itself."""
    return CLAIM + preimage + terms.entry + uint(terms.amount)


def claim_for(terms: SlotTerms, preimage: bytes) -> bytes:
    """By anybody, to the receiver."""
    return CLAIM_FOR + preimage + terms.entry + terms.payee


def refund(terms: SlotTerms) -> bytes:
    """By anybody after the expiry, to the locker."""
    return REFUND + terms.hashlock + terms.entry + terms.payee


def approve(spender: bytes, units: int) -> bytes:
    """EIP-20."""
    return APPROVE + padded(spender) + uint(units)


def transfer(to: bytes, units: int) -> bytes:
    """EIP-20."""
    return TRANSFER + padded(to) + uint(units)


def balance_of(account: bytes) -> bytes:
    """EIP-20."""
    return BALANCE_OF + padded(account)


def allowance(owner: bytes, spender: bytes) -> bytes:
    """EIP-20."""
    return ALLOWANCE + padded(owner) + padded(spender)


def padded(address: bytes) -> bytes:
    """An address as an argument."""
    return bytes(12) + address


def uint(value: int) -> bytes:
    """A number as an argument."""
    return value.to_bytes(32, "big")
