"""Which slot of our locking account a new lock gets.

Owns: `Slots`: finding one that is free, holding it while terms are agreed. Must not know: swaps.

A slot is free when no swap is live in it and nobody watches it: an open swap watches its slot until
the end is final, so none is used again before its preimage is read and safe. Low numbers first,
because a slot that was used before is cheaper.
"""

from typing import Final

import trio

from protocol.evm.slots import KEEP_SLOTS, is_live, slot_key
from swapd.chains.evm.answers import Header, word
from swapd.chains.evm.node import EvmNode
from swapd.chains.evm.rpc import Call
from swapd.ports import InsufficientFunds

HOLD_SECONDS: Final = 600.0
"""More than a negotiation takes; from the agreement on the swap watches its slot."""

_AT_ONCE: Final = 16


class Slots:
    """The slots of one account in one contract."""

    def __init__(self, node: EvmNode, contract: bytes, account: bytes) -> None:
        self._node = node
        self._contract = contract
        self._account = account
        self._held: dict[int, tuple[bytes, float]] = {}
        self._choosing = trio.Lock()

    async def free(self, key: bytes, head: Header) -> int:
        """A free slot for whoever is called `key`, who gets the same one again. Raises
        InsufficientFunds when none is free, NodeUnreachable."""
        async with self._choosing:
            now = trio.current_time()
            self._held = {n: each for n, each in self._held.items() if each[1] > now}
            mine = next((n for n, (whose, _) in self._held.items() if whose == key), None)
            if mine is not None and await self._empty(head, [mine]):
                return mine
            watched = self._node.watched_slots()
            candidates = [
                n
                for n in range(KEEP_SLOTS)
                if n not in self._held
                and (self._contract, slot_key(self._account, n)) not in watched
            ]
            for start in range(0, len(candidates), _AT_ONCE):
                found = await self._empty(head, candidates[start : start + _AT_ONCE])
                if found:
                    self._held[found[0]] = (key, now + HOLD_SECONDS)
                    return found[0]
        msg = f"all {KEEP_SLOTS} slots of our account are in use: wait for a swap to end"
        raise InsufficientFunds(msg, confirmed=0, unconfirmed=0)

    async def _empty(self, head: Header, numbers: list[int]) -> list[int]:
        where = "0x" + self._contract.hex()
        asked: list[Call] = [
            ("eth_getStorageAt", (where, "0x" + slot_key(self._account, n).hex())) for n in numbers
        ]
        values = [word(answer) for answer in await self._node.sources.at(head, asked)]
        return [n for n, value in zip(numbers, values, strict=True) if not is_live(value)]
