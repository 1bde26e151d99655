"""Writes signing.json and terms.json, refusals.json and book_sync.json (run it as a module).

Owns: the cases, laid out field by field after SPEC.md. Their bytes come from `byhand`, never from
the code under test.
"""

import json
from pathlib import Path
from typing import Any, Final

import protocol
from tests.protocol.base.byhand import NIL, array, num, raw, signed, tagged, text, units, x_only
from tests.protocol.base.refusal_cases import book_sync, refusals

FOLDER: Final = Path(protocol.__file__).parent / "vectors"
Json = dict[str, Any]

BTC_REGTEST: Final = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328/slip44:1"
LTC_REGTEST: Final = "bip122:530827f38f93b43ed12af0b3ad25a288/slip44:1"
BTC: Final = "bip122:000000000019d6689c085ae165831e93/slip44:0"
LTC: Final = "bip122:12a765e31ffd4059bada1e25190f6e98/slip44:2"

TAGS: Final = (
    "swapd/offer/1",
    "swapd/cancel/1",
    "swapd/floor/1",
    "swapd/heartbeat/1",
    "swapd/retire/1",
    "swapd/certificate/1",
    "swapd/live-set/1",
    "swapd/take/1",
    "swapd/reserve/1",
    "swapd/terms/1",
    "swapd/proof-of-funds/1",
    "swapd/tower-package/1",
    "swapd/tower-proof/1",
    "swapd/tower-ticket/1",
)

# BIP340, bip-0340/test-vectors.csv, rows 0 to 14: index, secret, public key, aux, message,
# signature, good. Rows 15 to 18 are messages that are not 32 bytes, which nobody here signs.
_DF: Final = "DFF1D77F2A671C5F36183726DB2341BE58FEAE1DA2DECED843240F7B502BA659"
_PI: Final = "243F6A8885A308D313198A2E03707344A4093822299F31D0082EFA98EC4E6C89"
_R5: Final = "6CFF5C3BA86C69EA4B7376F31A9BCB4F74C1976089B2D9963DA2E5543E177769"
_S5: Final = "69E89B4C5564D00349106B8497785DD7D1D713A8AE82B32FA79D5F7FC407D39B"
_BIP340: Final = (
    (0, "00" * 31 + "03", "F9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9",
     "00" * 32, "00" * 32, ("E907831F80848D1069A5371B402410364BDF1C5F8307B0084C55F1CE2DCA8215"
     "25F66A4A85EA8B71E482A74F382D2CE5EBEEE8FDB2172F477DF4900D310536C0"), True),
    (1, "B7E151628AED2A6ABF7158809CF4F3C762E7160F38B4DA56A784D9045190CFEF", _DF,
     "00" * 31 + "01", _PI, ("6896BD60EEAE296DB48A229FF71DFE071BDE413E6D43F917DC8DCF8C78DE3341"
     "8906D11AC976ABCCB20B091292BFF4EA897EFCB639EA871CFA95F6DE339E4B0A"), True),
    (2, "C90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B14E5C9",
     "DD308AFEC5777E13121FA72B9CC1B7CC0139715309B086C960E18FD969774EB8",
     "C87AA53824B4D7AE2EB035A2B5BBBCCC080E76CDC6D1692C4B0B62D798E6D906",
     "7E2D58D8B3BCDF1ABADEC7829054F90DDA9805AAB56C77333024B9D0A508B75C",
     ("5831AAEED7B44BB74E5EAB94BA9D4294C49BCF2A60728D8B4C200F50DD313C1B"
     "AB745879A5AD954A72C45A91C3A51D3C7ADEA98D82F8481E0E1E03674A6F3FB7"), True),
    (3, "0B432B2677937381AEF05BB02A66ECD012773062CF3FA2549E44F58ED2401710",
     "25D1DFF95105F5253C4022F628A996AD3A0D95FBF21D468A1B33F8C160D8F517", "FF" * 32, "FF" * 32,
     ("7EB0509757E246F19449885651611CB965ECC1A187DD51B64FDA1EDC9637D5EC"
     "97582B9CB13DB3933705B32BA982AF5AF25FD78881EBB32771FC5922EFC66EA3"), True),
    (4, "", "D69C3509BB99E412E68B0FE8544E72837DFA30746D8BE2AA65975F29D22DC7B9", "",
     "4DF3C3F68FCC83B27E9D42C90431A72499F17875C81A599B566C9889B9696703",
     ("00000000000000000000003B78CE563F89A0ED9414F5AA28AD0D96D6795F9C63"
     "76AFB1548AF603B3EB45C9F8207DEE1060CB71C04E80F593060B07D28308D7F4"), True),
    (5, "", "EEFDEA4CDB677750A420FEE807EACF21EB9898AE79B9768766E4FAA04A2D4A34", "", _PI,
     _R5 + _S5, False),
    (6, "", _DF, "", _PI, ("FFF97BD5755EEEA420453A14355235D382F6472F8568A18B2F057A1460297556"
     "3CC27944640AC607CD107AE10923D9EF7A73C643E166BE5EBEAFA34B1AC553E2"), False),
    (7, "", _DF, "", _PI, ("1FA62E331EDBC21C394792D2AB1100A7B432B013DF3F6FF4F99FCB33E0E1515F"
     "28890B3EDB6E7189B630448B515CE4F8622A954CFE545735AAEA5134FCCDB2BD"), False),
    (8, "", _DF, "", _PI,
     _R5 + "961764B3AA9B2FFCB6EF947B6887A226E8D7C93E00C5ED0C1834FF0D0C2E6DA6", False),
    (9, "", _DF, "", _PI,
     "00" * 32 + "123DDA8328AF9C23A94C1FEECFD123BA4FB73476F0D594DCB65C6425BD186051", False),
    (10, "", _DF, "", _PI,
     "00" * 31 + "01" + "7615FBAF5AE28864013C099742DEADB4DBA87F11AC6754F93780D5A1837CF197", False),
    (11, "", _DF, "", _PI,
     "4A298DACAE57395A15D0795DDBFD1DCB564DA82B0F269BC70A74F8220429BA1D" + _S5, False),
    (12, "", _DF, "", _PI, "FF" * 27 + "FEFFFFFC2F" + _S5, False),
    (13, "", _DF, "", _PI,
     _R5 + "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", False),
    (14, "", "FF" * 27 + "FEFFFFFC30", "", _PI, _R5 + _S5, False),
)  # fmt: skip


def signing() -> Json:
    """Tagged hashes, BIP340's rows, our own signatures, and some that must not verify."""
    secret, aux = bytes(31) + b"\x05", bytes(range(32))
    ours = []
    for tag in TAGS:
        for message in (b"", b"abc", bytes(100)):
            digest = tagged(tag, message)
            ours.append(
                {
                    "tag": tag,
                    "message": message.hex(),
                    "hash": digest.hex(),
                    "signature": signed(secret, digest, aux).hex(),
                }
            )
    good = signed(secret, tagged("swapd/offer/1", b"abc"), aux)
    key = x_only(secret)
    refused = [
        ("another tag", "swapd/cancel/1", b"abc", key, good),
        ("another message", "swapd/offer/1", b"abd", key, good),
        ("another key", "swapd/offer/1", b"abc", x_only(bytes(31) + b"\x06"), good),
        ("a signature of 63 bytes", "swapd/offer/1", b"abc", key, good[:63]),
        ("a signature of 65 bytes", "swapd/offer/1", b"abc", key, good + b"\x01"),
        ("an empty signature", "swapd/offer/1", b"abc", key, b""),
        ("a compressed key of 33 bytes", "swapd/offer/1", b"abc", b"\x02" + key, good),
        ("a key that is no x of the curve", "swapd/offer/1", b"abc", bytes(31) + b"\x05", good),
        (
            "signed without the tag",
            "swapd/offer/1",
            b"abc",
            key,
            signed(secret, tagged("", b"abc"), aux),
        ),
    ]
    return {
        "source": "bip340: BIP340's published test-vectors.csv, rows 0 to 14, over bare 32-byte "
        "messages; the rest by tests/protocol/base/byhand.py, BIP340 in integers and hashlib",
        "bip340": [
            {
                "index": index,
                "secret": secret_hex.lower(),
                "public_key": public.lower(),
                "aux": aux_hex.lower(),
                "message": message_hex.lower(),
                "signature": signature.lower(),
                "good": is_good,
            }
            for index, secret_hex, public, aux_hex, message_hex, signature, is_good in _BIP340
        ],
        "secret": secret.hex(),
        "aux": aux.hex(),
        "public_key": key.hex(),
        "signed": ours,
        "refused": [
            {
                "why": why,
                "tag": tag,
                "message": message.hex(),
                "public_key": public.hex(),
                "signature": signature.hex(),
            }
            for why, tag, message, public, signature in refused
        ],
    }


# --- Terms ------------------------------------------------------------------------------------


def _leg(
    asset: str, amount: int, keys: tuple[int, int], doors: tuple[int, int], height: int
) -> bytes:
    """`doors`: expiry and depth; `keys`: what the claim and the refund key are made of."""
    return array(
        text("p2wsh"),
        array(text(asset), units(amount)),
        raw(b"\x02" + bytes([keys[0]]) * 32),
        raw(b"\x03" + bytes([keys[1]]) * 32),
        num(doors[0]),
        num(doors[1]),
        array(num(height), raw(bytes([height % 256]) * 32)),
        NIL,
    )


def _fields(timing: str, exposure: bytes, leg_i: bytes, leg_p: bytes) -> list[bytes]:
    return [
        num(1),
        raw(b"\x11" * 32),
        raw(b"\x12" * 32),
        raw(b"\x13" * 32),
        raw(b"\x14" * 32),
        raw(b"\x15" * 32),
        num(1_800_000_000),
        text(timing),
        exposure,
        array(num(1800), num(4)),
        leg_i,
        leg_p,
        num(1000),
    ]


def _not_terms(small: list[bytes], leg_i: bytes, leg_p: bytes) -> list[tuple[str, bytes, str]]:
    """Bytes that differ from good terms in one thing, and the refusal."""

    def changed(index: int, value: bytes) -> bytes:
        return array(*small[:index], value, *small[index + 1 :])

    return [
        ("a field is missing", array(*small[:-1]), "malformed"),
        ("a field is added", array(*small, num(0)), "malformed"),
        ("a trailing byte", array(*small) + b"\x00", "malformed"),
        ("cut short", array(*small)[:-1], "malformed"),
        ("the long form of the array", b"\xdc\x00\x0d" + array(*small)[1:], "malformed"),
        ("the version padded to two bytes", changed(0, b"\xcc\x01"), "malformed"),
        ("the hashlock as hexadecimal text", changed(5, text("15" * 32)), "malformed"),
        ("an unknown timing", changed(7, text("slow")), "malformed"),
        ("an absence over 12 h", changed(8, array(num(43_201), num(6))), "exposure_too_long"),
        ("a risk of one in ten", changed(8, array(num(30), num(1))), "exposure_too_long"),
        ("a risk of 1e-10", changed(9, array(num(30), num(10))), "exposure_too_long"),
        ("t0 as a float", changed(6, b"\xcb" + bytes(8)), "malformed"),
        ("t0 as nil", changed(6, b"\xc0"), "malformed"),
        (
            "a leg with units as a number",
            changed(10, leg_i.replace(units(100_000), num(100_000))),
            "malformed",
        ),
        (
            "a leg with units led by a zero byte",
            changed(10, leg_i.replace(units(100_000), raw(b"\x00\x01\x86\xa0"))),
            "malformed",
        ),
        (
            "a kind of HTLC that is not known",
            changed(11, leg_p.replace(text("p2wsh"), text("p2pkh"))),
            "malformed",
        ),
        ("a map in place of an array", b"\x80", "malformed"),
        ("nothing", b"", "malformed"),
        ("over 16,384 bytes", array(*small) + bytes(16_384), "too_large"),
    ]


def terms() -> Json:
    """Two good terms with their hash, and what is not the encoding of terms."""
    home = array(num(21_600), num(6))
    regtest = array(num(30), num(6))
    leg_i = _leg(BTC_REGTEST, 100_000, (0x21, 0x22), (1_800_000_370, 2), 5)
    leg_p = _leg(LTC_REGTEST, 700_000, (0x23, 0x24), (1_800_000_165, 3), 6)
    big_i = _leg(BTC, 2_100_000_000_000_000, (0x31, 0x32), (1_800_112_800, 3), 800_000)
    big_p = _leg(LTC, 2**64, (0x33, 0x34), (1_800_066_600, 12), 2_700_000)
    small = _fields("regtest", regtest, leg_i, leg_p)
    large = _fields("standard", home, big_i, big_p)

    good = {
        "regtest, small figures": array(*small),
        "standard, amounts over 64 bits": array(*large),
    }
    bad = _not_terms(small, leg_i, leg_p)
    return {
        "source": "tests/protocol/base/make_vectors.py: fields in SPEC.md's order, by a "
        "MessagePack writer and hashlib that share no code with what is tested",
        "good": [
            {"name": name, "bytes": data.hex(), "terms_hash": tagged("swapd/terms/1", data).hex()}
            for name, data in good.items()
        ],
        "fields_of_the_first": {
            "version": 1,
            "swap_id": "11" * 32,
            "offer_id": "12" * 32,
            "maker": "13" * 32,
            "taker": "14" * 32,
            "hashlock": "15" * 32,
            "t0": 1_800_000_000,
            "timing": "regtest",
            "exposure_i": [30, 6],
            "exposure_p": [1800, 4],
            "leg_i": ["p2wsh", [BTC_REGTEST, "100000"], "02" + "21" * 32, "03" + "22" * 32,
                      1_800_000_370, 2, [5, "05" * 32], None],
            "leg_p": ["p2wsh", [LTC_REGTEST, "700000"], "02" + "23" * 32, "03" + "24" * 32,
                      1_800_000_165, 3, [6, "06" * 32], None],
            "min_fee_rate_i": 1000,
        },
        "refused": [
            {"why": why, "bytes": data.hex(), "refusal": refusal} for why, data, refusal in bad
        ],
    }  # fmt: skip


def files() -> dict[str, str]:
    """Name and text of each file."""
    made = {
        "signing.json": signing(),
        "terms.json": terms(),
        "refusals.json": refusals(),
        "book_sync.json": book_sync(),
    }
    return {
        name: json.dumps(content, indent=1, ensure_ascii=True) + "\n"
        for name, content in made.items()
    }


def main() -> None:
    """Writes them."""
    for name, content in files().items():
        (FOLDER / name).write_text(content, "utf-8")


if __name__ == "__main__":
    main()
