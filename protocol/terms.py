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
HTLC_KEY_SIZE = 33


class Kind(enum.StrEnum):
    """Kinds of HTLC, by wire name. More kinds can be added; an unknown one is refused politely."""

    P2WSH = "p2wsh"


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


class LegTerms(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One leg. `claim_key` and `refund_key` are 33-byte compressed keys, `expiry` is unix seconds,
    `depth` the confirmations after which its lock is final."""

    kind: Kind
    amount: Amount
    claim_key: bytes
    refund_key: bytes
    expiry: int
    depth: int
    pinned: PinnedBlock

    @property
    def chain(self) -> ChainId:
        """The chain this leg lives on."""
        return chain_of(self.amount.asset)


class Terms(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Everything both sides sign. `t0` is unix seconds; `min_fee_rate_i` is the least fee rate of
    the lock of leg I, in base units per 1000 vbytes."""

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
