"""The port to an account that pays for claims and refunds which pay somebody else: `Relay`.

Must not know: any adapter. Whoever holds the account's key can spend what lies in it for gas, and
nothing else: the contract pays the party of a swap, whoever calls it.
"""

from typing import Protocol

from protocol.tower.progress import Order
from swapd.ports.chain import SignedTx


class Relay(Protocol):
    """One account on one chain, for one asset there. Each method raises ChainError while the chain
    can't be asked."""

    account: bytes
    allowance: int
    """Wei that one spend may cost where nobody pays for it."""

    async def problem(self, spends: int = 1) -> str:
        """Why so many claims or refunds could not be paid for now; empty when they could."""
        ...

    async def price(self, gas: int) -> int:
        """Wei that so much gas costs in the next block."""
        ...

    async def build(self, order: Order) -> SignedTx:
        """Signs it, on a nonce of its own that is on disk before this returns; another version of
        an order replaces the one before. Nothing is told to a node. Raises InsufficientFunds."""
        ...
