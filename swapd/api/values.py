"""Plain values that travel on the control socket, shared by several methods.

Owns: their shapes. Must not know: where they come from. Everything is JSON-able: amounts carry
their base units as a string of digits, times are unix seconds, identifiers lowercase hex.
"""

import enum
from typing import Annotated

from msgspec import Meta, Struct

UnixTime = Annotated[int, Meta(description="unix seconds")]
Seconds = Annotated[int, Meta(description="a number of seconds", ge=0)]
Hex32 = Annotated[
    str, Meta(description="32 bytes in lowercase hex", pattern="^[0-9a-f]{64}$", max_length=64)
]
Asset = Annotated[
    str, Meta(description="a ticker (BTC) or a CAIP-19 asset id", min_length=1, max_length=170)
]
Pair = Annotated[
    str,
    Meta(description="two assets, base/quote, like BTC/LTC", min_length=3, max_length=400),
]
Address = Annotated[
    str, Meta(description="an address of the chain in question", min_length=1, max_length=120)
]
Decimal = Annotated[
    str, Meta(description="an exact decimal number, like 0.5", min_length=1, max_length=100)
]
Digits = Annotated[str, Meta(description="a whole number in digits", pattern="^[0-9]{1,78}$")]
MAX_RATE_PER_VBYTES = 100_000_000
FeeRate = Annotated[
    int, Meta(description="base units per 1000 vbytes", ge=1, le=MAX_RATE_PER_VBYTES)
]
AnyFeeRate = Annotated[
    int,
    Meta(
        description="base units per 1000 vbytes, on a chain with accounts per 1000 gas",
        ge=1,
        le=10**15,  # 1000 gwei per gas; elsewhere MAX_RATE_PER_VBYTES is the most
    ),
]
IdempotencyKey = Annotated[
    str,
    Meta(
        description="repeating a call with the same key returns the first call's result",
        min_length=1,
        max_length=100,
    ),
]
Cursor = Annotated[
    str, Meta(description="`next_cursor` of the page before", min_length=1, max_length=200)
]
Limit = Annotated[int, Meta(description="how many rows at most", ge=1, le=500)]
SwapId = Annotated[
    str,
    Meta(
        description="a swap's id, 32 bytes in lowercase hex",
        pattern="^[0-9a-f]{64}$",
        max_length=64,  # Python's $ also matches before a last line end
    ),
]
OfferId = Annotated[
    str,
    Meta(
        description="an offer's id, 32 bytes in lowercase hex",
        pattern="^[0-9a-f]{64}$",
        max_length=64,  # Python's $ also matches before a last line end
    ),
]


class AmountParam(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount that a client gives: an asset, and either `decimal` in whole coins ("0.5") or
    `units` in base units ("50000000"); exactly one of the two."""

    asset: Asset
    decimal: Decimal | None = None
    units: Digits | None = None


class AmountView(Struct, frozen=True, kw_only=True):
    """An amount that the daemon tells: base units, and the same in whole coins, exactly."""

    asset: Asset
    ticker: str
    units: Digits
    decimal: Decimal


class PriceView(Struct, frozen=True, kw_only=True):
    """A price as the exact ratio of base units, quote per base. `decimal` is the same in whole
    coins, rounded to 12 significant digits unless `exact`; `text` is for people."""

    base: Asset
    quote: Asset
    numerator: Digits
    denominator: Digits
    decimal: Decimal
    exact: bool
    text: str


class AssetInfo(Struct, frozen=True, kw_only=True):
    """One asset that this daemon can swap."""

    asset: Asset
    chain: str
    ticker: str
    decimals: int


class ChainHealth(Struct, frozen=True, kw_only=True):
    """One node connection. `problems` are the reasons why it can't be used now; empty = fine."""

    chain: str
    asset: Asset
    ticker: str
    reachable: bool
    version: str
    height: int
    tip_hash: str
    tip_time: UnixTime
    median_time: UnixTime
    peers: int
    synced: bool
    pruned: bool
    fee_rate_next_block: int
    problems: tuple[str, ...]


class OfferView(Struct, frozen=True, kw_only=True):
    """One offer as the book shows it, from its maker's side: he sells `sell_remaining` (what is
    left, in coarse steps) for the other asset at `price`. A fill is at least `sell_minimum`."""

    offer_id: OfferId
    maker: str
    own: bool
    sell_remaining: AmountView
    sell_minimum: AmountView
    buy_remaining: AmountView
    price: PriceView
    created_at: UnixTime
    expires_at: UnixTime


class FeeLine(Struct, frozen=True, kw_only=True):
    """One network fee, of what fees on that chain are paid in. `vbytes` is what it is paid for:
    virtual bytes, or gas on chains with accounts; `fee_rate` base units per 1000 of them. `when`
    says in which case it is paid: always, or only if something."""

    what: str
    amount: AmountView
    vbytes: int
    fee_rate: int
    when: str


class SwapPhase(enum.StrEnum):
    """Where a swap is. The last four are its ends (`ended` phases never change again)."""

    NEGOTIATING = "negotiating"
    AGREED = "agreed"
    LOCKING = "locking"
    LOCKED = "locked"
    CLAIMING = "claiming"
    REFUNDING = "refunding"
    KILLING = "killing"
    COMPLETED = "completed"
    REFUNDED = "refunded"
    NEVER_FUNDED = "never_funded"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        """True for the four ends."""
        return self in _ENDS


_ENDS = frozenset({SwapPhase.COMPLETED, SwapPhase.REFUNDED, SwapPhase.NEVER_FUNDED, SwapPhase.LOST})


class Actor(enum.StrEnum):
    """Who acts next."""

    US = "us"
    COUNTERPARTY = "counterparty"
    CHAIN = "chain"
    NOBODY = "nobody"


class LegStatus(enum.StrEnum):
    """One leg as its chain shows it."""

    UNSEEN = "unseen"
    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    FINAL = "final"
    CLAIMED = "claimed"
    REFUNDED = "refunded"
    LOST = "lost"


class TxView(Struct, frozen=True, kw_only=True):
    """One transaction of a swap. `what` is lock, claim, refund, kill or sweep; `ours` when we made
    it. `depth` is confirmations, 0 = in a mempool, None = not seen; `raw` only for our own."""

    what: str
    chain: str
    ticker: str
    txid: Hex32
    ours: bool
    depth: int | None
    final_depth: int
    fee: AmountView | None = None
    raw: str | None = None


class SwapLegView(Struct, frozen=True, kw_only=True):
    """One leg. `name` is "i" or "p"; `ours` when we fund it. `script_address` and `script` are the
    HTLC's (on chains with accounts its contract, and the slot); `depth` of `final_depth`
    confirmations; `transactions` in the order they happened."""

    name: str
    ours: bool
    chain: str
    ticker: str
    amount: AmountView
    status: LegStatus
    script_address: str
    script: str
    outpoint: str | None
    depth: int
    final_depth: int
    expiry: UnixTime
    transactions: tuple[TxView, ...]


class Deadline(Struct, frozen=True, kw_only=True):
    """A moment that matters. `name` is stable (lock_gate, reveal_gate, expiry_p, expiry_i, ...),
    `meaning` says what happens then in plain words."""

    name: str
    at: UnixTime
    meaning: str


class SwapSummary(Struct, frozen=True, kw_only=True):
    """One swap in a row. `role` is initiator (we took) or participant (our offer was taken).
    `sequence` is its journal's; `reason` says why it did not complete, else empty."""

    swap_id: SwapId
    role: str
    phase: SwapPhase
    pay: AmountView
    receive: AmountView
    offer_id: OfferId
    counterparty: str
    created_at: UnixTime
    updated_at: UnixTime
    sequence: int
    explanation: str
    reason: str = ""


class SwapDetail(Struct, frozen=True, kw_only=True):
    """Everything about one swap. `summary` as in lists; `legs` ours first; `destination` and
    `refund_destination` are where a claim or a refund pays us; `safe_unattended_until` is until
    when nothing bad happens if this daemon is off (0 = it must stay on)."""

    summary: SwapSummary
    now: UnixTime
    price: PriceView
    hashlock: str
    preimage_public: bool
    terms_hash: str
    legs: tuple[SwapLegView, ...]
    destination: str
    refund_destination: str
    next_actor: Actor
    next_action: str
    next_deadline: UnixTime | None
    deadlines: tuple[Deadline, ...]
    safe_unattended_until: UnixTime
    fees: tuple[FeeLine, ...]
    warnings: tuple[str, ...]


class PeerView(Struct, frozen=True, kw_only=True):
    """A connected peer."""

    peer_id: str
    addresses: tuple[str, ...]
    inbound: bool
    connected_since: UnixTime
    latency_ms: int | None
