"""Where a leg lies on its chain, in the words of that chain.

Owns: address and script of a leg, for those who look with other tools. Must not know: nodes.
"""

from msgspec import Struct

from protocol.bitcoin.htlc import Htlc
from protocol.bitcoin.params import params_by_chain
from protocol.evm.address import checksummed
from protocol.evm.legs import contract_of, slot_of, token_of
from protocol.terms import Kind, LegTerms


class Place(Struct, frozen=True):
    """`address`: of the output's script, or of the contract; `script`: the script itself, or the
    storage key of the leg's slot, in hex."""

    address: str
    script: str


def place_of(leg: LegTerms, hashlock: bytes) -> Place:
    """Where the coins of `leg` are locked."""
    if leg.kind is Kind.EVM:
        return Place(checksummed(contract_of(token_of(leg.amount.asset))), slot_of(leg).hex())
    htlc = Htlc(leg.claim_key, leg.refund_key, hashlock, leg.expiry)
    return Place(htlc.address(params_by_chain(leg.chain)), htlc.witness_script().hex())
