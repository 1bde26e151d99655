"""Proofs of funds: what they prove, and every way one can be false."""

from collections.abc import Sequence

import pytest
from btclib.exceptions import BTClibValueError
from btclib.script.engine import verify_input
from btclib.tx import Tx, TxOut
from coincurve import PrivateKey

from protocol.bitcoin.errors import ProofOfFundsError
from protocol.bitcoin.funds import (
    MAX_PROOF_COINS,
    challenge_output,
    proof_outpoints,
    unsigned_proof,
    verify_proof,
)
from protocol.bitcoin.spends import Coin
from protocol.bitcoin.tx import (
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    p2wpkh_script_code,
    sighash_v0,
    sighash_v1,
)
from tests.protocol.bitcoin.tools import OUTPOINT, p2wpkh, pubkey, secret, sign

CHALLENGE = b"\x07" * 32
OTHER = b"\x08" * 32


def p2tr(name: str) -> bytes:
    return b"\x51\x20" + pubkey(name)[1:]


def a_coin(name: str, vout: int, script: bytes | None = None, amount: int = 5_000) -> Coin:
    return Coin(OutPoint(OUTPOINT.txid, vout), p2wpkh(name) if script is None else script, amount)


WPKH = a_coin("a", 0)
TAPROOT = a_coin("b", 1, p2tr("b"), 7_000)
COINS = (WPKH, TAPROOT)


def prevouts_of(coins: Sequence[Coin]) -> tuple[TxOutput, ...]:
    return (challenge_output(), *(TxOutput(coin.script_pubkey, coin.amount) for coin in coins))


def schnorr(name: str, digest: bytes) -> bytes:
    return PrivateKey(secret(name)).sign_schnorr(digest, bytes(32))


def with_witnesses(tx: Transaction, *witnesses: tuple[bytes, ...]) -> Transaction:
    inputs = tuple(
        TxInput(txin.outpoint, txin.sequence, txin.script_sig, witness)
        for txin, witness in zip(tx.inputs, witnesses, strict=True)
    )
    return Transaction(tx.version, inputs, tx.outputs, tx.lock_time)


def wpkh_witness(tx: Transaction, index: int, name: str, coin: Coin) -> tuple[bytes, ...]:
    digest = sighash_v0(tx, index, p2wpkh_script_code(coin.script_pubkey), coin.amount)
    return (sign(name, digest) + b"\x01", pubkey(name))


def a_proof(challenge: bytes = CHALLENGE) -> Transaction:
    tx = unsigned_proof(challenge, COINS)
    tap = (schnorr("b", sighash_v1(tx, 2, prevouts_of(COINS))),)
    return with_witnesses(tx, (), wpkh_witness(tx, 1, "a", WPKH), tap)


def test_a_proof_shows_the_total_of_its_coins() -> None:
    raw = a_proof().serialise()
    assert verify_proof(CHALLENGE, raw, COINS) == 12_000
    assert proof_outpoints(CHALLENGE, raw) == (WPKH.outpoint, TAPROOT.outpoint)


def test_btclibs_engine_accepts_every_coin_of_a_proof_but_never_the_whole() -> None:
    prevouts = [TxOut(output.amount, output.script_pubkey) for output in prevouts_of(COINS)]
    tx = Tx.parse(a_proof().serialise())
    for index in (1, 2):
        verify_input(prevouts, tx, index)
    # Even if input 0 existed, it would be an OP_RETURN, which nothing satisfies.
    with pytest.raises(BTClibValueError):
        verify_input(prevouts, tx, 0)


@pytest.mark.parametrize("kind", [0, 1])
def test_a_taproot_signature_of_either_hash_type_proves(kind: int) -> None:
    tx = unsigned_proof(CHALLENGE, [TAPROOT])
    proof = schnorr("b", sighash_v1(tx, 1, prevouts_of([TAPROOT]), kind))
    raw = with_witnesses(tx, (), (proof + (b"\x01" if kind else b""),)).serialise()
    assert verify_proof(CHALLENGE, raw, [TAPROOT]) == 7_000


def test_a_proof_for_one_challenge_proves_nothing_to_another() -> None:
    raw = a_proof().serialise()
    with pytest.raises(ProofOfFundsError, match="challenge"):
        verify_proof(OTHER, raw, COINS)
    with pytest.raises(ProofOfFundsError, match="challenge"):
        proof_outpoints(OTHER, raw)


@pytest.mark.parametrize(
    "coins",
    [
        COINS[:1],
        COINS[::-1],
        (*COINS, a_coin("c", 2)),
        (a_coin("a", 0, amount=5_001), TAPROOT),
        (a_coin("x", 0), TAPROOT),
        (a_coin("a", 9), TAPROOT),
        (WPKH, a_coin("b", 1, p2tr("x"), 7_000)),
        # The same total, told to be elsewhere.
        (a_coin("a", 0, amount=5_001), a_coin("b", 1, p2tr("b"), 6_999)),
    ],
    ids=["fewer", "order", "more", "amount", "key", "outpoint", "taproot key", "amounts moved"],
)
def test_a_proof_over_other_coins_than_the_node_knows_is_refused(coins: tuple[Coin, ...]) -> None:
    with pytest.raises(ProofOfFundsError):
        verify_proof(CHALLENGE, a_proof().serialise(), coins)


def test_coins_that_prove_nothing_are_refused() -> None:
    first = unsigned_proof(CHALLENGE, COINS).inputs[0].outpoint
    many = [a_coin("a", vout) for vout in range(MAX_PROOF_COINS + 1)]
    cases: list[tuple[str, Sequence[Coin]]] = [
        ("1 to", ()),
        ("1 to", many),
        ("twice", (WPKH, WPKH)),
        ("twice", (Coin(first, p2wpkh("a"), 5),)),
        ("neither", (a_coin("a", 0, b"\x00\x20" + bytes(32)),)),
        ("neither", (a_coin("a", 0, b"\x51"),)),
        ("worth 0", (a_coin("a", 0, amount=0),)),
    ]
    for message, coins in cases:
        with pytest.raises(ProofOfFundsError, match=message):
            unsigned_proof(CHALLENGE, coins)
        with pytest.raises(ProofOfFundsError, match=message):
            verify_proof(CHALLENGE, a_proof().serialise(), coins)


def test_a_challenge_has_32_bytes() -> None:
    with pytest.raises(ProofOfFundsError, match="32 bytes"):
        unsigned_proof(b"short", COINS)


def test_a_proof_with_any_witness_missing_or_changed_is_refused() -> None:
    good = a_proof()
    _, (der, key), (tap,) = (txin.witness for txin in good.inputs)
    stranger = wpkh_witness(good, 1, "x", WPKH)
    other_hash = (schnorr("b", sighash_v1(good, 2, prevouts_of(COINS), 1)),)
    none = sighash_v0(good, 1, p2wpkh_script_code(WPKH.script_pubkey), WPKH.amount, 2)
    flipped = bytes([tap[0] ^ 1]) + tap[1:]
    bad: list[tuple[str, tuple[tuple[bytes, ...], ...]]] = [
        ("input 0", ((b"\x01",), (der, key), (tap,))),
        ("not signed", ((), (), (tap,))),
        ("not signed", ((), (der, key), ())),
        ("not signed", ((), (der, key, b""), (tap,))),
        ("not signed", ((), (der[:-1], key), (tap,))),
        ("not signed", ((), (der[:-1] + b"\x81", key), (tap,))),
        ("not signed", ((), (sign("a", none) + b"\x02", key), (tap,))),
        ("not signed", ((), (b"", key), (tap,))),
        ("not signed", ((), stranger, (tap,))),
        ("not signed", ((), (stranger[0], key), (tap,))),
        ("not signed", ((), (der, key), (flipped,))),
        ("not signed", ((), (der, key), (tap + b"\x00",))),
        ("not signed", ((), (der, key), (tap + b"\x01",))),
        ("not signed", ((), (der, key), (tap, b"\x50"))),
        ("not signed", ((), (der, key), other_hash)),
        ("not signed", ((), (der, key), (tap[:63],))),
    ]
    for message, witnesses in bad:
        raw = with_witnesses(good, *witnesses).serialise()
        with pytest.raises(ProofOfFundsError, match=message):
            verify_proof(CHALLENGE, raw, COINS)


def test_a_transaction_that_could_be_valid_is_no_proof() -> None:
    coins = (WPKH,)
    tx = unsigned_proof(CHALLENGE, coins)
    bare = Transaction(2, tx.inputs[1:], tx.outputs, 0)
    for witness in ((), wpkh_witness(bare, 0, "a", WPKH)):
        with pytest.raises(ProofOfFundsError):
            verify_proof(CHALLENGE, with_witnesses(bare, witness).serialise(), coins)


@pytest.mark.parametrize("raw", [b"", b"\x00" * 100, b"\x00" * 20_001], ids=["0", "100", "20001"])
def test_bytes_that_are_no_proof_are_refused(raw: bytes) -> None:
    with pytest.raises(ProofOfFundsError):
        verify_proof(CHALLENGE, raw, COINS)
    with pytest.raises(ProofOfFundsError):
        proof_outpoints(CHALLENGE, raw)


def test_a_proof_names_at_least_one_and_at_most_a_hundred_coins() -> None:
    good = a_proof()
    only_challenge = Transaction(2, good.inputs[:1], good.outputs, 0)
    extra = tuple(TxInput(OutPoint(OUTPOINT.txid, i), 0) for i in range(MAX_PROOF_COINS + 1))
    too_many = Transaction(2, good.inputs[:1] + extra, good.outputs, 0)
    for tx in (only_challenge, too_many):
        with pytest.raises(ProofOfFundsError, match="1 to"):
            proof_outpoints(CHALLENGE, tx.serialise())
