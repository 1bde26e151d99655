"""Owns what the tower keeps, encrypted: packages, whose they are, how far each got.

Must not know: chains, clients' connections. Everything of a package is sealed by
XChaCha20-Poly1305, also who left it; in the clear are only how many there are and how long each is.
A row is bound to its place, so that nobody can move an old one back over another. Rows live in the
Store port's spaces.
"""

import hashlib
import hmac
from collections.abc import Mapping

import structlog
from msgspec import Struct
from nacl import bindings
from nacl.exceptions import CryptoError

from protocol.codec import decode, encode
from protocol.errors import RemoteProtocolError
from protocol.tower.package import MAX_PACKAGE_BYTES
from protocol.tower.progress import MAX_RAW, Progress
from swapd.ports import Entropy, Store

log = structlog.get_logger(__name__)

SPACE = "tower-package"
_NONCE = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
_MAX_ROW = MAX_PACKAGE_BYTES + MAX_RAW + 4096


class Stored(Struct, frozen=True, forbid_unknown_fields=True):
    """One package: who left it (a peer id), under which ticket, the encoded package, when it came
    and when its progress last changed (unix seconds)."""

    client: str
    ticket: bytes
    package: bytes
    arrived: int
    changed: int
    progress: Progress


class Vault:
    """All packages, in memory and on disk. `load` comes first."""

    def __init__(self, store: Store, key: bytes, entropy: Entropy) -> None:
        self._store, self._key, self._entropy = store, key, entropy
        self._rows: dict[bytes, Stored] = {}

    async def load(self) -> int:
        """Reads everything; how many rows could not be opened (another key, damage): those are
        left alone and said. Raises StoreError."""
        lost = 0
        for name, value in await self._store.items(SPACE):
            row = self._open(name, value)
            if row is None:
                lost += 1
            else:
                self._rows[row.ticket] = row
        if lost:
            log.critical("tower.rows_lost", count=lost, why="another key, or damaged")
        return lost

    @property
    def rows(self) -> Mapping[bytes, Stored]:
        """By ticket."""
        return self._rows

    async def put(self, row: Stored) -> None:
        """Keeps it in place of what lay under its ticket. On disk when this returns."""
        name = self._name(row.ticket)
        await self._store.put(SPACE, name, self._seal(name, row))
        self._rows[row.ticket] = row

    async def drop(self, ticket: bytes) -> bool:
        """Forgets what lies under a ticket; whether there was anything."""
        if ticket not in self._rows:
            return False
        await self._store.delete(SPACE, self._name(ticket))
        return self._rows.pop(ticket, None) is not None

    def _name(self, ticket: bytes) -> str:
        """Of the row: nobody can tell a ticket by it."""
        return hmac.new(self._key, ticket, hashlib.sha256).hexdigest()

    def _seal(self, name: str, row: Stored) -> bytes:
        nonce = self._entropy(_NONCE)
        sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
            encode(row), name.encode(), nonce, self._key
        )
        return nonce + sealed

    def _open(self, name: str, value: bytes) -> Stored | None:
        try:
            plain = bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
                value[_NONCE:], name.encode(), value[:_NONCE], self._key
            )
            row = decode(Stored, plain, max_size=_MAX_ROW)
        except (CryptoError, RemoteProtocolError, ValueError, TypeError):
            return None
        return row if self._name(row.ticket) == name else None
