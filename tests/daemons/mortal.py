"""Owns a fleet whose daemons end themselves with SIGKILL at a named point, and are started again.

Time stands still while one of them is down, unless it was sent away. Knows the hook of `swapd run`
(a file names the point; points passed are written down); nothing of what points mean.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import trio

from swapd.control.failures import CannotConnectError
from tests.daemons.accounts import AccountFleet
from tests.daemons.fleet import Fleet
from tests.daemons.process import SwapdProcess

KILL_AT: Final = "SWAPD_REGTEST_KILL_AT"
SIGKILL: Final = -9
NEW_LIFE_SECONDS: Final = 5
_POLL: Final = 0.05


class Kill(NamedTuple):
    """At the `nth` time that `point` is passed after the arming."""

    point: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.point} {self.nth}"


Kills = Mapping[str, Sequence[Kill]]


class MortalFleet(Fleet):
    """See the module. `killed` are the kills of the last arming that happened, by party, in order;
    `away` the daemons that stay down until they are fetched."""

    loses_machines: bool = False
    """Who dies of a kill loses its data directory too: words and recovery file go on elsewhere."""
    killed: dict[str, list[Kill]]
    away: set[str]

    def make(
        self, name: str, party: str | None, *, settings: Mapping[str, str] | None = None
    ) -> SwapdProcess:
        daemon = super().make(name, party, settings=settings)
        if party is not None:
            self._place(name).parent.mkdir(parents=True, exist_ok=True)
            daemon.environment[KILL_AT] = str(self._place(name))
        return daemon

    def _place(self, name: str) -> Path:
        return self.folder / "points" / name

    async def start(self) -> None:
        self.killed, self.away, self._armed = {}, set(), dict[str, Sequence[Kill]]()
        await super().start()

    # --- Points -------------------------------------------------------------------------------

    def arm(self, kills: Kills) -> None:
        """Counts points anew from here on; each party of `kills` dies at its own."""
        self.killed, self._armed = {name: [] for name in kills}, dict(kills)
        for name in self.daemons:
            place = self._place(name)
            place.with_suffix(".passed").unlink(missing_ok=True)
            place.unlink(missing_ok=True)
            if name in kills:
                fresh = place.with_suffix(".new")
                lines = "".join(f"{kill}\n" for kill in kills[name])
                fresh.write_text(lines, encoding="ascii")
                fresh.replace(place)

    def spare(self) -> None:
        """Nobody dies any more; what was passed, and who was killed, is kept."""
        self._armed = {}
        for name in self.daemons:
            self._place(name).unlink(missing_ok=True)

    def passed(self, name: str) -> list[str]:
        """The points that a party's daemon passed since the arming, in order."""
        place = self._place(name).with_suffix(".passed")
        return place.read_text(encoding="ascii").splitlines() if place.exists() else []

    async def until_passed(self, name: str, point: str, times: int, *, seconds: float) -> bool:
        """Waits until a point was passed so often; False when it was not in `seconds` of life."""
        with trio.move_on_after(seconds) as scope:
            while self.passed(name).count(point) < times:
                if await self.revive():
                    scope.deadline = trio.current_time() + seconds
                await trio.sleep(_POLL)
            return True
        return False

    # --- Life ---------------------------------------------------------------------------------

    async def revive(self) -> bool:
        """Starts whoever died of our kill again; True when somebody had. Raises AssertionError for
        one who should, and ended in any other way."""
        at_risk = [name for name in self._armed if name not in self.away]
        dead = [name for name in at_risk if not self[name].running]
        # Not cancellable: a daemon that runs and does not answer yet would seem to have no swaps.
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                for name in dead:
                    nursery.start_soon(self._revive, name)
        return bool(dead)

    async def _revive(self, name: str) -> None:
        await self._bury(name)
        await self._start(name)

    async def _bury(self, name: str) -> None:
        self._note_death(name)
        if self.loses_machines:
            # The clock stands still otherwise, and a new life must speak later than the lost one.
            await self.world.clock.advance(NEW_LIFE_SECONDS)
            await self[name].begin_anew()

    async def _start(self, name: str) -> None:
        """Until it runs; what it owes may kill it before it is ready."""
        daemon = self[name]
        while True:
            await daemon.start(wait=False)
            try:
                await daemon.wait_ready()
            except AssertionError:
                await self._bury(name)
            else:
                return

    def _note_death(self, name: str) -> None:
        daemon, passed = self[name], self.passed(name)
        kill = Kill(passed[-1], passed.count(passed[-1])) if passed else None
        told = f"{name} ended with {daemon.exit_code} at {kill}: {daemon.tail()}"
        assert daemon.exit_code == SIGKILL, told
        assert kill is not None, told
        assert kill in self._armed.get(name, ()), told
        assert kill not in self.killed[name], told
        self.killed[name].append(kill)

    async def send_away(self, name: str) -> None:
        """SIGKILL by us, until `fetch`."""
        self.away.add(name)
        await self[name].kill()

    async def fetch(self, *names: str) -> None:
        """Starts who was sent away (default: everybody)."""
        for name in names or sorted(self.away):
            self.away.discard(name)
            if not self[name].running:
                await self._start(name)

    async def ask(self, name: str, method: str, **params: object) -> Any:
        """A call that is repeated when the daemon dies meanwhile: only for what may be repeated."""
        while True:
            try:
                return await self[name].call(method, **params)
            except CannotConnectError:
                await self[name].wait_ended()
                if not await self.revive():
                    raise

    async def settle(self, *, patience: float | None = None) -> bool:
        while True:
            await self.revive()
            settled = await super().settle(patience=patience)
            if not await self.revive():
                return settled

    async def swap(self, name: str, swap_id: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask(name, "swap.get", swap_id=swap_id))["swap"]
        return found


class MortalAccounts(MortalFleet, AccountFleet):
    """One whose daemons also swap on chains of accounts."""
