"""How much a tower keeps for whom. Pure.

Owns: the bounds and the refusals. Must not know: storage, chains.

Peer ids cost a stranger nothing, so what counts for strangers is what all of them together may
fill; clients that the operator names have room of their own, which no stranger can take.
"""

from collections.abc import Collection

from msgspec import Struct

from protocol.bitcoin.params import ChainParams
from protocol.errors import Refusal, RemoteProtocolError
from protocol.evm.relaying import ANYBODY
from protocol.kinds import pays_own_fees
from protocol.tower.package import Package
from swapd.tower.vault import Stored

STRANGER_DAYS = 4
CLIENT_DAYS = 16
"""How far back a package may ask a chain to be read: a swap lasts two days."""

UNSEEN_SECONDS = 86400
"""A package whose lock was in no block until so long after the expiry will not be needed."""

SPENT_SECONDS = 6 * 3600
"""How long a package is kept after its leg was spent for good, for its client to see it."""


class Bounds(Struct, frozen=True, kw_only=True):
    """Numbers of packages: for all `strangers` together (0: none are served), for one of them, for
    one of the named `clients` (peer ids)."""

    strangers: int = 256
    per_stranger: int = 16
    clients: frozenset[str] = frozenset()
    per_client: int = 1024


def check_room(bounds: Bounds, rows: Collection[Stored], client: str, ticket: bytes) -> None:
    """Whether one more package of `client` is kept. Raises RemoteProtocolError."""
    others = [row for row in rows if row.ticket != ticket]
    own = sum(row.client == client for row in others)
    if client in bounds.clients:
        if own >= bounds.per_client:
            raise _full(f"{bounds.per_client} packages are kept for you: drop some")
        return
    if bounds.strangers == 0:
        raise _full("this tower serves nobody but its own clients")
    if own >= bounds.per_stranger:
        raise _full(f"{bounds.per_stranger} packages are kept for a stranger: drop some")
    if sum(row.client not in bounds.clients for row in others) >= bounds.strangers:
        raise _full("there is no room for strangers now")


def check_work(bounds: Bounds, client: str, since: int, params: ChainParams, tip: int) -> None:
    """Whether the chain need not be read from too far back. Raises RemoteProtocolError."""
    days = CLIENT_DAYS if client in bounds.clients else STRANGER_DAYS
    oldest = tip - days * 86400 // params.block_interval
    if since < oldest:
        raise _full(f"watched since block {since}; {oldest} is the oldest here")


def check_pay(bounds: Bounds, client: str, package: Package, account: bytes, price: int) -> None:
    """Whether a claim or refund that costs us `price` wei of gas, from `account`, pays for it: a
    stranger's has to. Raises RemoteProtocolError."""
    if package.relayer not in {b"", ANYBODY, account}:
        raise RemoteProtocolError(Refusal.WRONG_KEY, "its fees are for another account than ours")
    if client in bounds.clients:
        return
    if not pays_own_fees(package.watched.leg.amount.asset):
        detail = "what a fee in a token is worth can't be told: such for our own clients only"
        raise RemoteProtocolError(Refusal.UNSUPPORTED_ASSET, detail)
    most = package.fees[-1].fee if package.fees else 0
    if most < price:
        detail = f"its dearest fee is {most}, the gas for it costs {price} now"
        raise RemoteProtocolError(Refusal.BELOW_ECONOMIC_MINIMUM, detail)


def is_over(row: Stored, package: Package, now: int) -> bool:
    """Whether a package may be forgotten: spent for good, expired, or never funded."""
    if now > package.keep_until:
        return True
    if row.progress.final:
        return now > row.changed + SPENT_SECONDS
    return not row.progress.seen and now > package.watched.leg.expiry + UNSEEN_SECONDS


def _full(detail: str) -> RemoteProtocolError:
    return RemoteProtocolError(Refusal.LIMIT_REACHED, detail)
