"""The doctor of a running daemon asks every part, and says what survives the machine."""

from dataclasses import replace

from trio.testing import MockClock

from protocol.terms import LegName
from swapd.api import calls
from swapd.doctor.findings import finding
from swapd.engine.mode import Mode
from swapd.ports import PathStatus, RecoveryStatus
from tests.engine.operations.stage import Desk, desk
from tests.engine.swaps.stage import Party, Stage


class Kept:
    """A recovery file in two places, of which one fails."""

    async def secure(self) -> None:
        raise NotImplementedError

    def status(self) -> RecoveryStatus:
        return RecoveryStatus(
            (PathStatus("/a", ok=True, written_at=1), PathStatus("/b", ok=False, error="no space"))
        )


async def codes(told: Desk) -> dict[str, str]:
    """What is found, by code; the severity."""
    found = await told.operations.doctor(calls.NoParams())
    assert found.critical == any(f.severity == "critical" for f in found.findings)
    return {f.code: f.severity for f in found.findings}


def fresh(party: Party) -> Desk:
    """Its operations, a while after the newest blocks."""
    party.stage.clock.advance(60)
    return desk(party)


async def test_a_daemon_in_order_has_only_what_it_lacks(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    found = await codes(fresh(stage.taker))
    assert found.get("recovery_off") == "warning"
    assert "critical" not in found.values()


async def test_a_node_that_dies_is_critical_and_the_others_are_still_examined(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    stage.taker.btc.down = True
    stage.taker.ltc.problems = ("a competing branch of 2 blocks ends at block 3",)
    found = await codes(fresh(stage.taker))
    assert found["node_unreachable"] == "critical"
    assert found["node_not_ready"] == "warning"


async def test_a_recovery_file_that_falls_behind_is_critical(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    stage.taker.world = replace(stage.taker.world, recovery=Kept())
    told = await fresh(stage.taker).operations.doctor(calls.NoParams())
    [stale] = [f for f in told.findings if f.code == "recovery_stale"]
    assert (stale.severity, stale.subject, stale.what) == ("critical", "/b", "no space")


async def test_swaps_in_trouble_and_watch_only_are_found(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    mode = Mode()
    mode.only_watch("a newer daemon of this seed")
    async with stage.running():
        stage.taker.btc.locked = True
        await stage.agree()
        stage.taker.world = replace(stage.taker.world, mode=mode)
        found = await codes(fresh(stage.taker))
    assert found["swap_trouble"] == "warning"
    assert found["wallet_locked"] == "warning"
    assert found["watch_only"] == "critical"


async def test_a_clock_behind_the_chains_is_critical(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    stage.ledger(LegName.I).mine(60)  # each a second beyond the median, at one and the same clock
    assert (await codes(desk(stage.taker)))["clock_behind"] == "critical"


async def test_what_the_place_tells_is_passed_on_most_urgent_first(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    told = fresh(stage.taker)
    context = told.operations._c
    told.operations._c = replace(context, place=lambda _: [finding("disk_full", "/data")])
    found = await told.operations.doctor(calls.NoParams())
    assert (found.critical, found.findings[0].code) == (True, "disk_full")
