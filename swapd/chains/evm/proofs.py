"""Proofs of funds by accounts: making one, checking one against our own view of the chain.

Owns: both, and the form: 65 bytes of signature and the account's address. Must not know: takes.

What is signed is a message of EIP-191 over the challenge, which no transaction can be taken for.
"""

from protocol.errors import DecodeError
from protocol.evm.address import checksummed, parse_address, recovered
from protocol.evm.keccak import keccak256
from swapd.chains.evm.accounts import AccountKey
from swapd.ports import FundsProof, FundsProofInvalid


def proof_digest(challenge: bytes) -> bytes:
    """What an account signs for a 32-byte challenge."""
    return keccak256(b"\x19Ethereum Signed Message:\n32" + challenge)


async def prove(key: AccountKey, challenge: bytes) -> FundsProof:
    """That we hold the account."""
    return FundsProof(await key.sign(proof_digest(challenge)), (checksummed(key.address),))


def proven_account(proof: FundsProof, challenge: bytes) -> bytes:
    """The account that signed. Raises FundsProofInvalid."""
    try:
        signer = recovered(proof.raw, proof_digest(challenge))
        named = tuple(parse_address(ref) for ref in proof.refs)
    except DecodeError as error:
        raise FundsProofInvalid(f"a proof of funds of no account: {error}") from None
    if named != (signer,):
        raise FundsProofInvalid("the proof of funds is signed by another account than it names")
    return signer
