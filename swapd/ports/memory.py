"""The port to small values that outlive the process: `Memory`.

Must not know: any adapter.
"""

from typing import Protocol


class Memory(Protocol):
    """Durable small values of one owner by key. What was put is on disk when the call returns.
    Raises StoreError."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes) -> None: ...

    async def delete(self, key: str) -> None: ...

    async def items(self) -> tuple[tuple[str, bytes], ...]: ...
