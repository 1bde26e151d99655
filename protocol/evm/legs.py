"""A leg on a chain with accounts: its contract, its slot, and the calls that anybody may send.

Owns: how terms become the contract's words. Must not know: nodes, gas, who pays.
"""

import functools

from protocol.assets import AssetId
from protocol.errors import DecodeError, Refusal, RemoteProtocolError
from protocol.evm import calls
from protocol.evm.address import ADDRESS_SIZE, checksummed, create2, parse_address
from protocol.evm.contract import artifact
from protocol.evm.params import NATIVE
from protocol.evm.slots import SlotTerms, slot_key
from protocol.terms import Kind, LegTerms

TOKENS = "erc20:"


def token_of(asset: AssetId) -> bytes | None:
    """The address of a token, None for the chain's own coin. Raises DecodeError for anything else,
    and for an address whose capitals are not those of EIP-55: an asset has one name."""
    name = asset.partition("/")[2]
    if name == NATIVE:
        return None
    text = name.removeprefix(TOKENS)
    if text == name or checksummed(parse_address(text)) != text:
        msg = f"{asset[:120]!r} names neither a coin nor a token: 0x and capitals by EIP-55"
        raise DecodeError(msg)
    return parse_address(text)


@functools.lru_cache(maxsize=256)
def contract_of(token: bytes | None) -> bytes:
    """Where the HTLC contract of a token, or of the chain's own coin, is on every chain: the
    deployer makes no other code there."""
    code = artifact.native().init_code() if token is None else artifact.token().init_code(token)
    return create2(artifact.DEPLOYER, artifact.SALT, code)


def check_payee(asset: AssetId, account: bytes) -> None:
    """Raises RemoteProtocolError (wrong_key) where coins paid to `account` would be burnt: by the
    token itself, or by the very contract that pays them (safety rule 16)."""
    token = token_of(asset)
    if account in {token, contract_of(token)}:
        detail = "the claimer is a contract of the swap itself: coins sent there are burnt"
        raise RemoteProtocolError(Refusal.WRONG_KEY, detail)


def slot_terms_of(leg: LegTerms, hashlock: bytes) -> SlotTerms:
    """What the slot of a leg commits to. Raises DecodeError."""
    if leg.kind is not Kind.EVM or len(leg.refund_key) != ADDRESS_SIZE + 1:
        msg = "that is no leg of a chain with accounts"
        raise DecodeError(msg)
    return SlotTerms(
        locker=leg.refund_key[:ADDRESS_SIZE],
        slot=leg.refund_key[ADDRESS_SIZE],
        receiver=leg.claim_key,
        amount=int(leg.amount.units),
        expiry=leg.expiry,
        hashlock=hashlock,
    )


def slot_of(leg: LegTerms) -> bytes:
    """The 32-byte storage key of a leg."""
    return slot_key(leg.refund_key[:ADDRESS_SIZE], leg.refund_key[ADDRESS_SIZE])


def refund_call(leg: LegTerms, hashlock: bytes) -> bytes:
    """The data with which anybody sends the coins of a leg back to their locker after its expiry,
    to the contract of its asset."""
    return calls.refund(slot_terms_of(leg, hashlock))


def claim_call(leg: LegTerms, hashlock: bytes, preimage: bytes) -> bytes:
    """The data with which anybody who knows the preimage pays the coins of a leg to its claimer."""
    return calls.claim_for(slot_terms_of(leg, hashlock), preimage)
