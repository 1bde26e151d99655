"""Who is away while a tower holds his packages, in swaps with a leg on a chain of accounts. All by
`./dev towers PAIR=BTC/ETH`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.daemons.accounts import AccountFleet
from tests.towers.accounts import CASES, Away, Towers, play

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(400), pytest.mark.slow]


@pytest.fixture
async def towers(accounts: AccountFleet, tmp_path: Path) -> AsyncIterator[Towers]:
    """None yet."""
    made = Towers(accounts, tmp_path)
    yield made
    await made.close()


@pytest.mark.parametrize("case", CASES[:5], ids=lambda case: case.name)
async def test_a_client_who_is_away_ends_as_if_he_were_there(towers: Towers, case: Away) -> None:
    end, fee, most = await play(towers, case)
    assert end == case.end
    assert 0 < fee <= most
