"""Owns the tower's one secret: 32 random bytes in a file, from which its network key, the key of
its vault and that of its accounts for gas come.

Must not know: packages. No client's coins hang on it, only the gas that the operator has put into
the tower's accounts. Who reads it can take that, read the packages of the database and pose as this
tower; who loses it loses all that, and clients have to be told the new peer id. It may lie
elsewhere than the database (a credential store, another disk): then a stolen one tells nothing.
"""

import hashlib
import hmac
from pathlib import Path

from swapd import keptsecret
from swapd.ports import Entropy

KEY_BYTES = 32


def load(path: Path, entropy: Entropy) -> bytes:
    """The secret; made, mode 0600, where there is none. Raises KeptSecretError."""
    return keptsecret.load(path, KEY_BYTES, entropy, what="tower key file")


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
