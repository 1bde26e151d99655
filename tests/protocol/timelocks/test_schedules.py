"""Expiries and gates: the table of the safety rules, the vectors, and the order of the doors."""

import itertools
import json
from typing import Any

import hypothesis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocol.assets import ChainId
from protocol.bitcoin.params import BITCOIN_TESTNET4, LITECOIN_TESTNET
from protocol.errors import Refusal, RemoteProtocolError
from protocol.swap import timelocks
from protocol.swap.erlang import quantile
from protocol.swap.timelocks import Schedule, ScheduleRefused, depth_for, schedule
from protocol.terms import Exposure, Pace, Timing
from tests.protocol.timelocks import make_vectors, oracle
from tests.protocol.timelocks.oracle import BTC_MAIN, BTC_REGTEST, LTC_MAIN, LTC_REGTEST

VECTORS = json.loads(make_vectors.TARGET.read_text("utf-8"))
T0 = 1_750_000_200
HOME, SERVER, FAST = Exposure(21600, 6), Exposure(1800, 4), Exposure(600, 3)


def of_case(case: dict[str, Any]) -> Schedule:
    return schedule(
        t0=case["t0"],
        timing=Timing(case["timing"]),
        chain_i=ChainId(case["chain_i"]),
        chain_p=ChainId(case["chain_p"]),
        depth_i=case["depth_i"],
        depth_p=case["depth_p"],
        exposure_i=Exposure(case["offline_i"], case["risk_i"]),
        exposure_p=Exposure(case["offline_p"], case["risk_p"]),
        pace_i=case["pace_i"] and Pace(*case["pace_i"]),
        pace_p=case["pace_p"] and Pace(*case["pace_p"]),
    )


def standard(
    exposure_i: Exposure, exposure_p: Exposure, *, turned: bool = False, t0: int = T0
) -> Schedule:
    return schedule(
        t0=t0,
        timing=Timing.STANDARD,
        chain_i=ChainId(LTC_MAIN if turned else BTC_MAIN),
        chain_p=ChainId(BTC_MAIN if turned else LTC_MAIN),
        depth_i=12 if turned else 3,
        depth_p=3 if turned else 12,
        exposure_i=exposure_i,
        exposure_p=exposure_p,
    )


def as_dict(value: Schedule) -> dict[str, int]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


# The table of the safety rules, hours after t0, not yet rounded up to ten minutes.
TABLE = [
    (False, HOME, HOME, 18.4, 36.5),
    (False, HOME, SERVER, 18.4, 31.0),
    (False, SERVER, SERVER, 12.3, 23.0),
    (True, HOME, HOME, 20.3, 43.4),
    (True, HOME, SERVER, 20.3, 37.9),
    (True, SERVER, SERVER, 13.4, 28.6),
]


@pytest.mark.parametrize(("turned", "taker", "maker", "hours_p", "hours_i"), TABLE)
def test_the_table_of_the_safety_rules_is_reproduced(
    monkeypatch: pytest.MonkeyPatch,
    turned: bool,
    taker: Exposure,
    maker: Exposure,
    hours_p: float,
    hours_i: float,
) -> None:
    rounded = standard(taker, maker, turned=turned)
    monkeypatch.setattr(timelocks, "ROUNDING", dict.fromkeys(Timing, 1))
    exact = standard(taker, maker, turned=turned)
    assert round((exact.expiry_p - T0) / 3600, 1) == hours_p
    assert round((exact.expiry_i - T0) / 3600, 1) == hours_i
    assert 0 <= rounded.expiry_p - exact.expiry_p < 600
    assert 0 <= rounded.expiry_i - exact.expiry_i < 1200


def test_the_fast_timing_is_that_of_the_safety_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelocks, "ROUNDING", dict.fromkeys(Timing, 1))
    found = schedule(
        t0=T0,
        timing=Timing.FAST,
        chain_i=ChainId(BTC_MAIN),
        chain_p=ChainId(LTC_MAIN),
        depth_i=1,
        depth_p=3,
        exposure_i=FAST,
        exposure_p=FAST,
    )
    assert round((found.expiry_p - T0) / 3600, 1) == 6.4
    assert round((found.expiry_i - T0) / 3600, 1) == 10.8


def test_the_regtest_timing_is_that_of_the_safety_rules() -> None:
    found = schedule(
        t0=T0,
        timing=Timing.REGTEST,
        chain_i=ChainId(BTC_REGTEST),
        chain_p=ChainId(LTC_REGTEST),
        depth_i=2,
        depth_p=3,
        exposure_i=Exposure(30, 6),
        exposure_p=Exposure(30, 6),
    )
    doors = (found.lock_gate_i, found.lock_gate_p, found.reveal_gate, found.expiry_p)
    assert [door - T0 for door in (*doors, found.expiry_i)] == [40, 70, 120, 165, 370]


def test_ethereum_settles_as_fast_as_the_safety_rules_say() -> None:
    pace = timelocks.pace_of(ChainId("eip155:1"))
    ethereum = timelocks.chain_timing(ChainId("eip155:1"), Timing.STANDARD, pace)
    # The rules give it in hours, for settling and claiming alike.
    for wait in (ethereum.settle, ethereum.claim, ethereum.refund):
        assert [round(wait(32, risk) / 3600, 2) for risk in (2, 4, 6)] == [0.47, 0.51, 0.54]


def test_a_chain_that_nobody_described_is_refused_and_two_paces_are_joined_at_their_worst() -> None:
    for chain in ("eip155:10", "eip155:42161", "eip155:8453", "eip155:987654321"):
        assert timelocks.pace_of(ChainId(chain)) is None
        with pytest.raises(ScheduleRefused, match="how early its clock may run"):
            timelocks.chain_timing(ChainId(chain), Timing.STANDARD, None)
    one, other = Pace(2, 900, 60, 0), Pace(1, 1800, 0, 7200)
    assert timelocks.slower(one, other) == timelocks.slower(other, one) == Pace(2, 1800, 60, 7200)
    assert timelocks.slower(one, None) is timelocks.slower(None, other) is None
    assert timelocks.pace_of(ChainId(BTC_MAIN), one) is None
    assert timelocks.pace_of(ChainId("eip155:10"), one) is one


@pytest.mark.parametrize("field", ["early", "outage", "finality", "interval"])
def test_every_figure_of_a_pace_moves_the_expiries(field: str) -> None:
    def doors(pace: Pace) -> tuple[int, int]:
        chain = ChainId("eip155:10")
        found = schedule(
            t0=T0,
            timing=Timing.STANDARD,
            chain_i=ChainId(BTC_MAIN),
            chain_p=chain,
            depth_i=3,
            depth_p=32,
            exposure_i=SERVER,
            exposure_p=SERVER,
            pace_p=pace,
        )
        return found.expiry_p, found.expiry_i

    base = Pace(2, 900, 60, 600)
    changed = replace(base, **{field: getattr(base, field) * 10})
    before, after = doors(base), doors(changed)
    assert after[0] > before[0]
    assert after[1] > before[1]


def test_the_file_of_vectors_is_what_its_generator_prints() -> None:
    assert make_vectors.TARGET.read_text("utf-8") == make_vectors.text()


@pytest.mark.parametrize("case", VECTORS["schedules"], ids=lambda case: case["name"])
def test_every_schedule_of_the_vectors_is_computed_to_the_second(case: dict[str, Any]) -> None:
    assert as_dict(of_case(case)) == case["expected"]
    assert oracle.schedule(case) == case["expected"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_every_schedule_that_must_not_be_is_refused_by_name(case: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        of_case(case)
    assert caught.value.refusal.value == case["refused"]


@pytest.mark.parametrize("case", VECTORS["quantiles"])
def test_every_quantile_of_the_vectors_is_reproduced(case: dict[str, int]) -> None:
    seconds = quantile(case["blocks"], case["mean"], case["risk"])
    assert seconds == case["seconds"]


@pytest.mark.parametrize("case", VECTORS["depths"])
def test_depth_grows_with_the_value_against_the_block_reward(case: dict[str, Any]) -> None:
    found = depth_for(
        ChainId(case["chain"]),
        case["units"],
        timing=Timing(case["timing"]),
        factor=case["factor"],
        height=case["height"],
    )
    assert found == case["depth"]


def test_a_value_too_large_for_any_depth_is_refused() -> None:
    with pytest.raises(ScheduleRefused) as caught:
        depth_for(
            ChainId(BTC_MAIN),
            2_000 * 10**8,
            timing=Timing.STANDARD,
            factor=1,
            height=900_000,
        )
    assert caught.value.refusal is Refusal.LIMIT_REACHED


def test_the_regtest_timing_is_refused_on_every_network_but_regtest() -> None:
    for chain in (BTC_MAIN, LTC_MAIN, BITCOIN_TESTNET4.chain_id, LITECOIN_TESTNET.chain_id):
        with pytest.raises(ScheduleRefused) as caught:
            timelocks.chain_timing(ChainId(chain), Timing.REGTEST)
        assert caught.value.refusal is Refusal.WRONG_TERMS


exposures = st.builds(Exposure, st.integers(0, 12 * 3600), st.integers(2, 9))
regtest_exposures = st.builds(Exposure, st.integers(0, 600), st.integers(2, 9))


def assert_in_order(found: Schedule) -> None:
    doors = [
        found.t0,
        found.lock_gate_i,
        found.lock_gate_p,
        found.reveal_gate,
        found.expiry_p,
        found.expiry_i,
        found.worst_freeze,
    ]
    assert all(one < following for one, following in itertools.pairwise(doors)), doors
    assert found.expiry_p < found.kill_deadline <= found.claim_deadline < found.expiry_i
    assert 0 < found.usual_paid < found.usual_final


@settings(deadline=None)  # a busy machine is no failure
@given(exposures, exposures, st.integers(0, 20), st.integers(0, 30), st.booleans())
def test_the_doors_close_in_their_order_at_every_depth_and_exposure(
    exposure_i: Exposure, exposure_p: Exposure, more_btc: int, more_ltc: int, turned: bool
) -> None:
    btc, ltc = 3 + more_btc, 12 + more_ltc
    try:
        found = schedule(
            t0=T0,
            timing=Timing.STANDARD,
            chain_i=ChainId(LTC_MAIN if turned else BTC_MAIN),
            chain_p=ChainId(BTC_MAIN if turned else LTC_MAIN),
            depth_i=ltc if turned else btc,
            depth_p=btc if turned else ltc,
            exposure_i=exposure_i,
            exposure_p=exposure_p,
        )
    except ScheduleRefused as refused:
        hypothesis.assume(refused.refusal is not Refusal.EXPOSURE_TOO_LONG)
        raise
    assert_in_order(found)
    assert found.expiry_i - T0 <= 48 * 3600
    assert found.expiry_p % 600 == found.expiry_i % 600 == 0
    # Both sides agreed to wait for this: what each is promised besides the block times.
    assert found.kill_deadline - found.expiry_p >= 0
    assert found.reveal_gate - found.lock_gate_p > 0
    assert found.claim_deadline - found.kill_deadline == exposure_p.offline
    assert found.lock_gate_i - T0 >= 300 + max(exposure_i.offline, exposure_p.offline)


@settings(deadline=None)  # a busy machine is no failure
@given(regtest_exposures, regtest_exposures, st.integers(2, 20), st.integers(3, 20))
def test_the_doors_close_in_their_order_on_the_regtest_timing(
    exposure_i: Exposure, exposure_p: Exposure, btc: int, ltc: int
) -> None:
    found = schedule(
        t0=T0,
        timing=Timing.REGTEST,
        chain_i=ChainId(BTC_REGTEST),
        chain_p=ChainId(LTC_REGTEST),
        depth_i=btc,
        depth_p=ltc,
        exposure_i=exposure_i,
        exposure_p=exposure_p,
    )
    assert_in_order(found)


def test_the_smaller_of_both_loss_probabilities_is_used_whoever_asks_for_it() -> None:
    careful, bold = Exposure(1800, 6), Exposure(1800, 4)
    assert standard(careful, bold) == standard(bold, careful) == standard(careful, careful)
    assert standard(bold, bold).expiry_i < standard(careful, bold).expiry_i


def test_only_the_makers_absence_lengthens_the_takers_freeze_after_the_first_expiry() -> None:
    away, there = Exposure(21600, 6), Exposure(1800, 6)
    assert standard(away, there).expiry_p == standard(there, away).expiry_p
    longer = standard(there, away).expiry_i - standard(away, there).expiry_i
    assert abs(longer - (21600 - 1800)) < 600
