"""Full blocks and a dear mempool: locks, claims and refunds get in before their gates close."""

import pytest
from trio.testing import MockClock

from protocol.swap.states import End
from protocol.terms import LegName
from tests.engine.swaps.stage import COIN, GET, PAY, Stage, times_of
from tests.engine.swaps.stories import check_books

DEAR = 40_000
"""Base units per 1000 vbytes that a crowd pays: eight times what the nodes estimate at first."""

FULL = 3_000_000
"""vbytes of a crowd: three blocks of them."""


def crowd(stage: Stage, leg: LegName) -> None:
    """From now on others pay DEAR for more room than there is, and every node's estimate says so
    one block later."""
    stage.ledger(leg).chain.crowd(DEAR, FULL)
    for party in stage.parties():
        party.chain(leg).fee_next = DEAR + 1_000


@pytest.mark.parametrize(
    ("leg", "replaces"), [(LegName.I, True), (LegName.P, True), (LegName.P, False)]
)
async def test_a_claim_sent_before_fees_rose_gets_in_all_the_same(
    stage: Stage, mock_clock: MockClock, leg: LegName, *, replaces: bool
) -> None:
    stage.ledger(leg).replaces = replaces
    async with stage.running():
        swap = await stage.agree()
        claimer = stage.taker if leg is LegName.P else stage.maker
        ledger, chain = stage.ledger(leg), claimer.chain(leg)
        before = set(ledger.mempool)
        while claimer.state(swap.swap_id).claim is None:
            before = set(ledger.mempool)
            await stage.block()
        [claim] = set(ledger.mempool) - before
        crowd(stage, leg)
        await stage.blocks(25, swap)
        for party in stage.parties():
            assert party.end(swap) is End.COMPLETED
        children = claimer.state(swap.swap_id).children
        # Litecoin's adapter builds children whatever this node would do.
        assert bool(children) is (leg is LegName.P)
        assert (claim in {tx.txid().hex() for b in ledger.blocks for tx in b.txs}) is bool(children)
        brought = claimer.payout(leg)
        units = GET if leg is LegName.P else PAY
        assert units - 60_000 < brought < units - 139 * DEAR // 1000
        assert chain.fee_next == DEAR + 1_000


async def test_a_lock_that_hangs_while_fees_rise_is_bumped_before_its_gate(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        crowd(stage, LegName.I)
        stage.taker.btc.fee_next = 5_000
        swap = await stage.agree()
        [cheap] = stage.btc.mempool
        stage.taker.btc.fee_next = DEAR + 1_000
        await stage.block()
        [dear] = [t for t in stage.btc.mempool if t != cheap] or [""]
        assert dear, "a dearer version is in its place"
        assert cheap not in stage.btc.mempool
        await stage.blocks(25, swap)
        for party in stage.parties():
            assert party.end(swap) is End.COMPLETED
        await check_books(stage.taker, swap, End.COMPLETED)


@pytest.mark.parametrize("replaces", [True, False])
async def test_a_makers_lock_that_hangs_in_a_dear_mempool_never_costs_it(
    stage: Stage, mock_clock: MockClock, *, replaces: bool
) -> None:
    """Nobody's estimate tells that blocks are full: the lock is killed, or refunded by a child."""
    stage.ltc.replaces = replaces
    async with stage.running():
        swap = await stage.agree()
        stage.ltc.chain.crowd(DEAR, 100 * FULL)
        while stage.clock.now() < times_of(swap).worst_freeze + 300:
            await stage.block()
        end = stage.maker.end(swap)
        assert end is (End.NEVER_FUNDED if replaces else End.REFUNDED)
        kept = await stage.maker.wallet(LegName.P) + stage.maker.payout(LegName.P)
        assert COIN - GET // 100 < kept < COIN
        assert stage.taker.end(swap) is End.REFUNDED
