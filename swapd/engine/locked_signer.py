"""A signer without a seed: every question to it is an error that says so.

Owns: `LOCKED_SIGNER`. Must not know: how a seed is opened. A locked daemon is built so that nobody
asks; should somebody all the same, nothing is signed.
"""

from typing import Final, NoReturn, cast

from swapd.engine.mode import LOCKED
from swapd.ports import ChainError, Signer


class SignerLocked(ChainError):
    """There is no seed here. An effect that needs one fails, as when a node does not answer."""


class _LockedSigner:
    def __getattr__(self, name: str) -> NoReturn:
        raise SignerLocked(LOCKED)


LOCKED_SIGNER: Final = cast("Signer", _LockedSigner())
"""Raises SignerLocked for every use."""
