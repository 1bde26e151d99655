"""A daemon without its passphrase: it watches, sends what was signed before, and signs nothing."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from protocol.swap.agreement import Agreement
from protocol.swap.states import End, Killing, Released, Revealed, Tx
from protocol.terms import LegName
from swapd.api.table import METHODS
from swapd.engine import journal
from swapd.engine.ahead import PROGRESS, SPACE
from swapd.engine.locked_signer import LOCKED_SIGNER, SignerLocked
from swapd.engine.operations.locked import LockedOperations
from swapd.ports import BroadcastResult, NodeUnreachable, StoreError
from tests.engine.locked.stage import locked, signing_ahead, until_block, watching
from tests.engine.swaps.conftest import stage as stage  # noqa: PLC0414 - a fixture
from tests.engine.swaps.stage import GET, PAY, Party, Stage, times_of
from tests.engine.swaps.stories import FEES, locks_ever_sent
from tests.fakes.ledger import FakeLedger


def ahead(party: Party) -> set[str]:
    """What lies signed on a party's disk: leg and act."""
    return {key.partition("/")[2] for space, key in party.disk.values if space == SPACE}


def rows(party: Party, swap: Agreement) -> int:
    """Of the swap's journal."""
    return len(party.disk.journal[swap.swap_id])


async def both_locked(stage: Stage) -> Agreement:
    """Agreed, and both locks are in blocks, the taker's secret still hidden."""
    swap = await stage.agree()
    await until_block(stage, lambda: stage.ltc.mempool)
    await stage.block()
    return swap


def evict(ledger: FakeLedger) -> None:
    """Nobody's mempool holds anything any more."""
    for txid in tuple(ledger.mempool):
        if txid in ledger.mempool:
            assert ledger.chain.evict(txid)  # no event: the party that goes away hears nothing
    assert not ledger.mempool


# --- What is signed ahead ---------------------------------------------------------------------


async def test_refunds_and_claims_lie_ready_as_soon_as_they_can_be_signed(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running(), signing_ahead(stage.taker, stage.maker):
        swap = await stage.agree()
        assert ahead(stage.taker) == {"i/refund"}
        assert ahead(stage.maker) == set()
        await both_are_ready(stage)
        assert ahead(stage.taker) == {"i/refund", "p/claim"}
        assert ahead(stage.maker) == {"p/refund", "i/claim"}
        await stage.blocks(20, swap)
        assert ahead(stage.taker) == ahead(stage.maker) == set()
        assert not [key for space, key in stage.maker.disk.values if space == PROGRESS]


async def both_are_ready(stage: Stage) -> None:
    await until_block(stage, lambda: stage.ltc.mempool)
    await stage.block()


async def test_a_disk_that_refuses_delays_the_packages_and_never_the_swap(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running(), signing_ahead(stage.taker, stage.maker):
        put, stage.taker.store.put = stage.taker.store.put, refusing  # type: ignore[method-assign]  # its disk
        swap = await stage.agree()
        assert ahead(stage.taker) == set()
        stage.taker.store.put = put  # type: ignore[method-assign]  # there is space again
        await stage.settle(10)
        assert ahead(stage.taker) == {"i/refund"}
        await stage.blocks(20, swap)
    assert stage.taker.end(swap) is End.COMPLETED


async def refusing(space: str, key: str, value: bytes) -> None:
    raise StoreError(f"no space for {space} {key} of {len(value)} bytes")


async def unreachable(raw: bytes) -> BroadcastResult:
    raise NodeUnreachable(f"no answer to {raw[:4].hex()}")


# --- What a locked daemon does ----------------------------------------------------------------


async def test_a_locked_maker_claims_as_soon_as_the_takers_claim_shows_the_preimage(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running(), signing_ahead(stage.maker):
        swap = await both_locked(stage)
        watcher, before = locked(stage.maker), rows(stage.maker, swap)
        async with watching(watcher):
            await until_block(stage, lambda: stage.taker.end(swap) is End.COMPLETED)
            await stage.blocks(3)
            assert PAY - FEES < stage.maker.payout(LegName.I) < PAY
        assert rows(stage.maker, swap) == before


async def test_a_locked_maker_takes_its_lock_back_when_the_taker_is_gone(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running(), signing_ahead(stage.maker):
        swap = await both_locked(stage)
        stage.taker.btc.down = stage.taker.ltc.down = True
        watcher = locked(stage.maker)
        async with watching(watcher):
            await until_block(stage, lambda: stage.maker.payout(LegName.P))
            assert stage.clock.now() > times_of(swap).expiry_p
            assert GET - FEES < stage.maker.payout(LegName.P) < GET


async def test_a_locked_taker_never_reveals_and_takes_its_lock_back(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running(), signing_ahead(stage.taker, stage.maker):
        swap = await both_locked(stage)
        assert not isinstance(stage.taker.state(swap.swap_id).secret, Revealed)
        watcher = locked(stage.taker)
        async with watching(watcher):
            await until_block(stage, lambda: stage.taker.payout(LegName.I))
            assert stage.clock.now() > times_of(swap).expiry_i
            assert PAY - FEES < stage.taker.payout(LegName.I) < PAY
            assert stage.taker.payout(LegName.P) == 0
        assert stage.maker.end(swap) is End.REFUNDED


async def test_a_locked_taker_who_has_revealed_brings_its_claim_in(
    stage: Stage, mock_clock: MockClock
) -> None:
    """Also where the mempool forgot it: dearer ones lie ready."""
    async with stage.running(), signing_ahead(stage.taker):
        swap = await stage.agree()
        await until_block(
            stage, lambda: isinstance(stage.taker.state(swap.swap_id).secret, Revealed)
        )
        evict(stage.ltc)
        watcher = locked(stage.taker)
        async with watching(watcher):
            await until_block(stage, lambda: stage.taker.payout(LegName.P), most=10)
            assert GET - FEES < stage.taker.payout(LegName.P) < GET


async def test_a_lock_that_was_signed_is_not_sent_by_a_locked_daemon(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running(), signing_ahead(stage.taker):
        stage.taker.btc.broadcast = unreachable  # type: ignore[method-assign]  # signed, and not sent
        swap = await stage.agree()
        assert isinstance(stage.taker.state(swap.swap_id).own, Released)
        watcher = locked(stage.taker)
        async with watching(watcher):
            await stage.blocks(20)
            assert watcher.broadcasts == []
    assert locks_ever_sent(stage.taker, swap) == []


async def test_a_preimage_seen_once_outlives_the_locked_daemon_that_saw_it(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running(), signing_ahead(stage.maker):
        swap = await both_locked(stage)
        watcher = locked(stage.maker)
        watcher.btc.broadcast = unreachable  # type: ignore[method-assign]  # seen, and nothing sent
        async with watching(watcher):
            await until_block(
                stage, lambda: isinstance(stage.taker.state(swap.swap_id).secret, Revealed)
            )
            await stage.settle()
        stage.taker.btc.down = stage.taker.ltc.down = True
        evict(stage.ltc)
        async with watching(locked(stage.maker)):
            await until_block(stage, lambda: stage.maker.payout(LegName.I), most=10)
    assert PAY - FEES < stage.maker.payout(LegName.I) < PAY


async def test_unlocked_it_goes_on_where_the_swap_stands(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running(), signing_ahead(stage.maker):
        swap = await both_locked(stage)
        async with watching(locked(stage.maker)):
            await until_block(stage, lambda: stage.taker.payout(LegName.P))
        stage.maker.build()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stage.maker.run)
            await stage.settle()
            await stage.blocks(20, swap)
            nursery.cancel_scope.cancel()
    assert stage.maker.end(swap) is End.COMPLETED
    assert PAY - FEES < stage.maker.payout(LegName.I) < PAY


async def test_it_shows_the_swaps_and_their_deadlines_as_they_are_now(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running(), signing_ahead(stage.maker):
        swap = await both_locked(stage)
        watcher = locked(stage.maker)
        async with watching(watcher):
            for _ in range(2):
                await stage.block()
            (state,) = watcher.swaps.open()
            assert state.now == stage.clock.now()
            assert state.view_i is not None
            assert state.view_i.tip_height == stage.btc.height
            assert watcher.swaps.packages(swap.swap_id) == 2
            assert watcher.swaps.live(swap.swap_id) == state
            assert not watcher.swaps.cancel(swap.swap_id)
            row = await watcher.swaps.get(swap.swap_id)
            assert row is not None
            assert row[0] == state


async def test_one_swap_that_cant_be_read_keeps_no_other_from_being_watched(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running(), signing_ahead(stage.maker):
        swap = await both_locked(stage)
        record = stage.maker.disk.journal[swap.swap_id][-1]
        other = bytes(32)
        broken = type(record)(other, 1, record.at, record.event, b"damaged")
        stage.maker.disk.journal[other] = [broken]
        stage.maker.disk.open.add(other)
        watcher = locked(stage.maker)
        async with watching(watcher):
            assert list(watcher.swaps.unattended()) == [other]
            await until_block(stage, lambda: stage.maker.payout(LegName.I))


def test_the_signer_of_a_locked_daemon_signs_nothing() -> None:
    uses: list[Callable[[], object]] = [
        lambda: LOCKED_SIGNER.maker_key(),  # noqa: PLW0108 - already to name it raises
        lambda: LOCKED_SIGNER.preimage(bytes(32), bytes(32)),
    ]
    for use in uses:
        with pytest.raises(SignerLocked):
            use()


# --- What the journal alone holds -------------------------------------------------------------


async def test_a_claim_in_the_journal_is_sent_again(stage: Stage, mock_clock: MockClock) -> None:
    async with stage.running():
        swap = await stage.agree()
        await until_block(stage, lambda: stage.taker.state(swap.swap_id).claim is not None)
        evict(stage.ltc)
        async with watching(locked(stage.taker)):
            await until_block(stage, lambda: stage.taker.payout(LegName.P), most=10)


async def test_a_refund_in_the_journal_is_sent_again(stage: Stage, mock_clock: MockClock) -> None:
    async with stage.running():
        swap = await both_locked(stage)
        stage.taker.btc.down = stage.taker.ltc.down = True
        stage.idle.add(LegName.P)
        await until_block(stage, lambda: stage.maker.state(swap.swap_id).refunds)
        evict(stage.ltc)
        stage.idle.clear()
        async with watching(locked(stage.maker)):
            await until_block(stage, lambda: stage.maker.payout(LegName.P), most=20)


async def test_a_kill_in_the_journal_is_sent_again_and_its_lock_is_not(
    stage: Stage, mock_clock: MockClock
) -> None:
    stage.idle.add(LegName.I)
    async with stage.running():
        swap = await stage.agree()

        def kill() -> Tx | None:
            own = stage.taker.state(swap.swap_id).own
            return own.kill if isinstance(own, Killing) else None

        await until_block(stage, kill)
        signed = kill()
        assert signed is not None
        evict(stage.btc)
        stage.idle.clear()
        watcher = locked(stage.taker)
        async with watching(watcher):
            await stage.blocks(4)
            assert set(watcher.broadcasts) == {signed.raw}


async def test_the_preimage_is_not_asked_for_before_the_reveal_is_journalled(
    stage: Stage, mock_clock: MockClock
) -> None:
    asked: list[bool] = []
    async with stage.running(), signing_ahead(stage.taker, stage.maker):
        ask = stage.taker.signer.preimage

        def watched(salt: bytes, swap_id: bytes) -> bytes:
            rows = stage.taker.disk.journal[swap_id]
            asked.append(isinstance(journal.load_state(rows[-1]).secret, Revealed))
            return ask(salt, swap_id)

        stage.taker.signer.preimage = watched  # type: ignore[method-assign]  # rule 7
        swap = await stage.agree()
        await stage.blocks(20, swap)
    assert asked
    assert all(asked)


def test_a_locked_daemon_refuses_every_call_but_these() -> None:
    refused = vars(LockedOperations)["take"]
    others = {
        method.attribute
        for method in METHODS.values()
        if not method.local and getattr(LockedOperations, method.attribute) is not refused
    }
    assert others == {
        "getinfo", "health", "alarm_list", "swap_list", "swap_get", "swap_wait", "swap_explain",
        "stop", "unlock",
    }  # fmt: skip
