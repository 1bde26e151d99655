"""The book's and the swaps' changes as the control API's events.

Owns: the two pumps. Must not know: sockets, how the book changes.
"""

from protocol.book import Change, Why
from protocol.swap.machine import begin
from protocol.swap.states import SwapState
from swapd.api.amounts import AssetTable
from swapd.api.calls import BookEvent, SwapEvent
from swapd.api.errors import ApiError
from swapd.api.events import EventLog
from swapd.engine.market import Market, Resync
from swapd.engine.operations.offer_views import offer_view
from swapd.engine.operations.swap_views import SwapViews, changed_in_words
from swapd.engine.world import World

_WHAT = {Why.POSTED: "added", Why.REPLACED: "changed"}


async def pump_book(world: World, market: Market, assets: AssetTable, log: EventLog) -> None:
    """Publishes every change of the book until cancelled."""
    feed = market.feed()
    while True:
        changes = await feed.next()
        if isinstance(changes, Resync):
            continue
        for change in changes:
            event = _event(world, assets, change)
            if event is not None:
                log.publish(event)


def _event(world: World, assets: AssetTable, change: Change) -> BookEvent | None:
    entry = change.entry or change.before
    if entry is None:
        return None
    try:
        view = offer_view(assets, entry.offer_id, entry.offer, world.signer.maker_key())
    except ApiError:
        return None  # a pair that this daemon only relays
    reason = "" if change.entry is not None else change.why.value
    return BookEvent(what=_WHAT.get(change.why, "removed"), offer=view, reason=reason)


class SwapPump:
    """A listener of `Swaps` that publishes each journalled change."""

    def __init__(self, world: World, views: SwapViews, log: EventLog) -> None:
        self._world = world
        self._views = views
        self._log = log
        self._before: dict[bytes, SwapState] = {}

    def follow(self, state: SwapState, sequence: int) -> None:
        """One change."""
        swap_id = state.agreement.swap_id
        before = self._before.get(swap_id)
        if before is None and sequence > 1:
            # Not the agreement: a swap of an earlier run of the daemon, or one that has ended.
            before = begin(state.agreement)
        what = changed_in_words(before, state)
        if state.outcome is None:
            self._before[swap_id] = state
        else:
            self._before.pop(swap_id, None)
        summary = self._views.summary(state, sequence, self._world.clock.now())
        self._log.publish(SwapEvent(what=what, swap=summary))
