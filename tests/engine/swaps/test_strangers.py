"""What anybody can do to a swap from outside: pay its scripts, often, oddly, and late."""

import msgspec
import pytest
from trio.testing import MockClock

from protocol.bitcoin.tx import TxOutput
from protocol.swap.agreement import Agreement
from protocol.swap.facts import ChainView, LockSeen
from protocol.swap.states import End
from protocol.swap.trimming import MAX_LOCKS
from protocol.terms import LegName
from tests.engine.swaps.stage import COIN, PAY, Stage
from tests.engine.swaps.stories import script_of
from tests.fakes.chain import FakeChain


def pay(stage: Stage, swap: Agreement, leg: LegName, units: int, times: int = 1) -> None:
    """A stranger with coins pays a leg's script, `times` outputs in one transaction."""
    chain = stage.maker.btc if leg is LegName.I else stage.taker.ltc
    chain.grant(10 * COIN)
    tx = chain._pay([TxOutput(script_of(swap, leg), units)] * times, 2_000)[1]
    result = stage.ledger(leg).submit(tx.serialise())
    assert result.outcome == "accepted", result


async def test_thousands_of_dust_outputs_stop_no_claim_and_fill_no_journal(
    stage: Stage, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row of the journal that can't be written would freeze a participant who must claim."""
    raw = bytes(100_000)
    dust = tuple(LockSeen(f"{n:064x}:0", 400, 7, raw=raw) for n in range(5_000))

    def flood(chain: FakeChain) -> None:
        real = chain.view

        async def view(name: str) -> ChainView:
            seen = await real(name)
            return msgspec.structs.replace(seen, locks=(*dust, *seen.locks))

        monkeypatch.setattr(chain, "view", view)

    for party in stage.parties():
        flood(party.btc)
        flood(party.ltc)
    async with stage.running():
        swap = await stage.agree()
        await stage.blocks(15, swap)
    for party in stage.parties():
        assert party.end(swap) is End.COMPLETED
        rows = party.disk.journal[swap.swap_id]
        assert max(len(row.state) + len(row.event) for row in rows) < 64 * 1024
        view = party.state(swap.swap_id).view_i
        assert view is not None
        assert len(view.locks) == MAX_LOCKS


async def test_dust_on_our_own_script_does_not_keep_a_swap_open(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        swap = await stage.agree()
        pay(stage, swap, LegName.I, 400)
        await stage.blocks(15, swap)
        assert stage.taker.swaps.live(swap.swap_id) is None
    assert stage.taker.end(swap) is End.COMPLETED


async def test_more_than_dust_on_our_own_script_is_swept_back_to_us_after_the_expiry(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        swap = await stage.agree()
        pay(stage, swap, LegName.I, 50_000)
        await stage.blocks(15, swap)
        assert stage.taker.end(swap) is End.COMPLETED
        assert stage.taker.swaps.live(swap.swap_id) is not None
        assert stage.taker.swaps.open() == (), "it has ended: it takes no place among open swaps"
        await stage.taker.restart()
        await stage.blocks(60, swap)
        assert stage.taker.swaps.live(swap.swap_id) is None
    assert 45_000 < stage.taker.payout(LegName.I) < 50_000
    assert swap.swap_id not in stage.taker.disk.open


async def test_a_strangers_exact_output_does_not_hide_that_our_lock_hangs(
    stage: Stage, mock_clock: MockClock
) -> None:
    """Our own lock is unconfirmed at its gate and must be killed, whoever else paid the script."""
    async with stage.running():
        swap = await stage.agree()
        [lock] = list(stage.btc.mempool)
        stage.btc.censored.add(lock)
        pay(stage, swap, LegName.I, PAY)
        for _ in range(5):
            await stage.block()
        assert lock not in stage.btc.mempool, "replaced by its kill"
