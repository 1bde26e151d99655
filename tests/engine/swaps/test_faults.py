"""What goes wrong around a swap: disks, nodes, wallets, bugs. Nobody loses, others go on."""

from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from protocol.bitcoin.tx import parse_tx
from protocol.swap.effects import Effect
from protocol.swap.events import Event
from protocol.swap.facts import ChainView
from protocol.swap.pending import pending as owed
from protocol.swap.states import Dead, End, Hidden, Learned, Released, SwapState, Unfunded
from protocol.terms import LegName
from swapd.engine import effects as performing
from swapd.engine import runner as running
from swapd.engine.world import World
from swapd.ports import (
    Broadcast,
    BroadcastResult,
    InsufficientFunds,
    JournalRecord,
    SignedLock,
    SignedTx,
    StoreError,
)
from tests.engine.swaps.stage import COIN, Stage, times_of
from tests.engine.swaps.stories import check_books, script_of
from tests.fakes.chain import FakeChain

SAFE = {End.COMPLETED, End.REFUNDED, End.NEVER_FUNDED}


# --- The disk ---------------------------------------------------------------------------------


async def test_a_full_disk_lets_no_lock_out_and_goes_on_when_there_is_space(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        taken, made = stage.agreement()
        await stage.maker.start(made)
        stage.taker.store.before_write = _refuse_all_but_the_first()
        await stage.taker.start(taken)
        await stage.settle(4)
        assert stage.taker.btc.broadcasts == []
        assert "journal" in stage.taker.swaps.trouble(taken.swap_id)
        stage.taker.store.before_write = lambda _: None
        await stage.settle(10)
        await stage.blocks(15, taken)
    assert stage.taker.end(taken) is End.COMPLETED


def _refuse_all_but_the_first() -> Callable[[str], None]:
    calls: list[int] = []

    def refuse(_what: str) -> None:
        calls.append(1)
        if len(calls) > 1:
            raise StoreError("no space")

    return refuse


async def test_a_full_disk_and_a_deadline_that_passed_keep_nobody_busy(
    stage: Stage, mock_clock: MockClock
) -> None:
    """The step at a deadline can't be journalled, so the deadline stays ahead of the state."""
    tries: list[int] = []

    def refuse(_what: str) -> None:
        tries.append(1)
        if 1 < len(tries) < 200:  # a loop without pause would never end otherwise
            raise StoreError("no space")

    async with stage.running():
        taken, _ = stage.agreement()
        stage.taker.btc.down = True
        stage.taker.store.before_write = refuse
        await stage.taker.start(taken)
        stage.taker.btc.down = False
        stage.clock.advance(times_of(taken).lock_gate_i - stage.clock.now())
        await stage.settle()
        await stage.settle(2)
    assert 1 < len(tries) < 20


async def test_a_full_disk_never_lets_the_preimage_out(stage: Stage, mock_clock: MockClock) -> None:
    async with stage.running():
        swap = await stage.agree()
        for _ in range(4):
            await stage.block()
        assert isinstance(stage.taker.state(swap.swap_id).secret, Hidden)
        stage.taker.store.full = True
        for _ in range(3):
            await stage.block()
        assert stage.taker.signer.revealed == []
        stage.taker.store.full = False
        await stage.blocks(60, swap)
    assert stage.taker.end(swap) in {End.COMPLETED, End.REFUNDED}


async def test_with_a_full_disk_a_refund_that_is_on_it_is_still_sent_by_the_newest_facts(
    stage: Stage,
    mock_clock: MockClock,
) -> None:
    async with stage.running():
        swap = await stage.agree()
        stage.maker.btc.down = stage.maker.ltc.down = True
        while not stage.taker.state(swap.swap_id).refunds:
            await stage.block()
        stage.taker.store.full = True
        [refund] = stage.taker.state(swap.swap_id).refunds
        stage.btc.drop(refund.txid)
        # Something material changes, so that a row would be due before anything else.
        extra = stage.taker.btc.pay(script_of(swap, LegName.I), 5_000, 1_000)
        stage.btc.submit(extra.serialise())
        await stage.settle(31)
        assert refund.txid in stage.btc.mempool


async def test_a_preimage_that_a_node_showed_once_is_not_lost_to_a_full_disk(
    stage: Stage, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage.running():
        swap = await stage.agree()
        for _ in range(4):
            await stage.block()
        stage.maker.store.full = True
        stage.idle.add(LegName.P)
        await stage.block()
        [claim] = list(stage.ltc.mempool)
        stage.taker.btc.down = stage.taker.ltc.down = True
        await stage.settle(31)
        assert not isinstance(stage.maker.state(swap.swap_id).secret, Learned)
        stage.ltc.drop(claim)
        await stage.settle(31)
        stage.maker.store.full = False
        await stage.settle(31)
        assert isinstance(stage.maker.state(swap.swap_id).secret, Learned)


async def test_a_damaged_row_or_a_missing_node_leaves_the_other_swaps_running(
    stage: Stage,
    mock_clock: MockClock,
) -> None:
    async with stage.running():
        swap = await stage.agree()
        for number in (66, 77):
            bad = JournalRecord(bytes([number]) * 32, 1, 0, b"", b"not a state")
            await stage.taker.store.append(bad, open_swap=True)
        await stage.taker.restart()
        assert set(stage.taker.swaps.unattended()) == {bytes([66]) * 32, bytes([77]) * 32}
        await stage.blocks(15, swap)
    assert stage.taker.end(swap) is End.COMPLETED


async def test_a_history_that_folds_to_something_else_does_not_stop_a_start(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        swap = await stage.agree()
        rows = stage.taker.disk.journal[swap.swap_id]
        first = rows[0]
        rows[1] = JournalRecord(first.swap_id, 2, first.at, rows[-1].event, rows[1].state)
        await stage.taker.restart()
        await stage.blocks(15, swap)
    assert stage.taker.end(swap) is End.COMPLETED


# --- Nodes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("leg", LegName)
@pytest.mark.parametrize("who", ["taker", "maker"])
async def test_a_node_that_is_away_for_two_blocks_at_any_step_costs_nobody_coins(
    who: str, leg: LegName, mock_clock: MockClock
) -> None:
    for step in range(9):
        stage = Stage(mock_clock)
        party = stage.taker if who == "taker" else stage.maker
        async with stage.running():
            if step == 0:
                party.chain(leg).down = True
            swap = await stage.agree()
            for number in range(12):
                party.chain(leg).down = step <= number < step + 2
                await stage.block()
            await stage.blocks(60, swap)
        for one in stage.parties():
            end = one.end(swap)
            assert end in SAFE, (step, one.name)
            await check_books(one, swap, end)


@pytest.mark.parametrize("leg", LegName)
async def test_nothing_is_locked_while_either_node_does_not_answer(
    leg: LegName, stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        stage.taker.chain(leg).down = True
        swap = await stage.agree()
        await stage.settle(31)
        assert stage.taker.btc.broadcasts == []
        state = stage.taker.state(swap.swap_id)
        seen = state.view_i if leg is LegName.I else state.view_p
        assert seen is not None
        assert "can't be asked" in seen.problems[0]
        stage.taker.chain(leg).down = False
        await stage.settle(31)
        assert len(stage.taker.btc.broadcasts) == 1


async def test_a_maker_that_starts_blind_does_not_give_up_on_a_taker_who_locked(
    stage: Stage,
    mock_clock: MockClock,
) -> None:
    async with stage.running():
        stage.maker.btc.down = True
        swap = await stage.agree()
        await stage.block()
        stage.clock.advance(40)  # the promise of 60 s is over, L_P is not
        await stage.settle(31)
        stage.maker.btc.down = False
        stage.btc.notify()
        await stage.settle(31)
        assert not isinstance(stage.maker.state(swap.swap_id).own, Dead)


async def test_a_view_that_took_too_long_opens_no_gate(
    stage: Stage, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = stage.taker.btc.view

    async def slow(name: str) -> ChainView:
        await trio.sleep(60)
        return await real(name)

    monkeypatch.setattr(stage.taker.btc, "view", slow)
    async with stage.running():
        swap = await stage.agree()
        await stage.settle(61)
        state = stage.taker.state(swap.swap_id)
        assert isinstance(state.own, Unfunded)
        assert state.view_i is not None
        assert "too long" in state.view_i.problems[0]


async def test_a_bug_in_reading_one_chain_is_a_problem_of_that_chain_only(
    stage: Stage, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(name: str) -> ChainView:
        raise KeyError(name)

    async with stage.running():
        swap = await stage.agree()
        for _ in range(6):
            await stage.block()
        assert isinstance(stage.maker.state(swap.swap_id).secret, Learned)
        with monkeypatch.context() as patch:
            patch.setattr(stage.maker.ltc, "view", broken)
            await stage.blocks(2)
            seen = stage.maker.state(swap.swap_id).view_p
            assert seen is not None
            assert "KeyError" in seen.problems[0]
        await stage.blocks(15, swap)
    assert stage.maker.end(swap) is End.COMPLETED


async def test_a_refused_broadcast_is_retried_at_a_slower_and_slower_pace(
    stage: Stage, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    async def poor(*_args: object, deadline: int) -> SignedLock:
        tries.append(trio.current_time())
        raise InsufficientFunds("no coins", confirmed=0, unconfirmed=0)

    monkeypatch.setattr(stage.taker.btc, "fund", poor)
    async with stage.running():
        swap = await stage.agree()
        for _ in range(60):
            await stage.settle(1)
        assert "no coins" in stage.taker.swaps.trouble(swap.swap_id)
    assert 3 <= len(tries) <= 7


# --- Bugs -------------------------------------------------------------------------------------


async def test_a_bug_in_one_swap_restarts_it_and_leaves_the_other_alone(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(mock_clock, coins=2)
    real, broken = owed, list[int]()

    def pending(state: SwapState) -> tuple[Effect, ...]:
        if state.agreement.swap_id == bytes([1]) * 32 and len(broken) < 3:
            broken.append(1)
            raise RuntimeError("a bug")
        return real(state)

    monkeypatch.setattr(running, "pending", pending)
    async with stage.running():
        one, two = await stage.agree(), await stage.agree()
        await stage.settle(20)
        await stage.blocks(60, one, two)
    assert len(broken) == 3
    assert stage.taker.end(two) is End.COMPLETED
    assert stage.taker.end(one) in SAFE


async def test_an_effect_that_breaks_does_not_keep_another_from_being_tried(
    stage: Stage, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken claim must not keep a refund back: both are owed when the maker is late."""
    real = performing._perform

    async def perform(world: World, state: SwapState, effect: Effect) -> Event | None:
        if type(effect).__name__ == "BuildClaim" and world is stage.maker.world:
            raise ValueError("a bug")
        return await real(world, state, effect)

    monkeypatch.setattr(performing, "_perform", perform)
    async with stage.running():
        swap = await stage.agree()
        for _ in range(4):
            await stage.block()
        stage.idle.add(LegName.P)
        await stage.block()
        [claim] = list(stage.ltc.mempool)
        stage.ltc.drop(claim)
        stage.taker.btc.down = stage.taker.ltc.down = True
        stage.idle.clear()
        for _ in range(45):
            await stage.block()
        assert stage.maker.state(swap.swap_id).refunds


# --- Wallets ----------------------------------------------------------------------------------


async def test_two_swaps_at_once_never_share_a_coin(mock_clock: MockClock) -> None:
    for coins, ends in ((2, {End.COMPLETED}), (1, SAFE)):
        stage = Stage(mock_clock, coins=coins)
        async with stage.running():
            agreed = [stage.agreement() for _ in range(2)]
            for _, made in agreed:
                await stage.maker.start(made)
            for taken, _ in agreed:
                await stage.taker.start(taken)
            await stage.settle()
            swaps = [taken for taken, _ in agreed]
            used = [
                coin.ref
                for swap in swaps
                if isinstance(own := stage.taker.state(swap.swap_id).own, Released)
                for coin in own.lock.coins
            ]
            assert len(used) == len(set(used)) == coins
            await stage.blocks(60, *swaps)
        assert {stage.taker.end(swap) for swap in swaps} <= ends


async def test_after_a_start_no_runner_chooses_coins_before_all_promises_are_known(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FakeChain.set_reserved

    async def slow(chain: FakeChain, refs: frozenset[str]) -> None:
        await trio.sleep(5)
        await real(chain, refs)

    stage = Stage(mock_clock, coins=1)
    async with stage.running():
        one = await stage.agree()
        [lock] = stage.btc.mempool
        stage.taker.btc.problems = ("wait",)
        taken, _ = stage.agreement()
        await stage.taker.start(taken)
        await stage.settle()
        # The lock is in no mempool: only the journal knows that its coin is promised.
        stage.btc.drop(lock)
        refused = BroadcastResult(Broadcast.REJECTED, "try later")
        monkeypatch.setattr(stage.btc, "submit", lambda _raw: refused)
        monkeypatch.setattr(FakeChain, "set_reserved", slow)
        await stage.taker.restart()
        for _ in range(8):
            await stage.settle(2)
        assert isinstance(stage.taker.state(one.swap_id).own, Released)
        assert isinstance(stage.taker.state(taken.swap_id).own, Unfunded)
        assert "not enough" in stage.taker.swaps.trouble(taken.swap_id)


async def test_a_kill_that_costs_more_than_its_lock_holds_is_never_sent(
    stage: Stage, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side can hang a child with a huge fee on our lock: outbidding it burns coins."""
    real = stage.taker.btc.build_kill

    async def dear(lock: SignedLock, fee_rate: int) -> SignedTx:
        kill = await real(lock, fee_rate)
        return SignedTx(kill.raw, kill.txid, COIN // 2, kill.fee_rate, kill.inputs)

    monkeypatch.setattr(stage.taker.btc, "build_kill", dear)
    async with stage.running():
        stage.idle.add(LegName.I)
        swap = await stage.agree()
        for _ in range(6):
            await stage.block()
        sent = [parse_tx(raw).outputs for raw in stage.taker.btc.broadcasts]
        script = script_of(swap, LegName.I)
        assert all(script in {o.script_pubkey for o in outputs} for outputs in sent), "locks alone"
        assert "would cost" in stage.taker.swaps.trouble(swap.swap_id)


async def test_a_broadcast_that_the_node_refuses_is_told_in_the_nodes_own_words(
    stage: Stage, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = BroadcastResult(Broadcast.REJECTED, "min relay fee not met")
    monkeypatch.setattr(stage.btc, "submit", lambda _raw: refused)
    async with stage.running():
        swap = await stage.agree()
        await stage.settle(3)
        assert "min relay fee not met" in stage.taker.swaps.trouble(swap.swap_id)
        monkeypatch.undo()
        await stage.settle(31)
        assert stage.taker.swaps.trouble(swap.swap_id) == ""
        assert len(stage.btc.mempool) == 1


async def test_a_locked_wallet_is_waited_for_within_the_takers_promise(
    stage: Stage, mock_clock: MockClock
) -> None:
    stage.taker.btc.locked = True
    async with stage.running():
        swap = await stage.agree()
        stage.clock.advance(20)
        await stage.settle(31)
        stage.taker.btc.locked = False
        await stage.settle(31)
        assert isinstance(stage.taker.state(swap.swap_id).own, Released)


# --- The operator -----------------------------------------------------------------------------


async def test_cancel_before_the_lock_was_signed_ends_at_once(
    stage: Stage, mock_clock: MockClock
) -> None:
    stage.taker.btc.problems = ("syncing",)
    async with stage.running():
        swap = await stage.agree()
        assert stage.taker.swaps.cancel(swap.swap_id)
        await stage.settle()
    assert stage.taker.end(swap) is End.NEVER_FUNDED
    assert stage.taker.btc.broadcasts == []


async def test_cancel_of_a_lock_in_the_air_kills_it_and_gives_the_coins_back(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        swap = await stage.agree()
        assert stage.taker.swaps.cancel(swap.swap_id)
        await stage.settle()
        await stage.blocks(15, swap)
    assert stage.taker.end(swap) is End.NEVER_FUNDED
    await check_books(stage.taker, swap, End.NEVER_FUNDED)


async def test_cancel_of_an_unknown_or_ended_swap_says_so(
    stage: Stage, mock_clock: MockClock
) -> None:
    async with stage.running():
        swap = await stage.agree()
        await stage.blocks(15, swap)
        assert not stage.taker.swaps.cancel(swap.swap_id)
        assert not stage.taker.swaps.cancel(bytes(32))


async def test_a_second_start_of_one_swap_is_refused(stage: Stage, mock_clock: MockClock) -> None:
    async with stage.running():
        swap = await stage.agree()
        with pytest.raises(StoreError, match="running already"):
            await stage.taker.start(swap)
        await stage.blocks(15, swap)
        with pytest.raises(StoreError):
            await stage.taker.start(swap)


async def test_a_listener_that_breaks_stops_neither_a_swap_nor_another_listener(
    stage: Stage, mock_clock: MockClock
) -> None:
    heard: list[int] = []

    def broken(_state: SwapState, _sequence: int) -> None:
        raise RuntimeError("a bug in a view")

    stage.taker.swaps.listen(broken)
    stage.taker.swaps.listen(lambda _state, sequence: heard.append(sequence))
    async with stage.running():
        swap = await stage.agree()
        await stage.blocks(15, swap)
    assert stage.taker.end(swap) is End.COMPLETED
    assert heard == [row.sequence for row in stage.taker.disk.journal[swap.swap_id]]


async def test_listeners_hear_every_row_in_order(stage: Stage, mock_clock: MockClock) -> None:
    heard: list[int] = []
    stage.taker.swaps.listen(lambda _state, sequence: heard.append(sequence))
    async with stage.running():
        swap = await stage.agree()
        await stage.blocks(15, swap)
    assert heard == [row.sequence for row in stage.taker.disk.journal[swap.swap_id]]
