"""A second encoder, hash and signature, so that vectors do not come from the code they test.

Owns: canonical msgpack from its specification, tagged hashes and BIP340 from the BIP's reference
code. Nothing of `protocol` is imported.
"""

from hashlib import sha256

PRIME = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
G = (
    0x79BE667E_F9DCBBAC_55A06295_CE870B07_029BFCDB_2DCE28D9_59F2815B_16F81798,
    0x483ADA77_26A3C465_5DA4FBFC_0E1108A8_FD17B448_A6855419_9C47D08F_FB10D4B8,
)
Point = tuple[int, int] | None


# --- msgpack ----------------------------------------------------------------------------------


def pack(value: object) -> bytes:
    """The shortest spelling of ints from 0, byte strings, text and lists of these."""
    if isinstance(value, int):
        return _pack_int(value)
    if isinstance(value, bytes):
        for head, width in ((0xC4, 1), (0xC5, 2), (0xC6, 4)):
            if len(value) < 256**width:
                return bytes([head]) + len(value).to_bytes(width, "big") + value
    if isinstance(value, str):
        data = value.encode()
        if len(data) < 32:
            return bytes([0xA0 + len(data)]) + data
        for head, width in ((0xD9, 1), (0xDA, 2)):
            if len(data) < 256**width:
                return bytes([head]) + len(data).to_bytes(width, "big") + data
    if isinstance(value, list):
        short = len(value) < 16
        count = bytes([0x90 + len(value)]) if short else b"\xdc" + len(value).to_bytes(2, "big")
        return count + b"".join(pack(item) for item in value)
    raise TypeError(f"no msgpack here for {value!r}")


def _pack_int(value: int) -> bytes:
    if 0 <= value < 128:
        return bytes([value])
    for head, width in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
        if 0 <= value < 256**width:
            return bytes([head]) + value.to_bytes(width, "big")
    raise ValueError(f"{value} does not fit")


def amount(units: int) -> bytes:
    """Units on the wire: minimal big-endian bytes."""
    return units.to_bytes((units.bit_length() + 7) // 8, "big")


# --- BIP340 -----------------------------------------------------------------------------------


def tagged(tag: str, message: bytes) -> bytes:
    """BIP340's tagged hash."""
    prefix = sha256(tag.encode()).digest()
    return sha256(prefix + prefix + message).digest()


def _add(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return one or other
    if one[0] == other[0] and one[1] != other[1]:
        return None
    if one == other:
        slope = 3 * one[0] * one[0] * pow(2 * one[1], -1, PRIME) % PRIME
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, PRIME) % PRIME
    x = (slope * slope - one[0] - other[0]) % PRIME
    return x, (slope * (one[0] - x) - one[1]) % PRIME


def _multiply(point: Point, factor: int) -> tuple[int, int]:
    result: Point = None
    while factor:
        if factor & 1:
            result = _add(result, point)
        point = _add(point, point)
        factor >>= 1
    if result is None:
        raise ValueError("the point at infinity")
    return result


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def public_key(secret: bytes) -> bytes:
    """The x-only key of a secret."""
    return _multiply(G, int.from_bytes(secret, "big"))[0].to_bytes(32, "big")


def bip340(secret: bytes, digest: bytes, aux: bytes = bytes(32)) -> bytes:
    """The signature of a 32-byte digest, as in the BIP's reference code."""
    number = int.from_bytes(secret, "big")
    point = _multiply(G, number)
    number = number if point[1] % 2 == 0 else ORDER - number
    public = point[0].to_bytes(32, "big")
    mask = _xor(number.to_bytes(32, "big"), tagged("BIP0340/aux", aux))
    nonce = int.from_bytes(tagged("BIP0340/nonce", mask + public + digest), "big") % ORDER
    commitment = _multiply(G, nonce)
    nonce = nonce if commitment[1] % 2 == 0 else ORDER - nonce
    r = commitment[0].to_bytes(32, "big")
    challenge = int.from_bytes(tagged("BIP0340/challenge", r + public + digest), "big") % ORDER
    return r + ((nonce + challenge * number) % ORDER).to_bytes(32, "big")


def signed(secret: bytes, tag: str, payload: bytes) -> bytes:
    """A payload's signature under a tag, with zero auxiliary randomness."""
    return bip340(secret, tagged(tag, payload))
