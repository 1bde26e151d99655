"""Every operation in one object, as the control server calls it.

Owns: the sum of the parts. Must not know: what a part does.
"""

from swapd.api import calls
from swapd.api.events import EventLog
from swapd.engine.operations.alarms import AlarmOperations
from swapd.engine.operations.care import CareOperations
from swapd.engine.operations.context import Context
from swapd.engine.operations.market import MarketOperations
from swapd.engine.operations.node import NodeOperations
from swapd.engine.operations.swaps import SwapOperations
from swapd.engine.operations.towers import TowerOperations
from swapd.engine.operations.wallet import WalletOperations


class EngineOperations(
    NodeOperations,
    AlarmOperations,
    WalletOperations,
    MarketOperations,
    SwapOperations,
    CareOperations,
    TowerOperations,
):
    """Implements `swapd.api.operations.Operations`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)

    def events(self, topic: calls.Topic) -> EventLog:
        """The log behind a subscription."""
        logs = {
            calls.Topic.BOOK: self._c.book_events,
            calls.Topic.SWAPS: self._c.swap_events,
            calls.Topic.ALARMS: self._c.alarm_events,
        }
        return logs[topic]
