"""Transactions of EIP-1559 as bytes: built, signed by whoever has the key, named, read back.

Owns: RLP as far as these need it, the digest that is signed, the transaction's hash.
Must not know: keys, fees' estimates, what the data of a call means.
Sources: EIP-2718, EIP-1559, the yellow paper's RLP; EIP-2 (low S).
"""

from typing import Final

from msgspec import Struct

from protocol.errors import DecodeError
from protocol.evm.keccak import keccak256

TYPE: Final = b"\x02"
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_FIELDS: Final = 12
_SHORT: Final = 55
_MOST: Final = 2**20

Item = bytes | list["Item"]


class EvmTx(Struct, frozen=True):
    """A transaction without its signature. `to` is an address; contracts are made by a deployer
    that is one. Fees are wei per gas, `value` wei."""

    chain_id: int
    nonce: int
    tip: int
    most: int
    gas: int
    to: bytes
    value: int
    data: bytes

    def _items(self) -> list[Item]:
        numbers = (self.chain_id, self.nonce, self.tip, self.most, self.gas)
        return [*map(_number, numbers), self.to, _number(self.value), self.data, []]

    def digest(self) -> bytes:
        """The 32 bytes to sign."""
        return keccak256(TYPE + rlp(self._items()))

    def signed(self, signature: bytes) -> bytes:
        """The raw transaction, from r, s and the parity of the point: 65 bytes. Raises
        DecodeError for a signature that no node takes."""
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        if len(signature) != 65 or signature[64] > 1 or not 0 < r < ORDER:
            msg = "a signature is r, s and a parity of 0 or 1"
            raise DecodeError(msg)
        if not 0 < s <= ORDER // 2:
            msg = "s is not in the lower half of the order: nodes refuse that"
            raise DecodeError(msg)
        return TYPE + rlp([*self._items(), _number(signature[64]), _number(r), _number(s)])


class SignedEvmTx(Struct, frozen=True):
    """A signed transaction as read: what it does, and r, s, parity."""

    tx: EvmTx
    signature: bytes


def txid(raw: bytes) -> str:
    """The hash by which nodes know a raw transaction, without 0x."""
    return keccak256(raw).hex()


def parse_evm_tx(raw: bytes) -> SignedEvmTx:
    """A raw transaction of EIP-1559 without an access list. Raises DecodeError for anything else,
    also for one that would not be written the same way again."""
    if raw[:1] != TYPE or len(raw) > _MOST:
        msg = "that is no transaction of EIP-1559"
        raise DecodeError(msg)
    items, rest = _read(raw[1:], 0)
    if rest or not isinstance(items, list) or len(items) != _FIELDS or items[8] != []:
        msg = "a transaction of EIP-1559 has twelve fields"
        raise DecodeError(msg)
    fields: list[bytes] = []
    for item in (*items[:8], *items[9:]):
        if not isinstance(item, bytes):
            msg = "a field of a transaction is a list"
            raise DecodeError(msg)
        fields.append(item)
    if len(fields[5]) != 20:
        msg = "a transaction pays an address"
        raise DecodeError(msg)
    one = [int.from_bytes(field, "big") for field in fields]
    tx = EvmTx(one[0], one[1], one[2], one[3], one[4], fields[5], one[6], fields[7])
    if one[8] > 1 or one[9] >= 2**256 or one[10] >= 2**256:
        msg = "a signature is r, s and a parity of 0 or 1"
        raise DecodeError(msg)
    signature = one[9].to_bytes(32, "big") + one[10].to_bytes(32, "big") + bytes([one[8]])
    if tx.signed(signature) != raw:
        msg = "a transaction is written another way than it must be"
        raise DecodeError(msg)
    return SignedEvmTx(tx, signature)


# --- RLP --------------------------------------------------------------------------------------


def rlp(item: Item) -> bytes:
    """The one encoding of bytes, or of a list of such."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return _head(0x80, len(item)) + item
    inside = b"".join(rlp(part) for part in item)
    return _head(0xC0, len(inside)) + inside


def _head(base: int, length: int) -> bytes:
    if length <= _SHORT:
        return bytes([base + length])
    size = _number(length)
    return bytes([base + _SHORT + len(size)]) + size


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _read(data: bytes, depth: int) -> tuple[Item, bytes]:
    """The first item and what follows it; `depth` bounds nesting."""
    if not data or depth > 2:
        msg = "cut short, or nested too deep"
        raise DecodeError(msg)
    first = data[0]
    if first < 0x80:
        return data[:1], data[1:]
    is_list = first >= 0xC0
    length = first - (0xC0 if is_list else 0x80)
    start = 1
    if length > _SHORT:
        start += length - _SHORT
        length = int.from_bytes(data[1:start], "big")
    inside, rest = data[start : start + length], data[start + length :]
    if len(inside) != length:
        msg = "cut short"
        raise DecodeError(msg)
    if not is_list:
        return inside, rest
    found: list[Item] = []
    while inside:
        item, inside = _read(inside, depth + 1)
        found.append(item)
    return found, rest
