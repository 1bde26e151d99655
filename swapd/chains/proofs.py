"""Proofs of funds: making one with the node's wallet, checking one against our own node.

Owns: both. Must not know: takes and offers; their form is `protocol.bitcoin.funds`.
"""

from protocol.bitcoin import spends
from protocol.bitcoin.errors import BitcoinError, ProofOfFundsError
from protocol.bitcoin.funds import (
    MAX_PROOF_COINS,
    challenge_outpoint,
    challenge_output,
    proof_outpoints,
    unsigned_proof,
    verify_proof,
)
from swapd.chains.leg_watch import parse_ref
from swapd.chains.wallet import Wallet
from swapd.ports import ChainError, Coin, FundsProof, FundsProofInvalid, InsufficientFunds


async def prove_funds(wallet: Wallet, challenge: bytes, units: int) -> FundsProof:
    """Signs for as few free coins as reach `units`. Raises InsufficientFunds, WalletLocked."""
    free = sorted(await wallet.free_coins(), key=lambda coin: (-coin.units, coin.ref))
    chosen: list[Coin] = []
    while sum(coin.units for coin in chosen) < units or not chosen:
        if len(chosen) == min(len(free), MAX_PROOF_COINS):
            confirmed = sum(coin.units for coin in free)
            msg = f"{units} base units cannot be proven: {confirmed} are confirmed and free"
            unconfirmed = await wallet.unconfirmed_units()
            raise InsufficientFunds(msg, confirmed=confirmed, unconfirmed=unconfirmed)
        chosen.append(free[len(chosen)])
    unsigned = unsigned_proof(challenge, [_protocol_coin(coin) for coin in chosen])
    never = challenge_outpoint(challenge)
    made_up = {
        "txid": never.txid.hex(),
        "vout": never.vout,
        "scriptPubKey": challenge_output().script_pubkey.hex(),
        "amount": "0.00000000",
    }
    _, raw = await wallet.sign(unsigned, [made_up], whole_tx=False)
    try:
        verify_proof(challenge, raw, [_protocol_coin(coin) for coin in chosen])
    except ProofOfFundsError as error:
        msg = f"the wallet's signatures prove nothing: {error}"
        raise ChainError(msg) from None
    return FundsProof(raw, tuple(coin.ref for coin in chosen))


async def check_funds(wallet: Wallet, proof: FundsProof, challenge: bytes, units: int) -> None:
    """Raises FundsProofInvalid unless confirmed, unspent coins of `units` or more are signed for
    under this challenge. Coins that an unconfirmed transaction spends do not count."""
    try:
        named = proof_outpoints(challenge, proof.raw)
        if tuple(str(outpoint) for outpoint in named) != proof.refs:
            msg = "the proof of funds signs for other coins than it names"
            raise FundsProofInvalid(msg)
        coins = {coin.ref: coin for coin in await wallet.unspent(proof.refs, mempool=True)}
        missing = [ref for ref in proof.refs if ref not in coins]
        if missing:
            msg = f"coin {missing[0]} of the proof of funds is spent, unconfirmed or unknown"
            raise FundsProofInvalid(msg)
        total = verify_proof(
            challenge, proof.raw, [_protocol_coin(coins[ref]) for ref in proof.refs]
        )
    except BitcoinError as error:
        raise FundsProofInvalid(str(error)) from None
    if total < units:
        msg = f"the proof of funds is for {total} base units; {units} are needed"
        raise FundsProofInvalid(msg)


def _protocol_coin(coin: Coin) -> spends.Coin:
    return spends.Coin(parse_ref(coin.ref), coin.script_pubkey, coin.units)
