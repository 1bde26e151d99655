"""A leg on a chain of accounts when the machine is lost, locked, or dead for good: seed words and
recovery file, the gas account of a locked daemon, and calls typed into a node by hand.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.daemons.accounts import ETHER, AccountFleet
from tests.daemons.mortal import MortalAccounts
from tests.daemons.process import PASSPHRASE, SwapdProcess
from tests.functional.test_locked import Unattended, swap_cli, unattended, until_state
from tests.functional.test_rescue import of, printed
from tests.matrix import stories
from tests.matrix.stories import COMPLETED
from tests.matrix.test_matrix import ends_after
from tests.nodes.anvil import SOMEONE

pytestmark = [pytest.mark.nodes, pytest.mark.timeout(600), pytest.mark.slow]


# --- Lost -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "story", "party", "point", "end"),
    [
        ("BTC/ETH", "refund", "maker", "effect:before:BroadcastRefund", "refunded"),
        ("ETH/BTC", "happy", "maker", "effect:before:BroadcastClaim", "completed"),
        ("ETH/BTC", "refund", "taker", "journal:after:RefundBuilt", "refunded"),
    ],
)
async def test_a_machine_lost_with_a_lock_of_ether_open_loses_none(
    accounts: MortalAccounts, pair: str, story: str, party: str, point: str, end: str
) -> None:
    accounts.loses_machines = True
    try:
        found = await ends_after(accounts, pair, story, **{party: (point,)})
    finally:
        accounts.loses_machines = False
    assert found == {end}


# --- Locked -----------------------------------------------------------------------------------


@pytest.fixture
def maker(accounts: AccountFleet) -> Iterator[Unattended]:
    """The maker's daemon, from its next start on unattended."""
    daemon = unattended(accounts, "maker")
    yield daemon
    daemon.__class__ = SwapdProcess  # type: ignore[assignment]  # as it was


async def until(fleet: AccountFleet, swap_id: str, leg: str, status: str) -> None:
    """Blocks, until the maker sees a leg so."""

    async def reached() -> bool:
        return (await stories.leg_of(fleet, "maker", swap_id, leg))[0] == status

    await fleet.until(reached, blocks=60)


async def test_a_locked_maker_says_that_it_lacks_gas_and_claims_when_it_is_there(
    accounts: AccountFleet, maker: Unattended
) -> None:
    anvil = accounts.chain_of("ETH").anvil
    gas = accounts.relay_account_of(maker)
    before = await accounts.holdings("maker", "ETH")
    swap_id = await stories.take(accounts, "ETH", "BTC")
    await until(accounts, swap_id, "p", "confirmed")
    await maker.kill()
    await maker.start()
    assert (await maker.call("getinfo"))["state"] == "locked"
    for _ in range(3):
        await accounts.block()
    assert any("not enough ETH for gas" in str(event) for event in maker.events())
    await anvil.give(gas, ETHER // 10)
    await until(accounts, swap_id, "i", "claimed")
    spent = ETHER // 10 - await anvil.balance(gas)
    assert 0 < spent < ETHER // 100
    units = int(0.4 * ETHER)
    assert await accounts.holdings("maker", "ETH") == before + units
    code, told = await swap_cli(maker, "unlock", typed=f"{PASSPHRASE}\n")
    assert code == 0, told
    await until_state(maker, "running")
    await accounts.until_ended(swap_id)
    assert await stories.ends_of(accounts, swap_id) == COMPLETED


# --- By hand ----------------------------------------------------------------------------------


async def typed(fleet: AccountFleet, to: str, data: str) -> dict[str, Any]:
    """A call from an account that has nothing to do with the swap, as anybody can send it."""
    anvil = fleet.chain_of("ETH").anvil
    await anvil.give(SOMEONE, ETHER)
    call = {"from": "0x" + SOMEONE.hex(), "to": to, "data": data, "gas": hex(200_000)}
    txid = await anvil.rpc("eth_sendTransaction", call)
    await anvil.mine(fleet.world.clock.now())
    receipt: dict[str, Any] = await anvil.rpc("eth_getTransactionReceipt", txid)
    return receipt


async def test_a_printed_call_brings_the_ether_of_a_dead_maker_home_after_the_expiry(
    accounts: AccountFleet,
) -> None:
    before = await accounts.holdings("maker", "ETH")
    swap_id = await stories.take(accounts, "BTC", "ETH")
    await until(accounts, swap_id, "p", "confirmed")
    told = await printed(accounts["maker"], swap_id)
    [leg] = [leg for leg in told["legs"] if leg["ours"]]
    swap = await accounts.swap("maker", swap_id)
    own = next(each for each in swap["legs"] if each["ours"])
    lock = next(tx["txid"] for tx in own["transactions"] if tx["what"] == "lock")
    for name in ("maker", "taker"):
        await accounts[name].kill()
    early = await typed(accounts, leg["script_address"], leg["descriptor"])
    assert early["status"] == "0x0"
    await accounts.pass_blocks_to(int(own["expiry"]) + 1)
    done = await typed(accounts, leg["script_address"], leg["descriptor"])
    assert done["status"] == "0x1"
    cost = await accounts.fee("ETH", lock)
    assert await accounts.holdings("maker", "ETH") == before - cost


async def test_a_dead_makers_claim_is_completed_by_hand_with_what_the_contract_shows(
    accounts: AccountFleet,
) -> None:
    swap_id = await stories.take(accounts, "ETH", "BTC")
    await until(accounts, swap_id, "p", "confirmed")
    before = await accounts.holdings("maker", "ETH")
    told = await printed(accounts["maker"], swap_id)
    [theirs] = [leg for leg in told["legs"] if not leg["ours"]]
    assert "<PREIMAGE>" in theirs["descriptor"]
    await accounts["maker"].kill()
    await accounts.until_phase("taker", swap_id, "completed", blocks=60)
    preimage = await _shown_on_bitcoin(accounts, told)
    data = theirs["descriptor"].replace("<PREIMAGE>", preimage)
    done = await typed(accounts, theirs["script_address"], data)
    assert done["status"] == "0x1"
    assert await accounts.holdings("maker", "ETH") == before + int(theirs["amount"]["units"])
    await accounts["maker"].start()
    await accounts.until_ended(swap_id)
    assert await stories.ends_of(accounts, swap_id) == COMPLETED


async def _shown_on_bitcoin(fleet: AccountFleet, told: dict[str, Any]) -> str:
    """The preimage that the newest blocks show in a spend of our lock."""
    script = next(leg["script"] for leg in told["legs"] if leg["ours"])
    node = fleet.world.funder
    name = await node.rpc("BTC", "getbestblockhash")
    for _ in range(20):
        block = await node.rpc("BTC", "getblock", name, 2)
        for tx in block["tx"]:
            for spent in tx["vin"]:
                witness = spent.get("txinwitness", ())
                if len(witness) == 3 and witness[2] == script and witness[0]:
                    return str(witness[0])
        name = block["previousblockhash"]
    raise AssertionError("nobody has claimed it")


async def test_the_secret_that_rescue_tells_to_read_from_the_contract_completes_a_claim_of_bitcoin(
    accounts: AccountFleet,
) -> None:
    swap_id = await stories.take(accounts, "BTC", "ETH")
    await until(accounts, swap_id, "p", "confirmed")
    told = await printed(accounts["maker"], swap_id)
    await accounts["maker"].kill()
    await accounts.until_phase("taker", swap_id, "completed", blocks=60)
    note = next(each for each in told["notes"] if "eth_getStorageAt" in each)
    slot, hashlock = re.findall(r"\b(?:0x)?[0-9a-f]{64}\b", note)
    [contract] = re.findall(r"0x[0-9a-fA-F]{40}\b", note)
    value = await accounts.chain_of("ETH").anvil.rpc("eth_getStorageAt", contract, slot, "latest")
    known = bytes.fromhex(value[2:])
    both = (known, bytes([known[0] | 0x80]) + known[1:])
    [preimage] = [each for each in both if hashlib.sha256(each).hexdigest() == hashlock]
    chosen = of(told, "claim_without_preimage")[2]
    raw = chosen["raw"].replace("<PREIMAGE>", preimage.hex())
    assert await accounts.world.funder.rpc("BTC", "sendrawtransaction", raw) == chosen["txid"]
    await accounts.world.pass_time(10)
    await accounts["maker"].start()
    await accounts.until_ended(swap_id)
    assert await stories.ends_of(accounts, swap_id) == COMPLETED
