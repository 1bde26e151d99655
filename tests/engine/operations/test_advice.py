"""The operator's mistakes, seen from the operations: each has its name, and what to do about it."""

from dataclasses import replace

import pytest
from trio.testing import MockClock

from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.api.values import AmountParam
from swapd.engine.operations.all import EngineOperations
from tests.engine.operations.stage import desk, offer
from tests.engine.swaps.stage import COIN, Stage


def relay(stage: Stage) -> EngineOperations:
    """The operations of a daemon that knows both assets and has a node for neither."""
    party = stage.taker
    party.world = replace(party.world, chains={})
    return desk(party).operations


async def test_a_relay_says_that_it_has_no_node_instead_of_failing(mock_clock: MockClock) -> None:
    told = relay(Stage(mock_clock))
    half = AmountParam(asset="BTC", decimal="0.5")
    refused = (
        lambda: told.balance(calls.BalanceParams(asset="BTC")),
        lambda: told.address(calls.AddressParams(asset="BTC")),
        lambda: told.withdraw(calls.WithdrawParams(asset="BTC", destination="x")),
        lambda: told.wallet_split(calls.WalletSplitParams(amount=half, count=2)),
        lambda: told.offer_post(calls.OfferPostParams(sell=half, buy="LTC", price="80")),
        lambda: told.pair_check(calls.PairCheckParams(pair="BTC/LTC")),
    )
    for call in refused:
        with pytest.raises(ApiError) as caught:
            await call()
        assert caught.value.name is ErrorName.UNKNOWN_ASSET
        assert "no BTC node" in caught.value.message
        assert "[chains.btc]" in caught.value.remedy
    everything = await told.balance(calls.BalanceParams())
    assert (everything.assets, everything.unavailable) == ((), ())


async def test_coins_of_dust_are_refused_by_name(mock_clock: MockClock) -> None:
    told = desk(Stage(mock_clock).taker).operations
    dust = AmountParam(asset="BTC", units="1")
    with pytest.raises(ApiError) as caught:
        await told.wallet_split(calls.WalletSplitParams(amount=dust, count=2))
    assert caught.value.name is ErrorName.AMOUNT_INVALID
    assert "larger" in caught.value.remedy


async def test_a_locked_wallet_is_told_before_anybody_takes_an_offer(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    told = desk(stage.taker)
    assert [
        p for p in (await told.operations.health(calls.NoParams())).problems if p.where == "BTC"
    ] == []
    stage.taker.btc.locked = True
    found = await told.operations.health(calls.NoParams())
    assert not found.healthy
    problem = next(p for p in found.problems if p.where == "BTC")
    assert "walletpassphrase" in problem.what
    assert "unlock" in problem.remedy
    checked = await told.operations.pair_check(calls.PairCheckParams(pair="BTC/LTC"))
    assert not checked.swappable
    assert [c.name for c in checked.checks if not c.ok] == ["wallet BTC"]


async def test_a_quote_with_a_locked_wallet_says_so_beside_its_figures(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    for ledger in (stage.btc, stage.ltc):
        ledger.mine(105)
    told = desk(stage.taker)
    told.book.offers.append(offer(1, now=stage.clock.now()))
    stage.taker.btc.locked = True
    found = await told.operations.quote(calls.QuoteParams(offer_id=(b"\x01" * 32).hex()))
    assert any("walletpassphrase" in problem for problem in found.problems)
    assert found.worst_seconds > 0


async def test_a_wallet_without_coins_is_no_problem_of_health(mock_clock: MockClock) -> None:
    told = desk(Stage(mock_clock).taker).operations
    assert not any(p.where == "LTC" for p in (await told.health(calls.NoParams())).problems)


async def test_a_swap_that_has_ended_is_not_said_to_go_on(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    async with stage.running():
        told = desk(stage.taker).operations
        swap = await stage.agree()
        await stage.blocks(15, swap)
        with pytest.raises(ApiError) as caught:
            await told.swap_cancel(calls.SwapCancelParams(swap_id=swap.swap_id.hex()))
    assert caught.value.name is ErrorName.SWAP_NOT_CANCELLABLE
    assert caught.value.message == "the swap has ended: completed"


async def test_an_amount_of_the_wrong_asset_is_told_which_one_is_wanted(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    told = desk(stage.taker)
    told.book.offers.append(offer(1, now=stage.clock.now()))
    amount = AmountParam(asset="BTC", units=str(COIN))
    params = calls.QuoteParams(pair="LTC/BTC", side=calls.Side.BUY, amount=amount)
    with pytest.raises(ApiError) as caught:
        await told.operations.quote(params)
    assert caught.value.name is ErrorName.AMOUNT_INVALID
    assert "LTC" in caught.value.remedy
