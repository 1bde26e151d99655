"""What a tower sends on a chain with accounts: calls of the contract, from an account of its own.

Owns: which call an act is, whose signature its fee needs, how much gas it uses. Must not know:
packages, nonces, who sends it.

A claim or refund there needs nobody's signature: the contract pays the party that the terms name,
whoever calls it. Signed is only what the sender gets for it (protocol.evm.relaying): a fee out of
the coins, for one swap, for the account that the client names, void before its time.
"""

from typing import Final

from msgspec import Struct

from protocol.errors import DecodeError
from protocol.evm.address import ADDRESS_SIZE, recovered
from protocol.evm.legs import claim_call, contract_of, refund_call, slot_terms_of, token_of
from protocol.evm.params import evm_params
from protocol.evm.relaying import ANYBODY, Fee, claim_with_fee, fee_digest, refund_with_fee
from protocol.kinds import sizes_of
from protocol.terms import LegTerms

FEE_GAS: Final = 30_000
"""What a fee adds: its signature checked, and a second payment."""


class Relayed(Struct, frozen=True):
    """One act on one leg: its claim, or else its refund. `relayer` is the account that its fees are
    for (ANYBODY: whoever sends it)."""

    leg: LegTerms
    hashlock: bytes
    is_claim: bool
    relayer: bytes = ANYBODY

    @property
    def contract(self) -> bytes:
        """Where it is sent: derived, never told. Raises DecodeError."""
        return contract_of(token_of(self.leg.amount.asset))

    @property
    def payee(self) -> bytes:
        """The account that is paid, and that signs fees: nobody else loses by them."""
        if self.is_claim:
            return self.leg.claim_key
        return self.leg.refund_key[:ADDRESS_SIZE]

    @property
    def gas(self) -> int:
        """What it uses at most."""
        sizes = sizes_of(self.leg.amount.asset)
        return (sizes.claim if self.is_claim else sizes.refund) + FEE_GAS

    def digest(self, units: int, not_before: int) -> bytes:
        """What the payee signs for a fee. Raises DecodeError."""
        number = evm_params(self.leg.chain).number
        terms = slot_terms_of(self.leg, self.hashlock)
        return fee_digest(number, self.contract, terms, Fee(units, self.relayer, not_before))

    def is_signed(self, units: int, not_before: int, signature: bytes) -> bool:
        """Whether the payee signed just this, in the one form that the contract is given. Raises
        DecodeError for a fee that no contract pays."""
        digest = self.digest(units, not_before)
        if len(signature) != 65 or signature[64] > 1 or signature[32] >= 0x80:
            return False
        try:
            return recovered(signature, digest) == self.payee
        except DecodeError:
            return False

    def call(self, preimage: bytes) -> bytes:
        """For nothing."""
        if self.is_claim:
            return claim_call(self.leg, self.hashlock, preimage)
        return refund_call(self.leg, self.hashlock)

    def paid_call(self, preimage: bytes, units: int, not_before: int, signature: bytes) -> bytes:
        """For a fee."""
        fee = Fee(units, self.relayer, not_before)
        terms = slot_terms_of(self.leg, self.hashlock)
        if self.is_claim:
            return claim_with_fee(terms, preimage, fee, signature)
        return refund_with_fee(terms, fee, signature)
