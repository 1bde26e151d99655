"""Signs a package for a watchtower, or for ourselves when we are locked.

Owns: which of our keys signs which package. Must not know: where packages go.
"""

from protocol.evm.address import account_of
from protocol.evm.relaying import ANYBODY
from protocol.swap.states import SwapState
from protocol.tower.package import Package, is_relayed, relayed
from protocol.tower.plan import Draft, digests, seal
from swapd.ports import Signer

ACCOUNTS = (0, 1)
"""Of the seed, on chains with accounts: who locks, who claims."""


async def packed(
    signer: Signer, state: SwapState, draft: Draft, sequence: int, relayer: bytes = b""
) -> Package:
    """The package, signed. On a chain with accounts: with fees for `relayer`, without any where
    that is empty, or where the account that is paid is none of ours. Raises SigningError."""
    agreement = state.agreement
    if not is_relayed(draft.bare):
        name = (agreement.salt, agreement.role, agreement.swap_id, draft.leg)
        made = [await signer.sign_htlc(*name, digest) for digest in digests(draft)]
        return seal(draft, tuple(made), sequence)
    index = _payee(signer, draft) if relayer not in {b"", ANYBODY} else None
    if index is None:
        return seal(draft, (), sequence)
    made = [await signer.sign_account(index, digest) for digest in digests(draft, relayer)]
    return seal(draft, tuple(made), sequence, relayer)


def _payee(signer: Signer, draft: Draft) -> int | None:
    payee = relayed(draft.bare).payee
    ours = [account_of(signer.account_key(index)) for index in ACCOUNTS]
    return ours.index(payee) if payee in ours else None
