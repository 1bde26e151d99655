"""Whether a node is fit for swaps: reachable, right, synced, wallet, pruning, fees.

Must not know: RPC (the chain port asks), who else asks.
"""

import contextlib
import re

from protocol.bitcoin.params import params_by_chain
from protocol.evm.params import is_evm
from protocol.limits import MAX_SWAP_SECONDS
from protocol.swap.remedies import remedy_of
from protocol.swap.troubles import Trouble, trouble_of
from swapd.doctor.findings import Finding, finding
from swapd.ports import (
    Chain,
    ChainError,
    ChainStatus,
    InsufficientFunds,
    NodeMisconfigured,
    NodeUnreachable,
    WalletLocked,
    WalletMissing,
)

KEEP_SECONDS = MAX_SWAP_SECONDS + 14 * 86400
"""A pruned node keeps the blocks of the longest swap, and of two weeks away (safety rule 24)."""

MINISCRIPT_SINCE = 25
_LEAST_LOCK = 1000
_VERSION = re.compile(r":(\d+)\.")


async def examine(
    chain: Chain, *, stress_rate: int, needed_from: int | None
) -> tuple[ChainStatus | None, list[Finding]]:
    """Everything about one node. `needed_from`: the lowest block that an open swap still needs."""
    try:
        await chain.check()
        status = await chain.status()
    except WalletMissing as error:
        return None, [finding("wallet_missing", chain.ticker, str(error))]
    except NodeUnreachable as error:
        return None, [_told("node_unreachable", chain.ticker, str(error))]
    except NodeMisconfigured as error:
        return None, [_told("node_misconfigured", chain.ticker, str(error))]
    except ChainError as error:
        return None, [finding("node_not_ready", chain.ticker, str(error))]
    found = [
        *_problems(status),
        *_version(status),
        *_pruning(status, needed_from),
        *_fees(status, stress_rate),
        *await _wallet(chain),
    ]
    return status, found


def _problems(status: ChainStatus) -> list[Finding]:
    found = []
    for problem in status.problems:
        kind = trouble_of(problem)
        if kind is Trouble.CLOCK_BEHIND:
            continue  # said once, by the clock
        if kind is Trouble.GAS_LOW:
            continue  # said of both accounts, with figures
        found.append(_told("node_not_ready", status.ticker, problem))
    return found


_CODES = {
    Trouble.NODE_SYNCING: "node_syncing",
    Trouble.WALLET_MISSING: "wallet_missing",
    Trouble.WRONG_CHAIN: "node_misconfigured",
    Trouble.NODE_LIMITS: "endpoint_limits",
    Trouble.ENDPOINTS_DIFFER: "endpoints_differ",
    Trouble.ENDPOINTS_FEW: "endpoints_few",
    Trouble.NOT_FINALIZING: "not_finalizing",
    Trouble.FINALITY_UNKNOWN: "finality_unknown",
    Trouble.CONTRACT_MISSING: "contract_missing",
    Trouble.CONTRACT_WRONG: "contract_wrong",
    Trouble.TOKEN_WRONG: "token_wrong",
    Trouble.TOKEN_PAUSED: "token_paused",
    Trouble.TOKEN_BARRED: "token_barred",
    Trouble.TOKEN_REPLACED: "token_replaced",
}
"""Troubles that have a code of their own here."""


def _told(otherwise: str, ticker: str, text: str) -> Finding:
    """What a node says of itself, under its own code where there is one, with its own remedy where
    that is known."""
    kind = trouble_of(text)
    remedy = "" if kind is Trouble.OTHER else remedy_of(kind)
    return finding(_CODES.get(kind, otherwise), ticker, text, remedy)


def _version(status: ChainStatus) -> list[Finding]:
    if is_evm(status.chain):
        return []
    params = params_by_chain(status.chain)
    if not params.replaces:
        return [finding("replacement_unknown", status.ticker)]
    major = _VERSION.search(status.version)
    if params.name == "bitcoin" and major and int(major[1]) < MINISCRIPT_SINCE:
        return [finding("node_no_miniscript", status.ticker, f"{status.version} is too old for it")]
    return []


def _pruning(status: ChainStatus, needed_from: int | None) -> list[Finding]:
    if not status.pruned or is_evm(status.chain):
        return []
    if needed_from is not None and status.prune_height > needed_from:
        what = f"blocks before {status.prune_height} are gone; an open swap needs {needed_from}"
        return [finding("node_pruned_too_much", status.ticker, what)]
    kept = status.height - status.prune_height + 1
    wanted = KEEP_SECONDS // params_by_chain(status.chain).block_interval
    if status.prune_height == 0 or kept >= wanted:
        return []
    what = f"the node keeps {kept} blocks; {wanted} are wanted (16 days)"
    return [finding("node_pruned_shallow", status.ticker, what)]


def _fees(status: ChainStatus, stress_rate: int) -> list[Finding]:
    found = []
    if status.fee_next > stress_rate:
        unit = "gas" if is_evm(status.chain) else "vbyte"
        rates = f"{status.fee_next // 1000} per {unit}, beyond {stress_rate // 1000}"
        what = f"the next block costs {rates}"
        found.append(finding("fee_stress", status.ticker, what))
    if is_evm(status.chain):
        return found
    if not status.fee_estimated and not params_by_chain(status.chain).is_test:
        what = f"the node has no estimate: {status.fee_next // 1000} per vbyte are used"
        found.append(finding("fee_unknown", status.ticker, what))
    least = params_by_chain(status.chain).min_relay_rate
    if status.fee_floor > 4 * least:
        what = f"nothing below {status.fee_floor // 1000} per vbyte is relayed"
        found.append(finding("mempool_full", status.ticker, what))
    return found


async def _wallet(chain: Chain) -> list[Finding]:
    if is_evm(chain.chain) and chain.fixed_address(refund=True) is None:
        return []  # whose accounts are asked for without the seed
    try:
        with contextlib.suppress(InsufficientFunds):
            await chain.reserved_units(_LEAST_LOCK, 1000)
        balance = await chain.balance()
    except WalletLocked as error:
        return [finding("wallet_locked", chain.ticker, str(error))]
    except WalletMissing as error:
        return [finding("wallet_missing", chain.ticker, str(error))]
    except ChainError as error:
        return [finding("node_not_ready", chain.ticker, str(error))]
    found = []
    for account in balance.gas:
        if account.units < account.needed:
            what = (
                f"{account.address}, the account for {account.name}, has {account.units} base "
                f"units for gas; a swap may need {account.needed}"
            )
            found.append(finding("gas_low", chain.ticker, what))
    if balance.confirmed + balance.reserved == 0:
        what = "the account that locks has none of it" if is_evm(chain.chain) else ""
        found.append(finding("wallet_empty", chain.ticker, what))
    return found
