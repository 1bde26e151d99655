"""Keccak-256 as Ethereum uses it: SHA-3 before its padding was changed.

Owns: the hash. Must not know: what is hashed.
Source: the Keccak reference (keccak.team), f[1600] with rate 1088 and the 0x01 padding.
"""

from typing import Final

_RATE: Final = 136
_MASK: Final = 2**64 - 1

_ROUND_CONSTANTS: Final = (
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000,
    0x000000000000808B, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008A, 0x0000000000000088, 0x0000000080008009, 0x000000008000000A,
    0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
)  # fmt: skip

_ROTATIONS: Final = (
    0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14,
)  # fmt: skip
"""Of lane x + 5y."""

_TARGETS: Final = tuple((y + 5 * ((2 * x + 3 * y) % 5)) for y in range(5) for x in range(5))
"""Where pi moves lane x + 5y."""


def keccak256(data: bytes) -> bytes:
    """The 32-byte hash."""
    padding = _RATE - len(data) % _RATE
    tail = b"\x81" if padding == 1 else b"\x01" + bytes(padding - 2) + b"\x80"
    padded = data + tail
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            at = start + 8 * lane
            lanes[lane] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permuted(lanes: list[int]) -> list[int]:
    for constant in _ROUND_CONSTANTS:
        columns = [
            lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20]
            for x in range(5)
        ]
        mixed = [columns[x - 1] ^ _rotated(columns[(x + 1) % 5], 1) for x in range(5)]
        moved = [0] * 25
        for lane in range(25):
            moved[_TARGETS[lane]] = _rotated(lanes[lane] ^ mixed[lane % 5], _ROTATIONS[lane])
        lanes = [
            moved[at] ^ (~moved[at - at % 5 + (at + 1) % 5] & moved[at - at % 5 + (at + 2) % 5])
            for at in range(25)
        ]
        lanes[0] ^= constant
    return lanes


def _rotated(lane: int, by: int) -> int:
    return ((lane << by) | (lane >> (64 - by))) & _MASK
