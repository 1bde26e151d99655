"""A client and its towers: what is with them before what leaves, what they do while it is off."""

import pytest
from trio.testing import MockClock

from protocol.swap.states import End, Held, Killing, Released, Revealed, SwapState
from protocol.terms import LegName
from swapd.engine import journal
from swapd.engine.towers import ASK_SECONDS, PATIENCE_SECONDS
from tests.engine.swaps.stage import Party
from tests.tower.watched import TowerHouse, WatchedStage


@pytest.fixture
def stage(mock_clock: MockClock) -> WatchedStage:
    """Tests name `mock_clock` too: that is how trio gets to use it."""
    return WatchedStage(mock_clock)


async def blocks_until(stage: WatchedStage, wanted: object, most: int = 60) -> None:
    """Lets blocks pass until `wanted()`. Raises AssertionError."""
    for _ in range(most):
        if wanted():  # type: ignore[operator] # a plain function
            return
        await stage.block()
    raise AssertionError("it did not happen")


def sent(party: Party, swap_id: bytes) -> bool:
    """This party's lock is in a mempool or block."""
    state = party.state(swap_id)
    return isinstance(state.own, Released) and bool(_seen(state))


def _seen(state: SwapState) -> bool:
    view = state.view_i if state.agreement.own == state.agreement.terms.leg_i else state.view_p
    return view is not None and bool(view.locks)


# --- Before anything leaves -------------------------------------------------------------------


async def test_both_packages_of_the_participant_are_with_a_tower_before_his_lock_leaves(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.employ(stage.maker)
    async with stage.running():
        swap = await stage.agree()
        await blocks_until(stage, lambda: sent(stage.maker, swap.swap_id))
        assert stage.left_with["maker"] == 2


async def test_the_refund_of_the_initiator_is_with_a_tower_before_his_lock_leaves(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.employ(stage.taker)
    async with stage.running():
        await stage.agree()
        await blocks_until(stage, lambda: "taker" in stage.left_with)
        assert stage.left_with["taker"] == 1


async def test_a_lock_that_requires_a_tower_never_leaves_without_one(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.employ(stage.maker, required=True)
    stage.running_houses = False
    async with stage.running():
        swap = await stage.agree()
        await stage.blocks(60, swap)
        assert "maker" not in stage.left_with
        assert stage.maker.end(swap) is End.NEVER_FUNDED
        assert stage.taker.end(swap) is End.REFUNDED
    assert stage.towers["maker"].status()[0].trouble


async def test_a_lock_that_does_not_require_towers_waits_a_little_and_goes(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.employ(stage.taker)
    stage.running_houses = False
    async with stage.running():
        swap = await stage.agree()
        await stage.settle(PATIENCE_SECONDS - 2)
        assert isinstance(stage.taker.state(swap.swap_id).own, Held)
        await stage.settle(4)
        await stage.settle()
        assert isinstance(stage.taker.state(swap.swap_id).own, Released)


async def test_the_reveal_waits_for_the_claim_where_towers_are_required(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.employ(stage.taker, required=True)
    async with stage.running():
        swap = await stage.agree()
        await blocks_until(stage, lambda: sent(stage.taker, swap.swap_id))
        stage.network.cut.add("tower")
        await stage.blocks(60, swap)
        assert stage.taker.signer.revealed == []
        assert stage.taker.end(swap) is End.REFUNDED
        assert stage.maker.end(swap) is End.REFUNDED


async def test_no_tower_hears_the_preimage_before_the_reveal_is_journalled(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.employ(stage.taker)
    heard: list[bool] = []

    def journalled(swap_id: bytes) -> bool:
        state = journal.load_state(stage.taker.disk.journal[swap_id][-1])
        return isinstance(state.secret, Revealed)

    async with stage.running():
        swap = await stage.agree()
        preimage = stage.taker.signer._preimage(swap.salt, swap.swap_id)

        def tap(sender: str, receiver: str, message: bytes) -> bytes:
            if preimage in message:
                heard.append((sender, receiver) == ("taker", "tower") and journalled(swap.swap_id))
            return message

        stage.network.tap = tap
        await stage.blocks(60, swap)
        assert stage.taker.end(swap) is End.COMPLETED
    assert heard
    assert all(heard)


# --- Away -------------------------------------------------------------------------------------


async def test_a_participant_who_is_off_from_his_lock_on_is_paid_by_his_tower(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.employ(stage.maker)
    async with stage.running():
        swap = await stage.agree()
        await blocks_until(stage, lambda: sent(stage.maker, swap.swap_id))
        await stage.switch_off(stage.maker)
        await blocks_until(stage, lambda: stage.maker.payout(LegName.I) > 0)
        assert stage.maker.payout(LegName.P) == 0


async def test_a_participant_whose_taker_vanishes_too_is_refunded_by_his_tower(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.employ(stage.maker)
    async with stage.running():
        swap = await stage.agree()
        await blocks_until(stage, lambda: sent(stage.maker, swap.swap_id))
        await stage.switch_off(stage.maker)
        await stage.switch_off(stage.taker)
        await blocks_until(stage, lambda: stage.maker.payout(LegName.P) > 0)


async def test_an_initiator_who_is_off_from_his_lock_on_is_refunded_by_his_tower(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.employ(stage.taker)
    async with stage.running():
        swap = await stage.agree()
        await blocks_until(stage, lambda: sent(stage.taker, swap.swap_id))
        await stage.switch_off(stage.taker)
        await blocks_until(stage, lambda: stage.taker.payout(LegName.I) > 0)


async def test_an_initiator_who_is_off_from_his_reveal_on_is_paid_by_his_tower(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.employ(stage.taker)
    async with stage.running():
        swap = await stage.agree()
        await blocks_until(stage, lambda: stage.taker.signer.revealed)
        await stage.settle()
        await stage.switch_off(stage.taker)
        for txid in list(stage.ltc.chain.mempool):
            stage.ltc.drop(txid)
        await blocks_until(stage, lambda: stage.taker.payout(LegName.P) > 0)
        await blocks_until(stage, lambda: stage.maker.end(swap) is End.COMPLETED)


# --- Watching the watchers --------------------------------------------------------------------


async def test_a_tower_that_lost_a_package_is_noticed_and_given_it_again(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    towers = stage.employ(stage.maker)
    async with stage.running():
        swap = await stage.agree()
        await blocks_until(stage, lambda: sent(stage.maker, swap.swap_id))
        (house,) = stage.houses
        assert [p.held for p in towers.status()[0].packages] == [True, True]
        for ticket in list(house.keeper._items):
            await house.keeper.drop(ticket)
        await stage.settle(ASK_SECONDS + 1)
        assert "can't prove" in towers.status()[0].trouble
        assert len(towers.uncovered()) == 2
        await stage.settle(5)
        assert house.kept == 2
        assert towers.status()[0].problems == ()


async def test_a_tower_that_is_away_is_told_of_and_found_again(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    towers = stage.employ(stage.maker)
    async with stage.running():
        swap = await stage.agree()
        await blocks_until(stage, lambda: sent(stage.maker, swap.swap_id))
        stage.network.cut.add("tower")
        await stage.settle(ASK_SECONDS + 1)
        assert "does not answer" in towers.status()[0].trouble
        stage.network.cut.clear()
        await stage.settle(ASK_SECONDS + 1)
        assert towers.status()[0].problems == ()


async def test_one_tower_of_two_is_enough_for_a_lock_and_both_get_everything(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.houses.append(TowerHouse(stage, "second"))
    stage.network.cut.add("tower")
    towers = stage.employ(stage.maker, required=True)
    async with stage.running():
        swap = await stage.agree()
        await blocks_until(stage, lambda: sent(stage.maker, swap.swap_id))
        assert [house.kept for house in stage.houses] == [0, 2]
        stage.network.cut.clear()
        await stage.settle(ASK_SECONDS + 1)
        assert [house.kept for house in stage.houses] == [2, 2]
        assert towers.uncovered() == ()


async def test_a_tower_whose_chain_stands_still_is_told_of(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    towers = stage.employ(stage.maker)
    async with stage.running():
        await stage.agree()
        stage.houses[0].btc.stalled = True
        for _ in range(9):
            await stage.block()
        await stage.settle(ASK_SECONDS + 1)
        assert any("blocks behind" in fault for fault in towers.status()[0].faults)


async def test_packages_of_a_swap_that_ended_are_taken_back(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.employ(stage.maker)
    stage.employ(stage.taker)
    async with stage.running():
        swap = await stage.agree()
        await stage.blocks(60, swap)
        assert stage.maker.end(swap) is End.COMPLETED
        assert not isinstance(stage.maker.state(swap.swap_id).own, Killing)
        await stage.settle(ASK_SECONDS + 1)
        assert stage.houses[0].kept == 0


async def test_with_everybody_there_a_tower_sends_nothing(
    stage: WatchedStage, mock_clock: MockClock
) -> None:
    stage.employ(stage.maker)
    stage.employ(stage.taker)
    async with stage.running():
        swap = await stage.agree()
        await stage.blocks(60, swap)
        assert stage.maker.end(swap) is End.COMPLETED
        assert stage.taker.end(swap) is End.COMPLETED
        assert stage.houses[0].btc.broadcasts == []
        assert stage.houses[0].ltc.broadcasts == []
