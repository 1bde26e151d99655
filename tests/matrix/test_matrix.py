"""Swaps between bitcoind, litecoind and EVM chains on real nodes: each way they can go, and what
only chains of accounts do. All pairs by `./dev matrix`.
"""

import pytest

from protocol.evm.legs import contract_of
from tests.daemons.accounts import AccountFleet
from tests.daemons.mortal import Kill, MortalAccounts
from tests.functional.kills import arena as kill_points
from tests.functional.kills.plan import Cell, Run
from tests.matrix import books, hostile, stories
from tests.matrix.__main__ import FINE, play
from tests.matrix.stories import COMPLETED, REFUNDED, STORIES

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(900)]

TOLD = [
    *(("BTC/ETH", "happy"), ("BTC/ETH", "refund B")),
    *(("ETH/BTC", "happy"), ("ETH/BTC", "refund A"), ("ETH/BTC", "refund B")),
    ("USDC/BTC", "happy"),
]
"""In the short run, where the maker of BTC/ETH that may not lock tells of its refund A; the others
of these pairs are slow, and all pairs are `./dev matrix`."""

REST = [
    (pair, story)
    for pair in ("BTC/ETH", "ETH/BTC", "BTC/USDC", "USDC/BTC", "ETH/USDC")
    for story in STORIES
    if (pair, story) not in TOLD
]
GIVEN_UP = ("never_funded", "refunded")
NOBODY_LOCKED = ("never_funded", "never_funded")
GWEI = 10**9
BUSY = 20 * GWEI
"""Ten times what a lock offers on a quiet chain, and far less than it may cost."""
DEAR = 5_000 * GWEI
"""Far above what a lock of these amounts may cost."""
IDLE_SECONDS = 0.5
"""Patience where a daemon goes on asking whether it may lock, and may not."""


@pytest.mark.parametrize(
    ("pair", "story"), [*TOLD, *(pytest.param(*each, marks=pytest.mark.slow) for each in REST)]
)
async def test_a_swap_between_any_two_chains_ends_as_it_should(
    accounts: AccountFleet, pair: str, story: str
) -> None:
    pay, _, get = pair.partition("/")
    assert await play(accounts, pay, get, story) == FINE


async def ends_after(
    fleet: MortalAccounts, pair: str, story: str, **kills: tuple[str, ...]
) -> set[str]:
    """How the swap of each of the killed ended; `kill_points.play` has judged balances and ends."""
    pay, _, get = pair.partition("/")
    fleet.deal = (pay, get)
    cells = [Cell(story, party, Kill(point)) for party in kills for point in kills[party]]
    found = await kill_points.play(fleet, Run(story, tuple(cells)))
    return {found[cell] for cell in cells}


async def test_killed_between_signing_writing_and_sending_a_lock_or_claim_of_ether_is_made_once(
    accounts: MortalAccounts,
) -> None:
    maker = ("effect:after:BuildLock", "journal:after:LockBuilt")
    taker = ("effect:after:BuildClaim", "effect:before:BroadcastClaim")
    assert await ends_after(accounts, "BTC/ETH", "happy", maker=maker, taker=taker) == {"completed"}


async def test_the_same_where_the_taker_locks_ether_and_the_maker_claims_it(
    accounts: MortalAccounts,
) -> None:
    taker = ("journal:before:LockBuilt", "effect:after:BroadcastLock")
    maker = ("journal:before:ClaimBuilt", "effect:after:BroadcastClaim")
    assert await ends_after(accounts, "ETH/BTC", "happy", taker=taker, maker=maker) == {"completed"}


async def test_a_taker_killed_while_it_takes_the_place_of_its_lock_never_funded_it(
    accounts: MortalAccounts,
) -> None:
    taker = ("effect:after:BuildKill",)
    story = "cancelled by the taker"
    assert await ends_after(accounts, "ETH/BTC", story, taker=taker) == {"never_funded"}


@pytest.mark.slow
async def test_both_killed_while_they_refund_ether_and_bitcoin_are_refunded_once(
    accounts: MortalAccounts,
) -> None:
    taker, maker = ("journal:after:RefundBuilt",), ("effect:before:BroadcastRefund",)
    assert await ends_after(accounts, "ETH/BTC", "refund", taker=taker, maker=maker) == {"refunded"}


async def locks_of(fleet: AccountFleet, name: str, swap_id: str, leg: str) -> list[str]:
    """The transactions that were signed as lock of a leg, by a daemon's own word."""
    told = await fleet.swap(name, swap_id)
    found = next(each for each in told["legs"] if each["name"] == leg)
    return [tx["txid"] for tx in found["transactions"] if tx["what"] == "lock"]


async def until_sent(fleet: AccountFleet, name: str, swap_id: str, leg: str) -> None:
    """Blocks, until a lock waits in a mempool."""

    async def is_sent() -> bool:
        return (await stories.leg_of(fleet, name, swap_id, leg))[0] != "unseen"

    await fleet.until(is_sent)


async def test_nobody_locks_where_the_contract_is_another_one(accounts: AccountFleet) -> None:
    anvil = accounts.chain_of("ETH").anvil
    before = await books.of(accounts, "BTC", "ETH")
    swap_id = await stories.take(accounts, "BTC", "ETH")
    accounts.patience = IDLE_SECONDS
    async with hostile.code_at(anvil, contract_of(None), hostile.ACCEPTS_ALL):
        for _ in range(4):
            await accounts.block()
        await accounts.pass_blocks_to(await stories.expiry_of(accounts, "taker", swap_id, "i"))
        await accounts.until_ended(swap_id)
        assert await anvil.balance(contract_of(None)) == 0
    assert await stories.ends_of(accounts, swap_id) == GIVEN_UP
    assert await books.wrong(accounts, before, "BTC", "ETH", GIVEN_UP) == ""
    assert await accounts.holdings("maker", "ETH") == before["maker", "ETH"]


async def test_a_token_of_which_less_arrives_is_not_locked_and_costs_gas_at_most(
    accounts: AccountFleet,
) -> None:
    before = await books.of(accounts, "USDC", "BTC")
    swap_id = await stories.take(accounts, "USDC", "BTC")
    await until_sent(accounts, "taker", swap_id, "i")
    [lock] = await locks_of(accounts, "taker", swap_id, "i")
    accounts.patience = IDLE_SECONDS
    async with hostile.token_that(accounts.chain_of("USDC"), hostile.TAKES_A_FEE):
        await accounts.until_ended(swap_id)
    receipt = await accounts.chain_of("USDC").anvil.rpc("eth_getTransactionReceipt", "0x" + lock)
    assert receipt["status"] == "0x0"
    assert await stories.ends_of(accounts, swap_id) == NOBODY_LOCKED
    assert await books.wrong(accounts, before, "USDC", "BTC", NOBODY_LOCKED) == ""
    assert await accounts.holdings("maker", "BTC") == before["maker", "BTC"]


@pytest.mark.slow
async def test_nothing_is_revealed_while_the_issuer_pauses_the_token(
    accounts: AccountFleet,
) -> None:
    before = await books.of(accounts, "BTC", "USDC")
    swap_id = await stories.take(accounts, "BTC", "USDC")

    async def is_locked() -> bool:
        return (await stories.leg_of(accounts, "maker", swap_id, "p"))[1] == 1

    await accounts.until(is_locked)
    accounts.patience = IDLE_SECONDS
    async with hostile.token_that(accounts.chain_of("USDC"), hostile.SAYS_PAUSED):
        for leg in ("p", "i"):
            expiry = await stories.expiry_of(accounts, "maker", swap_id, leg)
            while accounts.world.clock.now() <= expiry:
                await accounts.block()
                assert (await stories.leg_of(accounts, "maker", swap_id, "p"))[0] != "claimed"
    await accounts.until_ended(swap_id)
    assert await stories.ends_of(accounts, swap_id) == REFUNDED
    assert await books.wrong(accounts, before, "BTC", "USDC", REFUNDED) == ""


async def test_a_lock_that_gas_has_outrun_is_replaced_by_a_dearer_one(
    accounts: AccountFleet,
) -> None:
    anvil = accounts.chain_of("ETH").anvil
    before = await books.of(accounts, "BTC", "ETH")
    swap_id = await stories.take(accounts, "BTC", "ETH")
    await until_sent(accounts, "maker", swap_id, "p")
    [first] = await locks_of(accounts, "maker", swap_id, "p")
    await hostile.next_base_fee(anvil, BUSY)
    await accounts.block()
    assert (await stories.leg_of(accounts, "maker", swap_id, "p"))[1] == 0
    await accounts.until_ended(swap_id)
    assert await stories.ends_of(accounts, swap_id) == COMPLETED
    assert await books.wrong(accounts, before, "BTC", "ETH", COMPLETED) == ""
    mined = [txid for txid in await locks_of(accounts, "maker", swap_id, "p") if txid != first]
    assert [await accounts.depth("ETH", txid) is not None for txid in mined] == [True]
    assert await accounts.depth("ETH", first) is None


@pytest.mark.slow
async def test_a_lock_that_no_gas_can_save_is_dead_and_nobody_loses(accounts: AccountFleet) -> None:
    anvil = accounts.chain_of("ETH").anvil
    before = await books.of(accounts, "BTC", "ETH")
    swap_id = await stories.take(accounts, "BTC", "ETH")
    await until_sent(accounts, "maker", swap_id, "p")
    for _ in range(3):
        await hostile.next_base_fee(anvil, DEAR)
        await accounts.block()
        assert (await stories.leg_of(accounts, "maker", swap_id, "p"))[1] == 0
    await hostile.next_base_fee(anvil, GWEI)
    await accounts.until_ended(swap_id, blocks=90)
    ends = await stories.ends_of(accounts, swap_id)
    assert ends in {COMPLETED, GIVEN_UP}
    assert await books.wrong(accounts, before, "BTC", "ETH", ends) == ""


@pytest.mark.parametrize("depth", [1, pytest.param(2, marks=pytest.mark.slow)])
async def test_a_reorganisation_of_the_chain_of_accounts_costs_nobody_a_unit(
    accounts: AccountFleet, depth: int
) -> None:
    anvil = accounts.chain_of("ETH").anvil
    before = await books.of(accounts, "ETH", "BTC")
    swap_id = await stories.take(accounts, "ETH", "BTC")

    async def is_locked() -> bool:
        return (await stories.leg_of(accounts, "taker", swap_id, "i"))[1] >= depth

    await accounts.until(is_locked)
    # anvil forgets what was in those blocks: whoever sent it sends it again.
    await anvil.reorg(depth, 0)
    await accounts.until_ended(swap_id, blocks=90)
    ends = await stories.ends_of(accounts, swap_id)
    assert ends in {COMPLETED, GIVEN_UP, REFUNDED, NOBODY_LOCKED}
    assert await books.wrong(accounts, before, "ETH", "BTC", ends) == ""
