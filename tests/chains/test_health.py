"""Every reason not to lock or reveal, and every reason not to trust a node at all."""

from typing import Any

import pytest

from protocol.bitcoin.params import BITCOIN_MAINNET
from swapd.chains import BitcoindChain
from swapd.ports import ChainError, NodeMisconfigured
from tests.chains.canned import TIP_TIME, healthy, node, serving
from tests.fakes.clock import FakeClock


async def problems(answers: dict[str, Any], now: int = TIP_TIME + 60) -> tuple[str, ...]:
    async with serving(node(answers)) as config:
        return (await BitcoindChain(BITCOIN_MAINNET, config, FakeClock(now)).status()).problems


async def check(answers: dict[str, Any]) -> None:
    async with serving(node(answers)) as config:
        await BitcoindChain(BITCOIN_MAINNET, config, FakeClock(TIP_TIME)).check()


async def test_a_healthy_node_has_no_problems_and_passes() -> None:
    assert await problems(healthy()) == ()
    await check(healthy())


async def test_fee_rates_are_exact_and_never_below_the_floor() -> None:
    answers = healthy()
    async with serving(node(answers)) as config:
        status = await BitcoindChain(BITCOIN_MAINNET, config, FakeClock(TIP_TIME)).status()
        assert (status.fee_next, status.fee_floor) == (12_345, 2_000)
        answers["getmempoolinfo"] = {"mempoolminfee": 0.0003}
        status = await BitcoindChain(BITCOIN_MAINNET, config, FakeClock(TIP_TIME)).status()
        assert (status.fee_next, status.fee_floor) == (31_000, 31_000)
        answers["estimatesmartfee"] = {"errors": ["Insufficient data"], "blocks": 2}
        status = await BitcoindChain(BITCOIN_MAINNET, config, FakeClock(TIP_TIME)).status()
        assert status.fee_next == 50_000


@pytest.mark.parametrize(
    ("call", "field", "value", "says"),
    [
        ("getnetworkinfo", "connections", 3, "3 peers"),
        ("getblockchaininfo", "headers", 900_002, "2 headers"),
        ("getblockchaininfo", "initialblockdownload", True, "catching up"),
    ],
)
async def test_a_node_that_may_be_behind_has_a_problem(
    call: str, field: str, value: object, says: str
) -> None:
    answers = healthy()
    answers[call][field] = value
    [problem] = await problems(answers)
    assert says in problem


async def test_an_old_tip_is_a_problem_after_ninety_minutes() -> None:
    assert await problems(healthy(), TIP_TIME + 90 * 60) == ()
    [problem] = await problems(healthy(), TIP_TIME + 90 * 60 + 1)
    assert "90 minutes" in problem


async def test_a_clock_behind_the_median_time_is_a_problem() -> None:
    assert await problems(healthy(), TIP_TIME - 3600) == ()
    [problem] = await problems(healthy(), TIP_TIME - 3601)
    assert "set the clock" in problem


@pytest.mark.parametrize(
    ("length", "height", "status", "competes"),
    [
        (1, 900_000, "valid-fork", True),
        (1, 900_000, "headers-only", True),
        (1, 900_000, "invalid", False),
        (1, 899_999, "valid-fork", False),
        (2, 899_995, "valid-headers", True),
        (2, 899_994, "valid-fork", False),
    ],
)
async def test_a_competing_branch_is_a_problem_while_it_is_near(
    length: int, height: int, status: str, competes: bool
) -> None:
    answers = healthy()
    answers["getchaintips"].append(
        {"height": height, "hash": "cd" * 32, "branchlen": length, "status": status}
    )
    found = await problems(answers)
    assert bool(found) == competes
    assert all("competing" in problem for problem in found)


async def test_a_wallet_that_is_not_loaded_is_a_problem_with_a_remedy() -> None:
    [problem] = await problems(healthy() | {"listwallets": ["other"]})
    assert 'loadwallet "swaps"' in problem
    with pytest.raises(NodeMisconfigured, match="loadwallet"):
        await check(healthy() | {"listwallets": []})
    with pytest.raises(NodeMisconfigured, match="private keys"):
        await check(healthy() | {"getwalletinfo": {"private_keys_enabled": False}})


async def test_another_chain_another_genesis_and_an_old_version_are_refused() -> None:
    other = healthy()
    other["getblockchaininfo"]["chain"] = "test"
    old = healthy()
    old["getnetworkinfo"]["version"] = 219900
    for answers, says in (
        (other, "bitcoin mainnet is configured"),
        (healthy() | {"getblockhash": "12" * 32}, "first block 1212"),
        (old, "220000 or newer"),
    ):
        with pytest.raises(NodeMisconfigured, match=says):
            await check(answers)
    with pytest.raises(NodeMisconfigured):
        await problems(other)


async def test_rules_that_are_missing_or_not_active_are_refused() -> None:
    young = healthy()
    young["getdeploymentinfo"]["deployments"]["bip65"]["active"] = False
    early = healthy()
    early["getdeploymentinfo"]["deployments"]["csv"]["height"] = 900_001
    without = healthy()
    del without["getdeploymentinfo"]["deployments"]["segwit"]
    for answers, rule in ((young, "bip65"), (early, "csv"), (without, "segwit")):
        with pytest.raises(NodeMisconfigured, match=rule):
            await check(answers)


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("getblockchaininfo", []),
        ("getblockhash", "not a hash"),
        ("getnetworkinfo", {"connections": "10"}),
        ("getmempoolinfo", {"mempoolminfee": -1}),
        ("getmempoolinfo", {"mempoolminfee": 1e-9}),
        ("getchaintips", {"height": 1}),
        ("getblockheader", {"time": 2**40, "mediantime": 0}),
    ],
)
async def test_answers_of_the_wrong_shape_are_errors_not_facts(call: str, answer: object) -> None:
    with pytest.raises(ChainError):
        await problems(healthy() | {call: answer})
