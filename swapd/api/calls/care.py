"""Help in trouble: the doctor, explanations, rescue by hand. Parameters and results.

Owns: those shapes. Must not know: how a call is done.
"""

import enum
from typing import Annotated

from msgspec import Meta, Struct

from swapd.api.values import (
    Actor,
    AmountView,
    FeeLine,
    FeeRate,
    Hex32,
    SwapId,
    SwapPhase,
    UnixTime,
)


class FindingView(Struct, frozen=True, kw_only=True):
    """Something that is not as it should be. `code` is stable (see docs/operate.md), `severity`
    info, warning or critical; `subject` is what it concerns; `remedy` is what to do."""

    code: str
    severity: str
    subject: str
    what: str
    remedy: str


class DoctorResult(Struct, frozen=True, kw_only=True):
    """The findings, the most urgent first. `critical` when one of them is; `examined` is what was
    looked at."""

    critical: bool
    findings: tuple[FindingView, ...]
    examined: tuple[str, ...]


class AtRisk(enum.StrEnum):
    """What being away for long can cost: nothing, time and fees only, or coins of ours."""

    NOTHING = "nothing"
    TIME = "time"
    COINS = "coins"


class SwapExplainParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which swap."""

    swap_id: SwapId


class ActView(Struct, frozen=True, kw_only=True):
    """`who` can do `what` from `since` (0: at once) until `until` (0: without an end)."""

    who: Actor
    what: str
    since: UnixTime
    until: UnixTime


class AdviceView(Struct, frozen=True, kw_only=True):
    """Something unusual. `code` is stable, `severity` info, warning or critical; `what` is so,
    `remedy` is what to do about it."""

    code: str
    severity: str
    what: str
    remedy: str


class SwapExplainResult(Struct, frozen=True, kw_only=True):
    """A swap in plain words. `costs` are what our transactions would cost now. `at_risk` is what
    being away for long can cost, at most `at_stake`; until `safe_unattended_until` nothing bad
    happens if this daemon is off (0: it must stay on)."""

    swap_id: SwapId
    role: str
    phase: SwapPhase
    now: UnixTime
    next_actor: Actor
    next_action: str
    acts: tuple[ActView, ...]
    costs: tuple[FeeLine, ...]
    at_risk: AtRisk
    at_stake: AmountView | None
    safe_unattended_until: UnixTime
    if_away: str
    advice: tuple[AdviceView, ...]
    warnings: tuple[str, ...]


FeeRates = Annotated[
    tuple[FeeRate, ...],
    Meta(description="fee rates of your own, beside the usual ones", max_length=10),
]


class SwapRescueParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which swap. `keys` adds private keys, and the preimage where it is out already."""

    swap_id: SwapId
    keys: bool = False
    fee_rates: FeeRates = ()


class RescueTx(Struct, frozen=True, kw_only=True):
    """One transaction to send by hand. `what` is refund, claim, claim_without_preimage, kill or
    their_lock. No block takes it before median time past is beyond `valid_from` (0: at once),
    likely at `likely_from`; after `useful_until` (0: never) the other side may be faster.
    `command` is what to type where the node runs. `vbytes` and `fee_rate` are 0 where unknown."""

    what: str
    leg: str
    ticker: str
    spends: str
    txid: Hex32
    fee: AmountView | None
    fee_rate: int
    vbytes: int
    pays_to: str
    arrives: AmountView | None
    valid_from: UnixTime
    likely_from: UnixTime
    useful_until: UnixTime
    raw: str
    command: str


class RescueLeg(Struct, frozen=True, kw_only=True):
    """One leg: what to look for on its chain. `descriptor` is empty, with the reason in
    `descriptor_note`, where its node knows no miniscript; on chains with accounts it is the data
    that anybody can send to `script_address` to bring the coins home."""

    name: str
    ours: bool
    chain: str
    ticker: str
    amount: AmountView
    outpoints: tuple[str, ...]
    script_address: str
    script: str
    expiry: UnixTime
    descriptor: str
    descriptor_note: str


class RescuePayout(Struct, frozen=True, kw_only=True):
    """An address that a transaction pays to, and where its key is: the path from the seed (BIP84),
    empty when it is no address of the seed."""

    ticker: str
    address: str
    path: str


class RescueKey(Struct, frozen=True, kw_only=True):
    """A private key. `descriptor` is the script's with the key in it, empty where there is none."""

    leg: str
    ticker: str
    what: str
    public_key: str
    wif: str
    descriptor: str


class SwapRescueResult(Struct, frozen=True, kw_only=True):
    """Everything to get a swap's coins back with plain nodes: no swapd is needed from here."""

    swap_id: SwapId
    role: str
    phase: SwapPhase
    now: UnixTime
    notes: tuple[str, ...]
    legs: tuple[RescueLeg, ...]
    transactions: tuple[RescueTx, ...]
    payouts: tuple[RescuePayout, ...]
    keys: tuple[RescueKey, ...]
    preimage: Hex32 | None
