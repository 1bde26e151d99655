"""Finding our scripts and outpoints in raw blocks and transactions, by bytes.

Owns: the search. It needs no block parser, so it cannot be confused by one: extension blocks,
flags and new serialisations may surround what it looks for.
Must not know: what a hit means. A hit is a candidate: other data can contain the same bytes, so
the caller fetches the transaction and checks. A miss is certain, because an output to a script and
an input spending an outpoint cannot be serialised without these bytes in one piece.
"""

from collections.abc import Iterable

from msgspec import Struct

from protocol.bitcoin.errors import TransactionError
from protocol.bitcoin.tx import OutPoint

MAX_BLOCK_BYTES = 16_000_000
"""Four times the largest bitcoin block: room for litecoin's extension blocks."""

_MAX_SHORT_SCRIPT = 0xFC  # its length takes one byte


class Candidates(Struct, frozen=True):
    """Which of the things looked for may be in the bytes."""

    scripts: frozenset[bytes]
    outpoints: frozenset[OutPoint]

    def __bool__(self) -> bool:
        return bool(self.scripts or self.outpoints)


def scan_bytes(
    raw: bytes, scripts: Iterable[bytes] = (), outpoints: Iterable[OutPoint] = ()
) -> Candidates:
    """Candidates among output `scripts` and spent `outpoints` in a raw block or transaction."""
    return Candidates(
        frozenset(script for script in scripts if contains_script(raw, script)),
        frozenset(outpoint for outpoint in outpoints if contains_outpoint(raw, outpoint)),
    )


def scan_hex(
    text: str, scripts: Iterable[bytes] = (), outpoints: Iterable[OutPoint] = ()
) -> Candidates:
    """`scan_bytes` of hex digits, as RPC returns them. Raises TransactionError if they are not."""
    if len(text) > 2 * MAX_BLOCK_BYTES:
        msg = f"{len(text)} hex digits are more than any block has"
        raise TransactionError(msg)
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        msg = f"a raw block is hex digits, not {text[:40]!r}"
        raise TransactionError(msg) from None
    return scan_bytes(raw, scripts, outpoints)


def contains_script(raw: bytes, script: bytes) -> bool:
    """Whether `raw` may hold an output with this script. Raises TransactionError over 252 bytes."""
    if not 1 <= len(script) <= _MAX_SHORT_SCRIPT:
        msg = f"scripts of 1 to {_MAX_SHORT_SCRIPT} bytes can be searched, not of {len(script)}"
        raise TransactionError(msg)
    return bytes([len(script)]) + script in raw


def contains_outpoint(raw: bytes, outpoint: OutPoint) -> bool:
    """Whether `raw` may hold an input that spends `outpoint`."""
    return outpoint.wire in raw
