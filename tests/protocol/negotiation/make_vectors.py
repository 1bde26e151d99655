"""Writes the vectors of the take protocol, from msgpack, hashlib and BIP340's own text alone.

Run as `python -m tests.protocol.negotiation.make_vectors`. Nothing of `protocol` is imported:
messages are literal lists packed by msgpack, hashes and signatures are written out after BIP340
over the pure-Python curve of `ecc`, expiries are the table of the safety rules (T_P = t0 + 165,
T_I = t0 + 370 on the regtest timing), keys are multiples of the generator.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgpack
from ecc.curves import mult
from ecc.curves.sec_point import bytes_from_point

TARGET = Path(__file__).parents[3] / "protocol" / "vectors" / "negotiation.json"
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
BTC = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:1"
LTC = "bip122:530827f38f93b43ed12af0b3ad25a288/slip44:1"
NOW = 1_750_000_000
REGTEST = "regtest"
EXPOSURE = [30, 6]
Json = dict[str, Any]


def pack(value: object) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def tagged(tag: str, *parts: bytes) -> bytes:
    name = sha256(tag.encode()).digest()
    return sha256(name + name + b"".join(parts)).digest()


def secret(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest(), "big")


def point(name: str) -> bytes:
    """33 bytes, compressed."""
    return bytes_from_point(mult(secret(name)), compressed=True)


def x_only(name: str) -> bytes:
    return point(name)[1:]


def sign(name: str, tag: str, payload: bytes) -> bytes:
    """BIP340, "Default Signing", with 32 zero bytes of auxiliary randomness."""
    message, key = tagged(tag, payload), secret(name)
    if point(name)[0] == 3:
        key = ORDER - key
    mask = tagged("BIP0340/aux", bytes(32))
    t = (key ^ int.from_bytes(mask, "big")).to_bytes(32, "big")
    nonce = int.from_bytes(tagged("BIP0340/nonce", t, x_only(name), message), "big") % ORDER
    r = bytes_from_point(mult(nonce), compressed=True)
    if r[0] == 3:
        nonce = ORDER - nonce
    e = int.from_bytes(tagged("BIP0340/challenge", r[1:], x_only(name), message), "big") % ORDER
    return r[1:] + ((nonce + e * key) % ORDER).to_bytes(32, "big")


def number(value: int) -> bytes:
    """An amount on the wire: minimal big-endian bytes."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def envelope(name: str, who: str, tag: str, payload: bytes) -> bytes:
    return pack([name, payload, sign(who, tag, payload)])


HASHLOCK = sha256(sha256(b"preimage").digest()).digest()
PINNED_I = [120, sha256(b"btc block").digest()]
PINNED_P = [340, sha256(b"ltc block").digest()]

OFFER = [
    *(1, x_only("maker"), 0, 1, 1, LTC, BTC, [number(1), number(80)]),
    *(number(200_000_000), number(1_000_000_000), NOW - 60, NOW + 3600),
    *(["p2wsh"], REGTEST, EXPOSURE, 3, 2, 1_000),
]
OFFER_ID = tagged("swapd/offer/1", pack(OFFER))
TAKE = [
    *(1, OFFER_ID, x_only("taker"), bytes(range(32)), number(400_000_000)),
    *("p2wsh", "p2wsh", REGTEST, EXPOSURE, 2, 3, None, None, PINNED_I, PINNED_P, NOW),
]
SWAP_ID = tagged("swapd/take/1", pack(TAKE))
RESERVE = [
    *(SWAP_ID, EXPOSURE, 2, 3, None, None),
    *(point("maker claims i"), point("maker refunds p")),
    *(PINNED_I, PINNED_P, 1_000, [b"\x02proof", ["ab" * 32 + ":0"]], NOW + 60),
]
LEG_I = [
    *("p2wsh", [BTC, number(5_000_000)], point("maker claims i"), point("taker refunds i")),
    *(NOW + 370, 2, PINNED_I, None),
]
LEG_P = [
    *("p2wsh", [LTC, number(400_000_000)], point("taker claims p"), point("maker refunds p")),
    *(NOW + 165, 3, PINNED_P, None),
]
TERMS = [
    *(1, SWAP_ID, OFFER_ID, x_only("maker"), x_only("taker"), HASHLOCK, NOW, REGTEST),
    *(EXPOSURE, EXPOSURE, LEG_I, LEG_P, 1_000),
]
TERMS_HASH = tagged("swapd/terms/1", pack(TERMS))


def take(fields: list[Any], who: str = "taker") -> bytes:
    return envelope("take", who, "swapd/take/1", pack(fields))


def reserve(fields: list[Any], who: str = "maker") -> bytes:
    return envelope("reserve", who, "swapd/reserve/1", pack(fields))


def propose(fields: list[Any], who: str = "taker") -> bytes:
    return envelope("propose", who, "swapd/terms/1", pack(fields))


def accept(swap_id: bytes = SWAP_ID, digest: bytes = TERMS_HASH, who: str = "maker") -> bytes:
    return pack(["accept", swap_id, digest, sign(who, "swapd/terms/1", pack(TERMS))])


def having(fields: list[Any], *changes: tuple[int, Any]) -> list[Any]:
    """A copy with some elements replaced, by index."""
    changed = list(fields)
    for index, value in changes:
        changed[index] = value
    return changed


def _refused_by_the_maker() -> list[tuple[str, str, bytes, str]]:
    leg = having(LEG_P, (1, [LTC, number(399_999_999)]))
    return [
        ("a take of a later version", "listening", take(having(TAKE, (0, 2))), "unknown_version"),
        ("a take signed by another key", "listening", take(TAKE, "maker"), "bad_signature"),
        ("a take with a field too many", "listening", take([*TAKE, 0]), "malformed"),
        ("a take with a short nonce", "listening", take(having(TAKE, (3, b""))), "malformed"),
        (
            "a take whose amount has a leading zero",
            *("listening", take(having(TAKE, (4, b"\x00\x17\xd7\x84\x00"))), "malformed"),
        ),
        (
            "a take with an absence of more than 12 h",
            *("listening", take(having(TAKE, (8, [43_201, 6]))), "exposure_too_long"),
        ),
        ("a take cut short", "listening", take(TAKE)[:-1], "malformed"),
        ("a take with a byte behind it", "listening", take(TAKE) + b"\xc0", "malformed"),
        ("16 KiB and a byte", "listening", bytes(16 * 1024 + 1), "too_large"),
        ("a proposal before a take", "listening", propose(TERMS), "unexpected_message"),
        ("a take again", "reserved", take(TAKE), "unexpected_message"),
        ("terms signed by the maker", "reserved", propose(TERMS, "maker"), "bad_signature"),
        (
            "terms of a later version",
            *("reserved", propose(having(TERMS, (0, 2))), "unknown_version"),
        ),
        (
            "terms of another swap",
            *("reserved", propose(having(TERMS, (1, bytes(32)))), "wrong_swap"),
        ),
        (
            "terms that pay the taker one unit less",
            *("reserved", propose(having(TERMS, (11, leg))), "wrong_terms"),
        ),
        (
            "terms whose I expires a second early",
            *(
                "reserved",
                propose(having(TERMS, (10, having(LEG_I, (4, NOW + 369))))),
                "wrong_expiry",
            ),
        ),
        (
            "terms with one key for claim and refund",
            *("reserved", propose(having(TERMS, (10, having(LEG_I, (3, LEG_I[2]))))), "wrong_key"),
        ),
        (
            "terms that begin 11 s ahead",
            *("reserved", propose(having(TERMS, (6, NOW + 11))), "clock_skew"),
        ),
    ]


def _refused_by_the_taker() -> list[tuple[str, str, bytes, str]]:
    return [
        ("an acceptance before a proposal", "asking", accept(), "unexpected_message"),
        ("a reserve signed by another key", "asking", reserve(RESERVE, "taker"), "bad_signature"),
        (
            "a reserve of another take",
            *("asking", reserve(having(RESERVE, (0, bytes(32)))), "wrong_swap"),
        ),
        (
            "a reserve at too little depth",
            *("asking", reserve(having(RESERVE, (3, 2))), "depth_too_small"),
        ),
        (
            "a reserve with another exposure than the offer's",
            *("asking", reserve(having(RESERVE, (1, [60, 6]))), "wrong_terms"),
        ),
        (
            "a reserve with a key off the curve",
            *("asking", reserve(having(RESERVE, (6, b"\x02" + b"\xff" * 32))), "wrong_key"),
        ),
        ("a reserve again", "proposing", reserve(RESERVE), "unexpected_message"),
        ("an acceptance of other terms", "proposing", accept(digest=bytes(32)), "wrong_terms"),
        ("an acceptance of another swap", "proposing", accept(bytes(32)), "wrong_swap"),
        ("an acceptance signed by ourselves", "proposing", accept(who="taker"), "bad_signature"),
        (
            "the refusal of another take",
            *("asking", pack(["refuse", bytes(32), "busy", ""]), "wrong_swap"),
        ),
        (
            "a refusal by an unknown name",
            *("asking", pack(["refuse", SWAP_ID, "no_thanks", ""]), "malformed"),
        ),
    ]


def build() -> Json:
    """The whole file as a value."""
    refused = [("maker", *row) for row in _refused_by_the_maker()]
    refused += [("taker", *row) for row in _refused_by_the_taker()]
    return {
        "source": (
            "tests/protocol/negotiation/make_vectors.py: literal lists packed by msgpack, hashes "
            "and signatures after the text of BIP340 on a pure-Python curve, auxiliary randomness "
            "of 32 zero bytes, expiries from the safety rules. Bytes in hex. A secret key is the "
            "SHA-256 of its name."
        ),
        "now": NOW,
        "names": {
            "maker": x_only("maker").hex(),
            "taker": x_only("taker").hex(),
            **{
                name: point(name).hex()
                for name in (
                    *("maker claims i", "maker refunds p"),
                    *("taker claims p", "taker refunds i"),
                )
            },
        },
        "offer": pack(OFFER).hex(),
        "offer_id": OFFER_ID.hex(),
        "hashlock": HASHLOCK.hex(),
        "swap_id": SWAP_ID.hex(),
        "funds_challenge": tagged("swapd/proof-of-funds/1", SWAP_ID).hex(),
        "terms": pack(TERMS).hex(),
        "terms_hash": TERMS_HASH.hex(),
        "messages": {
            "take": take(TAKE).hex(),
            "reserve": reserve(RESERVE).hex(),
            "propose": propose(TERMS).hex(),
            "accept": accept().hex(),
            "refuse": pack(["refuse", SWAP_ID, "amount_taken", "somebody was faster"]).hex(),
        },
        "refused": [
            {"name": name, "by": by, "state": state, "message": data.hex(), "refusal": refusal}
            for by, name, state, data, refusal in refused
        ],
    }


def text() -> str:
    """The file."""
    return json.dumps(build(), indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), "utf-8")
