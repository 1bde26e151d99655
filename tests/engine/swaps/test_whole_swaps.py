"""Whole swaps of two real engines on fake chains: to completion, to refunds, to kills."""

from trio.testing import MockClock

from protocol.swap.states import End
from protocol.swap.timelocks import schedule_of
from protocol.terms import LegName
from tests.engine.swaps.stage import COIN, GET, PAY, Stage


async def test_two_engines_complete_a_swap_and_each_has_the_others_coins(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        swap = await stage.agree()
        await stage.blocks(15, swap)
    assert (stage.taker.end(swap), stage.maker.end(swap)) == (End.COMPLETED, End.COMPLETED)
    assert GET - 2_000 < stage.taker.payout(LegName.P) < GET
    assert PAY - 2_000 < stage.maker.payout(LegName.I) < PAY
    assert COIN - PAY - 2_000 < await stage.taker.wallet(LegName.I) < COIN - PAY
    assert COIN - GET - 2_000 < await stage.maker.wallet(LegName.P) < COIN - GET


async def test_each_lock_is_asked_for_with_its_gate_as_its_deadline(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        swap = await stage.agree()
        await stage.blocks(15, swap)
    times = schedule_of(swap.terms)
    assert set(stage.taker.btc.deadlines) == {times.lock_gate_i}
    assert set(stage.maker.ltc.deadlines) == {times.lock_gate_p}
