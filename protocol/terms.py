"""What two parties agreed: the terms of a swap and the values they are made of.

Owns: `Terms`, its two `LegTerms`, exposures, pinned blocks, the hash both sides sign.
Must not know: how terms are negotiated (negotiation), expiry arithmetic (swap.timelocks), chains.

Legs: I is the initiator's (the taker's coins, locked first, later expiry), P the participant's
(the maker's coins, locked second, earlier expiry). The claimer of a leg is the other party.
"""

import enum

from msgspec import Struct

from protocol.amounts import Amount
from protocol.assets import ChainId, chain_of
from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.signing import PublicKey, Tag, tagged_hash

TERMS_VERSION = 1

MAX_INTERVAL = 3600
MAX_LAG = 2 * 86400
"""Seconds. Beyond these no swap could end within its time anyway."""


class Kind(enum.StrEnum):
    """Kinds of HTLC, by wire name. More kinds can be added; an unknown one is refused politely."""

    P2WSH = "p2wsh"
    EVM = "evm"


class Role(enum.StrEnum):
    """The initiator (the taker) locks first; the participant (the maker) second."""

    INITIATOR = "initiator"
    PARTICIPANT = "participant"


class LegName(enum.StrEnum):
    """I is funded by the initiator, P by the participant."""

    I = "i"  # noqa: E741 - the field's name for this leg, always qualified by the class
    P = "p"


class Timing(enum.StrEnum):
    """Which table of chain timings the expiries are computed from (swap.timelocks)."""

    STANDARD = "standard"
    FAST = "fast"
    REGTEST = "regtest"


class Exposure(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One party's own needs: `offline` = longest single absence in seconds (O); the loss
    probability it accepts is 10 ** -`risk` (p), `risk` in 2..9."""

    offline: int
    risk: int

    def __post_init__(self) -> None:
        """Raises RemoteProtocolError (exposure_too_long) outside the allowed ranges."""
        if not 0 <= self.offline <= 12 * 3600 or not 2 <= self.risk <= 9:
            detail = f"offline {self.offline} s (0 to 43200), risk 1e-{self.risk} (1e-2 to 1e-9)"
            raise RemoteProtocolError(Refusal.EXPOSURE_TOO_LONG, detail)


class PinnedBlock(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A block about 100 deep: tells forks with one genesis apart (safety rule 12). `block_hash`
    is 32 bytes in the order nodes print."""

    height: int
    block_hash: bytes


class Pace(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """How a chain whose pace is not in our tables keeps time, as stated by configuration; seconds.

    `interval`: the mean between two blocks on a bad day. `finality`: what its `finalized` block may
    lag behind; 0 where depth alone decides. `early`: how far its clock may run ahead (E).
    `outage`: how long its sequencer may take no transactions.
    """

    interval: int
    finality: int = 0
    early: int = 0
    outage: int = 0

    def __post_init__(self) -> None:
        """Raises RemoteProtocolError (wrong_terms) outside the allowed ranges."""
        lags = (self.finality, self.early, self.outage)
        if not 1 <= self.interval <= MAX_INTERVAL or not all(0 <= lag <= MAX_LAG for lag in lags):
            detail = f"a block in {self.interval} s, lags of {lags} s: not a pace to swap by"
            raise RemoteProtocolError(Refusal.WRONG_TERMS, detail)


class LegTerms(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One leg. `claim_key` and `refund_key` name who can take it, in the form of its kind (kinds):
    p2wsh 33-byte compressed keys; evm a 20-byte account, and the locker's with one byte that names
    his slot. `expiry` is unix seconds, `depth` the confirmations after which its lock is final,
    `pace` how its chain keeps time, None on chains where that is known for good."""

    kind: Kind
    amount: Amount
    claim_key: bytes
    refund_key: bytes
    expiry: int
    depth: int
    pinned: PinnedBlock
    pace: Pace | None = None

    @property
    def chain(self) -> ChainId:
        """The chain this leg lives on."""
        return chain_of(self.amount.asset)


class Terms(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Everything both sides sign. `t0` is unix seconds; `min_fee_rate_i` is the least fee rate of
    the lock of leg I, in base units of what its fees are paid in per 1000 units of size."""

    version: int
    swap_id: bytes
    offer_id: bytes
    maker: PublicKey
    taker: PublicKey
    hashlock: bytes
    t0: int
    timing: Timing
    exposure_i: Exposure
    exposure_p: Exposure
    leg_i: LegTerms
    leg_p: LegTerms
    min_fee_rate_i: int

    def leg(self, name: LegName) -> LegTerms:
        """The leg called `name`."""
        return self.leg_i if name is LegName.I else self.leg_p


def own_leg(role: Role) -> LegName:
    """The leg that `role` funds."""
    return LegName.I if role is Role.INITIATOR else LegName.P


def other_leg(role: Role) -> LegName:
    """The leg that `role` claims."""
    return LegName.P if role is Role.INITIATOR else LegName.I


def terms_hash(terms: Terms) -> bytes:
    """The 32 bytes that stand for these terms in logs and comparisons."""
    return tagged_hash(Tag.TERMS, encode(terms))
