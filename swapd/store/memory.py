"""A part of the store for one owner: the `Memory` port.

Owns: keeping owners apart by a space of their own. Must not know: what is kept.
"""

from swapd.ports import Store


class StoreMemory:
    """The values of one space of a store."""

    def __init__(self, store: Store, space: str) -> None:
        self._store, self._space = store, space

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        return await self._store.get(self._space, key)

    async def put(self, key: str, value: bytes) -> None:
        """Written through."""
        await self._store.put(self._space, key, value)

    async def delete(self, key: str) -> None:
        """Nothing happens where nothing was."""
        await self._store.delete(self._space, key)

    async def items(self) -> tuple[tuple[str, bytes], ...]:
        """All of them."""
        return await self._store.items(self._space)
