"""An older database is put back in the middle of a swap, and says so: nothing is lost by it."""

import copy
from functools import partial

import pytest
from trio.testing import MockClock

from protocol.swap.states import End, Unfunded
from swapd.engine import putback
from swapd.engine.addresses import known_addresses
from swapd.engine.journal import load_state
from swapd.ports import PUT_BACK
from tests.engine.swaps.stage import WHO, Party, Stage
from tests.engine.swaps.stories import check_books, locks_ever_sent

SAFE = {End.COMPLETED, End.REFUNDED, End.NEVER_FUNDED}


@pytest.mark.parametrize("who", ["taker", "maker"])
@pytest.mark.parametrize("age", [1, 2, 4])
async def test_a_swap_in_a_backup_ends_well_and_never_locks(
    who: str, age: int, mock_clock: MockClock
) -> None:
    """The backup is `age` blocks old when it is put back, at each moment of a swap."""
    for moment in range(6):
        stage = Stage(mock_clock)
        party = stage.taker if who == "taker" else stage.maker
        async with stage.running():
            swap = await stage.agree()
            for _ in range(moment):
                await stage.block()
            old = copy.deepcopy(party.disk)
            for _ in range(age):
                await stage.block()
            sent = {tx.txid for tx in locks_ever_sent(party, swap)}
            old.values[PUT_BACK] = b"a test put it there"
            party.disk, party.reborn = old, partial(_settle, party)
            await party.restart()
            await stage.blocks(60, swap)
        assert {tx.txid for tx in locks_ever_sent(party, swap)} <= sent, "no lock is sent after it"
        state = party.state(swap.swap_id)
        if state.outcome is None:
            assert not sent
            continue
        assert state.outcome.end in SAFE, (who, age, moment)
        await check_books(party, swap, state.outcome.end)


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("who", ["taker", "maker"])
async def test_a_lock_that_hung_when_its_backup_was_put_back_is_killed(
    who: str, told: bool, mock_clock: MockClock
) -> None:
    """Only the node's wallet knows of it: the backup is from before it was signed. `told` False: a
    snapshot of the whole disk, in which nothing says that it is old."""
    stage = Stage(mock_clock)
    party = stage.taker if who == "taker" else stage.maker
    ledger = stage.btc if who == "taker" else stage.ltc
    async with stage.running():
        swap = await stage.agree()
        while not (sent := locks_ever_sent(party, swap)):
            await stage.block()
        lock = sent[0]
        ledger.chain.evict(lock.txid().hex())  # a miner may have it still
        old = copy.deepcopy(party.disk)
        old.journal[swap.swap_id] = old.journal[swap.swap_id][:1]
        if told:
            old.values[PUT_BACK] = b"a test put it there"
        party.disk, party.reborn = old, partial(_settle, party)
        await party.restart()
        await stage.blocks(60, swap)
    assert {tx.txid() for tx in locks_ever_sent(party, swap)} <= {lock.txid()}
    assert party.end(swap) is End.NEVER_FUNDED
    coins = {str(txin.outpoint) for txin in lock.inputs}
    killed = [ledger.chain.spend_in_block(coin) for coin in coins]
    assert all(found and found[0].txid != lock.txid().hex() for found in killed)
    await check_books(party, swap, End.NEVER_FUNDED)


@pytest.mark.parametrize("who", ["taker", "maker"])
async def test_a_snapshot_of_the_whole_disk_is_noticed_by_a_lock_that_it_forgot(
    who: str, mock_clock: MockClock
) -> None:
    """The lock is in a block long since, and its swap would be given up at the first look."""
    stage = Stage(mock_clock)
    party = stage.taker if who == "taker" else stage.maker
    async with stage.running():
        swap = await stage.agree()
        while not locks_ever_sent(party, swap):
            await stage.block()
        await stage.blocks(2)
        sent = {tx.txid() for tx in locks_ever_sent(party, swap)}
        old = copy.deepcopy(party.disk)
        old.journal[swap.swap_id] = old.journal[swap.swap_id][:1]
        party.disk = old
        stage.clock.advance(2 * 3600)
        await party.restart()
        await stage.settle()
        assert party.state(swap.swap_id).restored
        assert "older than what ran here" in party.world.mode.watch_only
        assert await party.store.get(*PUT_BACK) is not None
        await stage.blocks(60, swap)
    assert {tx.txid() for tx in locks_ever_sent(party, swap)} == sent
    end = party.end(swap)
    assert end in SAFE - {End.NEVER_FUNDED}
    await check_books(party, swap, end)


async def test_a_start_without_its_node_waits_and_gives_no_swap_up(mock_clock: MockClock) -> None:
    stage = Stage(mock_clock)
    party = stage.maker
    async with stage.running():
        swap = await stage.agree()
        assert isinstance(party.state(swap.swap_id).own, Unfunded)
        party.reborn = partial(_without_node, party)
        await party.restart()
        stage.clock.advance(3600)
        await stage.settle(10)
        assert party.state(swap.swap_id).outcome is None
        assert "LTC" in party.swaps.trouble(swap.swap_id)
        party.ltc.down = False
        await stage.settle(10)
        assert party.end(swap) is End.NEVER_FUNDED, "the taker's lock came too late for it"
        assert not party.world.mode.watch_only


async def _without_node(party: Party) -> None:
    party.ltc.down = True


async def _settle(party: Party) -> None:
    await putback.settle(party.world)


async def test_all_open_swaps_are_restored_and_ended_ones_are_left_alone(
    mock_clock: MockClock,
) -> None:
    stage = Stage(mock_clock)
    party = stage.taker
    async with stage.running():
        ended = await stage.agree()
        await stage.blocks(40, ended)
        row = party.disk.journal[ended.swap_id][-1]
        swap = await stage.agree()
    await party.store.put(*PUT_BACK, b"")
    WHO.set(party.name)
    await putback.settle(party.world)
    assert load_state(party.disk.journal[swap.swap_id][-1]).restored
    assert party.disk.journal[ended.swap_id][-1] == row


async def test_an_asset_whose_payouts_go_to_one_account_has_no_addresses_to_remember(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a token the seed has no addresses at all: to ask for one would end the start."""
    stage = Stage(mock_clock)
    party = stage.taker
    asset, chain = next(iter(party.world.chains.items()))
    monkeypatch.setattr(chain, "fixed_address", lambda *, refund: f"account {refund}")
    await party.store.put(*PUT_BACK, b"")
    WHO.set(party.name)
    await putback.settle(party.world)
    known = {each: await known_addresses(party.world, each) for each in party.world.chains}
    assert known.pop(asset) == {}
    assert all(known.values())
