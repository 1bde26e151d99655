"""Wounds to good bytes: flips, cuts, splices, lengths, extremes.

Owns: mutations that know nothing of what the bytes mean. Must not know: targets, formats.
Everything comes from the one generator that is handed in, so a seed gives the same bytes again.
"""

import random
from collections.abc import Callable, Sequence

MAX_INPUT = 1024 * 1024
"""No input grows beyond this."""

EDGES = (0, 1, 2, 0x1F, 0x20, 0x7F, 0x80, 0x81, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC4,
         0xC6, 0xCA, 0xCB, 0xCF, 0xD3, 0xD4, 0xD9, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xFC, 0xFD, 0xFE,
         0xFF)  # fmt: skip
"""Bytes that mean something in one of the formats: msgpack heads, compact sizes, limits."""

EXTREMES = tuple(
    sorted(
        {
            value
            for bits in (7, 8, 15, 16, 31, 32, 53, 63, 64)
            for value in (2**bits - 1, 2**bits, 2**bits + 1)
        }
        | {0, 1, 2, 16, 33, 64, 252, 253, 500, 501, 4095, 4096, 4097}
    )
)


def below(rng: random.Random, count: int) -> int:
    """A number from 0 to `count` - 1; several times faster than randrange."""
    return int(rng.random() * count)


def _flip(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = below(rng, len(data))
    data[at] ^= 1 << below(rng, 8)


def _edge(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    data[below(rng, len(data))] = EDGES[below(rng, len(EDGES))]


def _step(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """A length or a count that is one off."""
    at = below(rng, len(data))
    data[at] = (data[at] + (1 if rng.random() < 0.5 else -1)) & 0xFF


def _truncate(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[below(rng, len(data)) :]


def _cut(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = below(rng, len(data))
    del data[at : at + 1 + below(rng, 16)]


def _insert(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = below(rng, len(data) + 1)
    data[at:at] = rng.randbytes(1 + below(rng, 8))


def _repeat(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    at = below(rng, len(data))
    piece = data[at : at + 1 + below(rng, 64)]
    times = 1 if rng.random() < 0.98 else 1 + below(rng, 2000)
    data[at:at] = piece * times


def _integer(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    """An extreme over 1, 2, 4 or 8 bytes, in either order."""
    width = (1, 2, 4, 8)[below(rng, 4)]
    at = below(rng, len(data))
    value = EXTREMES[below(rng, len(EXTREMES))] & (1 << 8 * width) - 1
    data[at : at + width] = value.to_bytes(width, "big" if rng.random() < 0.5 else "little")


def _splice(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    """The beginning of this and the end of another."""
    other = others[below(rng, len(others))]
    del data[below(rng, len(data) + 1) :]
    data += other[below(rng, len(other) + 1) :]


def _overwrite(rng: random.Random, data: bytearray, others: Sequence[bytes]) -> None:
    other = others[below(rng, len(others))]
    start = below(rng, len(other) + 1)
    piece = other[start : start + 1 + below(rng, 40)]
    at = below(rng, len(data))
    data[at : at + len(piece)] = piece


def _append(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> None:
    data += rng.randbytes(1 + below(rng, 4))


_WOUNDS: tuple[Callable[[random.Random, bytearray, Sequence[bytes]], None], ...] = (
    _flip,
    _flip,
    _edge,
    _step,
    _step,
    _truncate,
    _cut,
    _insert,
    _repeat,
    _integer,
    _splice,
    _overwrite,
    _append,
)


def wounded(rng: random.Random, sample: bytes, others: Sequence[bytes]) -> bytes:
    """`sample` with one wound, sometimes up to four."""
    data = bytearray(sample)
    count = 1 if rng.random() < 0.7 else 2 + below(rng, 3)
    for _ in range(count):
        if not data:
            data += rng.randbytes(1)
        _WOUNDS[below(rng, len(_WOUNDS))](rng, data, others)
    return bytes(data[:MAX_INPUT])


def noise(rng: random.Random) -> bytes:
    """Random bytes, mostly few."""
    return rng.randbytes(int(2 ** (rng.random() * 8.5)) - 1)
