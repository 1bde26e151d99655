"""A fee for whoever sends a claim or refund in our place, signed ahead: EIP-712.

Owns: the digest that is signed and the calls that carry it. Must not know: keys, when one is paid.
Source: protocol/evm/contract/Htlc.sol (claimWithFee, refundWithFee), EIP-712, EIP-2098.

The fee is taken from the swap it is signed for, and from nothing else: slot and value name its
terms. Before `not_before` nobody is paid, so that dearer fees become good one after another.
"""

from typing import Final

from msgspec import Struct

from protocol.errors import DecodeError
from protocol.evm import calls
from protocol.evm.keccak import keccak256
from protocol.evm.slots import MAX_AMOUNT, MAX_TIME, SlotTerms, live_value, slot_key

DOMAIN_TYPE: Final = (
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
NAME: Final = b"swapd HTLC"
VERSION: Final = b"1"
FEE_TYPE: Final = b"Fee(bytes32 slot,bytes32 value,address relayer,uint96 fee,uint40 notBefore)"
ANYBODY: Final = bytes(20)

CLAIM_WITH_FEE: Final = calls.selector(
    "claimWithFee(bytes32,bytes32,bytes32,uint256,uint40,bytes32,bytes32)"
)
REFUND_WITH_FEE: Final = calls.selector(
    "refundWithFee(bytes32,bytes32,bytes32,uint256,uint40,bytes32,bytes32)"
)


class Fee(Struct, frozen=True):
    """`units` of the leg's own asset for `relayer` (ANYBODY: whoever sends it), from `not_before`
    (unix seconds) on."""

    units: int
    relayer: bytes = ANYBODY
    not_before: int = 0

    def __post_init__(self) -> None:
        """Raises DecodeError for a fee that the contract can't pay."""
        good = 0 <= self.units <= MAX_AMOUNT and 0 <= self.not_before <= MAX_TIME
        if not good or len(self.relayer) != 20:
            msg = "a fee has at most 96 bits, its time 40, and its relayer is an address"
            raise DecodeError(msg)

    @property
    def relay(self) -> bytes:
        """relayer(20) | fee(12)."""
        return self.relayer + self.units.to_bytes(12, "big")


def fee_digest(chain_id: int, contract: bytes, terms: SlotTerms, fee: Fee) -> bytes:
    """The 32 bytes that the receiver signs for a claim, the locker for a refund."""
    domain = keccak256(
        keccak256(DOMAIN_TYPE)
        + keccak256(NAME)
        + keccak256(VERSION)
        + calls.uint(chain_id)
        + calls.padded(contract)
    )
    content = keccak256(
        keccak256(FEE_TYPE)
        + slot_key(terms.locker, terms.slot)
        + live_value(terms)
        + calls.padded(fee.relayer)
        + calls.uint(fee.units)
        + calls.uint(fee.not_before)
    )
    return keccak256(b"\x19\x01" + domain + content)


def claim_with_fee(terms: SlotTerms, preimage: bytes, fee: Fee, signature: bytes) -> bytes:
    """The data of a claim by a relayer. Raises DecodeError for a signature without low s."""
    return CLAIM_WITH_FEE + preimage + _rest(terms, fee, signature)


def refund_with_fee(terms: SlotTerms, fee: Fee, signature: bytes) -> bytes:
    """The data of a refund by a relayer. Raises DecodeError for a signature without low s."""
    return REFUND_WITH_FEE + terms.hashlock + _rest(terms, fee, signature)


def _rest(terms: SlotTerms, fee: Fee, signature: bytes) -> bytes:
    words = terms.entry + terms.payee + fee.relay + calls.uint(fee.not_before)
    return words + _compact(signature)


def _compact(signature: bytes) -> bytes:
    """r, s and parity (65 bytes) in the 64 of EIP-2098."""
    if len(signature) != 65 or signature[64] > 1 or signature[32] >= 0x80:
        msg = "a signature is r, a low s and a parity of 0 or 1"
        raise DecodeError(msg)
    return signature[:32] + bytes([signature[32] | signature[64] << 7]) + signature[33:64]
