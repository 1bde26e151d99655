"""What a test of the port needs besides the port: a wallet with coins, a stranger, a miner.

Owns: `Bench`, the interface that the fake and the real nodes both serve.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from protocol.bitcoin.params import ChainParams
from swapd.ports import Chain

COIN = 100_000_000
HARD_BLOCK = 240_000
"""Vbytes of a block on a hard chain."""


class Bench(Protocol):
    """One chain with one node, a wallet under test and a rich stranger who also mines."""

    params: ChainParams

    @property
    def chain(self) -> Chain:
        """The adapter under test, on a wallet that is empty when a test begins."""
        ...

    def now(self) -> int:
        """Unix seconds of the test clock."""
        ...

    async def height(self) -> int: ...

    def adapter(self) -> Chain:
        """Another adapter on the same node and wallet: a daemon that was started again."""
        ...

    def stranger(self) -> Chain:
        """An adapter on the stranger's wallet."""
        ...

    def running(self, chain: Chain) -> AbstractAsyncContextManager[None]:
        """Runs the adapter's task meanwhile."""
        ...

    async def mine(self, count: int = 1) -> None:
        """Blocks with what is in the mempool, 10 s apart on the test clock."""
        ...

    async def undo(self, count: int) -> None:
        """The newest blocks become invalid; their transactions return to the mempool."""
        ...

    async def mine_empty(self, count: int) -> None:
        """Blocks without anything of the mempool."""
        ...

    async def mine_to(self, script: bytes) -> int:
        """One block whose coinbase pays `script`; returns how many base units."""
        ...

    async def give(self, count: int, units: int) -> None:
        """Confirmed native segwit coins for the wallet under test."""
        ...

    async def give_legacy(self, units: int) -> None:
        """A confirmed coin that is not native segwit."""
        ...

    async def pay(self, script: bytes, units: int) -> str:
        """The stranger pays, replaceably, into the mempool; returns the txid."""
        ...

    async def bump(self, txid: str) -> str:
        """The stranger replaces his payment by a dearer one; returns the new txid."""
        ...

    async def operator_spends(self, ref: str) -> str:
        """The operator pays with this coin by hand, and dearly; returns the txid."""
        ...

    async def mempool(self) -> list[str]:
        """Txids that wait for a block, sorted."""
        ...

    async def rates(self) -> tuple[int, int]:
        """What the node relays for, and what a replacement adds, base units per 1000 vbytes."""
        ...

    async def mempool_rate(self) -> int:
        """What the mempool asks of newcomers, base units per 1000 vbytes."""
        ...

    async def newest_block(self) -> list[str]:
        """Txids of the newest block, sorted, the coinbase left out."""
        ...

    async def newest_coinbase(self) -> str:
        """Txid of the newest block's coinbase."""
        ...

    async def pass_time(self, seconds: int) -> None:
        """The clock goes on; no block comes."""
        ...

    async def fork(self, count: int, blocks: Sequence[Sequence[bytes]]) -> None:
        """The newest blocks give way to others with these raw transactions, no mempool asked."""
        ...

    async def lock_wallet(self) -> None:
        """The wallet under test wants a passphrase from now on."""
        ...
