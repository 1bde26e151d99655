"""The best chain near its head, by height, as our sources tell it; and what a reorganisation took.

Owns: `Blocks`: one consistent chain of headers, noticed to have changed by the hashes alone (no
endpoint's word on what was removed is needed). Must not know: what is in blocks.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from swapd.chains.evm.answers import Header
from swapd.chains.evm.sources import Sources
from swapd.ports import NodeUnreachable

KEPT: Final = 1024
"""Headers that are remembered."""

Find = Callable[[Header], Awaitable[bool]]


class Blocks:
    """The chain below the newest head that was followed."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._known: dict[int, Header] = {}
        self.head: Header | None = None
        self.reorgs = 0

    async def follow(self) -> Header:
        """The newest head; whatever of the known chain is not below it is forgotten.
        Raises ChainError."""
        head = await self._sources.head()
        if head != self.head:
            await self._adopt(head)
        return head

    async def _adopt(self, head: Header) -> None:
        above = [n for n in self._known if n > head.number]
        known = {n: h for n, h in self._known.items() if n <= head.number}
        replaced = known.get(head.number)
        reorg = bool(above) or (replaced is not None and replaced.hash != head.hash)
        known[head.number] = head
        number, below = head.number - 1, head
        # Down to where the known chain and the new one are the same block.
        for number in sorted((n for n in known if n < head.number), reverse=True):
            if number == below.number - 1:
                same = known[number].hash == below.parent
            else:
                same = await self._fetched(number) == known[number]
            if same:
                break
            reorg = True
            del known[number]
            if number == below.number - 1:
                below = known[number] = await self._fetched(number)
                if below.hash != (known[number + 1]).parent:
                    raise NodeUnreachable("the chain moves faster than it can be read")
        self._known = {n: h for n, h in known.items() if n > head.number - KEPT}
        self.reorgs += reorg
        self.head = head

    async def _fetched(self, number: int) -> Header:
        found = await self._sources.block(number)
        if found is None or found.number != number:
            msg = f"no endpoint tells of block {number}, which is below its newest one"
            raise NodeUnreachable(msg)
        return found

    async def at(self, number: int) -> Header:
        """The block at a height of the followed chain. Raises ChainError."""
        if self.head is None or number > self.head.number:
            raise NodeUnreachable(f"block {number} is above the newest one")
        known = self._known.get(number)
        if known is None:
            known = await self._fetched(number)
            self._known[number] = known
        return known

    async def holds(self, block: Header) -> bool:
        """Whether `block` is in the followed chain."""
        if self.head is None or block.number > self.head.number:
            return False
        return (await self.at(block.number)).hash == block.hash

    async def is_still(self, head: Header) -> bool:
        """Whether `head` is in the best chain at this moment, asked anew: then all that was read at
        blocks below it by their height was of one chain."""
        found = await self._sources.block(head.number)
        return found is not None and found.hash == head.hash

    async def first(self, low: int, high: Header, holds: Find) -> Header:
        """The first block above height `low` for which `holds`, which is true at `high` and not at
        `low`, and turns true once."""
        while high.number - low > 1:
            middle = await self.at((low + high.number) // 2)
            if await holds(middle):
                high = middle
            else:
                low = middle.number
        return high
