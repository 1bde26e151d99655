"""A taker without a node of its own on the chain where it claims: two hosted endpoints, one of
which lags, lies, errs and dies while there is something to reveal. Thirty ether, more than 64 bits
of wei.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.daemons.accounts import AccountFleet
from tests.matrix import books, stories
from tests.matrix.conftest import PATIENCE_SECONDS
from tests.matrix.endpoints import HostedEndpoint, Manner
from tests.matrix.stories import COMPLETED, REFUNDED

pytestmark = [pytest.mark.nodes, pytest.mark.slow, pytest.mark.timeout(600)]

IDLE_SECONDS = 0.5
UNTIL_FINAL = 3
"""Blocks after which the maker's lock is deep enough, as every honest node says."""
BAD_DAYS = (Manner.DENIES, Manner.ERRS, Manner.GONE)


@asynccontextmanager
async def without_a_node(
    fleet: AccountFleet, name: str
) -> AsyncIterator[tuple[HostedEndpoint, HostedEndpoint]]:
    """A daemon that has two hosted endpoints instead of a node on the chain of ETH, for a while."""
    chain, daemon = fleet.chain_of("ETH"), fleet[name]
    pair, had = (HostedEndpoint(chain.anvil), HostedEndpoint(chain.anvil)), daemon.tables
    own = f'own_endpoints = ["{chain.anvil.url}"]'
    assert own in had
    async with trio.open_nursery() as nursery:
        urls = [await nursery.start(each.serve) for each in pair]
        hosted = "endpoints = [" + ", ".join(f'"{url}"' for url in urls) + "]"
        daemon.tables = tuple(hosted if line == own else line for line in had)
        await fleet.restart(name)
        try:
            yield pair
        finally:
            daemon.tables = had
            with trio.CancelScope(shield=True):
                await fleet.restart(name)
            nursery.cancel_scope.cancel()


async def has_revealed(fleet: AccountFleet, swap_id: str) -> bool:
    """Whether a claim of the maker's lock is anywhere to be seen, by the maker's own node."""
    return (await stories.leg_of(fleet, "maker", swap_id, "p"))[0] == "claimed"


async def until_maker_locked(fleet: AccountFleet, swap_id: str) -> None:
    """Blocks, until the maker's lock waits in a mempool."""

    async def is_sent() -> bool:
        return (await stories.leg_of(fleet, "maker", swap_id, "p"))[0] != "unseen"

    await fleet.until(is_sent)


async def test_nothing_is_revealed_on_one_voice_and_the_swap_goes_on_when_both_agree(
    accounts: AccountFleet,
) -> None:
    async with without_a_node(accounts, "taker") as (good, bad):
        before = await books.of(accounts, "BTC", "ETH")
        swap_id = await stories.take(accounts, "BTC", "ETH", gets="30")
        await until_maker_locked(accounts, swap_id)
        accounts.patience = IDLE_SECONDS
        await bad.behave(Manner.LAGS)
        for manner in (*[Manner.LAGS] * UNTIL_FINAL, *BAD_DAYS):
            if manner is not Manner.LAGS:
                await bad.behave(manner)
            await accounts.block()
            await good.until_asked()
            assert not await has_revealed(accounts, swap_id), manner
            assert good.calls["eth_sendRawTransaction"] == 0
        assert (await stories.leg_of(accounts, "maker", swap_id, "p"))[0] == "final"
        await bad.behave(Manner.HONEST)
        accounts.patience = PATIENCE_SECONDS
        await accounts.until_ended(swap_id)
        assert await stories.ends_of(accounts, swap_id) == COMPLETED
        assert await books.wrong(accounts, before, "BTC", "ETH", COMPLETED) == ""
        assert good.calls["eth_sendRawTransaction"] > 0


async def test_who_never_hears_two_voices_takes_its_coins_back_and_has_shown_nothing(
    accounts: AccountFleet,
) -> None:
    async with without_a_node(accounts, "taker") as (good, bad):
        before = await books.of(accounts, "BTC", "ETH")
        swap_id = await stories.take(accounts, "BTC", "ETH")
        await until_maker_locked(accounts, swap_id)
        accounts.patience = IDLE_SECONDS
        await bad.behave(Manner.DENIES)
        for leg in ("p", "i"):
            await accounts.pass_blocks_to(await stories.expiry_of(accounts, "maker", swap_id, leg))
            await accounts.block()
        await accounts.until_ended(swap_id)
        assert await stories.ends_of(accounts, swap_id) == REFUNDED
        assert await books.wrong(accounts, before, "BTC", "ETH", REFUNDED) == ""
        assert good.calls["eth_sendRawTransaction"] == 0


@pytest.mark.parametrize(
    ("pair", "pays", "gets"), [("BTC/ETH", None, "30"), ("ETH/BTC", 30.0, None)]
)
async def test_more_wei_than_64_bits_hold_are_swapped_to_the_unit(
    accounts: AccountFleet, pair: str, pays: float | None, gets: str | None
) -> None:
    pay, _, get = pair.partition("/")
    before = await books.of(accounts, pay, get)
    swap_id = await stories.take(accounts, pay, get, pays=pays, gets=gets)
    await accounts.until_ended(swap_id)
    told = await accounts.swap("taker", swap_id)
    assert max(int(leg["amount"]["units"]) for leg in told["legs"]) == 30 * 10**18 > 2**64
    assert await stories.ends_of(accounts, swap_id) == COMPLETED
    assert await books.wrong(accounts, before, pay, get, COMPLETED) == ""
