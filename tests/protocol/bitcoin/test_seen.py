"""What is seen on a chain: raw bytes searched, spends read, preimages found; hostile input."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.bitcoin import address, params
from protocol.bitcoin.errors import AddressError, TransactionError, UnknownChainError
from protocol.bitcoin.htlc import lock_outputs
from protocol.bitcoin.mweb import Mweb
from protocol.bitcoin.scan import (
    MAX_BLOCK_BYTES,
    contains_script,
    scan_bytes,
    scan_hex,
)
from protocol.bitcoin.spend_view import SpentByClaim, classify_spend, find_preimage
from protocol.bitcoin.tx import (
    MAX_TX_BYTES,
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    p2wpkh_script_code,
    parse_tx,
    parse_tx_hex,
    sighash_v0,
    sighash_v1,
)
from tests.protocol.bitcoin.make_vectors import FOLDER
from tests.protocol.bitcoin.tools import OUTPOINT, PREIMAGE, an_htlc, p2wpkh

LOCK = TxOutput(an_htlc().script_pubkey(), 10_000)


def a_tx(*inputs: TxInput, outputs: tuple[TxOutput, ...] = (LOCK,)) -> Transaction:
    return Transaction(2, inputs or (TxInput(OUTPOINT, 0xFFFFFFFD),), outputs, 0)


def test_a_lock_and_its_spend_are_found_in_a_raw_block() -> None:
    block = b"\x20" * 80 + b"\x02" + a_tx().serialise() + b"\x01" * 50
    elsewhere = OutPoint(OUTPOINT.txid, OUTPOINT.vout + 1)
    other = p2wpkh("x")
    found = scan_bytes(block, [LOCK.script_pubkey, other], [OUTPOINT, elsewhere])
    assert found.scripts == {LOCK.script_pubkey}
    assert found.outpoints == {OUTPOINT}
    assert scan_hex(block.hex(), [LOCK.script_pubkey], [OUTPOINT]) == found
    assert found
    assert not scan_bytes(block, [other], [elsewhere])


def test_a_script_shifted_by_half_a_byte_is_not_found_in_hex() -> None:
    text = "0" + (b"\x22" + LOCK.script_pubkey).hex() + "0"
    assert not scan_hex(text, [LOCK.script_pubkey])


def test_a_script_whose_length_does_not_match_is_no_candidate() -> None:
    assert not contains_script(b"\x23" + LOCK.script_pubkey + b"\x00", LOCK.script_pubkey)


@pytest.mark.parametrize("length", [0, 253])
def test_a_script_of_a_length_that_cannot_be_searched_is_refused(length: int) -> None:
    with pytest.raises(TransactionError, match="searched"):
        contains_script(b"", b"\x00" * length)


def test_what_is_no_hex_is_refused() -> None:
    for text in ("0", "zz", "00 0g", "0" * (2 * MAX_BLOCK_BYTES + 2)):
        with pytest.raises(TransactionError):
            scan_hex(text)
    for text in ("", "0", "zz", "00 00", "0" * (2 * MAX_TX_BYTES + 2)):
        with pytest.raises(TransactionError):
            parse_tx_hex(text)


def test_a_claim_among_other_inputs_is_read_from_its_own() -> None:
    htlc = an_htlc()
    claim = TxInput(OUTPOINT, 1, b"", (PREIMAGE, b"\x30", htlc.witness_script()))
    other = TxInput(OutPoint(OUTPOINT.txid, 9), 1, b"", (b"\x30", b"", htlc.witness_script()))
    tx = a_tx(other, claim)
    assert classify_spend(htlc, tx, OUTPOINT) == SpentByClaim(PREIMAGE)


@pytest.mark.parametrize(
    "txin",
    [
        TxInput(OUTPOINT, 0, b"", (PREIMAGE,)),
        TxInput(OUTPOINT, 0, b"", (b"\x01", b"", PREIMAGE, b"\x51" * 40)),
        TxInput(OUTPOINT, 0, b"\x20" + PREIMAGE + b"\x51"),
        TxInput(OUTPOINT, 0, b"\x20\x20\x20" + PREIMAGE),
    ],
    ids=["alone", "third item", "scriptSig", "scriptSig after decoys"],
)
def test_a_preimage_is_found_wherever_it_shows(txin: TxInput) -> None:
    harmless = TxInput(OutPoint(OUTPOINT.txid, 9), 0, b"", (b"\x07" * 32,))
    assert find_preimage(a_tx(harmless, txin), an_htlc().hashlock) == PREIMAGE


def test_no_preimage_is_found_where_none_is() -> None:
    inputs = TxInput(OUTPOINT, 0, b"\x20" + PREIMAGE[:31], (b"\x07" * 32, PREIMAGE[:31]))
    assert find_preimage(a_tx(inputs), an_htlc().hashlock) is None


def test_a_preimage_in_a_claim_that_pegs_into_mweb_is_found() -> None:
    htlc = an_htlc()
    claim = TxInput(OUTPOINT, 1, b"", (PREIMAGE, b"\x30", htlc.witness_script()))
    plain = a_tx(claim).serialise()
    # As litecoind serialises it: flag 9, and the MWEB body between witness and lock time.
    raw = plain[:5] + b"\x09" + plain[6:-4] + b"\x01" + b"\xaa" * 300 + plain[-4:]
    tx = parse_tx(raw)
    assert tx.mweb is Mweb.BODY
    assert classify_spend(htlc, tx, OUTPOINT) == SpentByClaim(PREIMAGE)
    assert tx.txid() == a_tx(claim).txid()
    assert lock_outputs(tx, htlc) == (0,)


@given(st.binary(max_size=400))
def test_random_bytes_never_do_worse_than_a_typed_error(raw: bytes) -> None:
    for data in (raw, b"\x02\x00\x00\x00\x00\x08" + raw, b"\x02\x00\x00\x00\x00\x09" + raw):
        with suppress(TransactionError):
            assert parse_tx(data).mweb in Mweb


REAL = [
    bytes.fromhex(case["raw"])
    for case in json.loads((FOLDER / "bitcoin_transactions.json").read_text())["valid"]
]


@given(st.sampled_from(REAL), st.data())
def test_a_real_transaction_cut_or_changed_never_does_worse_than_a_typed_error(
    raw: bytes, data: st.DataObject
) -> None:
    changed = bytearray(raw)
    position = data.draw(st.integers(0, len(raw) - 1))
    changed[position] = data.draw(st.integers(0, 255))
    for case in (bytes(changed), raw[:position]):
        try:
            parsed = parse_tx(case)
        except TransactionError:
            continue
        assert parsed.mweb is not Mweb.NONE or parsed.serialise() == case


def test_figures_that_no_transaction_can_hold_are_refused() -> None:
    script = p2wpkh("x")
    cases = (
        a_tx(outputs=(TxOutput(script, -1),)),
        a_tx(outputs=(TxOutput(script, 2**64),)),
        a_tx(outputs=(TxOutput(script, 21_000_000 * 10**8 + 1),)),
        Transaction(2, (TxInput(OUTPOINT, 2**32),), (LOCK,), 0),
        Transaction(2, (TxInput(OUTPOINT, 0),), (LOCK,), -1),
    )
    for tx in cases:
        with pytest.raises(TransactionError):
            tx.serialise()
    for txid, vout in ((b"\x00" * 31, 0), (b"\x00" * 32, -1), (b"\x00" * 32, 2**32)):
        with pytest.raises(TransactionError):
            OutPoint(txid, vout)
    for text in ("", "AB" * 32, "ab" * 31, "ab" * 32 + "\n"):
        with pytest.raises(TransactionError):
            OutPoint.of(text, 0)


def test_hashes_of_impossible_inputs_are_refused() -> None:
    tx = a_tx()
    with pytest.raises(TransactionError):
        sighash_v0(tx, 1, p2wpkh_script_code(p2wpkh("x")), 5)
    with pytest.raises(TransactionError):
        sighash_v0(tx, 0, p2wpkh_script_code(p2wpkh("x")), 2**63)
    with pytest.raises(TransactionError, match="1 inputs, but 0"):
        sighash_v1(tx, 0, ())
    with pytest.raises(TransactionError):
        sighash_v1(tx, 1, (LOCK,))
    with pytest.raises(TransactionError, match="P2WPKH"):
        p2wpkh_script_code(LOCK.script_pubkey)


def test_an_outpoint_prints_as_nodes_print_it() -> None:
    outpoint = OutPoint.of("ab" + "00" * 31, 7)
    assert str(outpoint) == "ab" + "00" * 31 + ":7"
    assert outpoint.wire == bytes(31) + b"\xab\x07\x00\x00\x00"


def test_a_script_without_an_address_says_so() -> None:
    for script in (b"", b"\x6a", b"\x51\x02\x00\x00", b"\xa9\x14" + bytes(20) + b"\x88"):
        with pytest.raises(AddressError, match="without an address"):
            address.address_of(params.BITCOIN_REGTEST, script)
    with pytest.raises(AddressError, match="20 bytes"):
        address.p2wpkh_script(b"\x00" * 19)


def test_an_unknown_chain_is_named_in_the_error() -> None:
    with pytest.raises(UnknownChainError, match="dogecoin"):
        params.params_for("dogecoin", "mainnet")
    with pytest.raises(UnknownChainError, match="eip155:1"):
        params.params_by_chain("eip155:1")
