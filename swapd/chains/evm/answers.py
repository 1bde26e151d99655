"""What EVM nodes answer, checked: hex quantities, words, addresses and blocks, or BadAnswer.

Owns: reading single fields and whole headers. Must not know: which call an answer belongs to.
Source: the execution APIs' JSON schema. A quantity is 0x and hex digits; nodes that write leading
zeros are understood, anything else is not guessed at.
"""

import re
from typing import Final

from msgspec import Struct

from swapd.chains.answers import BadAnswer, table, text

_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*")


def _bad(what: str, value: object) -> BadAnswer:
    return BadAnswer(f"the node answered {str(value)[:80]!r} where {what} belongs")


def quantity(value: object, most: int = 2**64 - 1) -> int:
    """A whole number from 0 to `most`."""
    found = text(value)
    if not _QUANTITY.fullmatch(found) or (number := int(found, 16)) > most:
        raise _bad(f"a quantity up to {most}", value)
    return number


def amount(value: object) -> int:
    """A whole number of up to 256 bits."""
    return quantity(value, 2**256 - 1)


def data(value: object, most: int) -> bytes:
    """Bytes, at most `most` of them."""
    found = text(value)
    if len(found) > 2 + 2 * most or not _DATA.fullmatch(found):
        raise _bad(f"up to {most} bytes of data", value)
    return bytes.fromhex(found[2:])


def exactly(value: object, size: int) -> bytes:
    """Bytes, exactly `size` of them."""
    found = data(value, size)
    if len(found) != size:
        raise _bad(f"{size} bytes", value)
    return found


def word(value: object) -> bytes:
    """32 bytes of storage. Some nodes leave leading zeros out, one answers plain 0x for zero."""
    found = text(value)
    if found == "0x":
        return bytes(32)
    return amount(found).to_bytes(32, "big")


class Header(Struct, frozen=True):
    """One block: `hash` and `parent` of 32 bytes, `time` in unix seconds, `base_fee` in wei."""

    number: int
    hash: bytes
    parent: bytes
    time: int
    base_fee: int
    gas_used: int
    gas_limit: int

    @property
    def name(self) -> str:
        """Its hash as nodes print it."""
        return "0x" + self.hash.hex()


def header(value: object) -> Header:
    """A block without its transactions; a chain before EIP-1559 is none that we can use."""
    block = table(value)
    return Header(
        number=quantity(block.get("number")),
        hash=exactly(block.get("hash"), 32),
        parent=exactly(block.get("parentHash"), 32),
        time=quantity(block.get("timestamp")),
        base_fee=quantity(block.get("baseFeePerGas"), 2**128),
        gas_used=quantity(block.get("gasUsed")),
        gas_limit=quantity(block.get("gasLimit")),
    )


class Receipt(Struct, frozen=True):
    """What became of a mined transaction: the hash and number of its block, whether it did what it
    was for."""

    txid: str
    block: bytes
    number: int
    success: bool


def receipt(value: object) -> Receipt | None:
    """None where the node knows of none, or of one that is not mined yet."""
    if value is None:
        return None
    found = table(value)
    if found.get("blockHash") is None:
        return None
    return Receipt(
        txid=exactly(found.get("transactionHash"), 32).hex(),
        block=exactly(found.get("blockHash"), 32),
        number=quantity(found.get("blockNumber")),
        success=quantity(found.get("status"), 1) == 1,
    )
