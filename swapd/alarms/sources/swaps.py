"""Alarms about swaps: a deadline that draws near, a gate, trouble, and nobody looking after one.

Owns: those judgements. Must not know: what is done about them (the runner does it anyway).
"""

from collections.abc import Iterator, Sequence
from typing import Final

from protocol.swap import explain, reading
from protocol.swap.due import due
from protocol.swap.states import SwapState
from protocol.terms import Role
from swapd.alarms.alarm import Alarm, Severity
from swapd.engine.swaps import Swaps
from swapd.ports import Clock

WARN_EATEN: Final = 250
CRITICAL_EATEN: Final = 500
"""Thousandths of the safety margin before a deadline that are gone."""

GATE_SHARE: Final = 0.5
"""Of the way from the agreement to a gate."""

JOURNAL: Final = "the journal can't be written"
"""How the runner begins to tell of that (see swapd.engine.runner)."""


class SwapAlarms:
    """Sources over our swaps."""

    def __init__(self, swaps: Swaps, clock: Clock) -> None:
        self._swaps = swaps
        self._clock = clock

    async def deadlines(self) -> Sequence[Alarm]:
        """Who must act until when, and is late."""
        now = self._clock.now()
        return [alarm for state in self._swaps.open() for alarm in self._late(state, now)]

    def _late(self, state: SwapState, now: int) -> Iterator[Alarm]:
        name = _name(state)
        owed = due(state)
        if owed is not None and owed.eaten(now) >= WARN_EATEN:
            severity: Severity = "critical" if owed.eaten(now) >= CRITICAL_EATEN else "warning"
            left = _span(owed.until - now)
            text = f"{owed.what} within {left}, or the other side may take the coins"
            if now >= owed.until:
                text = f"{owed.what} since {_span(now - owed.until)}: coins are at risk"
            remedy = (
                "keep both nodes running and connected; `swap-cli swap show` tells what was sent "
                "and at which fee"
            )
            yield Alarm("deadline_near", severity, name, text, remedy)
        yield from self._gate(state, now, name)

    def _gate(self, state: SwapState, now: int, name: str) -> Iterator[Alarm]:
        """Our next step waits for something: no coins are at risk, but the swap is."""
        said = explain.summarise(state)
        blocked = not reading.is_healthy(state) or self._swaps.trouble(state.agreement.swap_id)
        if said.who is not explain.Who.US or not blocked:
            return
        gate = reading.lock_gate(state)
        if said.phase is not explain.Phase.AGREED:
            if state.agreement.role is not Role.INITIATOR:
                return
            gate = reading.schedule(state).reveal_gate
        whole = max(1, gate - state.agreement.agreed_at)
        if now < gate and gate - now <= GATE_SHARE * whole:
            text = f"it is our turn within {_span(gate - now)}, and something keeps us from it"
            remedy = "see `swap-cli health`; when the time is up the swap ends and coins come back"
            yield Alarm("gate_near", "warning", name, text, remedy)

    async def trouble(self) -> Sequence[Alarm]:
        """What failed last in each swap, and swaps that nobody looks after."""
        found = []
        for state in self._swaps.open():
            what = self._swaps.trouble(state.agreement.swap_id)
            if what.startswith(JOURNAL):
                remedy = "free space or mend the disk: no lock and no claim can be begun"
                found.append(Alarm("journal_failed", "critical", _name(state), what, remedy))
            elif what:
                remedy = "it is tried again by itself; see `swap-cli swap show`"
                found.append(Alarm("swap_trouble", "warning", _name(state), what, remedy))
        for swap_id, reason in self._swaps.unattended().items():
            remedy = "its coins are not looked after until this is mended and swapd started again"
            name = swap_id.hex()[:16]
            found.append(Alarm("swap_unattended", "critical", name, reason, remedy))
        return found


def _name(state: SwapState) -> str:
    return state.agreement.swap_id.hex()[:16]


def _span(seconds: int) -> str:
    """For people: 3 h 20 min."""
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
