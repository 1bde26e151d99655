"""Why the daemon could not start or go on, as one sentence and an exit code.

Owns: the mapping from exceptions to exit codes. Must not know: the terminal.
"""

from collections.abc import Iterator

from swapd import exitcodes
from swapd.clock import ClockFileError
from swapd.config import ConfigError
from swapd.control.socketfile import ControlSocketError
from swapd.keptsecret import KeptSecretError
from swapd.keys.errors import KeysError
from swapd.lockfile import AlreadyLockedError, LockError
from swapd.paths import PathError
from swapd.ports import (
    InvalidAddress,
    ListenError,
    NodeMisconfigured,
    PeerError,
    RecoveryError,
    StoreError,
)
from swapd.tower.errors import TowerError

_CODES: tuple[tuple[type[Exception], int], ...] = (
    (AlreadyLockedError, exitcodes.ALREADY_LOCKED),
    (ConfigError, exitcodes.CONFIG),
    (PathError, exitcodes.CONFIG),
    (LockError, exitcodes.CONFIG),
    (ClockFileError, exitcodes.CONFIG),
    (ListenError, exitcodes.CONFIG),
    (InvalidAddress, exitcodes.CONFIG),
    (ControlSocketError, exitcodes.CONFIG),
    (TowerError, exitcodes.CONFIG),
    (KeptSecretError, exitcodes.CONFIG),
    (KeysError, exitcodes.KEYS),
    (StoreError, exitcodes.DATABASE),
    (RecoveryError, exitcodes.DATABASE),
    (NodeMisconfigured, exitcodes.CHAIN),
    (PeerError, exitcodes.CRASH),
)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The single exceptions inside nested groups, in order."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def explain(error: BaseException) -> tuple[str, int] | None:
    """The sentence and the exit code, or None for a bug of ours (it deserves a traceback)."""
    found = list(leaves(error))
    for kind, code in _CODES:
        for leaf in found:
            if isinstance(leaf, kind):
                return str(leaf), code
    return None
