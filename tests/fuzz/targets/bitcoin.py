"""Targets: transactions, scripts, addresses, signatures, proofs of funds.

Owns: samples (the vectors of the protocol) and calls. Must not know: how inputs are made.
"""

import json
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import protocol
from protocol.bitcoin.address import address_of, script_of
from protocol.bitcoin.errors import BitcoinError
from protocol.bitcoin.funds import proof_outpoints, verify_proof
from protocol.bitcoin.htlc import Htlc, lock_outputs, parse_witness_script, verify_lock_tx
from protocol.bitcoin.mweb import drop_mweb
from protocol.bitcoin.params import ALL_CHAINS, BITCOIN_REGTEST
from protocol.bitcoin.scan import scan_bytes, scan_hex
from protocol.bitcoin.signatures import is_valid_der, witness_signature
from protocol.bitcoin.spend_view import SpentByClaim, classify_spend, find_preimage
from protocol.bitcoin.spends import Coin
from protocol.bitcoin.tx import Mweb, OutPoint, Transaction, parse_tx, parse_tx_hex
from tests.fuzz.shapes import Form
from tests.fuzz.target import REFUSED, Opened, Target, bounded
from tests.protocol.bitcoin.tools import pubkey, sign

_FOLDER = Path(protocol.__file__).parent / "vectors"


def _vectors(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_FOLDER / f"bitcoin_{name}.json").read_text())
    return found


def transactions() -> list[bytes]:
    """Good ones of the vectors: with witnesses, without, of MWEB, coinbases, spends of locks."""
    raws = [bytes.fromhex(case["raw"]) for case in _vectors("transactions")["valid"]]
    raws += [bytes.fromhex(case["raw"]) for case in _vectors("spend_views")["views"]]
    return [raw for raw in raws if len(raw) <= 2000]


def htlc() -> Htlc:
    """The one that the vectors' spends spend."""
    found = _vectors("spend_views")["views"][0]["htlc"]
    return _htlc_of(found)


def _htlc_of(found: dict[str, Any]) -> Htlc:
    claim, refund = bytes.fromhex(found["claim_key"]), bytes.fromhex(found["refund_key"])
    return Htlc(claim, refund, bytes.fromhex(found["hashlock"]), found["expiry"])


def _check_tx(raw: bytes, tx: Transaction) -> None:
    """What must hold for each transaction that was taken."""
    assert len(tx.txid()) == 32
    assert 4 * len(raw) >= tx.weight() >= 4
    if tx.mweb is Mweb.NONE:
        assert tx.serialise() == raw, "another serialisation was taken"
        wtxid = sha256(sha256(raw).digest()).digest()[::-1]
        assert tx.wtxid() == wtxid
    else:
        assert 0x08 & raw[5]
    assert all(0 <= output.amount <= 21_000_000 * 10**8 for output in tx.outputs)


def _tx(_: ExitStack) -> Opened:
    def call(data: bytes) -> None:
        _check_tx(data, parse_tx(data))

    return Opened(transactions(), call)


def _tx_hex(_: ExitStack) -> Opened:
    def call(data: bytes) -> None:
        text = data.decode("latin-1")
        tx = parse_tx_hex(text)
        _check_tx(bytes.fromhex(text), tx)

    return Opened([raw.hex().encode() for raw in transactions()], call)


def _mweb(_: ExitStack) -> Opened:
    def call(data: bytes) -> object:
        plain, kind = drop_mweb(data)
        assert len(plain) <= len(data)
        assert (plain == data) is (kind is Mweb.NONE)
        return REFUSED if kind is Mweb.NONE else plain

    flagged = [raw for raw in transactions() if raw[4] == 0 and raw[5] & 0x08]
    return Opened(flagged, call)


def _spend(_: ExitStack) -> Opened:
    """A spend of our lock, seen anywhere: its kind, and any preimage in it."""
    deal = htlc()
    views = _vectors("spend_views")["views"]
    outpoint = OutPoint.of(views[0]["outpoint"]["txid"], views[0]["outpoint"]["vout"])

    def call(data: bytes) -> object:
        tx = parse_tx(data)
        view, shown = classify_spend(deal, tx, outpoint), find_preimage(tx, deal.hashlock)
        if isinstance(view, SpentByClaim):
            assert shown is not None
            assert sha256(view.preimage).digest() == deal.hashlock
        if shown is not None:
            assert len(shown) == 32
            assert sha256(shown).digest() == deal.hashlock
            assert shown in data, "a preimage that is not there"
        return REFUSED if view is None else view

    samples = [bytes.fromhex(view["raw"]) for view in views]
    ours = [raw for raw in samples if parse_tx(raw).input_spending(outpoint) is not None]
    return Opened(ours, call)


def _lock(_: ExitStack) -> Opened:
    found = _vectors("locks")
    deal, amount = _htlc_of(found["htlc"]), found["amount"]
    script = deal.script_pubkey()

    def call(data: bytes) -> None:
        tx = parse_tx(data)
        for vout in (*lock_outputs(tx, deal), -1, 2**32):
            verdict = verify_lock_tx(tx, vout, deal, amount)
            if type(verdict).__name__ == "LockVerified":
                assert (tx.outputs[vout].script_pubkey, tx.outputs[vout].amount) == (script, amount)

    return Opened([bytes.fromhex(case["raw"]) for case in found["locks"]], call)


def _script(_: ExitStack) -> Opened:
    def call(data: bytes) -> None:
        assert parse_witness_script(data).witness_script() == data

    return Opened([htlc().witness_script()], call)


def _address(_: ExitStack) -> Opened:
    """By every chain; what one takes it can write again, and no other chain of another prefix
    takes."""

    def call(data: bytes) -> object:
        text = data.decode("utf-8", "replace")
        taken = 0
        for params in ALL_CHAINS:
            try:
                script = script_of(params, text)
            except BitcoinError as error:
                bounded(str(error), 1000)
                continue
            taken += 1
            assert script_of(params, address_of(params, script)) == script
        return taken or REFUSED

    return Opened([case["address"].encode() for case in _vectors("addresses")["valid"]], call)


def _script_to_address(_: ExitStack) -> Opened:
    def call(data: bytes) -> None:
        assert script_of(BITCOIN_REGTEST, address_of(BITCOIN_REGTEST, data)) == data

    scripts = {bytes.fromhex(case["script"]) for case in _vectors("addresses")["valid"]}
    return Opened(sorted(scripts), call)


def _proof(_: ExitStack) -> Opened:
    case = _vectors("proofs_of_funds")["valid"][0]
    challenge = bytes.fromhex(case["challenge"])
    coins = [
        Coin(OutPoint.of(c["txid"], c["vout"]), bytes.fromhex(c["script"]), c["amount"])
        for c in case["coins"]
    ]

    def call(data: bytes) -> None:
        assert len(proof_outpoints(challenge, data)) <= 100
        assert verify_proof(challenge, data, coins) == sum(coin.amount for coin in coins)

    return Opened([bytes.fromhex(case["raw"])], call)


def _signature(_: ExitStack) -> Opened:
    """DER as our own spends need it: strict, low R, low S, by this key."""
    digest = sha256(b"something signed").digest()
    public = pubkey("signer")

    def call(data: bytes) -> None:
        valid = is_valid_der(public, digest, data)
        done = witness_signature(public, digest, data)
        assert valid
        assert done == data + b"\x01"

    return Opened([sign("signer", digest)], call)


def _scan(_: ExitStack) -> Opened:
    """Blocks by their bytes: whatever they are, a hit is really in them."""
    scripts = [htlc().script_pubkey()]
    outpoints = [OutPoint(bytes(range(32)), 1)]

    def call(data: bytes) -> object:
        found = scan_hex(data.decode("latin-1"), scripts, outpoints)
        raw = bytes.fromhex(data.decode("latin-1"))
        assert found == scan_bytes(raw, scripts, outpoints)
        assert all(script in raw for script in found.scripts)
        return None

    blocks = [raw + scripts[0] + outpoints[0].wire for raw in transactions()]
    return Opened([block.hex().encode() for block in blocks], call)


_BAD = (BitcoinError,)

TARGETS = (
    Target("bitcoin.tx", Form.BYTES, _tx, _BAD, 8),
    Target("bitcoin.tx_hex", Form.TEXT, _tx_hex, _BAD, 1),
    Target("bitcoin.mweb", Form.BYTES, _mweb, _BAD, 4),
    Target("bitcoin.spend", Form.BYTES, _spend, _BAD, 6),
    Target("bitcoin.lock", Form.BYTES, _lock, _BAD, 4),
    Target("bitcoin.script", Form.BYTES, _script, _BAD, 4),
    Target("bitcoin.address", Form.TEXT, _address, _BAD, 2),
    Target("bitcoin.script_to_address", Form.BYTES, _script_to_address, _BAD, 1),
    Target("bitcoin.proof", Form.BYTES, _proof, _BAD, 2),
    Target("bitcoin.signature", Form.BYTES, _signature, _BAD, 2),
    Target("bitcoin.scan", Form.TEXT, _scan, _BAD, 1),
)
