"""Owns the tower's one secret: 32 random bytes in a file, from which its network key, the key of
its vault and that of its accounts for gas come.

Must not know: packages. No client's coins hang on it, only the gas that the operator has put into
the tower's accounts. Who reads it can take that, read the packages of the database and pose as this
tower; who loses it loses all that, and clients have to be told the new peer id. It may lie
elsewhere than the database (a credential store, another disk): then a stolen one tells nothing.
"""

import hashlib
import hmac
import os
from pathlib import Path

from swapd.paths import loose_permissions
from swapd.ports import Entropy
from swapd.tower.errors import TowerError

KEY_BYTES = 32


def load(path: Path, entropy: Entropy) -> bytes:
    """The secret; made, mode 0600, where there is none. Raises TowerError."""
    try:
        return _read(path)
    except FileNotFoundError:
        return _create(path, entropy(KEY_BYTES))
    except OSError as error:
        msg = f"the tower's key file {path} cannot be read: {error.strerror or error}"
        raise TowerError(msg) from None


def network_secret(secret: bytes) -> bytes:
    """The libp2p key of the tower: always the same, for clients name it in their configuration."""
    return _derive(secret, b"network")


def vault_key(secret: bytes) -> bytes:
    """What packages are encrypted with."""
    return _derive(secret, b"vault")


def relay_key(secret: bytes) -> bytes:
    """The private key of the account that pays for what the tower sends on chains with accounts,
    the same on all of them. All that lies there is gas."""
    return _derive(secret, b"relay")


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return hmac.new(secret, b"swapd/tower/" + purpose, hashlib.sha256).digest()


def _read(path: Path) -> bytes:
    loose = loose_permissions(path, readable=False)
    if loose:
        raise TowerError(loose)
    content = path.read_bytes()[: KEY_BYTES + 1]
    if len(content) != KEY_BYTES:
        raise TowerError(f"{path} is no tower key: it must hold exactly {KEY_BYTES} bytes")
    return content


def _create(path: Path, secret: bytes) -> bytes:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        msg = f"the tower's key file {path} cannot be made: {error.strerror or error}"
        raise TowerError(msg) from None
    return secret
