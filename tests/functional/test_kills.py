"""kill -9 at every point of a swap's life, then a restart: completed or refunded, to the unit.

The daemon ends itself at a named point (a regtest hook), the first time it gets there.
"""

from collections.abc import Iterable
from typing import Final

import pytest
import trio

from swapd.control.failures import CallError, CannotConnectError
from tests.daemons.fleet import Fleet
from tests.functional import accounts
from tests.functional.test_vanishing import begin, deadline, leg_reaches

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(300)]

KILL_AT: Final = "SWAPD_REGTEST_KILL_AT"
SIGKILL: Final = -9


def _points(journalled: Iterable[str], performed: Iterable[str]) -> list[str]:
    return [
        *(f"journal:{when}:{name}" for name in journalled for when in ("before", "after")),
        *(f"effect:{when}:{name}" for name in performed for when in ("before", "after")),
    ]


HAPPY: Final = _points(
    ("Agreed", "Observed", "LockBuilt", "ClaimBuilt"),
    ("BuildLock", "BroadcastLock", "BuildClaim", "BroadcastClaim"),
)
REFUND: Final = _points(("RefundBuilt",), ("BuildRefund", "BroadcastRefund"))
KILL: Final = _points(("KillBuilt",), ("BuildKill", "BroadcastKill"))

SAMPLE: Final = (
    ("journal:after:LockBuilt", "journal:before:ClaimBuilt"),
    ("effect:after:BroadcastLock", "effect:before:BroadcastClaim"),
    ("journal:after:Agreed", "journal:before:LockBuilt"),
)
"""(of the taker, of the maker), in one swap each."""

FINE: Final = {
    ("completed", "completed"),
    ("refunded", "refunded"),
    ("never_funded", "refunded"),
    ("never_funded", "never_funded"),
}
"""Ends of (maker, taker) in which nobody lost a leg."""


async def _arm(fleet: Fleet, points: dict[str, str]) -> None:
    for name, point in points.items():
        await fleet.restart(name, env={KILL_AT: point})


async def _revive(fleet: Fleet, points: dict[str, str]) -> None:
    """Starts whoever was killed again. It must have been our kill."""
    for name in list(points):
        if not fleet[name].running:
            assert fleet[name].exit_code == SIGKILL, fleet[name].tail()
            del points[name]
            await fleet[name].start()


async def _swaps(fleet: Fleet) -> set[str]:
    return {
        row["swap_id"]
        for name in ("maker", "taker")
        for row in (await fleet[name].call("swap.list", limit=500))["swaps"]
    }


async def _take(fleet: Fleet) -> None:
    """A take whose answer may never come, because one of the two died meanwhile."""
    offer_id = await fleet.post("maker", "2 LTC", buy="BTC", price="0.01", seen_by=["taker"])
    with trio.move_on_after(20):
        try:
            await fleet.take("taker", offer_id)
        except CannotConnectError:
            return
        except CallError as error:
            if error.name not in {"negotiation_timeout", "peer_unreachable"}:
                raise


async def _run_out(fleet: Fleet, points: dict[str, str], *, blocks: int = 90) -> None:
    """Lets blocks pass, reviving the dead, until no swap is open and every point was reached."""
    for _ in range(blocks):
        await fleet.settle()
        await _revive(fleet, points)
        if not any([await fleet.open_swaps(fleet[name]) for name in ("maker", "taker")]):
            return
        await fleet.block()
    pytest.fail(await fleet.where())


async def _kill_in_a_happy_swap(fleet: Fleet, points: dict[str, str]) -> None:
    old = await _swaps(fleet)
    before = await accounts.balances(fleet)
    await _arm(fleet, points)
    await _take(fleet)
    await _run_out(fleet, points)
    assert not points, f"never reached: {points}"
    new = await _swaps(fleet) - old
    await accounts.check(fleet, before, *new)
    for swap_id in new:
        listed = [
            name
            for name in ("maker", "taker")
            if any(
                row["swap_id"] == swap_id
                for row in (await fleet[name].call("swap.list", limit=500))["swaps"]
            )
        ]
        found = await accounts.ends(fleet, swap_id, *listed)
        assert found in FINE or found == ("never_funded",), (listed, found)


@pytest.mark.parametrize(("taker", "maker"), SAMPLE)
async def test_both_sides_killed_once_in_one_swap_lose_nothing(
    fleet: Fleet, taker: str, maker: str
) -> None:
    await _kill_in_a_happy_swap(fleet, {"taker": taker, "maker": maker})


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["maker", "taker"])
@pytest.mark.parametrize("point", HAPPY)
async def test_a_daemon_killed_anywhere_in_a_happy_swap_loses_nothing(
    fleet: Fleet, victim: str, point: str
) -> None:
    await _kill_in_a_happy_swap(fleet, {victim: point})


async def _kill_in_a_refund(fleet: Fleet, victim: str, point: str) -> None:
    """The other side vanishes after both locks; the victim dies while it refunds."""
    old = await _swaps(fleet)
    before = await accounts.balances(fleet)
    await _arm(fleet, {victim: point})
    swap_id = await begin(fleet)
    await leg_reaches(fleet, "taker", swap_id, "p", "confirmed")
    absent = "maker" if victim == "taker" else "taker"
    swap = await fleet.swap(victim, swap_id)
    # Without the taker nobody reveals; without the maker the taker must not, so both are away.
    await fleet["taker"].kill()
    await fleet[absent].kill()
    await fleet.pass_blocks_to(deadline(swap, "reveal_gate"))
    if victim == "taker":
        await fleet.restart("taker", env={KILL_AT: point})
    await fleet.pass_blocks_to(deadline(swap, "expiry_i"))
    points = {victim: point}
    for _ in range(60):
        if not points:
            break
        await fleet.block()
        await _revive(fleet, points)
    assert not points, f"never reached: {points}"
    for name in ("maker", "taker"):
        if not fleet[name].running:
            await fleet[name].start()
    await fleet.until_ended(swap_id)
    assert await accounts.ends(fleet, swap_id, "maker", "taker") == ("refunded", "refunded")
    assert await _swaps(fleet) - old == {swap_id}
    await accounts.check(fleet, before, swap_id)


async def test_a_taker_killed_while_it_refunds_is_refunded_once(fleet: Fleet) -> None:
    await _kill_in_a_refund(fleet, "taker", "journal:after:RefundBuilt")


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["maker", "taker"])
@pytest.mark.parametrize("point", REFUND)
async def test_a_daemon_killed_anywhere_in_a_refund_is_refunded_once(
    fleet: Fleet, victim: str, point: str
) -> None:
    await _kill_in_a_refund(fleet, victim, point)
