"""Owns a second implementation of the derivation, and writes protocol/vectors/keys.json with it.

It shares no code with swapd.keys or wallycore: hashlib, hmac and integers, curve included (SEC 2).
BIP39's word list comes from the `mnemonic` package. Run `python -m tests.keys.independent` to write
the file again.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from mnemonic import Mnemonic

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors" / "keys.json"

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
Point = tuple[int, int]
RULES = [
    "own keys: m/1937203568'/network'/purpose'; network 0 on mainnet, 1 elsewhere",
    "purposes: 0 maker, 1 taker, 2 htlc, 3 preimage, 4 network process",
    "scalar(base, m): the first HMAC-SHA256(base, m || counter byte), from 0, in 1..n-1",
    "taker: scalar(base, salt)",
    "htlc: scalar(base, salt || role || swap_id || leg)",
    "preimage: HMAC-SHA256(base, salt || 'initiator' || swap_id)",
    "network secret: scalar(base, epoch as 8 big-endian bytes)",
    "payout addresses: P2WPKH of m/84'/coin'/0'/0/index",
]

SWAP = 1937203568
"""int.from_bytes(b"swap", "big")"""


def mnemonic_of(entropy: bytes) -> str:
    """BIP39 by hand: entropy bits, then the first bits of its hash, eleven at a time."""
    words = Mnemonic("english").wordlist
    checksum_bits = len(entropy) * 8 // 32
    number = int.from_bytes(entropy, "big") << checksum_bits
    number |= hashlib.sha256(entropy).digest()[0] >> (8 - checksum_bits)
    count = (len(entropy) * 8 + checksum_bits) // 11
    return " ".join(words[number >> 11 * (count - 1 - i) & 2047] for i in range(count))


def seed_of(mnemonic: str, passphrase: str = "") -> bytes:
    """BIP39's 64-byte seed."""
    salt = b"mnemonic" + passphrase.encode()
    return hashlib.pbkdf2_hmac("sha512", mnemonic.encode(), salt, 2048)


def add(a: Point | None, b: Point | None) -> Point | None:
    """Affine addition on secp256k1; None is the point at infinity."""
    if a is None or b is None:
        return a or b
    if a[0] == b[0] and a != b:
        return None
    if a == b:
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def public(secret: bytes) -> bytes:
    """The 33-byte public key."""
    total: Point | None = None
    power: Point | None = G
    for bit in range(256):
        if int.from_bytes(secret, "big") >> bit & 1:
            total = add(total, power)
        power = add(power, power)
    assert total is not None
    x, y = total
    return bytes([2 + y % 2]) + x.to_bytes(32, "big")


def bip32(seed: bytes, path: str) -> bytes:
    """The private key at, for example, m/84'/0'/0'/0/0."""
    node = hmac.digest(b"Bitcoin seed", seed, "sha512")
    for level in path.split("/")[1:]:
        key, code = node[:32], node[32:]
        index = int(level.rstrip("'")) + (2**31 if level.endswith("'") else 0)
        data = b"\0" + key if level.endswith("'") else public(key)
        node = hmac.digest(code, data + index.to_bytes(4, "big"), "sha512")
        child = (int.from_bytes(node[:32], "big") + int.from_bytes(key, "big")) % N
        node = child.to_bytes(32, "big") + node[32:]
    return node[:32]


def scalar(base: bytes, message: bytes) -> bytes:
    """The first HMAC of message and counter byte that is a private key."""
    for counter in range(256):
        found = hmac.digest(base, message + bytes([counter]), "sha256")
        if 0 < int.from_bytes(found, "big") < N:
            return found
    raise AssertionError


def one_network(seed: bytes, network: int, salt: bytes, swap_id: bytes) -> dict[str, Any]:
    """All of our own keys under m/1937203568'/network'."""

    def base(purpose: int) -> bytes:
        return bip32(seed, f"m/{SWAP}'/{network}'/{purpose}'")

    htlc = [
        {
            "role": role,
            "leg": leg,
            "public_key": public(
                scalar(base(2), salt + role.encode() + swap_id + leg.encode())
            ).hex(),
        }
        for role in ("initiator", "participant")
        for leg in ("i", "p")
    ]
    preimage = hmac.digest(base(3), salt + b"initiator" + swap_id, "sha256")
    epochs = [0, 1, 1_790_000_000]
    return {
        "test_network": bool(network),
        "maker_key": public(base(0))[1:].hex(),
        "taker_key": public(scalar(base(1), salt))[1:].hex(),
        "htlc": htlc,
        "preimage": preimage.hex(),
        "hashlock": hashlib.sha256(preimage).hexdigest(),
        "network_secrets": [
            {"epoch": epoch, "secret": scalar(base(4), epoch.to_bytes(8, "big")).hex()}
            for epoch in epochs
        ],
    }


def one_seed(entropy: bytes, salt: bytes, swap_id: bytes) -> dict[str, Any]:
    """Everything that comes from one seed."""
    mnemonic = mnemonic_of(entropy)
    seed = seed_of(mnemonic)
    wallet = [
        {"coin_type": coin, "index": index, "public_key": public(bip32(seed, path)).hex()}
        for coin in (0, 1, 2)
        for index in (0, 1, 2**31 - 1)
        for path in [f"m/84'/{coin}'/0'/0/{index}"]
    ]
    return {
        "entropy": entropy.hex(),
        "mnemonic": mnemonic,
        "seed": seed.hex(),
        "salt": salt.hex(),
        "swap_id": swap_id.hex(),
        "networks": [one_network(seed, network, salt, swap_id) for network in (0, 1)],
        "wallet": wallet,
    }


def vectors() -> dict[str, Any]:
    """The whole file. The first two seeds are all zeros and a count: easy to type elsewhere."""
    seeds = [
        (bytes(32), bytes(32), bytes(32)),
        (bytes(range(32)), b"\x11" * 32, b"\x22" * 32),
        (hashlib.sha256(b"seed").digest(), b"\xff" * 32, hashlib.sha256(b"swap").digest()),
    ]
    return {
        "what": "Keys, preimages and payout addresses from a seed",
        "source": (
            "tests/keys/independent.py: BIP39, BIP32, secp256k1 and the HMACs by hashlib, hmac and "
            "integer arithmetic; no code shared with what is tested"
        ),
        "rules": RULES,
        "seeds": [one_seed(*seed) for seed in seeds],
        "bad_words": bad_words(),
    }


def bad_words() -> list[dict[str, str]]:
    """Words that no seed has, with what the refusal must name."""
    good = mnemonic_of(bytes(range(32))).split()
    swapped = [good[1], good[0], *good[2:]]
    return [
        {"words": " ".join(swapped), "names": "checksum"},
        {"words": " ".join(good[:-1]), "names": "24 words, these are 23"},
        {"words": " ".join([*good, good[0]]), "names": "24 words, these are 25"},
        {"words": mnemonic_of(bytes(16)), "names": "24 words, these are 12"},
        {"words": " ".join(["abandonn", *good[1:]]), "names": "word 1, 'abandonn'"},
        {"words": " ".join([*good[:-1], "zzzz"]), "names": "word 24, 'zzzz'"},
    ]


if __name__ == "__main__":
    VECTORS.parent.mkdir(exist_ok=True)
    VECTORS.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8")
