"""What operators are told of a leg on a chain with accounts: views, explanations, rescue."""

from pathlib import Path

import pytest
from coincurve import PrivateKey
from msgspec.structs import replace

from protocol.assets import AssetId
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.evm.address import checksummed
from protocol.evm.legs import contract_of, refund_call, token_of
from protocol.swap.advice import Around
from protocol.swap.events import LockBuilt
from protocol.swap.facts import Conflict
from protocol.swap.machine import step
from protocol.swap.states import SwapState
from protocol.terms import LegName, Role, own_leg
from swapd.api.amounts import AssetTable
from swapd.api.values import AssetInfo
from swapd.engine.operations.explaining import explanation
from swapd.engine.operations.rescuing import rescue
from swapd.engine.operations.swap_views import SwapViews
from tests.engine.operations import account_situations
from tests.fakes.signer import FakeSigner
from tests.fakes.store import FakeStore
from tests.protocol.swap.test_account_legs import (
    ETH,
    GWEI,
    USDC,
    entry,
    look,
    on_accounts,
    version,
)
from tests.protocol.swap.toy import T0

TXID = "ab" * 32
ASSETS = AssetTable(
    AssetInfo(asset=asset, chain=asset.partition("/")[0], ticker=ticker, decimals=decimals)
    for asset, ticker, decimals in (
        (BITCOIN_REGTEST.asset_id, "BTC", 8),
        (LITECOIN_REGTEST.asset_id, "LTC", 8),
        (ETH, "ETH", 18),
        (USDC, "USDC", 6),
    )
)


def with_keys(state: SwapState) -> SwapState:
    """The other leg's keys are points of the curve."""
    keys = [PrivateKey(bytes([n]) * 32).public_key.format() for n in (1, 2)]
    terms = state.agreement.terms
    name = "leg_p" if state.agreement.role is Role.INITIATOR else "leg_i"
    other = replace(getattr(terms, name), claim_key=keys[0], refund_key=keys[1])
    agreement = replace(state.agreement, terms=replace(terms, **{name: other}))
    return replace(state, agreement=agreement)


def moments(role: Role, asset: AssetId) -> dict[str, SwapState]:
    agreed = with_keys(on_accounts(role, asset))
    held = look(step(agreed, LockBuilt(version(TXID, 10 * GWEI))), 1)
    hangs = look(held, 2, locks=(entry(0, TXID),))
    locked = look(hangs, 3, locks=(entry(2, TXID),))
    return {
        "agreed": look(agreed, 1),
        "held": held,
        "hangs": hangs,
        "too late": look(hangs, 41, conflict=Conflict("", 1)),
        "locked": locked,
        "expired": look(locked, 500, locks=(entry(9),), median_time=T0 + 10**5),
    }


@pytest.mark.parametrize("asset", [ETH, USDC])
@pytest.mark.parametrize("role", Role)
def test_every_moment_is_told_in_the_words_of_its_chain(role: Role, asset: AssetId) -> None:
    for name, state in moments(role, asset).items():
        leg = next(
            leg
            for leg in SwapViews(ASSETS).detail(state, 1, T0, now=T0, trouble="").legs
            if leg.ours
        )
        assert leg.script_address == checksummed(contract_of(token_of(asset))), name
        assert leg.ticker == ("ETH" if asset == ETH else "USDC")
        assert [tx.txid for tx in leg.transactions if tx.what == "lock"] in ([], [TXID])
        told = explanation(ASSETS, state, Around(T0 + 5))
        assert {cost.amount.ticker for cost in told.costs if cost.what != "claim"} <= {"ETH"}


async def test_a_rescue_names_the_call_that_takes_the_coins_back() -> None:
    state = moments(Role.INITIATOR, USDC)["expired"]
    found = await rescue(FakeStore(), FakeSigner(), ASSETS, state, keys=True, fee_rates=(), now=T0)
    [ours] = [leg for leg in found.legs if leg.ours]
    leg = state.agreement.terms.leg(own_leg(Role.INITIATOR))
    assert ours.descriptor == "0x" + refund_call(leg, state.agreement.terms.hashlock).hex()
    assert ours.script_address == checksummed(contract_of(token_of(USDC)))
    assert all(tx.leg == LegName.P.value for tx in found.transactions)
    assert all(key.leg == LegName.P.value for key in found.keys)


@pytest.mark.parametrize("told", account_situations.ALL, ids=lambda told: told.name)
def test_every_recorded_trouble_of_such_a_chain_is_explained(told: account_situations.Told) -> None:
    state = with_keys(account_situations.moment_of(told))
    found = explanation(ASSETS, state, Around(T0 + 5))
    advice = {each.code: each for each in found.advice}
    assert told.code in advice, found.advice
    given = advice[told.code]
    assert given.severity == told.severity
    assert told.remedy in given.remedy
    assert (found.next_actor.value, found.at_risk.value) == (told.who, told.risk)
    words = given.what + given.remedy
    for bitcoins in ("median", "mempoolreplacement", "wallet", "coin of our lock", "six"):
        assert bitcoins not in words


def test_the_operators_table_has_these_too() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "runbook.md"
    text = page.read_text(encoding="utf-8")
    for told in account_situations.ALL:
        assert f"| {told.name} | `{told.code}` | {told.severity} |" in text, told.name
