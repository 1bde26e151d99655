"""The HTLC's script against libwally's miniscript compiler, and the check of locks."""

from contextlib import suppress

import msgspec
import pytest
import wallycore as wally
from hypothesis import given
from hypothesis import strategies as st

from protocol.bitcoin.errors import HtlcError
from protocol.bitcoin.htlc import (
    MAX_EXPIRY,
    MIN_EXPIRY,
    WITNESS_SCRIPT_BYTES,
    Htlc,
    LockRefusal,
    LockRefused,
    LockVerified,
    lock_outputs,
    parse_witness_script,
    verify_lock,
    verify_lock_tx,
)
from protocol.bitcoin.mweb import Mweb
from protocol.bitcoin.tx import OutPoint, Transaction, TxInput, TxOutput
from tests.protocol.bitcoin.tools import EXPIRY, OUTPOINT, an_htlc, p2wpkh, pubkey

AMOUNT = 5_000_000


@given(
    claim=st.text(max_size=3),
    refund=st.text(min_size=4, max_size=6),
    hashlock=st.binary(min_size=32, max_size=32),
    expiry=st.integers(MIN_EXPIRY, MAX_EXPIRY),
)
def test_the_script_is_what_libwally_compiles_from_the_descriptor(
    claim: str, refund: str, hashlock: bytes, expiry: int
) -> None:
    htlc = Htlc(pubkey(claim), pubkey(refund), hashlock, expiry)
    parsed = wally.descriptor_parse(htlc.descriptor(), None, 0, 0)
    assert bytes(wally.descriptor_to_script(parsed, 0, 0, 0, 0, 0, 0)) == htlc.script_pubkey()
    assert len(htlc.witness_script()) == WITNESS_SCRIPT_BYTES
    assert parse_witness_script(htlc.witness_script()) == htlc


@given(position=st.integers(0, WITNESS_SCRIPT_BYTES - 1), bit=st.integers(0, 7))
def test_a_script_with_one_bit_changed_is_never_taken_for_the_agreed_one(
    position: int, bit: int
) -> None:
    htlc = an_htlc()
    script = bytearray(htlc.witness_script())
    script[position] ^= 1 << bit
    with suppress(HtlcError):
        assert parse_witness_script(bytes(script)) != htlc


def test_illegal_terms_in_decoded_bytes_are_a_validation_error() -> None:
    raw = msgspec.msgpack.encode(
        {"claim_key": b"\x02" * 33, "refund_key": b"", "hashlock": b"", "expiry": 1}
    )
    with pytest.raises(msgspec.ValidationError, match="key"):
        msgspec.msgpack.decode(raw, type=Htlc)


def lock_tx(
    *outputs: TxOutput, outpoint: OutPoint = OUTPOINT, mweb: Mweb = Mweb.NONE
) -> Transaction:
    return Transaction(2, (TxInput(outpoint, 0xFFFFFFFD),), outputs, 0, mweb)


def test_the_agreed_lock_is_verified() -> None:
    htlc = an_htlc()
    tx = lock_tx(TxOutput(p2wpkh("change"), 1), TxOutput(htlc.script_pubkey(), AMOUNT))
    assert verify_lock_tx(tx, 1, htlc, AMOUNT) == LockVerified(AMOUNT)
    assert lock_outputs(tx, htlc) == (1,)


@pytest.mark.parametrize(
    ("amount", "reason"),
    [(AMOUNT - 1, LockRefusal.AMOUNT_TOO_SMALL), (AMOUNT + 1, LockRefusal.AMOUNT_TOO_LARGE)],
)
def test_a_lock_that_is_one_unit_off_is_refused(amount: int, reason: LockRefusal) -> None:
    htlc = an_htlc()
    view = verify_lock_tx(lock_tx(TxOutput(htlc.script_pubkey(), amount)), 0, htlc, AMOUNT)
    assert isinstance(view, LockRefused)
    assert view.reason is reason
    assert str(amount) in view.detail


@pytest.mark.parametrize(
    "other",
    [
        Htlc(pubkey("x"), pubkey("refund"), an_htlc().hashlock, EXPIRY),
        Htlc(pubkey("claim"), pubkey("x"), an_htlc().hashlock, EXPIRY),
        Htlc(pubkey("refund"), pubkey("claim"), an_htlc().hashlock, EXPIRY),
        Htlc(pubkey("claim"), pubkey("refund"), bytes(32), EXPIRY),
        an_htlc(EXPIRY + 1),
    ],
    ids=["claim key", "refund key", "keys swapped", "hashlock", "expiry"],
)
def test_a_lock_under_any_other_term_is_refused(other: Htlc) -> None:
    view = verify_lock_tx(lock_tx(TxOutput(other.script_pubkey(), AMOUNT)), 0, an_htlc(), AMOUNT)
    assert isinstance(view, LockRefused)
    assert view.reason is LockRefusal.WRONG_SCRIPT


@pytest.mark.parametrize("vout", [-1, 1])
def test_a_lock_in_an_output_that_does_not_exist_is_refused(vout: int) -> None:
    htlc = an_htlc()
    view = verify_lock_tx(lock_tx(TxOutput(htlc.script_pubkey(), AMOUNT)), vout, htlc, AMOUNT)
    assert isinstance(view, LockRefused)
    assert view.reason is LockRefusal.NO_SUCH_OUTPUT


def test_a_lock_that_a_coinbase_made_is_refused() -> None:
    htlc = an_htlc()
    nothing = OutPoint(bytes(32), 0xFFFFFFFF)
    tx = lock_tx(TxOutput(htlc.script_pubkey(), AMOUNT), outpoint=nothing)
    view = verify_lock_tx(tx, 0, htlc, AMOUNT)
    assert isinstance(view, LockRefused)
    assert view.reason is LockRefusal.COINBASE


def test_a_lock_that_a_hogex_made_is_refused() -> None:
    htlc = an_htlc()
    tx = lock_tx(TxOutput(htlc.script_pubkey(), AMOUNT), mweb=Mweb.HOGEX)
    view = verify_lock_tx(tx, 0, htlc, AMOUNT)
    assert isinstance(view, LockRefused)
    assert view.reason is LockRefusal.HOGEX


def test_what_the_node_says_of_coinbase_and_hogex_counts() -> None:
    htlc = an_htlc()
    output = TxOutput(htlc.script_pubkey(), AMOUNT)
    coinbase = verify_lock(output, htlc, AMOUNT, coinbase=True, hogex=False)
    hogex = verify_lock(output, htlc, AMOUNT, coinbase=False, hogex=True)
    assert isinstance(coinbase, LockRefused)
    assert isinstance(hogex, LockRefused)
    assert (coinbase.reason, hogex.reason) == (LockRefusal.COINBASE, LockRefusal.HOGEX)


def test_two_outputs_to_one_script_are_both_found() -> None:
    htlc = an_htlc()
    lock = TxOutput(htlc.script_pubkey(), AMOUNT)
    assert lock_outputs(lock_tx(lock, TxOutput(p2wpkh("x"), 7), lock), htlc) == (0, 2)
