"""Claims, refunds and sweeps, executed by btclib's engine; sizes, fees and dust."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.bitcoin.errors import SignatureError, SpendError
from protocol.bitcoin.htlc import MAX_EXPIRY, MIN_EXPIRY
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST, ChainParams
from protocol.bitcoin.spends import (
    CLAIM_VSIZE,
    MAX_SWEEP_INPUTS,
    REFUND_VSIZE,
    Coin,
    FinishedSpend,
    claim_tx,
    claim_vsize,
    fee_for,
    refund_tx,
    refund_vsize,
    sweep_tx,
    sweep_vsize,
)
from protocol.bitcoin.tx import OutPoint, TxOutput, parse_tx
from tests.protocol.bitcoin.tools import (
    OUTPOINT,
    PREIMAGE,
    REGTEST,
    an_htlc,
    btclib_accepts,
    p2wpkh,
    pubkey,
    sign,
)

AMOUNT = 1_000_000
HOME = p2wpkh("home")
DESTINATIONS = (
    HOME,
    b"\x00\x20" + b"\x11" * 32,
    b"\x51\x20" + pubkey("tr")[1:],
    b"\x76\xa9\x14" + b"\x22" * 20 + b"\x88\xac",
    b"\xa9\x14" + b"\x22" * 20 + b"\x87",
)


def a_claim(destination: bytes = HOME, fee: int = 2_780) -> FinishedSpend:
    claim = claim_tx(REGTEST, an_htlc(), OUTPOINT, amount=AMOUNT, destination=destination, fee=fee)
    return claim.finish(sign("claim", claim.sighash), PREIMAGE)


def a_refund(expiry: int, destination: bytes = HOME) -> FinishedSpend:
    refund = refund_tx(
        REGTEST, an_htlc(expiry), OUTPOINT, amount=AMOUNT, destination=destination, fee=2_780
    )
    return refund.finish(sign("refund", refund.sighash))


@pytest.mark.parametrize("destination", DESTINATIONS, ids=lambda d: d[:2].hex())
def test_a_claim_to_any_standard_script_is_accepted_and_within_its_size(destination: bytes) -> None:
    done = a_claim(destination)
    prevout = TxOutput(an_htlc().script_pubkey(), AMOUNT)
    assert btclib_accepts(done.raw, prevout)
    assert done.vsize <= claim_vsize(destination)
    assert parse_tx(done.raw).outputs == (TxOutput(destination, AMOUNT - done.fee),)


@given(expiry=st.integers(MIN_EXPIRY, MAX_EXPIRY), destination=st.sampled_from(DESTINATIONS))
@settings(max_examples=40)
def test_a_refund_of_any_expiry_is_accepted_and_within_its_size(
    expiry: int, destination: bytes
) -> None:
    done = a_refund(expiry, destination)
    assert btclib_accepts(done.raw, TxOutput(an_htlc(expiry).script_pubkey(), AMOUNT))
    assert done.vsize <= refund_vsize(destination)
    tx = parse_tx(done.raw)
    assert (tx.lock_time, tx.inputs[0].sequence, tx.version) == (expiry, 0xFFFFFFFD, 2)


def test_a_claim_and_a_refund_to_p2wpkh_take_139_and_131_vbytes() -> None:
    assert (CLAIM_VSIZE, REFUND_VSIZE) == (139, 131)
    # 70 bytes of DER are the largest low-R signature: these are not lucky short ones.
    sizes = {a_claim(fee=fee).vsize for fee in range(1_000, 1_050)}
    assert max(sizes) == CLAIM_VSIZE
    sizes = {a_refund(expiry).vsize for expiry in range(1_800_000_000, 1_800_000_050)}
    assert max(sizes) == REFUND_VSIZE


def test_a_claim_is_replaceable_and_has_no_lock_time() -> None:
    tx = parse_tx(a_claim().raw)
    assert (tx.lock_time, tx.inputs[0].sequence, tx.version) == (0, 0xFFFFFFFD, 2)


@given(bit=st.integers(0, 8 * len(a_claim().raw) - 1))
@settings(max_examples=150)
def test_a_claim_with_any_one_bit_changed_is_rejected(bit: int) -> None:
    raw = bytearray(a_claim().raw)
    raw[bit // 8] ^= 1 << bit % 8
    assert not btclib_accepts(bytes(raw), TxOutput(an_htlc().script_pubkey(), AMOUNT))


@given(bit=st.integers(0, 8 * len(a_refund(1_800_000_000).raw) - 1))
@settings(max_examples=150)
def test_a_refund_with_any_one_bit_changed_is_rejected(bit: int) -> None:
    raw = bytearray(a_refund(1_800_000_000).raw)
    raw[bit // 8] ^= 1 << bit % 8
    prevout = TxOutput(an_htlc(1_800_000_000).script_pubkey(), AMOUNT)
    assert not btclib_accepts(bytes(raw), prevout)


def test_a_claim_is_signed_without_the_preimage() -> None:
    claim = claim_tx(REGTEST, an_htlc(), OUTPOINT, amount=AMOUNT, destination=HOME, fee=500)
    assert PREIMAGE not in claim.tx.serialise()
    assert PREIMAGE.hex() not in repr(claim)


@pytest.mark.parametrize(
    ("chain", "least"), [(BITCOIN_REGTEST, 294), (LITECOIN_REGTEST, 2940)], ids=["btc", "ltc"]
)
def test_a_spend_that_would_leave_dust_is_refused(chain: ChainParams, least: int) -> None:
    fits = claim_tx(chain, an_htlc(), OUTPOINT, amount=AMOUNT, destination=HOME, fee=AMOUNT - least)
    assert fits.tx.outputs[0].amount == least
    for build in (claim_tx, refund_tx):
        with pytest.raises(SpendError, match=f"leave {least - 1}, which is dust.* {least} "):
            build(
                chain, an_htlc(), OUTPOINT, amount=AMOUNT, destination=HOME, fee=AMOUNT - least + 1
            )


@pytest.mark.parametrize("fee", [0, -1, AMOUNT, AMOUNT + 1])
def test_a_fee_that_is_not_positive_or_eats_everything_is_refused(fee: int) -> None:
    with pytest.raises(SpendError):
        claim_tx(REGTEST, an_htlc(), OUTPOINT, amount=AMOUNT, destination=HOME, fee=fee)


@pytest.mark.parametrize("script", [b"", b"\x6a", b"\x51", b"\x52\x20" + b"\x11" * 32])
def test_a_destination_that_is_no_standard_script_is_refused(script: bytes) -> None:
    with pytest.raises(SpendError, match="standard"):
        refund_tx(REGTEST, an_htlc(), OUTPOINT, amount=AMOUNT, destination=script, fee=500)


@pytest.mark.parametrize(
    ("vsize", "rate", "fee"),
    [(139, 1_000, 139), (139, 1_001, 140), (1, 1, 1), (131, 20_500, 2_686), (0, 5, 0), (7, 0, 0)],
)
def test_a_fee_is_rounded_up(vsize: int, rate: int, fee: int) -> None:
    assert fee_for(vsize, rate) == fee


def test_no_fee_of_negative_figures() -> None:
    for vsize, rate in ((-1, 1), (1, -1)):
        with pytest.raises(SpendError):
            fee_for(vsize, rate)


def some_coins(count: int) -> tuple[tuple[Coin, ...], tuple[bytes, ...]]:
    coins = tuple(
        Coin(OutPoint(OUTPOINT.txid, i), p2wpkh(f"coin {i}"), 10_000 + i) for i in range(count)
    )
    return coins, tuple(pubkey(f"coin {i}") for i in range(count))


def test_a_sweep_of_several_coins_is_accepted_and_within_its_size() -> None:
    coins, keys = some_coins(3)
    fee = fee_for(sweep_vsize(3, HOME), 1_000)
    sweep = sweep_tx(REGTEST, coins, keys, HOME, fee)
    done = sweep.finish(tuple(sign(f"coin {i}", h) for i, h in enumerate(sweep.sighashes)))
    prevouts = [TxOutput(coin.script_pubkey, coin.amount) for coin in coins]
    assert btclib_accepts(done.raw, *prevouts)
    assert done.vsize <= sweep_vsize(3, HOME)
    assert parse_tx(done.raw).outputs == (TxOutput(HOME, 30_003 - fee),)


@pytest.mark.parametrize("count", [1, 252, 253])
def test_the_size_of_a_sweep_is_foreseen(count: int) -> None:
    coins, keys = some_coins(count)
    sweep = sweep_tx(REGTEST, coins, keys, HOME, 1_000)
    done = sweep.finish(tuple(sign(f"coin {i}", h) for i, h in enumerate(sweep.sighashes)))
    # A short signature (one in 128) saves a byte of witness: a quarter of a vbyte.
    assert sweep_vsize(count, HOME) - count / 64 - 1 <= done.vsize <= sweep_vsize(count, HOME)


def test_a_sweep_with_signatures_in_the_wrong_order_is_refused() -> None:
    coins, keys = some_coins(2)
    sweep = sweep_tx(REGTEST, coins, keys, HOME, 1_000)
    first, second = (sign(f"coin {i}", h) for i, h in enumerate(sweep.sighashes))
    with pytest.raises(SignatureError):
        sweep.finish((second, first))
    with pytest.raises(SpendError, match="2 coins, but 1"):
        sweep.finish((first,))


def test_a_sweep_of_coins_that_cannot_be_swept_is_refused() -> None:
    coins, keys = some_coins(2)
    cases: list[tuple[str, tuple[Coin, ...], tuple[bytes, ...]]] = [
        ("1 to", (), ()),
        ("twice", (coins[0], coins[0]), (keys[0], keys[0])),
        ("not a P2WPKH output of the key", coins, (keys[1], keys[0])),
        ("not a P2WPKH output of the key", coins[:1], (b"\x02",)),
        ("2 coins, but 1 keys", coins, keys[:1]),
        ("not a P2WPKH", (Coin(OUTPOINT, b"\x00\x20" + bytes(32), 10_000),), keys[:1]),
    ]
    for message, some, owners in cases:
        with pytest.raises(SpendError, match=message):
            sweep_tx(REGTEST, some, owners, HOME, 1_000)
    too_many = tuple(Coin(OutPoint(OUTPOINT.txid, i), b"", 1) for i in range(MAX_SWEEP_INPUTS + 1))
    with pytest.raises(SpendError, match="1 to"):
        sweep_tx(REGTEST, too_many, (), HOME, 1_000)
