"""Which coins pay for a transaction, and how large it will be. Pure arithmetic.

Owns: coin selection and weight estimates. Must not know: nodes, where coins come from.

Selection is deterministic: as few coins as possible (the largest first), and in place of the last
one the smallest that still suffices, so that large coins stay whole.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from protocol.bitcoin.address import ScriptKind, script_kind
from protocol.bitcoin.spends import fee_for
from swapd.ports import Coin, InsufficientFunds

MAX_COINS: Final = 200
"""Coins of one transaction: keeps it far under the 100,000 vB that nodes relay."""

SETTLED: Final = 6
"""Confirmations from which a coin comes first: a reorganisation that took the coin of a lock away
could leave a lock that never confirms and is never dead either."""

P2WPKH_SCRIPT_BYTES: Final = 22

_INPUT_WEIGHT: Final = {
    ScriptKind.P2WPKH: 4 * 41 + 1 + 73 + 34,  # a signature of a wallet that does not grind low R
    ScriptKind.P2TR: 4 * 41 + 1 + 66,
}

_OTHER_WEIGHT: Final = 4 * 150


class Selection(Struct, frozen=True):
    """The coins chosen, and their total in base units."""

    coins: tuple[Coin, ...]
    total: int


def is_usable(script_pubkey: bytes) -> bool:
    """Whether a coin can fund a lock: native segwit with one signature, so that nobody can change
    the txid of what spends it."""
    return script_kind(script_pubkey) in _INPUT_WEIGHT


def estimate_vsize(coins: Sequence[Coin], output_scripts: Sequence[int]) -> int:
    """vbytes, at most, of a transaction with these inputs and outputs of these script lengths."""
    weight = 4 * (4 + 1 + 1 + 4) + 2 + (8 if len(coins) > 252 or len(output_scripts) > 252 else 0)
    for coin in coins:
        kind = script_kind(coin.script_pubkey)
        weight += _OTHER_WEIGHT if kind is None else _INPUT_WEIGHT.get(kind, _OTHER_WEIGHT)
    weight += sum(4 * (8 + 1 + length) for length in output_scripts)
    return -(-weight // 4)


def exactly(
    coins: Sequence[Coin], units: int, fee_rate: int, output_scripts: Sequence[int]
) -> Selection:
    """All of `coins` and no others. Raises InsufficientFunds."""
    total = sum(coin.units for coin in coins)
    fee = fee_for(estimate_vsize(coins, output_scripts), fee_rate)
    if total < units + fee:
        message = f"the change of this lock can't pay {fee} base units of fee"
        raise InsufficientFunds(message, confirmed=total, unconfirmed=0)
    return Selection(tuple(coins), total)


def select(
    coins: Sequence[Coin], units: int, fee_rate: int, output_scripts: Sequence[int]
) -> Selection | None:
    """Coins worth `units` plus the fee of a transaction without change; None when there are not
    enough, or too many would be needed."""

    def enough(chosen: Sequence[Coin]) -> bool:
        fee = fee_for(estimate_vsize(chosen, output_scripts), fee_rate)
        return sum(coin.units for coin in chosen) >= units + fee

    ordered = sorted(coins, key=lambda coin: (-coin.units, coin.ref))
    for count in range(1, min(len(ordered), MAX_COINS) + 1):
        if not enough(ordered[:count]):
            continue
        kept = ordered[: count - 1]
        smallest_first = reversed(ordered[count - 1 :])
        last = next(coin for coin in smallest_first if enough([*kept, coin]))
        chosen = (*kept, last)
        return Selection(chosen, sum(coin.units for coin in chosen))
    return None
