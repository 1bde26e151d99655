"""swap.*, wallet and node operations on running swaps."""

import msgspec
import pytest
from trio.testing import MockClock

from protocol.assets import AssetId
from protocol.swap.states import End
from protocol.terms import LegName
from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.api.events import EventLog
from swapd.api.values import AmountParam, SwapPhase
from swapd.ports import ChainError, JournalRecord
from tests.engine.operations.stage import desk, offer
from tests.engine.swaps.stage import BTC, COIN, GET, LTC, Stage


async def test_lists_of_swaps_page_newest_first_and_open_ones_can_be_had_alone(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock, coins=4)
    async with stage.running():
        told = desk(stage.taker).operations
        done = await stage.agree()
        await stage.blocks(15, done)
        fresh = [await stage.agree() for _ in range(2)]
        everything, cursor = [], None
        for _ in range(3):
            page = await told.swap_list(calls.SwapListParams(cursor=cursor, limit=1))
            everything += [row.swap_id for row in page.swaps]
            cursor = page.next_cursor
        assert cursor is None
        names = [swap.swap_id.hex() for swap in (*reversed(fresh), done)]
        assert everything == names
        open_only, cursor = [], None
        while True:
            params = calls.SwapListParams(open_only=True, cursor=cursor, limit=1)
            page = await told.swap_list(params)
            assert page.swaps, "no page is empty"
            open_only += [row.swap_id for row in page.swaps]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert sorted(open_only) == sorted(names[:2])
        with pytest.raises(ApiError) as caught:
            await told.swap_list(calls.SwapListParams(cursor="zz"))
        assert caught.value.name is ErrorName.CURSOR_INVALID


async def test_a_swap_is_shown_with_both_legs_and_every_transaction_at_its_end(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        told = desk(stage.taker).operations
        swap = await stage.agree()
        name = swap.swap_id.hex()
        shown = (await told.swap_get(calls.SwapGetParams(swap_id=name))).swap
        assert shown.summary.phase is SwapPhase.LOCKING
        assert not shown.preimage_public
        await stage.blocks(15, swap)
        shown = (await told.swap_get(calls.SwapGetParams(swap_id=name))).swap
        assert shown.summary.phase is SwapPhase.COMPLETED
        assert shown.preimage_public
        assert [leg.ours for leg in shown.legs] == [True, False]
        assert {fee.what for fee in shown.fees} >= {"lock", "claim"}
        with pytest.raises(ApiError) as caught:
            await told.swap_get(calls.SwapGetParams(swap_id="00" * 32))
        assert caught.value.name is ErrorName.UNKNOWN_SWAP


async def test_wait_returns_at_the_end_at_a_change_or_when_its_time_is_over(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        told = desk(stage.taker).operations
        swap = await stage.agree()
        name, now = swap.swap_id.hex(), stage.taker.disk.journal[swap.swap_id][-1].sequence
        params = calls.SwapWaitParams(swap_id=name, after_sequence=now - 1, timeout_seconds=1)
        assert (await told.swap_wait(params)).reached
        await stage.blocks(15, swap)
        params = calls.SwapWaitParams(swap_id=name, timeout_seconds=1)
        assert (await told.swap_wait(params)).reached


async def test_cancel_answers_with_what_became_of_it_and_refuses_what_is_locked(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock, coins=2)
    async with stage.running():
        told = desk(stage.taker).operations
        swap = await stage.agree()
        answer = await told.swap_cancel(calls.SwapCancelParams(swap_id=swap.swap_id.hex()))
        assert answer.swap.phase is SwapPhase.KILLING
        other = await stage.agree()
        await stage.block()
        with pytest.raises(ApiError) as caught:
            await told.swap_cancel(calls.SwapCancelParams(swap_id=other.swap_id.hex()))
        assert caught.value.name is ErrorName.SWAP_NOT_CANCELLABLE


async def test_balance_counts_every_coin_once_at_every_step_of_a_swap(
    mock_clock: MockClock,
) -> None:
    """The maker's litecoin: free, then locked, then gone; its bitcoin: in flight, then payout."""
    stage = Stage(mock_clock)
    address = stage.maker.btc.address_of(stage.maker.signer.wallet_key(BTC, 1))
    await stage.maker.store.put("address", f"{BTC}|{address}", b"1")
    async with stage.running():
        told = desk(stage.maker).operations

        async def of(asset: AssetId) -> dict[str, int]:
            [row] = (await told.balance(calls.BalanceParams(asset=asset))).assets
            names = ("free", "reserved", "locked", "in_flight", "payout")
            return {name: int(getattr(row, name).units) for name in names}

        assert (await of(LTC))["free"] == COIN
        swap = await stage.agree()
        seen = []
        for _ in range(12):
            await stage.block()
            seen.append(await of(LTC))
            total = sum(seen[-1].values())
            assert COIN - GET - 3_000 < total <= COIN, seen[-1]
        assert any(row["locked"] == GET for row in seen)
        assert stage.maker.end(swap) is End.COMPLETED
        assert seen[-1]["locked"] == seen[-1]["in_flight"] == 0
        assert (await of(BTC))["payout"] == stage.maker.payout(LegName.I) > 0


async def test_withdraw_sweeps_the_payouts_and_says_when_there_are_none(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    address = stage.maker.btc.address_of(stage.maker.signer.wallet_key(BTC, 1))
    await stage.maker.store.put("address", f"{BTC}|{address}", b"1")
    async with stage.running():
        told = desk(stage.maker).operations
        there = await stage.taker.btc.wallet_address()
        params = calls.WithdrawParams(asset="BTC", destination=there)
        with pytest.raises(ApiError) as caught:
            await told.withdraw(params)
        assert caught.value.name is ErrorName.NOTHING_TO_WITHDRAW
        swap = await stage.agree()
        await stage.blocks(15, swap)
        had = stage.maker.payout(LegName.I)
        dry = await told.withdraw(
            calls.WithdrawParams(asset="BTC", destination=there, dry_run=True)
        )
        assert dry.txid is None
        assert stage.maker.payout(LegName.I) == had
        sent = await told.withdraw(params)
        assert int(sent.sent.units) + int(sent.fee.units) == had
        await stage.block()
        assert stage.maker.payout(LegName.I) == 0
        with pytest.raises(ApiError) as caught:
            await told.withdraw(calls.WithdrawParams(asset="BTC", destination="nonsense"))
        assert caught.value.name is ErrorName.ADDRESS_INVALID


async def test_a_fee_rate_meant_for_gas_pays_for_no_bytes(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        told = desk(stage.maker).operations
        there = await stage.taker.btc.wallet_address()
        swap = await stage.agree()
        await stage.blocks(15, swap)
        had = stage.maker.payout(LegName.I)
        asked = {"asset": "BTC", "destination": there, "fee_rate": 10**12}  # a gwei per gas
        gwei = msgspec.convert(asked, calls.WithdrawParams)
        with pytest.raises(ApiError) as caught:
            await told.withdraw(gwei)
        assert caught.value.name is ErrorName.FEE_RATE_INVALID
        assert stage.maker.payout(LegName.I) == had


async def test_wallet_split_makes_coins_and_tells_a_locked_wallet(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    told = desk(stage.taker).operations
    each = AmountParam(asset="BTC", decimal="0.1")
    before = len(stage.taker.btc._coins())
    await told.wallet_split(calls.WalletSplitParams(amount=each, count=3))
    stage.btc.mine()
    assert len(stage.taker.btc._coins()) == before + 3
    stage.taker.btc.locked = True
    with pytest.raises(ApiError) as caught:
        await told.wallet_split(calls.WalletSplitParams(amount=each, count=3))
    assert caught.value.name is ErrorName.WALLET_LOCKED


async def test_a_node_that_is_down_is_named_and_spoils_no_other_answer(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        told = desk(stage.taker).operations
        stage.taker.ltc.down = True
        found = await told.balance(calls.BalanceParams())
        assert [row.ticker for row in found.assets] == ["BTC"]
        assert found.unavailable == ("LTC",)
        health = await told.health(calls.NoParams())
        assert not health.healthy
        assert any("down" in problem.what for problem in health.problems)
        with pytest.raises(ApiError) as caught:
            await told.address(calls.AddressParams(asset="LTC"))
        assert caught.value.name is ErrorName.NODE_UNREACHABLE


async def test_health_names_a_swap_that_nobody_looks_after(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    bad = JournalRecord(bytes([66]) * 32, 1, 0, b"", b"not a state")
    await stage.taker.store.append(bad, open_swap=True)
    async with stage.running():
        health = await desk(stage.taker).operations.health(calls.NoParams())
    assert any(problem.where == "swap " + "42" * 8 for problem in health.problems)


async def test_a_take_over_several_offers_tells_what_was_agreed_before_one_failed(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock, coins=3)
    async with stage.running():
        told = desk(stage.taker)
        told.book.offers += [offer(1), offer(2)]
        swap = await stage.agree()
        told.takes.agreements = [swap, ChainError("broken")]
        amount = AmountParam(asset="LTC", decimal="15")
        params = calls.TakeParams(pair="LTC/BTC", side=calls.Side.BUY, amount=amount)
        taken = await told.operations.take(params)
        assert [row.swap_id for row in taken.swaps] == [swap.swap_id.hex()]
        assert told.takes.asked == [(b"\x01", 10 * COIN), (b"\x02", 5 * COIN)]
        told.takes.agreements = [ChainError("broken")]
        with pytest.raises(ApiError) as caught:
            await told.operations.take(params)
        assert caught.value.name is ErrorName.NODE_NOT_READY


async def test_a_quote_adds_up_and_commits_to_nothing(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    for ledger in (stage.btc, stage.ltc):
        ledger.mine(105)
    told = desk(stage.taker)
    told.book.offers.append(offer(1, now=stage.clock.now()))
    amount = AmountParam(asset="LTC", decimal="8")
    found = await told.operations.quote(
        calls.QuoteParams(offer_id=(b"\x01" * 32).hex(), amount=amount)
    )
    assert (found.pay.decimal, found.receive.decimal) == ("0.1", "8")
    lock = sum(int(fee.amount.units) for fee in found.fees if fee.what == "lock")
    claim = sum(int(fee.amount.units) for fee in found.fees if fee.what == "claim")
    assert int(found.pay_total.units) == COIN // 10 + lock
    assert int(found.receive_net.units) == 8 * COIN - claim
    assert found.problems == ()
    assert found.worst_seconds >= found.usual_seconds > 0
    assert [d.at for d in found.deadlines] == sorted(d.at for d in found.deadlines)
    assert told.takes.asked == []
    assert stage.taker.disk.journal == {}


async def test_a_quote_without_the_coins_says_so_instead_of_failing(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    for ledger in (stage.btc, stage.ltc):
        ledger.mine(105)
    told = desk(stage.taker)
    told.book.offers.append(offer(1, price=(1, 1), now=stage.clock.now()))
    found = await told.operations.quote(calls.QuoteParams(offer_id=(b"\x01" * 32).hex()))
    assert any("not enough" in problem for problem in found.problems)


async def test_swap_events_tell_each_change_once_also_after_a_restart(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        log = desk(stage.taker).events
        swap = await stage.agree()
        await stage.block()
        assert words(log)[0] == "the swap was agreed"
        assert words(log).count("the swap was agreed") == 1
        await stage.taker.restart()
        log = desk(stage.taker).events
        await stage.blocks(15, swap)
        assert "the swap was agreed" not in words(log)
        assert words(log)[-1] == "the swap ended: completed"


def words(log: EventLog) -> list[str]:
    found = log.since(0, 1000)
    assert found is not None
    return [event.what for _, event in found if hasattr(event, "what")]


async def test_stop_names_the_open_swaps(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        told = desk(stage.taker)
        swap = await stage.agree()
        answer = await told.operations.stop(calls.StopParams())
        assert [row.swap_id for row in answer.open_swaps] == [swap.swap_id.hex()]
        info = await told.operations.getinfo(calls.NoParams())
        assert (info.open_swaps, info.state) == (1, "running")
