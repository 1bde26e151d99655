"""Writes the vectors of offers, heartbeats, certificates and gossip messages.

Run as `python -m tests.protocol.market.make_vectors`. Nothing of `protocol` is imported: payloads
are packed, hashed and signed by `wire`, verdicts are set by hand. `test_vectors.py` checks that
the files are what this makes, and that the code agrees with them.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.protocol.market import wire

FOLDER = Path(__file__).parents[3] / "protocol" / "vectors"
SOURCE = (
    "tests/protocol/market/make_vectors.py: msgpack packed by hand after its specification, hashes "
    "by hashlib, signatures by BIP340's reference code with zero auxiliary randomness; verdicts by "
    "hand"
)
NOW = 1_750_000_000
BTC = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:1"
LTC = "bip122:530827f38f93b43ed12af0b3ad25a288/slip44:1"
OTHER = "bip122:3d2160a3b5dc4a9d62e7e66a295f7031/slip44:1"
SECRET = sha256(b"swapd market vectors: maker").digest()
STRANGER = sha256(b"swapd market vectors: stranger").digest()
MAKER = wire.public_key(SECRET)
OTHER_MAKER = wire.public_key(STRANGER)
PEER = "16Uiu2HAmPLe7Mzm8TsYUubgCAW1aJoeFScxrLj8ppHFivPo97bUZ"
Json = dict[str, Any]


def pair(one: str, other: str) -> bytes:
    first, second = sorted((one, other))
    return sha256(f"swapd/pair/1\n{first}\n{second}".encode()).digest()


def topic(one: str, other: str) -> str:
    return "swapd/1/" + pair(one, other).hex()[:32]


PAIR = pair(BTC, LTC)

OFFER: Json = {
    "version": 1,
    "maker": MAKER,
    "slot": 7,
    "sequence": 3,
    "number": 11,
    "sell": LTC,
    "buy": BTC,
    "price": [wire.amount(1), wire.amount(75)],
    "minimum": wire.amount(1_000_000),
    "maximum": wire.amount(500_000_000),
    "created": NOW - 100,
    "expires": NOW + 3600,
    "kinds": ["p2wsh", "a-kind-of-tomorrow"],
    "timing": "standard",
    "exposure": [21_600, 6],
    "depth_sell": 12,
    "depth_buy": 3,
    "min_fee_rate": 1000,
}
CANCEL: Json = {
    "version": 1,
    "maker": MAKER,
    "number": 12,
    "pair": PAIR,
    "offer_id": sha256(b"any").digest(),
    "slot": 7,
    "sequence": 3,
    "time": NOW,
}
FLOOR: Json = {"version": 1, "maker": MAKER, "number": 20, "floor": 19, "time": NOW}
HEARTBEAT: Json = {
    "version": 1,
    "maker": MAKER,
    "epoch": 4,
    "counter": NOW * 1000,
    "time": NOW,
    "books": [[PAIR, 11, sha256(b"digest").digest()]],
}
CERTIFICATE: Json = {
    "version": 1,
    "maker": MAKER,
    "peer_id": PEER,
    "addresses": ["/ip4/192.0.2.1/tcp/9735", "/dns4/maker.example/tcp/9735"],
    "epoch": 4,
    "created": NOW,
    "expires": NOW + 86_400,
}
RETIRE: Json = {"version": 1, "maker": MAKER, "time": NOW}
TAGS = {
    "offer": "swapd/offer/1",
    "cancel": "swapd/cancel/1",
    "floor": "swapd/floor/1",
    "heartbeat": "swapd/heartbeat/1",
    "certificate": "swapd/certificate/1",
    "retire": "swapd/retire/1",
}


def payload(fields: Json, **changes: object) -> bytes:
    return wire.pack(list({**fields, **changes}.values()))


def item(kind: str, data: bytes, secret: bytes = SECRET) -> list[object]:
    return [kind, data, wire.signed(secret, TAGS[kind], data)]


def case(
    what: str,
    kind: str,
    data: bytes,
    refusal: str | None = None,
    *,
    now: int = NOW,
    secret: bytes = SECRET,
    tag: str | None = None,
) -> Json:
    """One signed thing and what becomes of it; `refusal` None = good."""
    signature = wire.signed(secret, TAGS[kind] if tag is None else tag, data)
    made: Json = {
        "what": what,
        "kind": kind,
        "now": now,
        "payload": data.hex(),
        "signature": signature.hex(),
        "refusal": refusal,
    }
    if kind == "offer" and refusal is None:
        made["offer_id"] = wire.tagged("swapd/offer/1", data).hex()
    return made


def _times_and_amounts() -> list[Json]:
    good, most = payload(OFFER), 2**256 - 1
    return [
        case("a good offer", "offer", good),
        case("its last second", "offer", good, now=OFFER["expires"] - 1),
        case("expired", "offer", good, "offer_expired", now=OFFER["expires"]),
        case("created 600 s ahead", "offer", payload(OFFER, created=NOW + 600)),
        case("created 601 s ahead", "offer", payload(OFFER, created=NOW + 601), "clock_skew"),
        case("24 h", "offer", payload(OFFER, expires=NOW - 100 + 86_400)),
        case("24 h and 1 s", "offer", payload(OFFER, expires=NOW - 99 + 86_400), "malformed"),
        case("another version", "offer", payload(OFFER, version=2), "unknown_version"),
        case("sells for itself", "offer", payload(OFFER, buy=LTC), "malformed"),
        case("an asset by ticker", "offer", payload(OFFER, buy="BTC"), "malformed"),
        case("no minimum", "offer", payload(OFFER, minimum=b""), "amount_out_of_range"),
        case(
            "minimum above maximum",
            "offer",
            payload(OFFER, maximum=wire.amount(999_999)),
            "amount_out_of_range",
        ),
        case(
            "minimum worth exactly one unit",
            "offer",
            payload(OFFER, price=[wire.amount(1), wire.amount(1_000_000)]),
        ),
        case(
            "minimum worth less than one unit",
            "offer",
            payload(OFFER, price=[wire.amount(1), wire.amount(1_000_001)]),
            "amount_out_of_range",
        ),
        case(
            "costs more than can exist",
            "offer",
            payload(OFFER, maximum=wire.amount(most), price=[wire.amount(2), wire.amount(1)]),
            "amount_out_of_range",
        ),
        case(
            "the most that can exist",
            "offer",
            payload(OFFER, maximum=wire.amount(most), price=[wire.amount(1), wire.amount(1)]),
        ),
        case(
            "a price not in lowest terms",
            "offer",
            payload(OFFER, price=[wire.amount(2), wire.amount(150)]),
            "malformed",
        ),
        case(
            "an amount with a leading zero",
            "offer",
            payload(OFFER, minimum=b"\x00" + wire.amount(1_000_000)),
            "malformed",
        ),
    ]


def _fields_and_signatures() -> list[Json]:
    good = payload(OFFER)
    long_int = good.replace(wire.pack(OFFER["slot"]), b"\xcc\x07", 1)
    return [
        case("no kinds", "offer", payload(OFFER, kinds=[]), "malformed"),
        case("8 kinds", "offer", payload(OFFER, kinds=[f"k{i}" for i in range(8)])),
        case("9 kinds", "offer", payload(OFFER, kinds=[f"k{i}" for i in range(9)]), "malformed"),
        case("a kind twice", "offer", payload(OFFER, kinds=["k", "k"]), "malformed"),
        case("a kind in capitals", "offer", payload(OFFER, kinds=["P2WSH"]), "malformed"),
        case("depth 0", "offer", payload(OFFER, depth_sell=0), "malformed"),
        case("depth 501", "offer", payload(OFFER, depth_buy=501), "malformed"),
        case("sequence 0", "offer", payload(OFFER, sequence=0), "malformed"),
        case("slot over 32 bits", "offer", payload(OFFER, slot=2**32), "malformed"),
        case(
            "away for 12 h and 1 s",
            "offer",
            payload(OFFER, exposure=[43_201, 6]),
            "exposure_too_long",
        ),
        case("an unknown timing", "offer", payload(OFFER, timing="slow"), "malformed"),
        case("a field too many", "offer", payload(OFFER, more=1), "malformed"),
        case("a byte too many", "offer", good + b"\x00", "malformed"),
        case("an integer not spelt the shortest way", "offer", long_int, "malformed"),
        case("over 1024 bytes", "offer", good + bytes(1024 - len(good) + 1), "too_large"),
        case("signed by a stranger", "offer", good, "bad_signature", secret=STRANGER),
        case("signed under another tag", "offer", good, "bad_signature", tag="swapd/terms/1"),
    ]


def _notices() -> list[Json]:
    return [
        case("a good cancellation", "cancel", payload(CANCEL)),
        case("cancelled a day ago", "cancel", payload(CANCEL), "offer_expired", now=NOW + 86_400),
        case("cancels in the future", "cancel", payload(CANCEL, time=NOW + 601), "clock_skew"),
        case("a pair of 31 bytes", "cancel", payload(CANCEL, pair=bytes(31)), "malformed"),
        case(
            "cancelled by a stranger", "cancel", payload(CANCEL), "bad_signature", secret=STRANGER
        ),
        case("a good floor", "floor", payload(FLOOR)),
        case("a floor over its own number", "floor", payload(FLOOR, floor=20), "malformed"),
    ]


def offers() -> Json:
    steps = [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 15, 16, 1000, 500_000_000, 2**256 - 1]
    # Two significant binary digits by text: all digits behind the first two become zero.
    shown = [int(bin(n)[2:4].ljust(len(bin(n)) - 2, "0"), 2) for n in steps]
    return {
        "source": SOURCE,
        "cases": [*_times_and_amounts(), *_fields_and_signatures(), *_notices()],
        "coarse": [{"units": str(n), "shown": str(s)} for n, s in zip(steps, shown, strict=True)],
    }


def heartbeats() -> Json:
    books = sorted([[pair(BTC, OTHER), 5, bytes(32)], [PAIR, 11, bytes(32)]])
    other = payload(HEARTBEAT, time=NOW + 1)
    good = payload(HEARTBEAT)

    def proof(one: bytes, two: bytes, secret: bytes = SECRET) -> bytes:
        tag = TAGS["heartbeat"]
        return wire.pack(
            [[one, wire.signed(SECRET, tag, one)], [two, wire.signed(secret, tag, two)]]
        )

    def proof_case(what: str, data: bytes, refusal: str | None = None, now: int = NOW) -> Json:
        return {
            "what": what,
            "kind": "equivocation",
            "now": now,
            "payload": data.hex(),
            "signature": "",
            "refusal": refusal,
        }

    first, second = sorted((good, other))
    one, two = sorted((good, payload(HEARTBEAT, maker=OTHER_MAKER)))
    later = payload(HEARTBEAT, counter=NOW * 1000 + 1)
    names = [sha256(b"offer %d" % i).digest() for i in range(3)]
    cases = [
        case("a good heartbeat", "heartbeat", good),
        case("two pairs in order", "heartbeat", payload(HEARTBEAT, books=books)),
        case(
            "two pairs out of order",
            "heartbeat",
            payload(HEARTBEAT, books=books[::-1]),
            "malformed",
        ),
        case("no pair", "heartbeat", payload(HEARTBEAT, books=[])),
        case("45 s old", "heartbeat", good, now=NOW + 45),
        case("46 s old", "heartbeat", good, "clock_skew", now=NOW + 46),
        case("45 s ahead", "heartbeat", good, now=NOW - 45),
        case("46 s ahead", "heartbeat", good, "clock_skew", now=NOW - 46),
        case("counter 0", "heartbeat", payload(HEARTBEAT, counter=0), "malformed"),
        case("by a stranger", "heartbeat", good, "bad_signature", secret=STRANGER),
        proof_case("two truths with one counter", proof(first, second)),
        proof_case("the same, in the other order", proof(second, first), "malformed"),
        proof_case("one truth twice", proof(first, first), "malformed"),
        proof_case("two makers", proof(one, two, STRANGER), "malformed"),
        proof_case("two counters", proof(*sorted((good, later))), "malformed"),
        proof_case("half of it by a stranger", proof(first, second, STRANGER), "bad_signature"),
        proof_case("a day old", proof(first, second), "offer_expired", now=NOW + 86_400),
    ]
    return {
        "source": SOURCE,
        "cases": cases,
        "live_sets": [
            {
                "offer_ids": [name.hex() for name in names[:n]],
                "digest": wire.tagged("swapd/live-set/1", b"".join(sorted(names[:n]))).hex(),
            }
            for n in range(4)
        ],
    }


def certificates() -> Json:
    good = payload(CERTIFICATE)
    long_address = "/dns4/" + "a" * 110 + "/tcp/9735"
    many = [f"/ip4/192.0.2.{n}/tcp/1" for n in range(9)]
    cases = [
        case("a good certificate", "certificate", good),
        case("no address", "certificate", payload(CERTIFICATE, addresses=[])),
        case("8 addresses", "certificate", payload(CERTIFICATE, addresses=many[:8])),
        case("9 addresses", "certificate", payload(CERTIFICATE, addresses=many), "malformed"),
        case("128 characters", "certificate", payload(CERTIFICATE, addresses=[long_address[:128]])),
        case(
            "129 characters",
            "certificate",
            payload(CERTIFICATE, addresses=[long_address.ljust(129, "0")]),
            "malformed",
        ),
        case("no slash", "certificate", payload(CERTIFICATE, addresses=["ip4"]), "malformed"),
        case(
            "an address twice",
            "certificate",
            payload(CERTIFICATE, addresses=many[:1] * 2),
            "malformed",
        ),
        case("not base58", "certificate", payload(CERTIFICATE, peer_id="0OIl"), "malformed"),
        case(
            "24 h and 1 s", "certificate", payload(CERTIFICATE, expires=NOW + 86_401), "malformed"
        ),
        case("expired", "certificate", good, "offer_expired", now=NOW + 86_400),
        case("of the future", "certificate", good, "clock_skew", now=NOW - 601),
        case("by a stranger", "certificate", good, "bad_signature", secret=STRANGER),
        case("a farewell", "retire", payload(RETIRE)),
        case("a farewell years later", "retire", payload(RETIRE), now=NOW + 10**8),
        case(
            "a farewell by a stranger", "retire", payload(RETIRE), "bad_signature", secret=STRANGER
        ),
    ]
    return {"source": SOURCE, "cases": cases}


def gossip() -> Json:
    here = topic(BTC, LTC)
    offer, beat = item("offer", payload(OFFER)), item("heartbeat", payload(HEARTBEAT))
    certificate = item("certificate", payload(CERTIFICATE))
    elsewhere = item("offer", payload(OFFER, buy=OTHER))
    beat_elsewhere = item("heartbeat", payload(HEARTBEAT, books=[[pair(BTC, OTHER), 1, bytes(32)]]))
    forged = item("offer", payload(OFFER), STRANGER)
    first, second = sorted((payload(HEARTBEAT), payload(HEARTBEAT, time=NOW + 1)))
    halves = [[half, wire.signed(SECRET, TAGS["heartbeat"], half)] for half in (first, second)]
    proof = ["equivocation", wire.pack(halves), b""]
    retire, floor = item("retire", payload(RETIRE)), item("floor", payload(FLOOR))
    batch = [beat, certificate, offer]

    def message(what: str, items: list[Any], valid: bool, at: str = here, now: int = NOW) -> Json:
        data = wire.pack(items)
        return {"what": what, "topic": at, "now": now, "data": data.hex(), "valid": valid}

    cases = [
        message("heartbeat, certificate, offer", batch, valid=True),
        message("one offer", [offer], valid=True),
        message("a cancellation", [item("cancel", payload(CANCEL))], valid=True),
        message("a floor and a farewell", [floor, retire], valid=True),
        message("a proof", [proof], valid=True),
        message("a proof with a signature", [[*proof[:2], bytes(64)]], valid=False),
        message("nothing", [], valid=False),
        message("64 items", [offer] * 64, valid=True),
        message("65 items", [offer] * 65, valid=False),
        message("an offer of another pair", [beat, elsewhere], valid=False),
        message("that offer where it belongs", [elsewhere], valid=True, at=topic(OTHER, LTC)),
        message("a heartbeat silent on the pair", [beat_elsewhere], valid=False),
        message("one bad signature among good", [beat, offer, forged], valid=False),
        message("a heartbeat of a minute ago", batch, valid=False, now=NOW + 60),
        message("an unknown kind of item", [["rumour", b"", bytes(64)]], valid=False),
        message("a text where bytes belong", [["offer", "text", bytes(64)]], valid=False),
        message("an unknown topic", batch, valid=False, at="swapd/1/"),
        message("a topic of another version", batch, valid=False, at=here.replace("/1/", "/2/")),
    ]
    topics = [
        {"assets": [one, other], "pair": pair(one, other).hex(), "topic": topic(one, other)}
        for one, other in ((BTC, LTC), (LTC, BTC), (BTC, OTHER))
    ]
    return {"source": SOURCE, "topics": topics, "cases": cases}


FILES = {
    "offers": offers,
    "heartbeats": heartbeats,
    "certificates": certificates,
    "gossip": gossip,
}


def text(name: str) -> str:
    """The content of one file."""
    return json.dumps(FILES[name](), indent=1) + "\n"


def main() -> None:
    for name in FILES:
        (FOLDER / f"{name}.json").write_text(text(name))


if __name__ == "__main__":
    main()
