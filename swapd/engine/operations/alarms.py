"""Alarms and the daemon's mode for the operator: alarm.list, drain, unlock.

Owns: those calls, and how a change of an alarm becomes an event. Must not know: what is looked at.
"""

from protocol.swap import explain, reading
from protocol.swap.states import SwapState
from swapd.alarms.alarm import worst
from swapd.alarms.board import Board, Held
from swapd.alarms.damping import Change
from swapd.api import calls
from swapd.api.events import EventLog
from swapd.api.values import SwapPhase
from swapd.engine.operations.context import Context, translated

SPACE = "meta"
DRAINING = "draining"
"""Under this key in the store while a drain was ordered: a restart must not trade again."""


class AlarmOperations:
    """alarm.list, drain, unlock"""

    def __init__(self, context: Context) -> None:
        self._c = context

    async def alarm_list(self, params: calls.NoParams) -> calls.AlarmListResult:  # noqa: ARG002 - interface
        return alarm_list(self._c.board, self._c.alarm_events)

    async def drain(self, params: calls.DrainParams) -> calls.DrainResult:
        mode, store = self._c.world.mode, self._c.world.store
        withdrawn = 0 if params.undo else len(self._c.offers.live())
        with translated():
            if params.undo:
                await store.delete(SPACE, DRAINING)
                mode.end_drain()
            else:
                await store.put(SPACE, DRAINING, b"1")
                mode.drain()
        swaps = tuple(_drained(state) for state in self._c.swaps.open())
        return calls.DrainResult(
            draining=mode.draining,
            offers_withdrawn=withdrawn,
            open_swaps=swaps,
            ends_at_worst=max((swap.ends_at_worst for swap in swaps), default=None),
        )

    async def unlock(self, params: calls.UnlockParams) -> calls.UnlockResult:  # noqa: ARG002 - interface
        return calls.UnlockResult(was_locked=False)


def _drained(state: SwapState) -> calls.DrainSwap:
    said = explain.summarise(state)
    return calls.DrainSwap(
        swap_id=state.agreement.swap_id.hex(),
        phase=SwapPhase(said.phase.value),
        ends_at_worst=reading.schedule(state).worst_freeze,
        explanation=said.next_action,
    )


def alarm_list(board: Board, events: EventLog) -> calls.AlarmListResult:
    """What holds now."""
    sequence = events.sequence
    return calls.AlarmListResult(alarms=views(board.holding()), sequence=sequence)


def views(held: tuple[Held, ...]) -> tuple[calls.AlarmView, ...]:
    """As the API shows them."""
    return tuple(_view(one) for one in held)


def _view(held: Held) -> calls.AlarmView:
    alarm = held.alarm
    return calls.AlarmView(
        code=alarm.code,
        severity=alarm.severity,
        subject=alarm.subject,
        text=alarm.text,
        remedy=alarm.remedy,
        since=held.since,
    )


def severity_of(board: Board, problems: tuple[calls.Problem, ...]) -> str:
    """ok, warning or critical. What is wrong at this moment is a warning until it is an alarm."""
    found = worst([one.alarm for one in board.holding()])
    if found == "critical":
        return "critical"
    return "warning" if problems or found == "warning" else "ok"


class AlarmPump:
    """A listener of a board that publishes each change as an event."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def follow(self, change: Change, since: int) -> None:
        """One change."""
        self._log.publish(
            calls.AlarmEvent(what=change.what, alarm=_view(Held(change.alarm, since)))
        )
