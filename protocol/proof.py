"""A proof of funds as it travels: bytes and the coins they speak for.

Owns: the wire struct, its limits, and what a proof is bound to.
Must not know: how a chain makes or checks one (protocol.bitcoin.funds).
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from protocol.signing import Tag, tagged_hash

MAX_PROOF_BYTES: Final = 10_500
MAX_PROOF_COINS: Final = 64
"""64 signed inputs and their names fit in one message of the take protocol."""

MAX_REF_CHARS: Final = 80
"""`<txid>:<index>`: 64 hex digits, a colon, ten digits, and some room."""


class FundsProof(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A never-valid transaction (after BIP127) that signs for coins of at least the needed value,
    bound to one take by its first input. `refs` are the coins in input order."""

    raw: Annotated[bytes, Meta(min_length=1, max_length=MAX_PROOF_BYTES)]
    refs: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=MAX_REF_CHARS)], ...],
        Meta(min_length=1, max_length=MAX_PROOF_COINS),
    ]


def funds_challenge(swap_id: bytes) -> bytes:
    """The 32 bytes that bind a proof of funds to the take with this id."""
    return tagged_hash(Tag.PROOF_OF_FUNDS, swap_id)
