"""Writes the vectors of HTLC scripts, locks, spends and spend views, from btclib and hashlib alone.

Run as `python -m tests.protocol.bitcoin.make_vectors`. Nothing of `protocol` is imported: scripts
are assembled, hashed, signed, serialised and *executed* by btclib, the descriptor checksum is
BIP380's reference code, and a verdict in a file is that of btclib's engine under consensus rules.
`test_vectors.py` checks that the files are what this prints.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from btclib.b32 import _address_from_witness
from btclib.exceptions import BTClibValueError
from btclib.hashes import hash160
from btclib.script import script, sig_hash
from btclib.script.engine import verify_transaction
from btclib.script.witness import Witness
from btclib.tx import OutPoint, Tx, TxIn, TxOut
from ecc.curves import mult
from ecc.curves.sec_point import bytes_from_point
from ecc.ecc import dsa

FOLDER = Path(__file__).parents[3] / "protocol" / "vectors"

BTC_REGTEST = ("bip122:0f9188f13cb7b2c71f2a335e3a4fc328", "bcrt")
LTC_REGTEST = ("bip122:530827f38f93b43ed12af0b3ad25a288", "rltc")
CHAINS = (
    ("bip122:000000000019d6689c085ae165831e93", "bc"),
    ("bip122:12a765e31ffd4059bada1e25190f6e98", "ltc"),
    BTC_REGTEST,
    LTC_REGTEST,
)
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
RBF = 0xFFFFFFFD
Json = dict[str, Any]


def secret(name: str) -> bytes:
    """A key or preimage that anyone can derive again."""
    return sha256(b"swapd test " + name.encode()).digest()


def pubkey(name: str) -> bytes:
    return bytes_from_point(mult(int.from_bytes(secret(name), "big")), compressed=True)


def sign(name: str, digest: bytes) -> bytes:
    """Low-R, low-S DER, deterministic (RFC 6979 with Core's counter)."""
    return dsa.sign_(digest, int.from_bytes(secret(name), "big")).serialize()


@dataclass(frozen=True)
class Terms:
    """An HTLC by the names of its secrets."""

    claim: str = "claim"
    refund: str = "refund"
    preimage: str = "preimage"
    expiry: int = 1_800_000_000

    def script(self) -> bytes:
        return script.serialize(
            [
                *(pubkey(self.claim), "OP_CHECKSIG", "OP_NOTIF"),
                *(pubkey(self.refund), "OP_CHECKSIGVERIFY"),
                *(self.expiry.to_bytes(4, "little"), "OP_CHECKLOCKTIMEVERIFY"),
                *("OP_ELSE", "OP_SIZE", b"\x20", "OP_EQUALVERIFY"),
                *("OP_SHA256", sha256(secret(self.preimage)).digest(), "OP_EQUAL", "OP_ENDIF"),
            ]
        )

    def script_pubkey(self) -> bytes:
        return script.serialize(["OP_0", sha256(self.script()).digest()])

    def as_json(self) -> Json:
        return {
            "claim_key": pubkey(self.claim).hex(),
            "refund_key": pubkey(self.refund).hex(),
            "hashlock": sha256(secret(self.preimage)).hexdigest(),
            "expiry": self.expiry,
        }


def descriptor(terms: Terms) -> str:
    """With the checksum of BIP380's reference code."""
    fields = terms.as_json()
    text = (
        f"wsh(andor(pk({fields['claim_key']}),sha256({fields['hashlock']}),"
        f"and_v(v:pk({fields['refund_key']}),after({terms.expiry}))))"
    )
    charset = (
        "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~"
        'ijklmnopqrstuvwxyzABCDEFGH`#"\\ '
    )
    groups, symbols = [], []
    for char in text:
        value = charset.find(char)
        symbols.append(value & 31)
        groups.append(value >> 5)
        if len(groups) == 3:
            symbols.append(groups[0] * 9 + groups[1] * 3 + groups[2])
            groups = []
    if len(groups) == 1:
        symbols.append(groups[0])
    elif len(groups) == 2:
        symbols.append(groups[0] * 3 + groups[1])
    check = 1
    generator = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)
    for value in [*symbols, 0, 0, 0, 0, 0, 0, 0, 0]:
        top = check >> 35
        check = (check & 0x7FFFFFFFF) << 5 ^ value
        for i in range(5):
            check ^= generator[i] if (top >> i) & 1 else 0
    check ^= 1
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    return text + "#" + "".join(letters[(check >> 5 * (7 - i)) & 31] for i in range(8))


def htlc_vectors() -> Json:
    """Scripts, addresses, descriptors; terms that are refused; scripts that are not ours."""
    every = (
        Terms(),
        Terms(claim="c2", refund="r2", preimage="p2", expiry=500_000_001),
        Terms(claim="c3", refund="r3", preimage="p3", expiry=2**31 - 1),
    )
    valid = [
        {
            **terms.as_json(),
            "witness_script": terms.script().hex(),
            "script_pubkey": terms.script_pubkey().hex(),
            "addresses": {
                chain: _address_from_witness(0, terms.script_pubkey()[2:], hrp)
                for chain, hrp in CHAINS
            },
            "descriptor": descriptor(terms),
        }
        for terms in every
    ]
    good = Terms().as_json()
    other_sign = bytes([5 - pubkey("claim")[0]]) + pubkey("claim")[1:]
    refused = [
        {
            "why": "an expiry of 500,000,000 is the largest that may mean a height",
            "expiry": 500_000_000,
        },
        {"why": "an expiry of 2^31 takes five bytes", "expiry": 2**31},
        {"why": "an expiry is positive", "expiry": -1},
        {"why": "both keys are one", "refund_key": good["claim_key"]},
        {"why": "both keys have one secret, up to sign", "refund_key": other_sign.hex()},
        {"why": "x = 5 is not on the curve", "claim_key": "02" + "00" * 31 + "05"},
        {"why": "x = 5 is not on the curve", "refund_key": "03" + "00" * 31 + "05"},
        {"why": "x is not below the field's prime", "claim_key": "02" + "ff" * 32},
        {"why": "a hybrid prefix", "claim_key": "06" + good["claim_key"][2:]},
        {"why": "an x-only key", "claim_key": good["claim_key"][2:]},
        {"why": "a hashlock of 20 bytes", "hashlock": "11" * 20},
        {"why": "a hashlock of 33 bytes", "hashlock": "11" * 33},
    ]
    script_hex = Terms().script().hex()
    foreign = [
        {"why": "empty", "script": ""},
        {"why": "cut short", "script": script_hex[:-2]},
        {"why": "a byte more", "script": script_hex + "68"},
        {"why": "NOTIF became IF", "script": script_hex.replace("ac64", "ac63")},
        {
            "why": "CHECKLOCKTIMEVERIFY became CHECKSEQUENCEVERIFY",
            "script": script_hex.replace("b167", "b267"),
        },
        {"why": "SHA256 became HASH256", "script": script_hex.replace("88a820", "88aa20")},
        {"why": "a preimage of 33 bytes", "script": script_hex.replace("820120", "820121")},
        {"why": "the size is not enforced", "script": script_hex.replace("82012088", "82012075")},
    ]
    return {
        "source": "tests/protocol/bitcoin/make_vectors.py: scripts and addresses by btclib, the "
        "checksum of descriptors by BIP380's reference code; refusals by hand",
        "valid": valid,
        "refused_terms": [{**good, **case} for case in refused],
        "foreign_scripts": foreign,
    }


def spend(
    terms: Terms, *, lock_time: int, sequence: int = RBF, amount: int = 1_000_000, fee: int = 2_780
) -> tuple[Tx, TxOut, bytes]:
    """An unsigned spend of a lock to P2WPKH, the output it spends, and the BIP143 hash."""
    destination = script.serialize(["OP_0", hash160(pubkey("destination"))])
    txin = TxIn(OutPoint(sha256(b"swapd test lock").digest(), 1), b"", sequence)
    tx = Tx(2, lock_time, [txin], [TxOut(amount - fee, destination)])
    return (
        tx,
        TxOut(amount, terms.script_pubkey()),
        sig_hash.segwit_v0(terms.script(), tx, 0, 1, amount),
    )


def with_witness(tx: Tx, stack: list[bytes]) -> Tx:
    """A copy of a one-input transaction with this witness."""
    txin = TxIn(tx.vin[0].prev_out, b"", tx.vin[0].sequence, Witness(stack))
    return Tx(tx.version, tx.lock_time, [txin], tx.vout)


def engine_accepts(prevout: TxOut, tx: Tx) -> bool:
    """The verdict of btclib's engine, consensus rules."""
    try:
        verify_transaction([prevout], tx)
    except BTClibValueError:
        return False
    return True


def _spend_json(terms: Terms, tx: Tx, prevout: TxOut, digest: bytes, **more: Any) -> Json:
    return {
        "htlc": terms.as_json(),
        "outpoint": {"txid": tx.vin[0].prev_out.tx_id.hex(), "vout": tx.vin[0].prev_out.vout},
        "amount": prevout.value,
        "destination": tx.vout[0].script_pub_key.script.hex(),
        "fee": prevout.value - tx.vout[0].value,
        "unsigned": tx.serialize(include_witness=True).hex(),
        "sighash": digest.hex(),
        **more,
    }


def _signatures(name: str, digest: bytes) -> list[Json]:
    """Signatures that must not finish a spend, each with why."""
    good = sign(name, digest)
    number = int.from_bytes(secret(name), "big")
    high_r = None
    for counter in range(1, 100):
        nonce = int.from_bytes(sha256(bytes([counter])).digest(), "big")
        candidate = dsa.sign_(digest, number, nonce, grind=False)
        if candidate.r >= 2**255:
            high_r = candidate.serialize()
            break
    low = dsa.sign_(digest, number)
    high_s = dsa.Sig(low.r, ORDER - low.s, check_validity=False).serialize(check_validity=False)
    padded = b"\x30\x45\x02\x21\x00" + good[4:]
    assert high_r is not None
    assert len(good) == 70
    return [
        {"why": "R is not low", "signature": high_r.hex()},
        {"why": "S is not low", "signature": high_s.hex()},
        {"why": "another key", "signature": sign("stranger", digest).hex()},
        {"why": "another hash", "signature": sign(name, sha256(digest).digest()).hex()},
        {"why": "a sighash byte is not part of it", "signature": (good + b"\x01").hex()},
        {"why": "R is padded", "signature": padded.hex()},
        {"why": "compact, not DER", "signature": (good[4:36] + good[38:]).hex()},
        {"why": "empty", "signature": ""},
    ]


def spend_vectors() -> Json:
    """Claims and refunds from terms to bytes, what must not finish, what no chain accepts."""
    claims, refunds, rejected = [], [], []
    for terms in (Terms(), Terms(claim="c2", refund="r2", preimage="p2", expiry=1_900_000_000)):
        tx, prevout, digest = spend(terms, lock_time=0)
        der, preimage = sign(terms.claim, digest), secret(terms.preimage)
        done = with_witness(tx, [preimage, der + b"\x01", terms.script()])
        assert engine_accepts(prevout, done)
        claims.append(
            _spend_json(
                terms,
                tx,
                prevout,
                digest,
                signature=der.hex(),
                preimage=preimage.hex(),
                raw=done.serialize(include_witness=True).hex(),
                txid=done.id.hex(),
                vsize=done.vsize,
                refused_signatures=_signatures(terms.claim, digest),
                refused_preimages=["00" * 32, preimage.hex()[:62], preimage.hex() + "00", ""],
            )
        )
        rejected += _rejected_claims(terms, tx, prevout, digest)
        tx, prevout, digest = spend(terms, lock_time=terms.expiry)
        der = sign(terms.refund, digest)
        done = with_witness(tx, [der + b"\x01", b"", terms.script()])
        assert engine_accepts(prevout, done)
        refunds.append(
            _spend_json(
                terms,
                tx,
                prevout,
                digest,
                signature=der.hex(),
                raw=done.serialize(include_witness=True).hex(),
                txid=done.id.hex(),
                vsize=done.vsize,
                refused_signatures=_signatures(terms.refund, digest),
            )
        )
        rejected += _rejected_refunds(terms)
    return {
        "source": "tests/protocol/bitcoin/make_vectors.py: built, hashed (BIP143) and signed (RFC "
        "6979, low R) by btclib; every raw transaction was executed by btclib's engine, which "
        "accepted the claims and refunds and refused what is listed as rejected",
        "claims": claims,
        "refunds": refunds,
        "rejected": rejected,
    }


def _rejection(why: str, prevout: TxOut, tx: Tx) -> Json:
    assert not engine_accepts(prevout, tx), why
    return {
        "why": why,
        "raw": tx.serialize(include_witness=True).hex(),
        "script_pubkey": prevout.script_pub_key.script.hex(),
        "amount": prevout.value,
    }


def _rejected_claims(terms: Terms, tx: Tx, prevout: TxOut, digest: bytes) -> list[Json]:
    proof, preimage = sign(terms.claim, digest) + b"\x01", secret(terms.preimage)
    flipped = bytes([preimage[0] ^ 1]) + preimage[1:]
    stacks = [
        ("one bit of the preimage", [flipped, proof, terms.script()]),
        ("a preimage of 31 bytes", [preimage[:31], proof, terms.script()]),
        ("a preimage of 33 bytes", [preimage + b"\x00", proof, terms.script()]),
        (
            "one bit of the signature",
            [preimage, proof[:40] + bytes([proof[40] ^ 1]) + proof[41:], terms.script()],
        ),
        (
            "the locker's key with the preimage",
            [preimage, sign(terms.refund, digest) + b"\x01", terms.script()],
        ),
        (
            "one bit of the script",
            [preimage, proof, terms.script()[:-3] + b"\x86" + terms.script()[-2:]],
        ),
        ("no preimage", [b"", proof, terms.script()]),
        ("no signature", [preimage, b"", terms.script()]),
        ("an item too many", [b"", preimage, proof, terms.script()]),
        ("items swapped", [proof, preimage, terms.script()]),
    ]
    cases = [_rejection(f"claim: {why}", prevout, with_witness(tx, stack)) for why, stack in stacks]
    short = TxOut(prevout.value + 1, prevout.script_pub_key)
    done = with_witness(tx, [preimage, proof, terms.script()])
    return [*cases, _rejection("claim: the lock holds another amount", short, done)]


def _rejected_refunds(terms: Terms) -> list[Json]:
    early, prevout, early_hash = spend(terms, lock_time=terms.expiry - 1)
    by_height, _, height_hash = spend(terms, lock_time=499_999_999)
    final, _, final_hash = spend(terms, lock_time=terms.expiry, sequence=0xFFFFFFFF)
    good, _, digest = spend(terms, lock_time=terms.expiry)
    refund = terms.refund
    cases = [
        ("a second before the expiry", early, sign(refund, early_hash)),
        ("a lock time that is a height", by_height, sign(refund, height_hash)),
        ("a final sequence switches the lock time off", final, sign(refund, final_hash)),
        ("the claimer's key", good, sign(terms.claim, digest)),
    ]
    return [
        _rejection(
            f"refund: {why}", prevout, with_witness(tx, [der + b"\x01", b"", terms.script()])
        )
        for why, tx, der in cases
    ]


def view_vectors() -> Json:
    """Spends of a lock and what they are: claim, refund, unknown, or no spend of it at all."""
    terms, other = Terms(), Terms(claim="c2", refund="r2", preimage="p2")
    tx, prevout, digest = spend(terms, lock_time=0)
    late, _, late_hash = spend(terms, lock_time=terms.expiry + 5)
    proof, preimage = sign(terms.claim, digest) + b"\x01", secret(terms.preimage)
    back = sign(terms.refund, late_hash) + b"\x01"
    no_relay = with_witness(late, [back, sign("stranger", late_hash) + b"\x01", terms.script()])
    assert engine_accepts(prevout, no_relay)
    claim = with_witness(tx, [preimage, proof, terms.script()])
    cases: list[tuple[str, Tx, str]] = [
        ("a claim", claim, "claim"),
        ("a refund", with_witness(late, [back, b"", terms.script()]), "refund"),
        ("a refund with a failing signature, which consensus allows", no_relay, "refund"),
        ("another script", with_witness(tx, [preimage, proof, other.script()]), "unknown"),
        ("two items", with_witness(tx, [preimage, terms.script()]), "unknown"),
        ("four items", with_witness(tx, [b"", preimage, proof, terms.script()]), "unknown"),
        ("no witness", tx, "unknown"),
        (
            "32 bytes that are not the preimage",
            with_witness(tx, [b"\x07" * 32, proof, terms.script()]),
            "unknown",
        ),
        ("31 bytes", with_witness(tx, [preimage[:31], proof, terms.script()]), "unknown"),
        ("both items empty", with_witness(late, [b"", b"", terms.script()]), "unknown"),
        ("a refund that is too early", with_witness(tx, [back, b"", terms.script()]), "unknown"),
    ]
    outpoint = {"txid": tx.vin[0].prev_out.tx_id.hex(), "vout": 1}
    views = [
        {
            "what": what,
            "htlc": terms.as_json(),
            "outpoint": outpoint,
            "raw": case.serialize(include_witness=True).hex(),
            "view": view,
            "preimage": preimage.hex() if view == "claim" else None,
        }
        for what, case, view in cases
    ]
    elsewhere = {**views[0], "what": "it spends another output", "view": None, "preimage": None}
    elsewhere["outpoint"] = {**outpoint, "vout": 0}
    return {
        "source": "tests/protocol/bitcoin/make_vectors.py: transactions by btclib, whose engine "
        "accepted the claim and both refunds; the views by hand from the script's two branches",
        "views": [*views, elsewhere],
    }


def lock_vectors() -> Json:
    """Transactions, the output said to be the lock of an amount, and the verdict."""
    terms, amount = Terms(), 1_000_000
    lock = TxOut(amount, terms.script_pubkey())
    change = TxOut(5_000, script.serialize(["OP_0", hash160(pubkey("change"))]))
    txin = TxIn(OutPoint(sha256(b"swapd test coin").digest(), 0), b"", RBF)
    minted = TxIn(OutPoint(), b"\x03\x01\x02\x03", 0xFFFFFFFF)
    others = {
        "claim key": Terms(claim="c2"),
        "refund key": Terms(refund="r2"),
        "keys swapped": Terms(claim="refund", refund="claim"),
        "hashlock": Terms(preimage="p2"),
        "expiry": Terms(expiry=terms.expiry + 600),
    }
    cases: list[tuple[str, TxIn, list[TxOut], int, str]] = [
        ("the agreed lock", txin, [lock, change], 0, "verified"),
        ("the agreed lock as last output", txin, [change, lock], 1, "verified"),
        ("another output", txin, [lock, change], 1, "wrong_script"),
        ("no such output", txin, [lock, change], 2, "no_such_output"),
        ("a unit too few", txin, [TxOut(amount - 1, lock.script_pub_key)], 0, "amount_too_small"),
        ("a unit too many", txin, [TxOut(amount + 1, lock.script_pub_key)], 0, "amount_too_large"),
        ("coinbase", minted, [lock], 0, "coinbase"),
    ]
    cases += [
        (f"another {what}", txin, [TxOut(amount, other.script_pubkey())], 0, "wrong_script")
        for what, other in others.items()
    ]
    locks: list[Json] = [
        {
            "what": what,
            "raw": Tx(2, 0, [coin], outputs).serialize(include_witness=True).hex(),
            "vout": vout,
            "verdict": verdict,
        }
        for what, coin, outputs, vout, verdict in cases
    ]
    plain = bytes.fromhex(locks[0]["raw"])
    # What litecoind prints for a HogEx: flag 8, and one zero byte before the lock time.
    hogex = plain[:4] + b"\x00\x08" + plain[4:-4] + b"\x00" + plain[-4:]
    locks.append({"what": "HogEx", "raw": hogex.hex(), "vout": 0, "verdict": "hogex"})
    return {
        "source": "tests/protocol/bitcoin/make_vectors.py: transactions by btclib, "
        "verdicts by hand",
        "htlc": terms.as_json(),
        "amount": amount,
        "locks": locks,
    }


def files() -> dict[str, str]:
    """File name to contents."""
    every = {
        "bitcoin_htlc.json": htlc_vectors(),
        "bitcoin_locks.json": lock_vectors(),
        "bitcoin_spends.json": spend_vectors(),
        "bitcoin_spend_views.json": view_vectors(),
    }
    return {name: json.dumps(vectors, indent=1) + "\n" for name, vectors in every.items()}


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text)
