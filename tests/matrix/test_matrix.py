"""Swaps between bitcoind, litecoind and EVM chains on real nodes: each way they can go, and what
only chains of accounts do. All pairs by `./dev matrix`.
"""

import pytest

from protocol.evm.legs import contract_of
from tests.daemons.accounts import AccountFleet
from tests.matrix import stories
from tests.matrix.__main__ import FINE, play
from tests.matrix.stories import COMPLETED, STORIES

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(900)]

TOLD = [
    *[
        (pair, story)
        for pair in ("BTC/ETH", "ETH/BTC")
        for story in ("happy", "refund A", "refund B")
    ],
    ("USDC/BTC", "happy"),
]
"""In the short run; the others of these pairs are slow, and all pairs are `./dev matrix`."""

REST = [
    (pair, story)
    for pair in ("BTC/ETH", "ETH/BTC", "BTC/USDC", "USDC/BTC", "ETH/USDC")
    for story in STORIES
    if (pair, story) not in TOLD
]
GIVEN_UP = ("never_funded", "refunded")
DEAR = 5_000 * 10**9
"""Wei per gas: far above what a lock of these amounts may cost."""


@pytest.mark.parametrize(
    ("pair", "story"), [*TOLD, *(pytest.param(*each, marks=pytest.mark.slow) for each in REST)]
)
async def test_a_swap_between_any_two_chains_ends_as_it_should(
    accounts: AccountFleet, pair: str, story: str
) -> None:
    pay, _, get = pair.partition("/")
    assert await play(accounts, pay, get, story) == FINE


async def test_nobody_locks_where_the_contract_is_another_one(accounts: AccountFleet) -> None:
    anvil = accounts.chain_of("ETH").anvil
    address = "0x" + contract_of(None).hex()
    real = await anvil.rpc("eth_getCode", address, "latest")
    before = await accounts.holdings("maker", "ETH")
    swap_id = await stories.take(accounts, "BTC", "ETH")
    await anvil.rpc("anvil_setCode", address, "0x6001")
    told = await accounts.swap("taker", swap_id)
    expiry = next(leg["expiry"] for leg in told["legs"] if leg["name"] == "i")
    for _ in range(8):
        await accounts.block()
    await accounts.pass_blocks_to(expiry)
    await accounts.until_ended(swap_id)
    assert await stories.ends_of(accounts, swap_id) == GIVEN_UP
    assert await accounts.holdings("maker", "ETH") == before
    await anvil.rpc("anvil_setCode", address, real)


async def test_a_lock_that_gas_has_outrun_is_dearer_or_dead_and_nobody_loses(
    accounts: AccountFleet,
) -> None:
    anvil = accounts.chain_of("ETH").anvil
    swap_id = await stories.take(accounts, "BTC", "ETH")

    async def is_sent() -> bool:
        return (await stories.leg_of(accounts, "maker", swap_id, "p"))[0] != "unseen"

    await accounts.until(is_sent)
    for _ in range(3):
        await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(DEAR))
        await accounts.block()
        assert (await stories.leg_of(accounts, "maker", swap_id, "p"))[1] == 0
    await anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    await accounts.until_ended(swap_id, blocks=90)
    assert await stories.ends_of(accounts, swap_id) in {COMPLETED, GIVEN_UP}


@pytest.mark.parametrize("depth", [1, 2])
async def test_a_reorganisation_of_the_chain_of_accounts_costs_nobody_a_unit(
    accounts: AccountFleet, depth: int
) -> None:
    anvil = accounts.chain_of("ETH").anvil
    swap_id = await stories.take(accounts, "ETH", "BTC")

    async def is_locked() -> bool:
        return (await stories.leg_of(accounts, "taker", swap_id, "i"))[1] >= depth

    await accounts.until(is_locked)
    # anvil forgets what was in those blocks: whoever sent it sends it again.
    await anvil.reorg(depth, 0)
    await accounts.until_ended(swap_id, blocks=90)
    ends = await stories.ends_of(accounts, swap_id)
    assert ends in {COMPLETED, GIVEN_UP, ("refunded", "refunded"), ("never_funded", "never_funded")}
