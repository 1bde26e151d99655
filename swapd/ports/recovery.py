"""The port to what survives the loss of this machine: `Recovery`.

Must not know: any adapter.
"""

from typing import Protocol

from msgspec import Struct

from swapd.ports.errors import PortError


class RecoveryError(PortError):
    """A recovery file could not be written or read."""


class PathStatus(Struct, frozen=True):
    """One place of the recovery file. `written_at` unix seconds, 0 never; `error` why it is not
    abreast of the journal."""

    path: str
    ok: bool
    written_at: int = 0
    error: str = ""


class RecoveryStatus(Struct, frozen=True):
    """All places that are configured."""

    paths: tuple[PathStatus, ...]


class Recovery(Protocol):
    """What survives the loss of this machine: with the seed, every open swap."""

    async def secure(self) -> None:
        """Returns when every place holds what the journal holds now. Raises RecoveryError."""
        ...

    def status(self) -> RecoveryStatus: ...
