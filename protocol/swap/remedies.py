"""What an operator does about each kind of trouble: the same words wherever he asks.

Owns: one remedy for each kind. Must not know: where trouble comes from, how it is shown.
"""

from typing import Final

from protocol.swap.troubles import Trouble

_REMEDIES: Final = {
    Trouble.NODE_DOWN: "start the node, or correct its address: claims and refunds wait for it",
    Trouble.NODE_SLOW: "look at the load and the disk of the node's machine",
    Trouble.NODE_SYNCING: "wait until the node has caught up: no lock is made and nothing revealed",
    Trouble.NODE_SILENT: "look whether the node is connected, and whether this clock is right",
    Trouble.NODE_ALONE: "let the node connect to more peers",
    Trouble.NODE_PRUNED: "connect a node that still has these blocks, or download them again",
    Trouble.COMPETING_TIP: "wait: no lock is made and nothing revealed until one branch has won",
    Trouble.CLOCK_BEHIND: "set the clock (NTP): no lock is made and nothing revealed before",
    Trouble.WALLET_MISSING: "load the wallet in the node (`loadwallet`)",
    Trouble.WALLET_LOCKED: "unlock the node's wallet (`walletpassphrase`): locks and kills need it",
    Trouble.DISK_FULL: "free space where the data directory is; only what is on disk is sent",
    Trouble.COINS_GONE: "nothing of yours is lost: a reorganisation took the lock's coins away",
    Trouble.REFUSED: "see the node's reason; it is tried again at each block",
    Trouble.WRONG_CHAIN: "correct the endpoint's url, or chain_id, in its [evm.NAME] section",
    Trouble.NODE_LIMITS: "raise the endpoint's plan, poll less often, or run a node of your own",
    Trouble.ENDPOINTS_DIFFER: (
        "wait, one may lag; if it stays, one lies or is broken: add a third, or a node of your own"
    ),
    Trouble.ENDPOINTS_FEW: (
        "see which endpoint fails; add another operator's, or run a node of your own"
    ),
    Trouble.STATE_MISSING: (
        "after a reorganisation it passes; else let the node keep more states, or add endpoints "
        "that keep old ones (archive nodes)"
    ),
    Trouble.END_UNKNOWN: (
        "add endpoints that keep old states (archive nodes), then it is read by itself; till then "
        "look the slot up in a block explorer"
    ),
    Trouble.NOT_FINALIZING: "wait: nothing is locked or revealed until blocks are final again",
    Trouble.FINALITY_UNKNOWN: (
        "connect a node that follows the chain's consensus; if the chain has no finality, state "
        "depths in the configuration instead"
    ),
    Trouble.GAS_LOW: "send some of the chain's coin to that account (`swapd evm accounts`)",
    Trouble.GAS_LIMIT: "raise gas in the token's section of the configuration, then restart",
    Trouble.CONTRACT_MISSING: "`swapd evm deploy` puts it there, once for everybody",
    Trouble.CONTRACT_WRONG: (
        "lock nothing on this chain, and look whether the endpoints are honest: by its address the "
        "code can be no other"
    ),
    Trouble.TOKEN_WRONG: "correct the token's address, decimals or symbol in the configuration",
    Trouble.TOKEN_PAUSED: "wait: only its issuer ends that; nothing is locked or revealed before",
    Trouble.TOKEN_BARRED: (
        "only its issuer can end that; nothing is locked or revealed, claims and refunds are tried"
    ),
    Trouble.TOKEN_REPLACED: (
        "read what the issuer changed; if it is right, name it as the token's implementation in "
        "the configuration"
    ),
    Trouble.OTHER: "it is tried again by itself; see the log",
}


def remedy_of(kind: Trouble) -> str:
    """What to do about it."""
    return _REMEDIES[kind]
