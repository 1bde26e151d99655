"""Proof of funds: a transaction that can never be valid, signed by the owner of real coins.

Owns: its one form, and the check of its signatures. The idea is BIP127's.
Must not know: who asks for the proof and why, whether the coins still exist (the verifier's own
node says so), how a wallet signs.

Form: version 2, lock time 0, every sequence 0xffffffff. Input 0 spends output 0 of the
transaction named sha256("swapd/proof-of-funds" || challenge), bytes in wire order, which nobody can
create; so no chain ever takes the transaction, and a proof serves one challenge only. Then the
coins, in the order given. One output: their total, to an OP_RETURN that burns. Input 0 stays
unsigned. Taproot signatures cover the outputs that all inputs spend: for input 0 that is
`challenge_output()`, amount 0 to the same OP_RETURN, which a node is told as `prevtxs`.

Accepted are P2WPKH (SIGHASH_ALL) and P2TR by key path (default or SIGHASH_ALL): what proves
ownership by one signature and nothing else.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from coincurve import PublicKeyXOnly

from protocol.bitcoin.address import ScriptKind, hash160, script_kind
from protocol.bitcoin.errors import BitcoinError, ProofOfFundsError
from protocol.bitcoin.signatures import is_valid_der
from protocol.bitcoin.spends import Coin
from protocol.bitcoin.tx import (
    SIGHASH_ALL,
    SIGHASH_DEFAULT,
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    p2wpkh_script_code,
    parse_tx,
    sighash_v0,
    sighash_v1,
)

TAG: Final = b"swapd/proof-of-funds"

BURN_SCRIPT: Final = b"\x6a" + bytes([len(TAG)]) + TAG
"""OP_RETURN: an output that nobody can ever spend."""

CHALLENGE_BYTES: Final = 32
MAX_PROOF_COINS: Final = 100
MAX_PROOF_BYTES: Final = 20_000
"""100 signed inputs take about 15,000 bytes."""

_SEQUENCE = 0xFFFFFFFF


def challenge_outpoint(challenge: bytes) -> OutPoint:
    """What input 0 spends. Raises ProofOfFundsError unless `challenge` has 32 bytes."""
    if len(challenge) != CHALLENGE_BYTES:
        msg = f"a challenge has {CHALLENGE_BYTES} bytes, not {len(challenge)}"
        raise ProofOfFundsError(msg)
    return OutPoint(sha256(TAG + challenge).digest()[::-1], 0)


def challenge_output() -> TxOutput:
    """The output that input 0 is said to spend, for those who must name one (`prevtxs`)."""
    return TxOutput(BURN_SCRIPT, 0)


def unsigned_proof(challenge: bytes, coins: Sequence[Coin]) -> Transaction:
    """The proof before signing. Raises ProofOfFundsError: too many, repeated, unprovable coins."""
    first = challenge_outpoint(challenge)
    if not 1 <= len(coins) <= MAX_PROOF_COINS:
        msg = f"a proof of funds takes 1 to {MAX_PROOF_COINS} coins, not {len(coins)}"
        raise ProofOfFundsError(msg)
    outpoints = [coin.outpoint for coin in coins]
    if len({first, *outpoints}) != len(coins) + 1:
        msg = "a coin is counted twice in the proof of funds"
        raise ProofOfFundsError(msg)
    for coin in coins:
        if script_kind(coin.script_pubkey) not in {ScriptKind.P2WPKH, ScriptKind.P2TR}:
            msg = f"coin {coin.outpoint} is neither P2WPKH nor P2TR"
            raise ProofOfFundsError(msg)
        if coin.amount <= 0:
            msg = f"coin {coin.outpoint} is worth {coin.amount}"
            raise ProofOfFundsError(msg)
    return Transaction(
        version=2,
        inputs=tuple(TxInput(outpoint, _SEQUENCE) for outpoint in (first, *outpoints)),
        outputs=(TxOutput(BURN_SCRIPT, sum(coin.amount for coin in coins)),),
        lock_time=0,
    )


def proof_outpoints(challenge: bytes, raw: bytes) -> tuple[OutPoint, ...]:
    """The coins a proof claims to own, for the verifier to look up. Nothing is verified yet.

    Raises ProofOfFundsError when `raw` is no transaction or not made for this challenge.
    """
    tx = _parse(raw)
    if tx.inputs[0].outpoint != challenge_outpoint(challenge):
        msg = "the proof of funds answers another challenge"
        raise ProofOfFundsError(msg)
    if not 2 <= len(tx.inputs) <= MAX_PROOF_COINS + 1:
        msg = f"a proof of funds takes 1 to {MAX_PROOF_COINS} coins, not {len(tx.inputs) - 1}"
        raise ProofOfFundsError(msg)
    return tuple(txin.outpoint for txin in tx.inputs[1:])


def verify_proof(challenge: bytes, raw: bytes, coins: Sequence[Coin]) -> int:
    """The total in base units that `raw` proves. `coins`: what the verifier's own node says.

    Raises ProofOfFundsError unless `raw` is the proof over exactly these coins, in this order, and
    every coin is signed for.
    """
    expected = unsigned_proof(challenge, coins)
    tx = _parse(raw)
    bare = Transaction(
        tx.version,
        tuple(TxInput(txin.outpoint, txin.sequence, txin.script_sig) for txin in tx.inputs),
        tx.outputs,
        tx.lock_time,
        tx.mweb,
    )
    if bare != expected:
        msg = "not the proof of funds over this challenge and these coins"
        raise ProofOfFundsError(msg)
    if tx.inputs[0].witness:
        msg = "input 0 of a proof of funds stays unsigned"
        raise ProofOfFundsError(msg)
    prevouts = (challenge_output(), *(TxOutput(coin.script_pubkey, coin.amount) for coin in coins))
    for index, coin in enumerate(coins, start=1):
        if not _signed(tx, index, coin, prevouts):
            msg = f"coin {coin.outpoint} is not signed for by its owner"
            raise ProofOfFundsError(msg)
    return sum(coin.amount for coin in coins)


def _parse(raw: bytes) -> Transaction:
    if len(raw) > MAX_PROOF_BYTES:
        msg = f"a proof of funds has at most {MAX_PROOF_BYTES} bytes, not {len(raw)}"
        raise ProofOfFundsError(msg)
    try:
        return parse_tx(raw)
    except BitcoinError as error:
        msg = f"the proof of funds is unreadable: {error}"
        raise ProofOfFundsError(msg) from None


def _signed(tx: Transaction, index: int, coin: Coin, prevouts: tuple[TxOutput, ...]) -> bool:
    witness = tx.inputs[index].witness
    if script_kind(coin.script_pubkey) is ScriptKind.P2WPKH:
        return _signed_p2wpkh(tx, index, coin, witness)
    return _signed_p2tr(tx, index, coin, witness, prevouts)


def _signed_p2wpkh(tx: Transaction, index: int, coin: Coin, witness: tuple[bytes, ...]) -> bool:
    if len(witness) != 2:
        return False
    signature, pubkey = witness
    if len(pubkey) != 33 or hash160(pubkey) != coin.script_pubkey[2:]:
        return False
    if signature[-1:] != bytes([SIGHASH_ALL]):
        return False
    sighash = sighash_v0(tx, index, p2wpkh_script_code(coin.script_pubkey), coin.amount)
    return is_valid_der(pubkey, sighash, signature[:-1])


def _signed_p2tr(
    tx: Transaction,
    index: int,
    coin: Coin,
    witness: tuple[bytes, ...],
    prevouts: tuple[TxOutput, ...],
) -> bool:
    if len(witness) != 1:
        return False
    signature = witness[0]
    kind = SIGHASH_DEFAULT
    if len(signature) == 65 and signature[64] == SIGHASH_ALL:
        signature, kind = signature[:64], SIGHASH_ALL
    if len(signature) != 64:
        return False
    try:
        key = PublicKeyXOnly(coin.script_pubkey[2:])
    except ValueError:
        return False
    return key.verify(signature, sighash_v1(tx, index, prevouts, kind))
