"""What kind of trouble a text tells of: a node's problems and failed effects travel as words.

Owns: the closed set of kinds, and the phrases by which they are known. Who makes such a text uses
the phrase from here, so that the two can't come apart. Must not know: what is done about it.
"""

import enum
from typing import Final


class Trouble(enum.StrEnum):
    """Stable codes."""

    NODE_DOWN = "node_down"
    NODE_SLOW = "node_slow"
    NODE_SYNCING = "node_syncing"
    NODE_SILENT = "node_silent"
    NODE_ALONE = "node_alone"
    NODE_PRUNED = "node_pruned"
    COMPETING_TIP = "competing_tip"
    CLOCK_BEHIND = "clock_behind"
    WALLET_MISSING = "wallet_missing"
    WALLET_LOCKED = "wallet_locked"
    DISK_FULL = "disk_full"
    COINS_GONE = "coins_gone"
    REFUSED = "refused"
    OTHER = "other"


CANT_BE_ASKED: Final = "can't be asked"
TOO_SLOW: Final = "too long to act on what it said"
CLOCK_IS_BEHIND: Final = "this machine's clock is behind the chain's median time"
NO_BLOCK: Final = "no block for more than"
CATCHING_UP: Final = "still catching up"
BLOCKS_MISSING: Final = "headers whose blocks it does not have yet"
FEW_PEERS: Final = "so that nobody can fool it"
COMPETING: Final = "a competing branch"
PRUNED_AWAY: Final = "a pruned node must keep the blocks"
CANT_BE_WRITTEN: Final = "the journal can't be written"

_PHRASES: Final[tuple[tuple[str, Trouble], ...]] = (
    # A node that can't be asked says why: what is behind it comes first.
    (PRUNED_AWAY, Trouble.NODE_PRUNED),
    ("is not loaded", Trouble.WALLET_MISSING),
    ("runs without wallets", Trouble.WALLET_MISSING),
    ("walletpassphrase", Trouble.WALLET_LOCKED),
    (CANT_BE_WRITTEN, Trouble.DISK_FULL),
    (CANT_BE_ASKED, Trouble.NODE_DOWN),
    (TOO_SLOW, Trouble.NODE_SLOW),
    (CLOCK_IS_BEHIND, Trouble.CLOCK_BEHIND),
    (NO_BLOCK, Trouble.NODE_SILENT),
    (CATCHING_UP, Trouble.NODE_SYNCING),
    (BLOCKS_MISSING, Trouble.NODE_SYNCING),
    (FEW_PEERS, Trouble.NODE_ALONE),
    (COMPETING, Trouble.COMPETING_TIP),
    ("missingorspent", Trouble.COINS_GONE),
    (" node refused ", Trouble.REFUSED),
)


def trouble_of(text: str) -> Trouble:
    """The kind of trouble that `text` tells of."""
    return next((kind for phrase, kind in _PHRASES if phrase in text), Trouble.OTHER)
