"""What has cost users of other swap systems coins, tried on two whole engines."""

import pytest
from trio.testing import MockClock

from protocol.swap.states import End
from tests.engine.swaps.stage import Stage
from tests.engine.swaps.stories import check_books, locks_ever_sent


@pytest.mark.parametrize("who", ["taker", "maker"])
async def test_a_broadcast_that_arrived_unheard_is_neither_a_failure_nor_sent_as_another(
    stage: Stage, mock_clock: MockClock, who: str
) -> None:
    """Every first answer to a broadcast is lost: the next look finds the transaction there."""
    party = stage.taker if who == "taker" else stage.maker
    async with stage.running():
        party.btc.lost_answers = party.ltc.lost_answers = 1
        swap = await stage.agree()
        await stage.blocks(20, swap)
        assert party.btc.lost_answers == party.ltc.lost_answers == 0
        for one in stage.parties():
            assert one.end(swap) is End.COMPLETED
            await check_books(one, swap, End.COMPLETED)
        assert len({tx.txid() for tx in locks_ever_sent(party, swap)}) == 1
