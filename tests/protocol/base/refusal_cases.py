"""What refusals.json and book_sync.json hold: messages, takes and keys, good and refused.

Owns: the cases, laid out field by field after SPEC.md. Their bytes come from `byhand`, never from
the code under test. `make_vectors` writes them.
"""

from typing import Any, Final

from tests.protocol.base.byhand import array, num, raw, text

Json = dict[str, Any]

REFUSALS: Final = (
    "malformed", "too_large", "unknown_version", "unexpected_message", "wrong_swap",
    "bad_signature", "unknown_offer", "offer_expired", "offer_cancelled", "own_offer",
    "amount_out_of_range", "amount_taken", "insufficient_funds", "below_economic_minimum",
    "limit_reached", "unsupported_kind", "unsupported_asset", "wrong_chain", "wrong_terms",
    "wrong_expiry", "wrong_key", "reused_hashlock", "depth_too_small", "exposure_too_long",
    "bad_proof_of_funds", "clock_skew", "too_late", "node_not_ready", "busy", "shutting_down",
    "internal",
)  # fmt: skip


def _refuse(swap_id: bytes, name: str, detail: str) -> bytes:
    return array(text("refuse"), raw(swap_id), text(name), text(detail))


# Figures of a take that is fine, and what changes in each case. 270 vbytes of claim and refund at
# 3703 per 1000 cost 1000 (999.81 rounded up), ten times that is just the 10,000 of leg I.
_TAKE: Final[Json] = {
    "now": 1_800_000_000,
    "price": ["1", "7"],
    "minimum": "70000",
    "maximum": "700000",
    "remaining": "700000",
    "expires": 1_800_003_600,
    "offer_kinds": ["p2tr-musig2", "p2wsh"],
    "offer_timing": "regtest",
    "depth_buy": 2,
    "depth_sell": 3,
    "offer_is_another": False,
    "taker_is_the_maker": False,
    "units": "70000",
    "kind_i": "p2wsh",
    "kind_p": "p2wsh",
    "timing": "regtest",
    "created": 1_800_000_000,
    "depth_i": 2,
    "depth_p": 3,
    "pace_i": None,
    "pace_p": None,
    "pinned_i": [200, "aa" * 32],
    "pinned_p": [300, "bb" * 32],
    "our_timing": "regtest",
    "our_pinned_i": [200, "aa" * 32],
    "our_pinned_p": [300, "bb" * 32],
    "our_stress_fee_rate": 3703,
}
_TAKES: Final[tuple[tuple[str, Json, str], ...]] = (
    ("a take of another offer", {"offer_is_another": True}, "unknown_offer"),
    ("maker and taker are one", {"taker_is_the_maker": True}, "own_offer"),
    ("the offer expires now", {"expires": 1_800_000_000}, "offer_expired"),
    ("the offer expired long ago", {"expires": 1_700_000_000}, "offer_expired"),
    ("a kind that the offer has and we do not speak", {"kind_p": "p2tr-musig2"},
     "unsupported_kind"),
    ("the same for the other leg", {"kind_i": "p2tr-musig2"}, "unsupported_kind"),
    ("a kind of other chains", {"kind_i": "evm", "offer_kinds": ["p2wsh", "evm"]},
     "unsupported_kind"),
    ("a kind that the offer does not have", {"offer_kinds": ["p2tr-musig2"]}, "unsupported_kind"),
    ("a kind that nobody has", {"kind_i": "x", "kind_p": "x"}, "unsupported_kind"),
    ("another timing than the offer's", {"timing": "fast"}, "wrong_terms"),
    ("another timing than ours", {"our_timing": "standard"}, "wrong_terms"),
    ("made 6 s ago", {"created": 1_799_999_994}, "clock_skew"),
    ("made in 6 s", {"created": 1_800_000_006}, "clock_skew"),
    ("one unit below the minimum", {"units": "69999"}, "amount_out_of_range"),
    ("one unit above the maximum", {"units": "700001"}, "amount_out_of_range"),
    ("nothing", {"units": "0"}, "amount_out_of_range"),
    ("one unit more than is left", {"remaining": "69999"}, "amount_taken"),
    ("nothing is left", {"remaining": "0"}, "amount_taken"),
    ("the spends cost a unit over a tenth", {"our_stress_fee_rate": 3704},
     "below_economic_minimum"),
    ("leg I pinned 73 blocks above ours", {"pinned_i": [273, "cc" * 32]}, "wrong_chain"),
    ("leg I pinned 73 blocks below ours", {"pinned_i": [127, "cc" * 32]}, "wrong_chain"),
    ("leg P pinned 73 blocks above ours", {"pinned_p": [373, "cc" * 32]}, "wrong_chain"),
    ("another block at the height of ours", {"pinned_p": [300, "cc" * 32]}, "wrong_chain"),
    ("a pace where the chain's is known", {"pace_p": [10, 0, 0, 0]}, "wrong_terms"),
    ("a block hash of 31 bytes", {"pinned_i": [201, "cc" * 31]}, "wrong_chain"),
)  # fmt: skip
_FINE: Final[tuple[tuple[str, Json, list[Any]], ...]] = (
    ("as it stands", {}, ["10000", "70000", 2, 3]),
    ("one unit more costs one more", {"units": "70001"}, ["10001", "70001", 2, 3]),
    ("the whole", {"units": "700000"}, ["100000", "700000", 2, 3]),
    ("made 5 s ago", {"created": 1_799_999_995}, ["10000", "70000", 2, 3]),
    ("made in 5 s", {"created": 1_800_000_005}, ["10000", "70000", 2, 3]),
    ("a second before the offer expires", {"expires": 1_800_000_001}, ["10000", "70000", 2, 3]),
    ("just what is left", {"remaining": "70000"}, ["10000", "70000", 2, 3]),
    ("pinned 72 blocks away", {"pinned_i": [272, "cc" * 32], "pinned_p": [228, "cc" * 32]},
     ["10000", "70000", 2, 3]),
    ("the taker asks for more depth", {"depth_i": 9, "depth_p": 8}, ["10000", "70000", 9, 8]),
    ("the offer asks for more depth", {"depth_buy": 9, "depth_sell": 8},
     ["10000", "70000", 9, 8]),
    ("nobody asks for less than the timing's", {"depth_i": 1, "depth_p": 1, "depth_buy": 1,
     "depth_sell": 1}, ["10000", "70000", 2, 3]),
)  # fmt: skip
# Keys of an HTLC: x of the generator, of twice the generator; 5 is the x of no point (BIP340).
_X1: Final = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
_X2: Final = "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
_KEYS: Final = (
    ("two keys", ["02" + _X1, "03" + _X2], None),
    ("the same key twice", ["02" + _X1, "02" + _X1], "wrong_key"),
    ("the same x with the other sign", ["02" + _X1, "03" + _X1], "wrong_key"),
    ("an x of no point", ["02" + _X1, "02" + "00" * 31 + "05"], "wrong_key"),
    ("an x above the field", ["02" + _X1, "02" + "ff" * 32], "wrong_key"),
    ("an uncompressed form", ["02" + _X1, "04" + _X2], "wrong_key"),
    ("an x-only key of 32 bytes", ["02" + _X1, _X2], "wrong_key"),
    ("34 bytes", ["02" + _X1, "02" + _X2 + "00"], "wrong_key"),
    ("nothing", ["02" + _X1, ""], "wrong_key"),
)


def refusals() -> Json:
    """The message of each refusal, and messages that are none."""
    name, swap = "busy", b"\x11" * 32
    good = [(refusal, swap, "why not") for refusal in REFUSALS]
    good += [(name, b"", ""), (name, swap, "x" * 200), (name, swap, "é" * 200)]
    bad = [
        ("an unknown name", _refuse(swap, "dislike", "")),
        ("the name in capitals", _refuse(swap, "BUSY", "")),
        ("the name as bytes", array(text("refuse"), raw(swap), raw(b"busy"), text(""))),
        ("a detail of 201 characters", _refuse(swap, name, "x" * 201)),
        ("a detail that is not UTF-8",
         array(text("refuse"), raw(swap), text(name), b"\xa2\xc3\x28")),
        ("a swap id of 33 bytes", _refuse(swap + b"\x00", name, "")),
        ("no detail", array(text("refuse"), raw(swap), text(name))),
        ("more than a detail", array(text("refuse"), raw(swap), text(name), text(""), num(1))),
        ("another tag", array(text("refused"), raw(swap), text(name), text(""))),
        ("the tag as bytes", array(raw(b"refuse"), raw(swap), text(name), text(""))),
        ("no tag", array(raw(swap), text(name), text(""))),
    ]  # fmt: skip
    return {
        "source": "names copied from section 21 of SPEC.md; bytes by "
        "tests/protocol/base/byhand.py; "
        "takes and keys by hand from section 13",
        "names": list(REFUSALS),
        "good": [
            {
                "refusal": refusal,
                "swap_id": swap_id.hex(),
                "detail": detail,
                "bytes": _refuse(swap_id, refusal, detail).hex(),
            }
            for refusal, swap_id, detail in good
        ],
        "refused": [{"why": why, "bytes": data.hex(), "refusal": "malformed"} for why, data in bad],
        "take": _TAKE,
        "takes_granted": [
            {
                "what": what,
                "change": change,
                "amount_i": said[0],
                "amount_p": said[1],
                "depth_i": said[2],
                "depth_p": said[3],
            }
            for what, change, said in _FINE
        ],
        "takes_refused": [
            {"why": why, "change": change, "refusal": refusal} for why, change, refusal in _TAKES
        ],
        "keys": [{"what": what, "keys": keys, "refusal": refusal} for what, keys, refusal in _KEYS],
    }


# --- Book sync --------------------------------------------------------------------------------


def _request(
    pair: int = 32, maker: int = 0, heads: tuple[bytes, ...] = (), cursor: int = 0
) -> list[bytes]:
    """The fields of a request, with byte strings of these lengths."""
    given = raw(b"\x61" * pair), raw(b"\x62" * maker), array(*heads), raw(b"\x63" * cursor)
    return [num(1), *given]


def _answer(items: tuple[bytes, ...] = (), cursor: bytes = b"") -> list[bytes]:
    """The fields of an answer."""
    return [num(1), array(*items), raw(cursor)]


_HEAD: Final = array(raw(b"\x01" * 8), raw(b"\x02" * 8))
_ITEM: Final = array(text("offer"), raw(b"\x05"), raw(b"\x06" * 64))
_AFTER, _BEHIND = b"\x63" * 64, b"\x63" * 63 + b"\x64"


def _requests() -> list[tuple[str, list[bytes], str | None]]:
    """What is said of each, its fields, and why it is refused, if it is."""
    return [
        ("all of a pair", _request(), None),
        ("one maker", _request(maker=32), None),
        ("with heads", _request(heads=(_HEAD, _HEAD)), None),
        ("the next page", _request(maker=32, cursor=64), None),
        ("version 2", [num(2), *_request()[1:]], "unknown_version"),
        ("a pair of 31 bytes", _request(pair=31), "malformed"),
        ("a maker of 33 bytes", _request(maker=33), "malformed"),
        ("a cursor of 32 bytes", _request(cursor=32), "malformed"),
        ("a head of 9 bytes", _request(heads=(array(raw(bytes(9)), raw(bytes(8))),)), "malformed"),
        ("a digest of 7", _request(heads=(array(raw(bytes(8)), raw(bytes(7))),)), "malformed"),
        ("no cursor", _request()[:4], "malformed"),
        ("a field too many", [*_request(), num(0)], "malformed"),
    ]


def _answers() -> list[tuple[str, list[bytes], bytes, str | None]]:
    """The same for answers, with the cursor of the request."""
    return [
        ("nothing", _answer(), b"", None),
        ("one item, all told", _answer((_ITEM,)), b"", None),
        ("a first page", _answer((_ITEM, _ITEM), _AFTER), b"", None),
        ("a later page", _answer((_ITEM,), _BEHIND), _AFTER, None),
        ("the last page", _answer((_ITEM,)), _AFTER, None),
        ("version 0", [num(0), *_answer()[1:]], b"", "unknown_version"),
        ("a cursor of 63 bytes", _answer((), bytes([0x70]) * 63), b"", "malformed"),
        ("a cursor that stands still", _answer((_ITEM,), _AFTER), _AFTER, "malformed"),
        ("a cursor that goes back", _answer((_ITEM,), _AFTER), _BEHIND, "malformed"),
        ("an item of no kind", _answer((array(text("x"), raw(b""), raw(b"")),)), b"", "malformed"),
        ("items left out", [num(1), raw(b"")], b"", "malformed"),
    ]


def _many(fields: str, count: int, element: bytes) -> str:
    """A struct of `fields`, in notation, in which # is an array of 256 or more elements."""
    return fields.replace("#", f"dc{count:04x} {element.hex()}*{count}")


def book_sync() -> Json:
    """Requests and answers, and what is neither."""
    question = f"95 01 c420 61*32 c400 # {raw(b'').hex()}"
    short = array(text("retire"), raw(b""), raw(b""))
    long_requests = [
        ("with 1,024 heads", _many(question, 1024, _HEAD), None),
        ("1,025 heads", _many(question, 1025, _HEAD), "malformed"),
    ]
    long_answers = [
        ("1,024 items", _many("93 01 # c400", 1024, short), None),
        ("1,025 items", _many("93 01 # c400", 1025, short), "malformed"),
        ("over 65,536 bytes", _many("93 01 # c400", 1024, _ITEM), "too_large"),
    ]
    return {
        "source": "by hand after section 12 of SPEC.md; bytes by tests/protocol/base/byhand.py",
        "notation": "bytes are hex; blanks between parts mean nothing; part*n is the part n times",
        "requests": [
            {"what": what, "bytes": array(*fields).hex(), "refusal": refusal}
            for what, fields, refusal in _requests()
        ]
        + [
            {"what": what, "bytes": notation, "refusal": refusal}
            for what, notation, refusal in long_requests
        ],
        "answers": [
            {"what": what, "bytes": array(*fields).hex(), "after": after.hex(), "refusal": refusal}
            for what, fields, after, refusal in _answers()
        ]
        + [
            {"what": what, "bytes": notation, "after": "", "refusal": refusal}
            for what, notation, refusal in long_answers
        ],
    }
