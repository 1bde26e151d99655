"""Owns the part of a made-up daemon that is about alarms, draining and unlocking."""

from msgspec import Struct

from swapd.api import calls
from swapd.api.events import EventLog
from swapd.api.values import SwapPhase

NOW = 1_800_000_000

ALARM = calls.AlarmView(
    code="node_down",
    severity="critical",
    subject="LTC",
    text="nobody answers at 127.0.0.1:19443; 1 open swaps need it",
    remedy="start litecoind",
    since=NOW - 300,
)


class FakeAlarmOperations:
    """alarm.list, drain, unlock; mixed into `FakeOperations`."""

    logs: dict[calls.Topic, EventLog]

    async def _enter(self, name: str, params: Struct) -> None:
        raise NotImplementedError

    async def alarm_list(self, params: calls.NoParams) -> calls.AlarmListResult:
        await self._enter("alarm_list", params)
        sequence = self.logs[calls.Topic.ALARMS].sequence
        return calls.AlarmListResult(alarms=(ALARM,), sequence=sequence)

    async def drain(self, params: calls.DrainParams) -> calls.DrainResult:
        await self._enter("drain", params)
        row = calls.DrainSwap(
            swap_id="5a" * 32,
            phase=SwapPhase.LOCKING,
            ends_at_worst=NOW + 600,
            explanation="your lock is on its way",
        )
        return calls.DrainResult(
            draining=not params.undo,
            offers_withdrawn=0 if params.undo else 1,
            open_swaps=(row,),
            ends_at_worst=NOW + 600,
        )

    async def unlock(self, params: calls.UnlockParams) -> calls.UnlockResult:
        await self._enter("unlock", params)
        return calls.UnlockResult(was_locked=True)
