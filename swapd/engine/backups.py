"""Backups of the database on request, and when the last one was made.

Owns: the record of the last one. Must not know: how a copy is written.
"""

import contextlib
from typing import Final

from msgspec import Struct

from protocol.codec import decode, encode
from protocol.errors import DecodeError
from swapd.engine.world import World
from swapd.ports import BackupMade

SPACE: Final = "meta"
KEY: Final = "last-backup"
_MAX_SIZE = 16_384


class LastBackup(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """When (unix seconds) and where the newest backup was written."""

    at: int
    path: str


class Backups:
    """Makes them. `default` is where they go when nobody says where."""

    def __init__(self, world: World, default: str) -> None:
        self._world = world
        self._default = default
        self.last: LastBackup | None = None
        """The newest that was made from this database, as far as is known."""

    async def load(self) -> None:
        """Reads back when the last one was made. Raises StoreError."""
        kept = await self._world.store.get(SPACE, KEY)
        if kept is not None:
            with contextlib.suppress(DecodeError):
                self.last = decode(LastBackup, kept, max_size=_MAX_SIZE)

    async def make(self, path: str | None = None) -> BackupMade:
        """Writes a backup and remembers that. Raises BackupRefused, StoreError."""
        world = self._world
        made = await world.store.backup(path or self._default, at=world.clock.now())
        self.last = LastBackup(made.at, made.path)
        await world.store.put(SPACE, KEY, encode(self.last))
        return made
