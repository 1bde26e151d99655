"""A finding, and the closed table of all there are.

Owns: `Finding`, `CODES`. Must not know: how anything is found. A code is never renamed or reused.
"""

import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct


class Severity(enum.StrEnum):
    """critical: coins can be lost, or nothing works; warning: something will not work some day, or
    protects less than it should; info: worth knowing."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Finding(Struct, frozen=True):
    """One thing that is not as it should be. `subject` is what it concerns (BTC, a file), `what` is
    so, `remedy` is what to do."""

    code: str
    severity: Severity
    subject: str
    what: str
    remedy: str


class Code(Struct, frozen=True):
    """A row of the table: how severe, what it means, the usual remedy."""

    severity: Severity
    meaning: str
    remedy: str


_INFO, _WARNING, _CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL

CODES: Final[Mapping[str, Code]] = MappingProxyType(
    {
        # --- the clock
        "clock_behind": Code(_CRITICAL, "the clock is behind a chain's median time", "set it: NTP"),
        "clock_ahead": Code(
            _WARNING, "the clock is far beyond the newest blocks of every chain", "set it: NTP"
        ),
        "clock_off": Code(
            _WARNING, "the peers of a node have another time than it", "set the clock: NTP"
        ),
        "clock_not_synchronised": Code(
            _WARNING,
            "nothing keeps the clock right",
            "run an NTP client: `timedatectl set-ntp true`, chrony or ntpd",
        ),
        # --- nodes
        "node_unreachable": Code(
            _CRITICAL, "a node does not answer", "start it, or correct its url"
        ),
        "node_misconfigured": Code(
            _CRITICAL,
            "a node is of another chain, too old, or lacks a rule or a wallet that can sign",
            "see what it says",
        ),
        "node_syncing": Code(
            _WARNING, "a node has not caught up", "wait: nothing is locked before"
        ),
        "node_not_ready": Code(
            _WARNING, "a reason not to lock or reveal now", "it is looked at again by itself"
        ),
        "node_pruned_too_much": Code(
            _CRITICAL,
            "a node lacks blocks that an open swap needs",
            "connect a node that has them, or download the chain again",
        ),
        "node_pruned_shallow": Code(
            _WARNING,
            "a pruned node keeps less than a swap's longest life and 14 days",
            "raise -prune in its configuration",
        ),
        "node_no_miniscript": Code(
            _INFO,
            "the node is too old for the descriptor of a lock (Bitcoin Core or Knots 25)",
            "nothing: a rescue by hand then goes by signed transactions alone",
        ),
        "replacement_unknown": Code(
            _INFO,
            "litecoind does not tell whether it replaces what is in its mempool",
            "put mempoolreplacement=1 into litecoin.conf: a hanging lock can be killed only so",
        ),
        "wallet_missing": Code(_CRITICAL, "a node's wallet is not loaded", "`loadwallet`"),
        "wallet_locked": Code(
            _WARNING, "a node's wallet wants its passphrase", "unlock it: `walletpassphrase`"
        ),
        "wallet_empty": Code(
            _INFO, "a node's wallet has no coin that could fund a lock", "see `swap-cli address`"
        ),
        # --- chains with accounts
        "gas_low": Code(
            _WARNING,
            "an account can't pay for the locks, or for the claims and refunds, of a swap",
            "send some of the chain's coin there (`swapd evm accounts`)",
        ),
        "endpoints_few": Code(
            _CRITICAL,
            "fewer than two endpoints answer, and there is no node of your own",
            "add another operator's, or run a node of your own",
        ),
        "endpoints_differ": Code(
            _CRITICAL,
            "endpoints contradict each other: nothing they say is believed",
            "wait; if it stays, add a third endpoint, or a node of your own",
        ),
        "endpoint_limits": Code(
            _WARNING,
            "an endpoint limits how much it is asked",
            "raise its plan, poll less often, or run a node of your own",
        ),
        "not_finalizing": Code(
            _WARNING, "the chain finalizes no blocks", "wait: nothing is locked or revealed before"
        ),
        "finality_unknown": Code(
            _CRITICAL,
            "a chain is to say what is final, and its node does not know",
            "connect a node that follows its consensus, or state depths instead",
        ),
        "contract_missing": Code(
            _CRITICAL, "the HTLC contract is not on a chain", "`swapd evm deploy`"
        ),
        "contract_wrong": Code(
            _CRITICAL,
            "other code is at the contract's address",
            "lock nothing there; look whether the endpoints are honest",
        ),
        "token_wrong": Code(
            _CRITICAL,
            "a token is not what the configuration says of it",
            "correct its address, decimals or symbol",
        ),
        "token_paused": Code(_WARNING, "a token's issuer has paused it", "wait for the issuer"),
        "token_barred": Code(
            _CRITICAL,
            "an account or the contract is on a token's blacklist",
            "only the issuer can end that",
        ),
        "token_replaced": Code(
            _CRITICAL,
            "a token's code was replaced since it was first seen",
            "read what changed; if it is right, name it as the token's implementation",
        ),
        # --- fees
        "fee_unknown": Code(
            _WARNING,
            "a node has no fee estimate: a fixed rate is used",
            "let it run for some days, connected",
        ),
        "fee_stress": Code(
            _WARNING,
            "the next block costs more than the stress rate that small swaps are refused by",
            "wait, or raise policy.stress_fee_rate and swap larger amounts",
        ),
        "mempool_full": Code(
            _INFO,
            "a node's mempool is full: only dearer transactions are relayed",
            "nothing: fees follow",
        ),
        # --- files and disk
        "disk_full": Code(_CRITICAL, "less than 100 MB are free", "free space: nothing is begun"),
        "disk_low": Code(_WARNING, "less than 1 GB is free", "free space before it is full"),
        "seed_missing": Code(_CRITICAL, "there is no seed", "`swapd init`"),
        "mode_loose": Code(
            _CRITICAL, "others can read or change a file that is only for you", "see the command"
        ),
        "owner_wrong": Code(
            _CRITICAL, "a file belongs to another user", "run swapd as that user, or `chown` it"
        ),
        "secret_unreadable": Code(
            _CRITICAL, "a file with a password can't be read", "correct its path or its mode"
        ),
        "config_invalid": Code(_CRITICAL, "the configuration can't be used", "see what it says"),
        "config_warning": Code(_WARNING, "the configuration works but should be mended", "mend it"),
        # --- the network
        "network_down": Code(_CRITICAL, "the network process does not run", "wait: it restarts"),
        "no_peers": Code(
            _WARNING, "nobody is connected", "`swap-cli peer connect`, or p2p.bootstrap"
        ),
        "no_inbound": Code(
            _INFO,
            "nobody has connected to us from outside",
            "open the port in the firewall, forward it in the router, set p2p.announce",
        ),
        "address_private": Code(
            _WARNING,
            "all our addresses are private: peers elsewhere can't reach us",
            "forward the port and name the public address in p2p.announce",
        ),
        "port_in_use": Code(
            _CRITICAL,
            "another program listens where swapd wants to",
            "stop it, or change p2p.listen",
        ),
        "daemon_runs": Code(
            _INFO, "a daemon uses this data directory", "`swap-cli doctor` finds more"
        ),
        "data_dir_unusable": Code(
            _CRITICAL, "the data directory can't be used", "`swapd init` makes it"
        ),
        # --- swaps and what survives this machine
        "swap_unattended": Code(
            _CRITICAL, "nobody looks after an open swap", "mend the reason, start swapd again"
        ),
        "swap_trouble": Code(
            _WARNING, "something fails in an open swap", "`swap-cli swap explain`"
        ),
        "watch_only": Code(
            _CRITICAL, "this daemon only watches, it begins nothing", "see its reason"
        ),
        "recovery_off": Code(
            _WARNING,
            "no recovery file is kept: with this disk the open swaps are lost",
            "set recovery.paths to another disk",
        ),
        "recovery_stale": Code(
            _CRITICAL, "the recovery file is not abreast of the journal", "see what it says"
        ),
        "tower_stale": Code(
            _WARNING, "a watchtower does not hold what it should", "see what it says"
        ),
        "backup_old": Code(
            _INFO, "the database was not backed up for 30 days", "`swap-cli backup`"
        ),
    }
)
"""Every code."""


def finding(
    code: str, subject: str, what: str = "", remedy: str = "", severity: Severity | None = None
) -> Finding:
    """A finding of a code in the table; what is not given is the table's."""
    row = CODES[code]
    return Finding(
        code, severity or row.severity, subject, what or row.meaning, remedy or row.remedy
    )


def by_urgency(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The most urgent first, otherwise as they were found."""
    order = list(Severity)
    return tuple(sorted(found, key=lambda each: -order.index(each.severity)))
