"""What another life's transactions brought, under txids that no journal here knows."""

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from protocol.swap.restoring import restored
from swapd.engine import journal
from swapd.engine.payouts import Payouts, found_payouts
from tests.engine.swaps.stage import BTC, LTC, WHO, Stage


async def test_a_payout_is_searched_for_when_a_swap_of_another_life_is_over(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    party = stage.taker
    async with stage.running():
        swap = await stage.agree()
        await stage.blocks(40, swap)
        state = party.state(swap.swap_id)
        script = party.ltc.check_address(swap.destination)
        search = Payouts(party.world, party.swaps)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(search.run, "the life before")
            await wait_all_tasks_blocked()
            before = await found_payouts(party.world, LTC)
            stage.ltc.grant(script, 12_345)  # a child that the life before sent
            search.follow(state, 9)
            await wait_all_tasks_blocked()
            assert await found_payouts(party.world, LTC) == before, "no other life began it"
            gone_on = restored(state)
            WHO.set(party.name)
            number = len(party.disk.journal[swap.swap_id]) + 1
            await journal.write(party.store, gone_on, None, sequence=number, at=stage.clock.now())
            search.follow(gone_on, number)
            await wait_all_tasks_blocked()
            [ref] = await found_payouts(party.world, LTC) - before
            nursery.cancel_scope.cancel()
        [coin] = await party.ltc.unspent((swap.destination,), (ref,))
    assert coin.units == 12_345
    assert await party.store.get("meta", f"searched|{BTC}|{swap.swap_id.hex()}") is not None
