"""Litecoin's extension blocks (MWEB), as far as they show in ordinary transactions.

Owns: telling the two kinds of transaction with an MWEB part, and dropping that part.
Must not know: what the part says, how the rest of a transaction is read.

Litecoin serialises two kinds of transaction with flag 0x08 (primitives/transaction.h of Litecoin
Core): the HogEx, last in each block, whose MWEB part is one zero byte, and pegging transactions in
the mempool, which carry an MWEB body before the lock time (in a block they are ordinary). Both have
ordinary inputs, outputs and witnesses in front, and a txid that does not cover the MWEB part. So
the part can be dropped: a claim of our lock may peg its coins in, and the preimage must be found
there too. A transaction wholly inside MWEB has no inputs here; it is refused later for that.
"""

import enum
import struct

from protocol.bitcoin.errors import TransactionError


class Mweb(enum.Enum):
    """What the flag 0x08 said about a litecoin transaction."""

    NONE = "none"
    HOGEX = "hogex"
    BODY = "body"


def drop_mweb(raw: bytes) -> tuple[bytes, Mweb]:
    """`raw` without its MWEB part and flag, and what that part was. Raises TransactionError."""
    if len(raw) < 10 or raw[4] != 0 or not raw[5] & 0x08:
        return raw, Mweb.NONE
    flag = raw[5] & ~0x08
    if flag not in {0, 1}:
        msg = f"unknown transaction flag 0x{raw[5]:02x}"
        raise TransactionError(msg)
    walk = _Walk(raw, 6)
    inputs = walk.count()
    for _ in range(inputs):
        walk.skip(36)
        walk.skip(walk.count())
        walk.skip(4)
    for _ in range(walk.count()):
        walk.skip(8)
        walk.skip(walk.count())
    for _ in range(inputs if flag else 0):
        for _ in range(walk.count()):
            walk.skip(walk.count())
    body = raw[walk.at : -4]
    if len(raw) - walk.at < 5 or (body[0] == 0) != (len(body) == 1):
        msg = "the MWEB part of the transaction is cut short or padded"
        raise TransactionError(msg)
    marker = b"\x00\x01" if flag else b""
    plain = raw[:4] + marker + raw[6 : walk.at] + raw[-4:]
    return plain, Mweb.HOGEX if body == b"\x00" else Mweb.BODY


class _Walk:
    """A cursor over a serialised transaction that only skips; every step is bounds-checked."""

    def __init__(self, raw: bytes, at: int) -> None:
        self._raw = raw
        self.at = at

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self._raw):
            msg = "the transaction is cut short"
            raise TransactionError(msg)

    def count(self) -> int:
        """A compact size. Non-minimal ones are found later, by the re-serialising check."""
        start = self.at
        self.skip(1)
        width = {0xFD: 2, 0xFE: 4, 0xFF: 8}.get(self._raw[start], 0)
        if not width:
            return self._raw[start]
        self.skip(width)
        form = {2: "<H", 4: "<I", 8: "<Q"}[width]
        value: int = struct.unpack_from(form, self._raw, start + 1)[0]
        return value
