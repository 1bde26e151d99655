"""What the vectors of the base are made with: MessagePack and BIP340 written out by hand.

Owns: both, from their specifications, in integers and hashlib. Shares no code with what is tested.
Sources: github.com/msgpack/msgpack spec.md; BIP340 (default signing).
"""

import hashlib

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
Point = tuple[int, int]


# --- MessagePack ------------------------------------------------------------------------------


def num(value: int) -> bytes:
    """A whole number from 0 up, in its shortest form."""
    if value < 0x80:
        return bytes([value])
    for head, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
        if value < 1 << 8 * size:
            return bytes([head]) + value.to_bytes(size, "big")
    raise ValueError(value)


NIL = b"\xc0"


def raw(data: bytes) -> bytes:
    """A byte string."""
    for head, size in ((0xC4, 1), (0xC5, 2), (0xC6, 4)):
        if len(data) < 1 << 8 * size:
            return bytes([head]) + len(data).to_bytes(size, "big") + data
    raise ValueError(len(data))


def text(value: str) -> bytes:
    """A text of at most 65,535 bytes of UTF-8."""
    data = value.encode()
    if len(data) < 32:
        return bytes([0xA0 | len(data)]) + data
    head = bytes([0xD9, len(data)]) if len(data) < 256 else b"\xda" + len(data).to_bytes(2, "big")
    return head + data


def array(*items: bytes) -> bytes:
    """An array of encoded values."""
    short = len(items) < 16
    head = bytes([0x90 | len(items)]) if short else b"\xdc" + len(items).to_bytes(2, "big")
    return head + b"".join(items)


def units(value: int) -> bytes:
    """An amount: minimal big-endian bytes."""
    return raw(value.to_bytes(32, "big").lstrip(b"\x00"))


# --- BIP340 -----------------------------------------------------------------------------------


def tagged(tag: str, message: bytes) -> bytes:
    """The tagged hash."""
    head = hashlib.sha256(tag.encode("ascii")).digest()
    return hashlib.sha256(head + head + message).digest()


def _add(one: Point | None, other: Point | None) -> Point | None:
    if one is None or other is None:
        return one or other
    if one[0] == other[0]:
        if one[1] != other[1]:
            return None
        slope = 3 * one[0] * one[0] * pow(2 * one[1], P - 2, P)
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], P - 2, P)
    x = (slope * slope - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def _times(scalar: int) -> Point:
    total: Point | None = None
    addend: Point | None = G
    while scalar:
        if scalar & 1:
            total = _add(total, addend)
        addend = _add(addend, addend)
        scalar >>= 1
    if total is None:
        raise ValueError("a multiple of the order")
    return total


def x_only(secret: bytes) -> bytes:
    """The public key."""
    return _times(int.from_bytes(secret, "big"))[0].to_bytes(32, "big")


def signed(secret: bytes, message: bytes, aux: bytes) -> bytes:
    """The signature over 32 bytes."""
    number = int.from_bytes(secret, "big")
    point = _times(number)
    if point[1] % 2:
        number = N - number
    key = point[0].to_bytes(32, "big")
    hidden = number ^ int.from_bytes(tagged("BIP0340/aux", aux), "big")
    nonce = tagged("BIP0340/nonce", hidden.to_bytes(32, "big") + key + message)
    k = int.from_bytes(nonce, "big") % N
    there = _times(k)
    if there[1] % 2:
        k = N - k
    r = there[0].to_bytes(32, "big")
    e = int.from_bytes(tagged("BIP0340/challenge", r + key + message), "big") % N
    return r + ((k + e * number) % N).to_bytes(32, "big")
