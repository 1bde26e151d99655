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
    WRONG_CHAIN = "wrong_chain"
    NODE_LIMITS = "node_limits"
    ENDPOINTS_DIFFER = "endpoints_differ"
    ENDPOINTS_FEW = "endpoints_few"
    STATE_MISSING = "state_missing"
    END_UNKNOWN = "end_unknown"
    NOT_FINALIZING = "not_finalizing"
    FINALITY_UNKNOWN = "finality_unknown"
    GAS_LOW = "gas_low"
    GAS_LIMIT = "gas_limit"
    CONTRACT_MISSING = "contract_missing"
    CONTRACT_WRONG = "contract_wrong"
    TOKEN_WRONG = "token_wrong"  # noqa: S105 - a token of a chain
    TOKEN_PAUSED = "token_paused"  # noqa: S105 - a token of a chain
    TOKEN_BARRED = "token_barred"  # noqa: S105 - a token of a chain
    TOKEN_REPLACED = "token_replaced"  # noqa: S105 - a token of a chain
    OTHER = "other"


CANT_BE_ASKED: Final = "can't be asked"
TOO_SLOW: Final = "too long to act on what it said"
CLOCK_IS_BEHIND: Final = "this machine's clock is behind the chain's"
NO_BLOCK: Final = "no block for more than"
CATCHING_UP: Final = "still catching up"
BLOCKS_MISSING: Final = "headers whose blocks it does not have yet"
FEW_PEERS: Final = "so that nobody can fool it"
COMPETING: Final = "a competing branch"
PRUNED_AWAY: Final = "a pruned node must keep the blocks"
CANT_BE_WRITTEN: Final = "the journal can't be written"
ANOTHER_CHAIN: Final = "is on another chain"
LIMITED: Final = "limits how much we may ask"
DO_NOT_AGREE: Final = "do not agree on"
TOO_FEW_ANSWER: Final = "without a node of our own two must say the same"
STATE_GONE: Final = "has left the chain, or its state"
END_NOT_TOLD: Final = "the slot of the lock was used again"
NOTHING_FINAL: Final = "the chain has finalized nothing for"
NO_FINALITY: Final = "names no finalized block"
NO_GAS: Final = "for gas in"
TOO_LITTLE_GAS: Final = "more than its limit of"
NO_CONTRACT: Final = "there is no HTLC contract"
OTHER_CODE: Final = "is not our HTLC contract"
RIGHT_ADDRESS: Final = "is that the right address?"
PAUSED: Final = "is paused by its issuer"
BARRED: Final = "is on the blacklist of"
CODE_REPLACED: Final = "was replaced: it leads to"

_PHRASES: Final[tuple[tuple[str, Trouble], ...]] = (
    # A node that can't be asked says why: what is behind it comes first.
    (PRUNED_AWAY, Trouble.NODE_PRUNED),
    (ANOTHER_CHAIN, Trouble.WRONG_CHAIN),
    (END_NOT_TOLD, Trouble.END_UNKNOWN),
    (STATE_GONE, Trouble.STATE_MISSING),
    (DO_NOT_AGREE, Trouble.ENDPOINTS_DIFFER),
    (TOO_FEW_ANSWER, Trouble.ENDPOINTS_FEW),
    (LIMITED, Trouble.NODE_LIMITS),
    (NO_CONTRACT, Trouble.CONTRACT_MISSING),
    (OTHER_CODE, Trouble.CONTRACT_WRONG),
    (RIGHT_ADDRESS, Trouble.TOKEN_WRONG),
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
    (NOTHING_FINAL, Trouble.NOT_FINALIZING),
    (NO_FINALITY, Trouble.FINALITY_UNKNOWN),
    (NO_GAS, Trouble.GAS_LOW),
    (TOO_LITTLE_GAS, Trouble.GAS_LIMIT),
    (PAUSED, Trouble.TOKEN_PAUSED),
    (BARRED, Trouble.TOKEN_BARRED),
    (CODE_REPLACED, Trouble.TOKEN_REPLACED),
    ("missingorspent", Trouble.COINS_GONE),
    (" node refused ", Trouble.REFUSED),
)


def trouble_of(text: str) -> Trouble:
    """The kind of trouble that `text` tells of."""
    return next((kind for phrase, kind in _PHRASES if phrase in text), Trouble.OTHER)
