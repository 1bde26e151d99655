"""When a swap's doors open and close: expiries, gates and depths.

Owns: the timings of each chain, `schedule`, `depth_for`. Both sides compute the same integers from
the same terms; a difference of one second is a refusal.
Must not know: the present time, nodes, how terms are negotiated.
Source: safety.md, "Expiries, computed" and rule 4. Times are unix seconds, durations seconds.

For a chain X with depth d and loss probability p (the smaller of both parties'):

    settle_X(p) = Q(k+d-1, p)              a lock mined and final
    claim_X(p)  = E + Q(max(0, k+2d-7), p) a claim mined and final, one reorg of d-1 included
    refund_X(p) = Q(k+d-1+M, p)            waited for median time past, mined and final

    T_P = t0 + N + settle_I(1%) + settle_P(1%) + max(O_I, O_P) + claim_P(p) + S     rounded up
    T_I = T_P + refund_P(p) + O_P + claim_I(p) + S                                  rounded up

Q is the Erlang quantile (swap.erlang) of block intervals stretched by a slowdown of 1.5; on the
regtest timing it is 10 s a block and a claim counts at least one block.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from protocol.assets import ChainId
from protocol.bitcoin.errors import UnknownChainError
from protocol.bitcoin.params import ChainParams, params_by_chain
from protocol.errors import LocalProtocolError, Refusal, RemoteProtocolError
from protocol.limits import (
    MAX_DEPTH,
    MAX_EXPIRY,
    MAX_SWAP_SECONDS,
    MIN_EXPIRY,
    NEGOTIATION,
    ROUNDING,
    SKEW,
)
from protocol.swap.erlang import MAX_BLOCKS, quantile
from protocol.terms import Exposure, Terms, Timing

USUAL_RISK: Final = 2
"""1%: what a delay that only costs the swap, not the coins, is computed with."""

EARLY_STAMP: Final = 2 * 3600
"""E: miners may stamp a block this far ahead, which makes a refund minable early."""

MEDIAN_HEADERS: Final = 9
"""M: blocks a refund waits after its expiry for median time past, some stamped low."""

REORG_CREDIT: Final = 7
"""What k+2d loses: a refund waits for six headers itself, and one block is counted twice."""


class ChainTiming(Struct, frozen=True):
    """One chain under one timing. `usual` seconds a block takes on average, `stressed` the mean the
    margins are computed from, `blocks_to_mine` k, `depth_min` the least d, `early_stamp` E,
    `claim_blocks_min` the least blocks a claim is given. `is_random` False: a block per
    `stressed` seconds exactly (regtest)."""

    usual: int
    stressed: int
    blocks_to_mine: int
    depth_min: int
    early_stamp: int = EARLY_STAMP
    claim_blocks_min: int = 0
    is_random: bool = True

    def wait(self, blocks: int, risk: int) -> int:
        """Q: seconds for `blocks` blocks at 10 ** -`risk`."""
        return quantile(blocks, self.stressed, risk) if self.is_random else blocks * self.stressed

    def settle(self, depth: int, risk: int) -> int:
        """A lock mined and final."""
        return self.wait(self.blocks_to_mine + depth - 1, risk)

    def claim(self, depth: int, risk: int) -> int:
        """A claim mined and final, one reorganisation of depth - 1 blocks included."""
        blocks = max(self.claim_blocks_min, self.blocks_to_mine + 2 * depth - REORG_CREDIT)
        return self.early_stamp + self.wait(blocks, risk)

    def refund(self, depth: int, risk: int) -> int:
        """A refund minable after its expiry, mined and final."""
        return self.wait(self.blocks_to_mine + depth - 1 + MEDIAN_HEADERS, risk)


TIMINGS: Final[Mapping[tuple[str, Timing], ChainTiming]] = MappingProxyType(
    {
        ("bitcoin", Timing.STANDARD): ChainTiming(600, 900, blocks_to_mine=6, depth_min=3),
        ("litecoin", Timing.STANDARD): ChainTiming(150, 225, blocks_to_mine=12, depth_min=12),
        ("bitcoin", Timing.FAST): ChainTiming(600, 900, blocks_to_mine=3, depth_min=1),
        ("litecoin", Timing.FAST): ChainTiming(150, 225, blocks_to_mine=6, depth_min=3),
        ("bitcoin", Timing.REGTEST): ChainTiming(
            10, 10, 2, 2, early_stamp=20, claim_blocks_min=1, is_random=False
        ),
        ("litecoin", Timing.REGTEST): ChainTiming(
            10, 10, 3, 3, early_stamp=20, claim_blocks_min=1, is_random=False
        ),
    }
)
"""By chain family and timing."""


def _check_tables() -> None:
    for (family, timing), chain in TIMINGS.items():
        deepest = chain.blocks_to_mine + 2 * MAX_DEPTH + MEDIAN_HEADERS
        if deepest > MAX_BLOCKS or chain.depth_min > MAX_DEPTH or chain.stressed < chain.usual:
            msg = f"the timing of {family} {timing} contradicts itself"
            raise LocalProtocolError(msg)


_check_tables()


class ScheduleRefused(RemoteProtocolError):
    """No schedule can be computed from these figures, or it would last too long."""


class Schedule(Struct, frozen=True):
    """Every door of one swap, unix seconds; `usual_paid` and `usual_final` are durations from t0
    when both are online and blocks come as usual.

    In order: `lock_gate_i` last moment the initiator's lock is worth sending; `lock_gate_p` the
    participant's; `reveal_gate` the initiator's first claim; `expiry_p` T_P; `kill_deadline` the
    participant's refund or kill is final; `claim_deadline` the participant's claim of I is sent;
    `expiry_i` T_I; `worst_freeze` the initiator's refund is final.
    """

    t0: int
    lock_gate_i: int
    lock_gate_p: int
    reveal_gate: int
    expiry_p: int
    expiry_i: int
    claim_deadline: int
    kill_deadline: int
    worst_freeze: int
    usual_paid: int
    usual_final: int


def _params(chain: ChainId) -> ChainParams:
    try:
        return params_by_chain(chain)
    except UnknownChainError as error:
        raise ScheduleRefused(Refusal.UNSUPPORTED_ASSET, str(error)) from error


def chain_timing(chain: ChainId, timing: Timing) -> ChainTiming:
    """The figures of `chain` under `timing`.

    Raises ScheduleRefused: unsupported_asset for an unknown chain, wrong_terms for the regtest
    timing on anything but a regtest chain, where its margins would protect nothing.
    """
    params = _params(chain)
    if timing is Timing.REGTEST and params.network != "regtest":
        detail = f"the regtest timing on {params.title}: use standard"
        raise ScheduleRefused(Refusal.WRONG_TERMS, detail)
    return TIMINGS[params.name, timing]


def depth_for(chain: ChainId, units: int, *, timing: Timing, factor: int, height: int) -> int:
    """Confirmations after which a lock of `units` is final (rule 4).

    max(d_min, ceil(units / (`factor` x block reward at `height`))): undoing so many blocks costs a
    miner more than it could bring. Regtest coins are worth nothing and its subsidy vanishes after
    some hundred blocks, so there it is d_min. Raises ScheduleRefused (limit_reached) above
    MAX_DEPTH, and as `chain_timing` does.
    """
    least = chain_timing(chain, timing).depth_min
    if timing is Timing.REGTEST:
        return least
    per_block = max(1, factor * _params(chain).block_reward(height))
    depth = max(least, -(-units // per_block))
    if depth > MAX_DEPTH:
        detail = f"{units} base units would need {depth} confirmations, at most {MAX_DEPTH}: slice"
        raise ScheduleRefused(Refusal.LIMIT_REACHED, detail)
    return depth


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _check_depth(chain: ChainTiming, depth: int) -> None:
    if not chain.depth_min <= depth <= MAX_DEPTH:
        detail = f"depth {depth} is not in {chain.depth_min}..{MAX_DEPTH}"
        raise ScheduleRefused(Refusal.DEPTH_TOO_SMALL, detail)


def _check_chains(chain_i: ChainId, chain_p: ChainId) -> None:
    one, other = _params(chain_i), _params(chain_p)
    if chain_i == chain_p:
        raise ScheduleRefused(Refusal.WRONG_CHAIN, f"both legs are on {one.title}")
    if one.is_test != other.is_test:
        detail = f"{one.title} against {other.title}: coins of a test network are worth nothing"
        raise ScheduleRefused(Refusal.WRONG_CHAIN, detail)


def schedule(
    *,
    t0: int,
    timing: Timing,
    chain_i: ChainId,
    chain_p: ChainId,
    depth_i: int,
    depth_p: int,
    exposure_i: Exposure,
    exposure_p: Exposure,
) -> Schedule:
    """All doors of a swap agreed at `t0`; see the module text for the formulas.

    Raises ScheduleRefused: unsupported_asset, wrong_chain, wrong_terms (timing), depth_too_small,
    exposure_too_long (T_I - t0 above 48 h), wrong_expiry (not a lock time of this epoch).
    """
    i, p = chain_timing(chain_i, timing), chain_timing(chain_p, timing)
    _check_chains(chain_i, chain_p)
    _check_depth(i, depth_i)
    _check_depth(p, depth_p)
    if not MIN_EXPIRY <= t0 <= MAX_EXPIRY:
        raise ScheduleRefused(Refusal.WRONG_EXPIRY, f"t0 {t0} is no time of this epoch")
    skew, step = SKEW[timing], ROUNDING[timing]
    risk = max(exposure_i.risk, exposure_p.risk)  # the smaller probability wins
    settle_i, settle_p = i.settle(depth_i, USUAL_RISK), p.settle(depth_p, USUAL_RISK)
    claim_i, claim_p = i.claim(depth_i, risk), p.claim(depth_p, risk)
    absence = max(exposure_i.offline, exposure_p.offline)
    locked_by = t0 + NEGOTIATION[timing] + settle_i + settle_p
    expiry_p = _round_up(locked_by + absence + claim_p + skew, step)
    kill_for = expiry_p + p.refund(depth_p, risk)
    expiry_i = _round_up(kill_for + exposure_p.offline + claim_i + skew, step)
    if expiry_i - t0 > MAX_SWAP_SECONDS:
        detail = f"coins would be locked {(expiry_i - t0) // 3600} h: lower depth, absence or value"
        raise ScheduleRefused(Refusal.EXPOSURE_TOO_LONG, detail)
    worst_freeze = expiry_i + i.refund(depth_i, USUAL_RISK)
    if worst_freeze > MAX_EXPIRY:
        raise ScheduleRefused(Refusal.WRONG_EXPIRY, f"{worst_freeze} does not fit a lock time")
    reveal_gate = expiry_p - skew - claim_p
    lock_gate_p = reveal_gate - settle_p
    claim_deadline = expiry_i - skew - claim_i
    # The taker counts as paid when its claim is mined; its last blocks and the maker's claim,
    # sent as soon as the preimage is seen, then run beside each other.
    paid = depth_i * i.usual + depth_p * p.usual + p.usual
    return Schedule(
        t0=t0,
        lock_gate_i=lock_gate_p - settle_i,
        lock_gate_p=lock_gate_p,
        reveal_gate=reveal_gate,
        expiry_p=expiry_p,
        expiry_i=expiry_i,
        claim_deadline=claim_deadline,
        kill_deadline=claim_deadline - exposure_p.offline,
        worst_freeze=worst_freeze,
        usual_paid=paid,
        usual_final=paid + max((depth_p - 1) * p.usual, depth_i * i.usual),
    )


@functools.lru_cache(maxsize=4096)
def schedule_of(terms: Terms) -> Schedule:
    """The schedule that these terms imply; whether they state the same expiries is for the caller
    to compare. Raises ScheduleRefused."""
    return schedule(
        t0=terms.t0,
        timing=terms.timing,
        chain_i=terms.leg_i.chain,
        chain_p=terms.leg_p.chain,
        depth_i=terms.leg_i.depth,
        depth_p=terms.leg_p.depth,
        exposure_i=terms.exposure_i,
        exposure_p=terms.exposure_p,
    )
