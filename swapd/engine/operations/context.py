"""What every operation works with. Must not know: sockets."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from protocol.assets import AssetId
from protocol.errors import Refusal, RemoteProtocolError
from swapd.alarms.board import Board
from swapd.api.amounts import AssetTable
from swapd.api.errors import ApiError, ErrorName
from swapd.api.events import EventLog
from swapd.doctor.findings import Finding
from swapd.engine.asking import MakerSilent, TakeRefused
from swapd.engine.backups import Backups
from swapd.engine.market import Market
from swapd.engine.node_errors import node_error
from swapd.engine.offers import OwnOffers
from swapd.engine.operations.swap_views import SwapViews
from swapd.engine.reservations import Limit
from swapd.engine.swaps import Swaps
from swapd.engine.taker import Taker
from swapd.engine.towers import TowerStatus
from swapd.engine.world import World
from swapd.ports import (
    BackupRefused,
    Chain,
    ChainError,
    InsufficientFunds,
    NetworkDown,
    PeerError,
    StoreError,
    StoreFull,
)


@dataclass(frozen=True)
class Context:
    """The engine's parts. `state` is starting, running, draining, watching or stopping."""

    world: World
    network: str
    version: str
    started_at: int
    assets: AssetTable
    views: SwapViews
    swaps: Swaps
    market: Market
    offers: OwnOffers
    taker: Taker
    book_events: EventLog
    swap_events: EventLog
    alarm_events: EventLog
    board: Board
    state: Callable[[], str]
    backups: Backups
    towers: Callable[[], tuple[TowerStatus, ...]] = tuple
    towers_required: bool = False
    place: Callable[[Sequence[str]], Sequence[Finding]] = lambda _: ()
    """What the doctor finds on this machine beside the engine's parts (disk, files, configuration),
    given the addresses that we listen on."""

    def chain(self, asset: str) -> Chain:
        """Our node for an asset that we know. Raises ApiError for one that we only relay."""
        found = self.world.chains.get(AssetId(asset))
        if found is None:
            ticker = self.assets.find(asset).ticker
            raise ApiError(
                ErrorName.UNKNOWN_ASSET,
                f"this daemon has no {ticker} node: it only passes on offers of {ticker}",
                remedy=f"add a [chains.{ticker.lower()}] table to its configuration",
            )
        return found


def as_api_error(error: Exception) -> ApiError:
    """What went wrong in the world, as the operator is told it."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, TakeRefused):
        return _refused(error)
    if isinstance(error, RemoteProtocolError):
        return ApiError(_REFUSALS.get(error.refusal, ErrorName.PAIR_NOT_SWAPPABLE), error.detail)
    message = str(error)
    if isinstance(error, InsufficientFunds):
        if error.unconfirmed > 0:
            return ApiError(ErrorName.FUNDS_UNCONFIRMED, message)
        return ApiError(ErrorName.INSUFFICIENT_FUNDS, message)
    if isinstance(error, ChainError):
        return node_error(error)
    names: tuple[tuple[type[Exception], ErrorName], ...] = (
        (BackupRefused, ErrorName.BACKUP_REFUSED),
        (StoreFull, ErrorName.DISK_FULL),
        (StoreError, ErrorName.STORE_FAILED),
        (MakerSilent, ErrorName.NEGOTIATION_TIMEOUT),
        (NetworkDown, ErrorName.NETWORK_DOWN),
        (PeerError, ErrorName.PEER_UNREACHABLE),
        (ValueError, ErrorName.ADDRESS_INVALID),
    )
    for kind, name in names:
        if isinstance(error, kind):
            return ApiError(name, message)
    return ApiError(ErrorName.INTERNAL_ERROR, message)


_LEAST_LOCK = 1000

_REFUSALS = {
    Refusal.UNKNOWN_OFFER: ErrorName.UNKNOWN_OFFER,
    Refusal.OFFER_EXPIRED: ErrorName.OFFER_EXPIRED,
    Refusal.OFFER_CANCELLED: ErrorName.OFFER_CANCELLED,
    Refusal.OWN_OFFER: ErrorName.OWN_OFFER,
    Refusal.AMOUNT_OUT_OF_RANGE: ErrorName.AMOUNT_OUT_OF_RANGE,
    Refusal.AMOUNT_TAKEN: ErrorName.AMOUNT_TAKEN,
    Refusal.BELOW_ECONOMIC_MINIMUM: ErrorName.BELOW_ECONOMIC_MINIMUM,
    Refusal.UNSUPPORTED_ASSET: ErrorName.UNKNOWN_ASSET,
    Refusal.EXPOSURE_TOO_LONG: ErrorName.EXPOSURE_TOO_LONG,
    Refusal.NODE_NOT_READY: ErrorName.NODE_NOT_READY,
}
_LIMITS = {
    Limit.OPEN_SWAPS: ErrorName.OVER_OPEN_SWAPS_LIMIT,
    Limit.PEER_SWAPS: ErrorName.OVER_OPEN_SWAPS_LIMIT,
    Limit.MINIMUM: ErrorName.OVER_SWAP_LIMIT,
    Limit.MAXIMUM: ErrorName.OVER_SWAP_LIMIT,
    Limit.LOCKED: ErrorName.OVER_LOCKED_LIMIT,
}


def _refused(error: TakeRefused) -> ApiError:
    """A take that came to nothing: whose no it was decides the name."""
    detail = {"refusal": error.refusal.value, "by_maker": error.by_maker}
    if error.refusal is Refusal.SHUTTING_DOWN and not error.by_maker:
        return ApiError(ErrorName.NO_NEW_SWAPS, error.detail, detail=detail)
    if error.limit is not None:
        return ApiError(_LIMITS[error.limit], error.detail, remedy=error.remedy, detail=detail)
    taken = error.refusal is Refusal.AMOUNT_TAKEN
    if error.by_maker and not taken:
        message = f"the maker refused: {error.refusal.value} ({error.detail})"
        return ApiError(ErrorName.PEER_REFUSED, message, remedy=error.remedy, detail=detail)
    name = _REFUSALS.get(error.refusal, ErrorName.PEER_REFUSED)
    return ApiError(name, error.detail, remedy=error.remedy, detail=detail)


async def require_unlocked(chain: Chain) -> None:
    """Asks the wallet whether it could sign a lock. Raises WalletLocked, ChainError."""
    with contextlib.suppress(InsufficientFunds):
        await chain.reserved_units(_LEAST_LOCK, 1000)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turns what the engine raises into what the operator is told."""
    try:
        yield
    except (
        ApiError,
        TakeRefused,
        RemoteProtocolError,
        ChainError,
        PeerError,
        StoreError,
    ) as error:
        raise as_api_error(error) from error
