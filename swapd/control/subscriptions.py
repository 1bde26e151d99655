"""The subscriptions of one connection.

Owns: sending a topic's events in order, without a gap, or saying that there is one.
Must not know: what events mean, who publishes them.
"""

from collections.abc import Callable

import trio

from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.api.events import EventLog
from swapd.control.jsonrpc import notification
from swapd.control.outbox import Outbox

_AT_ONCE = 100


class Subscriptions:
    """Each one is a task that follows an event log from its own position: a client that reads
    slowly holds up nobody else, and is told `resync` when the log has forgotten its position."""

    def __init__(
        self,
        events: Callable[[calls.Topic], EventLog],
        outbox: Outbox,
        nursery: trio.Nursery,
        limit: int,
    ) -> None:
        self._events = events
        self._outbox = outbox
        self._nursery = nursery
        self._limit = limit
        self._scopes: dict[int, trio.CancelScope] = {}
        self._last = 0

    def subscribe(self, params: calls.SubscribeParams) -> calls.SubscribeResult:
        """Starts one; its first notification comes after this call's reply. Raises ApiError
        too_many_subscriptions."""
        if len(self._scopes) >= self._limit:
            raise ApiError(
                ErrorName.TOO_MANY_SUBSCRIPTIONS,
                f"this connection has its {self._limit} subscriptions already",
            )
        log = self._events(params.topic)
        after = log.sequence if params.after_sequence is None else params.after_sequence
        resync = log.since(after, 1) is None
        start = log.sequence if resync else after
        self._last += 1
        scope = self._scopes[self._last] = trio.CancelScope()
        self._nursery.start_soon(self._follow, self._last, params.topic, log, start, scope)
        return calls.SubscribeResult(subscription=self._last, sequence=start, resync=resync)

    def unsubscribe(self, params: calls.UnsubscribeParams) -> calls.UnsubscribeResult:
        """Ends one. Raises ApiError unknown_subscription."""
        scope = self._scopes.pop(params.subscription, None)
        if scope is None:
            raise ApiError(
                ErrorName.UNKNOWN_SUBSCRIPTION,
                f"this connection has no subscription {params.subscription}",
            )
        scope.cancel()
        return calls.UnsubscribeResult(unsubscribed=True)

    def close(self) -> None:
        """Ends all."""
        for scope in self._scopes.values():
            scope.cancel()
        self._scopes.clear()

    async def _follow(
        self, number: int, topic: calls.Topic, log: EventLog, position: int, scope: trio.CancelScope
    ) -> None:
        with scope:
            while True:
                await self._outbox.wait_room()
                found = log.since(position, _AT_ONCE)
                if found is None:
                    position = log.sequence
                    gap = calls.ResyncNotice(subscription=number, topic=topic, sequence=position)
                    self._outbox.put(notification("resync", gap))
                    continue
                for sequence, event in found:
                    notice = calls.EventNotice(subscription=number, sequence=sequence, event=event)
                    self._outbox.put(notification("event", notice))
                    position = sequence
                await log.wait_beyond(position)
