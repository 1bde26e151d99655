"""Quantiles against published chi-square tables: 2 x Erlang(n, 1) is chi-square with 2n degrees."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import LocalProtocolError
from protocol.swap.erlang import MAX_BLOCKS, quantile
from tests.protocol.timelocks import oracle

# Upper 1% and 0.1% points of chi-square by degrees of freedom (NIST/SEMATECH e-Handbook, 1.3.6.7.4)
CHI_SQUARE = {
    (2, 2): 9.210,
    (4, 2): 13.277,
    (6, 2): 16.812,
    (10, 2): 23.209,
    (20, 2): 37.566,
    (40, 2): 63.691,
    (60, 2): 88.379,
    (100, 2): 135.807,
    (2, 3): 13.816,
    (10, 3): 29.588,
    (20, 3): 45.315,
    (60, 3): 99.607,
    (100, 3): 149.449,
}


@pytest.mark.parametrize(("freedom", "risk"), CHI_SQUARE)
def test_quantiles_are_those_of_the_published_chi_square_table(freedom: int, risk: int) -> None:
    seconds = quantile(freedom // 2, 1_000_000, risk)
    assert round(2 * seconds / 1_000_000, 3) == CHI_SQUARE[freedom, risk]


@pytest.mark.parametrize("risk", range(1, 10))
def test_one_block_is_the_exponential_rounded_up_to_a_whole_second(risk: int) -> None:
    assert quantile(1, 900, risk) == math.ceil(900 * risk * math.log(10))


def test_no_blocks_take_no_time() -> None:
    assert quantile(0, 900, 6) == 0


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(1, 80), st.sampled_from([10, 225, 900]), st.integers(2, 9))
def test_quantiles_are_the_first_second_that_covers_the_risk(
    blocks: int, mean: int, risk: int
) -> None:
    assert quantile(blocks, mean, risk) == oracle.quantile(blocks, mean, risk)


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(0, 200), st.sampled_from([225, 900]), st.integers(2, 8))
def test_more_blocks_and_less_risk_never_take_less_time(blocks: int, mean: int, risk: int) -> None:
    assert quantile(blocks, mean, risk) < quantile(blocks + 1, mean, risk)
    assert quantile(blocks, mean, risk) <= quantile(blocks, mean, risk + 1)


@pytest.mark.parametrize(
    ("blocks", "mean", "risk"), [(-1, 900, 6), (MAX_BLOCKS + 1, 900, 6), (1, 0, 6), (1, 900, 10)]
)
def test_figures_without_a_quantile_are_our_own_mistake(blocks: int, mean: int, risk: int) -> None:
    with pytest.raises(LocalProtocolError):
        quantile(blocks, mean, risk)
