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

On a chain of the eip155 namespace the pace (terms.Pace: interval, finality F, early E, outage U)
stands in the terms, and nothing waits for median time. Where depth alone decides (F = 0):

    settle = Q(k+d-1, p)    claim = E + U + Q(k+2d-1, p)    refund = U + Q(k+d-1, p)

and where the chain says what is final, so that no reorganisation counts:

    settle = Q(k, p) + max(F, Q(d-1, p))    claim = E + U + settle    refund = U + settle
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
from protocol.evm.params import evm_params, is_evm
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
from protocol.terms import Exposure, LegTerms, Pace, Terms, Timing

USUAL_RISK: Final = 2
"""1%: what a delay that only costs the swap, not the coins, is computed with."""

EARLY_STAMP: Final = 2 * 3600
"""E: miners may stamp a block this far ahead, which makes a refund minable early."""

MEDIAN_HEADERS: Final = 9
"""M: blocks a refund waits after its expiry for median time past, some stamped low."""

REORG_CREDIT: Final = 7
"""What k+2d loses: a refund waits for six headers itself, and one block is counted twice."""

EVM_BLOCKS_TO_MINE: Final = 25
"""k where base fees follow demand: by then our bids have outgrown any rise of them."""

FINALIZED_DEPTH: Final = 32
"""The least depth where `finalized` decides: an epoch of Ethereum, always below what is final."""

USUAL_FINALITY: Final = (3, 4)
"""How much of the time allowed for `finalized` it usually takes."""


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

    def usual_settle(self, depth: int) -> int:
        """From being sent to final, when blocks come as usual."""
        return depth * self.usual

    def refund_lag(self, median_blocks: int) -> int:
        """How long after its expiry a refund usually can be mined, median time being
        `median_blocks` behind."""
        return median_blocks * self.usual


class AccountTiming(Struct, frozen=True):
    """One chain of the eip155 namespace: like `ChainTiming`, from a pace that the terms state."""

    pace: Pace
    blocks_to_mine: int
    depth_min: int
    is_random: bool = True

    @property
    def usual(self) -> int:
        """Seconds from one block to the next."""
        return self.pace.interval

    def wait(self, blocks: int, risk: int) -> int:
        """Q: seconds for `blocks` blocks at 10 ** -`risk`."""
        interval = self.pace.interval
        return quantile(blocks, interval, risk) if self.is_random else blocks * interval

    def _harden(self, blocks: int, risk: int) -> int:
        """Mined, and `blocks` more on top, or said to be final."""
        if self.pace.finality == 0:
            return self.wait(self.blocks_to_mine + blocks, risk)
        return self.wait(self.blocks_to_mine, risk) + max(
            self.pace.finality, self.wait(blocks, risk)
        )

    def settle(self, depth: int, risk: int) -> int:
        """A lock mined and final."""
        return self._harden(depth - 1, risk)

    def claim(self, depth: int, risk: int) -> int:
        """A claim mined and final before a refund can be: its clock may run early, its sequencer be
        out; and where depth alone decides, one reorganisation of depth - 1 blocks."""
        blocks = depth - 1 if self.pace.finality else 2 * depth - 1
        return self.pace.early + self.pace.outage + self._harden(blocks, risk)

    def refund(self, depth: int, risk: int) -> int:
        """A refund mined and final."""
        return self.pace.outage + self._harden(depth - 1, risk)

    def usual_settle(self, depth: int) -> int:
        """From being sent to final, when blocks come as usual."""
        part, whole = USUAL_FINALITY
        return max(depth * self.usual, self.pace.finality * part // whole)

    def refund_lag(self, median_blocks: int) -> int:  # noqa: ARG002 - no median time here
        """How long after its expiry a refund usually can be mined: in the next block."""
        return self.usual


Pacing = ChainTiming | AccountTiming


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


def chain_timing(chain: ChainId, timing: Timing, pace: Pace | None = None) -> Pacing:
    """The figures of `chain` under `timing`; `pace` is what the terms state of it.

    Raises ScheduleRefused: unsupported_asset for an unknown chain, wrong_terms for the regtest
    timing on anything but a regtest chain, where its margins would protect nothing, for a pace on
    a chain that needs none, and for none, or one that is faster than is known, on one that does.
    """
    if is_evm(chain):
        return _account_timing(chain, timing, pace)
    params = _params(chain)
    if pace is not None:
        raise ScheduleRefused(Refusal.WRONG_TERMS, f"a pace was stated for {params.title}")
    if timing is Timing.REGTEST and params.network != "regtest":
        detail = f"the regtest timing on {params.title}: use standard"
        raise ScheduleRefused(Refusal.WRONG_TERMS, detail)
    return TIMINGS[params.name, timing]


def _account_timing(chain: ChainId, timing: Timing, pace: Pace | None) -> AccountTiming:
    params = evm_params(chain)
    if timing is Timing.REGTEST and not params.is_dev:
        detail = f"the regtest timing on {params.title}: use standard"
        raise ScheduleRefused(Refusal.WRONG_TERMS, detail)
    if pace is None:
        detail = (
            f"the pace of {params.title} is not stated: how early its clock may run, how long its "
            "sequencer may be out"
        )
        raise ScheduleRefused(Refusal.WRONG_TERMS, detail)
    if params.pace is not None and slower(params.pace, pace) != pace:
        detail = f"the pace stated for {params.title} is faster than it is"
        raise ScheduleRefused(Refusal.WRONG_TERMS, detail)
    if timing is Timing.REGTEST:
        return AccountTiming(pace, blocks_to_mine=2, depth_min=2, is_random=False)
    least = FINALIZED_DEPTH if pace.finality else 1
    return AccountTiming(pace, EVM_BLOCKS_TO_MINE, least)


def pace_of(chain: ChainId, stated: Pace | None = None) -> Pace | None:
    """The pace that one party states of `chain`: its own, or what is known for good. None where
    none is stated in terms, and where only configuration could tell it."""
    if not is_evm(chain):
        return None
    return stated if stated is not None else evm_params(chain).pace


def slower(one: Pace | None, other: Pace | None) -> Pace | None:
    """Both paces at their worst. None unless both are stated."""
    if one is None or other is None:
        return None
    return Pace(
        interval=max(one.interval, other.interval),
        finality=max(one.finality, other.finality),
        early=max(one.early, other.early),
        outage=max(one.outage, other.outage),
    )


def leg_timing(leg: LegTerms, timing: Timing) -> Pacing:
    """The figures of the chain of a leg, as its terms have them. Raises ScheduleRefused."""
    return chain_timing(leg.chain, timing, leg.pace)


def depth_for(
    chain: ChainId,
    units: int,
    *,
    timing: Timing,
    factor: int,
    height: int,
    pace: Pace | None = None,
) -> int:
    """Confirmations after which a lock of `units` is final (rule 4).

    max(d_min, ceil(units / (`factor` x block reward at `height`))): undoing so many blocks costs a
    miner more than it could bring. Regtest coins are worth nothing and its subsidy vanishes after
    some hundred blocks, so there it is d_min. No miner is paid for the blocks of an eip155 chain:
    there it is d_min as well, and what the operator insists on. Raises ScheduleRefused
    (limit_reached) above MAX_DEPTH, and as `chain_timing` does.
    """
    least = chain_timing(chain, timing, pace).depth_min
    if timing is Timing.REGTEST or is_evm(chain):
        return least
    per_block = max(1, factor * _params(chain).block_reward(height))
    depth = max(least, -(-units // per_block))
    if depth > MAX_DEPTH:
        detail = f"{units} base units would need {depth} confirmations, at most {MAX_DEPTH}: slice"
        raise ScheduleRefused(Refusal.LIMIT_REACHED, detail)
    return depth


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _check_depth(chain: Pacing, depth: int) -> None:
    if not chain.depth_min <= depth <= MAX_DEPTH:
        detail = f"depth {depth} is not in {chain.depth_min}..{MAX_DEPTH}"
        raise ScheduleRefused(Refusal.DEPTH_TOO_SMALL, detail)


def _check_chains(chain_i: ChainId, chain_p: ChainId) -> None:
    one, other = (
        evm_params(chain) if is_evm(chain) else _params(chain) for chain in (chain_i, chain_p)
    )
    # A chain with tokens has more than one asset to swap.
    if chain_i == chain_p and not is_evm(chain_i):
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
    pace_i: Pace | None = None,
    pace_p: Pace | None = None,
) -> Schedule:
    """All doors of a swap agreed at `t0`; see the module text for the formulas.

    Raises ScheduleRefused: unsupported_asset, wrong_chain, wrong_terms (timing), depth_too_small,
    exposure_too_long (T_I - t0 above 48 h), wrong_expiry (not a lock time of this epoch).
    """
    i, p = chain_timing(chain_i, timing, pace_i), chain_timing(chain_p, timing, pace_p)
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
    settled_i, settled_p = i.usual_settle(depth_i), p.usual_settle(depth_p)
    paid = settled_i + settled_p + p.usual
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
        usual_final=paid + max(settled_p - p.usual, settled_i),
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
        pace_i=terms.leg_i.pace,
        pace_p=terms.leg_p.pace,
    )
