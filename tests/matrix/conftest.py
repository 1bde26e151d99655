"""Fixtures of swaps on chains of accounts: one world, one relay and two daemons for all of them."""

import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import trio

from tests.daemons.mortal import MortalAccounts
from tests.matrix.__main__ import mend

ASSETS = ("BTC", "ETH", "USDC")
COINS = 6
COIN = 100_000_000
PATIENCE_SECONDS = 6
"""Of real time: a loaded machine must not pass over what a test waits for."""


@pytest.fixture(scope="session")
def account_fleet_session() -> Iterator[MortalAccounts]:
    """Two daemons, their bitcoinds and an anvil, started once. Use `accounts`."""
    fleet = MortalAccounts.of(ASSETS)

    async def begin() -> None:
        await fleet.begin()
        for party in ("maker", "taker"):
            await fleet.world.fund(party, "BTC", COINS, COIN)
        await fleet.start()

    try:
        trio.run(begin)
        yield fleet
    finally:
        trio.run(fleet.end)


@pytest.fixture
async def accounts(
    account_fleet_session: MortalAccounts, request: pytest.FixtureRequest
) -> AsyncIterator[MortalAccounts]:
    """Both daemons up, no offer and no swap open; what they believe of code and tokens is of a new
    block, in which nothing hostile of the test before is left."""
    account_fleet_session.patience = PATIENCE_SECONDS
    await mend(account_fleet_session)
    await account_fleet_session.block()
    yield account_fleet_session
    if request.session.testsfailed:
        for daemon in account_fleet_session.all:
            sys.stderr.write(f"--- {daemon.name}\n{daemon.tail(60)}\n")
