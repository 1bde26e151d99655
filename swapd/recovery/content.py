"""What the recovery file holds, and how it is sealed.

Owns: `Content`, its bytes. Must not know: paths, the store.

A line of text that says what the file is, then the canonical msgpack of `Content`, sealed by a key
of the seed. The open swaps are the newest rows of their journals: terms, role, salt, signed locks
with their coins, the other side's lock, start heights, destinations, what is revealed or learned.
"""

import zlib
from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct

from protocol.codec import decode, encode
from protocol.errors import DecodeError
from swapd.ports import RecoveryError, SealBroken, Signer

HEADER: Final = b"swapd recovery file 1: useless without the words of its seed\n"
MAX_FILE: Final = 32 * 2**20
MAX_CONTENT: Final = 64 * 2**20
FORMAT: Final = 1
MAX_ADDRESSES: Final = 1_000_000
"""Of one asset: some times more than anybody swaps in a life."""
GUESSED: Final = 500
"""Payout addresses of each asset that are looked for when no file tells how many there were."""


class Saved(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The newest journal row of an open swap; `state` as the journal encodes it."""

    swap_id: Annotated[bytes, Meta(min_length=32, max_length=32)]
    sequence: Annotated[int, Meta(ge=1)]
    at: Annotated[int, Meta(ge=0)]
    state: bytes


class Addresses(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Payout addresses 1 to `last` of an asset were given out."""

    asset: Annotated[str, Meta(max_length=200)]
    last: Annotated[int, Meta(ge=0, le=MAX_ADDRESSES)]


class Content(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`generation` counts the files of one seed, so that of two the newer is known; `written_at`
    unix seconds; `epoch` is the daemon's that wrote it."""

    version: int
    network: str
    generation: Annotated[int, Meta(ge=0)]
    written_at: Annotated[int, Meta(ge=0)]
    epoch: Annotated[int, Meta(ge=0)]
    swaps: tuple[Saved, ...]
    addresses: tuple[Addresses, ...]


def addresses_only(assets: Sequence[str], *, network: str) -> Content:
    """What can be known without any file: that the first addresses may have been paid."""
    addresses = tuple(Addresses(asset, GUESSED) for asset in assets)
    return Content(FORMAT, network, 0, 0, 0, (), addresses)


def seal(content: Content, signer: Signer) -> bytes:
    """The whole file. Raises PortError when the seed can't be used."""
    return HEADER + signer.seal(zlib.compress(encode(content), 6))


def unseal(data: bytes, signer: Signer) -> Content:
    """The content of a whole file. Raises RecoveryError."""
    if len(data) > MAX_FILE:
        raise RecoveryError(f"{len(data)} bytes are too many for a recovery file")
    if not data.startswith(HEADER):
        kind = (
            "of a newer swapd" if data.startswith(b"swapd recovery file ") else "no recovery file"
        )
        raise RecoveryError(f"this is {kind}")
    try:
        packed = signer.unseal(data[len(HEADER) :])
    except SealBroken:
        raise RecoveryError("it belongs to another seed, or was damaged") from None
    try:
        content = decode(Content, _unpacked(packed), max_size=MAX_CONTENT)
    except DecodeError as error:
        raise RecoveryError(f"its content can't be read: {error}") from error
    if content.version != FORMAT:
        raise RecoveryError(f"its content has version {content.version}: use a newer swapd")
    return content


def _unpacked(packed: bytes) -> bytes:
    """Raises RecoveryError. Sealed by us, and bounded all the same."""
    reader = zlib.decompressobj()
    try:
        data = reader.decompress(packed, MAX_CONTENT)
    except zlib.error as error:
        raise RecoveryError(f"its content can't be unpacked: {error}") from error
    if reader.unconsumed_tail or not reader.eof:
        raise RecoveryError("its content is cut off or too large")
    return data
