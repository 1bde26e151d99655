"""Owns the file with the key of the account that pays gas while the seed is locked.

Must not know: what is paid. A daemon with its seed writes it, one without reads it. All that this
key can move is what the operator has put into that one account: claims pay the party of a swap and
refunds the locker, whoever sends them. It comes from the seed by a hardened path of its own: so it
tells nothing of other keys, and any wallet with the words finds what is left there.
"""

from pathlib import Path

import structlog

from swapd import keptsecret
from swapd.paths import loose_permissions

KEY_BYTES = 32

log = structlog.get_logger(__name__)


def keep(path: Path, key: bytes) -> None:
    """Writes it, mode 0600, unless it is there. Without it a locked daemon pays for nothing: that
    is said, and no reason not to start."""
    if _read(path) == key:
        return
    try:
        keptsecret.put(path, key)
    except OSError as error:
        log.warning("relay.key_not_kept", path=str(path), reason=error.strerror or str(error))


def load(path: Path) -> bytes | None:
    """The key; None, said loudly, where there is none that could be used."""
    if path.exists() and (loose := loose_permissions(path, readable=False)):
        log.critical("relay.key_unusable", reason=loose)
        return None
    key = _read(path)
    if key is None or len(key) != KEY_BYTES:
        remedy = "start it once with its passphrase: it writes the key"
        log.critical("relay.key_missing", path=str(path), remedy=remedy)
        return None
    return key


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()[: KEY_BYTES + 1]
    except OSError:
        return None
