"""The book, own offers, quotes and takes: parameters and results.

Owns: those shapes and the bounds of each parameter. Must not know: how a call is done.
"""

import enum
from typing import Annotated

from msgspec import Meta, Struct

from swapd.api.values import (
    Address,
    AmountParam,
    AmountView,
    Asset,
    Cursor,
    Deadline,
    Decimal,
    FeeLine,
    IdempotencyKey,
    Limit,
    OfferId,
    OfferView,
    Pair,
    PriceView,
    Seconds,
    SwapId,
    SwapSummary,
    UnixTime,
)


class PairCheckParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which pair."""

    pair: Pair


class PairCheck(Struct, frozen=True, kw_only=True):
    """One thing that was looked at: `name` is stable (hash, timelock, depth, node, wallet, ...)."""

    name: str
    ok: bool
    detail: str


class PairCheckResult(Struct, frozen=True, kw_only=True):
    """`swappable` when every check is ok."""

    pair: Pair
    swappable: bool
    checks: tuple[PairCheck, ...]


class BookGetParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which pair; `limit` counts offers of both sides together, best prices first."""

    pair: Pair
    cursor: Cursor | None = None
    limit: Limit = 100


class BookGetResult(Struct, frozen=True, kw_only=True):
    """`asks` sell the base asset (cheapest first), `bids` buy it (dearest first); prices of both in
    quote per base. `sequence` is that of the "book" subscription at this moment."""

    pair: Pair
    asks: tuple[OfferView, ...]
    bids: tuple[OfferView, ...]
    sequence: int
    next_cursor: str | None


class OfferPostParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sell `sell` for asset `buy` at `price`: whole coins of `buy` per whole coin sold. A fill is
    at least `minimum` of the sold asset (left out: the economic minimum)."""

    sell: AmountParam
    buy: Asset
    price: Decimal
    minimum: AmountParam | None = None
    lifetime_seconds: (
        Annotated[int, Meta(description="how long it stands", ge=60, le=86_400)] | None
    ) = None
    dry_run: bool = False
    idempotency_key: IdempotencyKey | None = None


class OwnOffer(Struct, frozen=True, kw_only=True):
    """One of our offers, exactly. `status` is live, paused, filled, cancelled or expired; `reason`
    says why it is not live. `reserved` is promised to takes under way, `filled` is swapped."""

    offer: OfferView
    status: str
    reason: str
    sell_total: AmountView
    remaining: AmountView
    reserved: AmountView
    filled: AmountView


class OfferPostResult(Struct, frozen=True, kw_only=True):
    """`receive` is what the whole of it brings; `fees` what one fill of it costs in network fees.
    For a dry run the offer's id and times are those it would have had now."""

    offer: OwnOffer
    receive: AmountView
    fees: tuple[FeeLine, ...]
    warnings: tuple[str, ...]
    posted: bool


class OfferListParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Our own offers, newest first."""

    include_ended: bool = False
    cursor: Cursor | None = None
    limit: Limit = 100


class OfferListResult(Struct, frozen=True, kw_only=True):
    """One page."""

    offers: tuple[OwnOffer, ...]
    next_cursor: str | None


class OfferCancelParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One offer of ours, or all (`offer_id` left out and `every` true)."""

    offer_id: OfferId | None = None
    every: bool = False
    idempotency_key: IdempotencyKey | None = None


class OfferCancelResult(Struct, frozen=True, kw_only=True):
    """`cancelled` ids. Swaps that were agreed before go on."""

    cancelled: tuple[OfferId, ...]
    open_swaps: tuple[SwapId, ...]


class Side(enum.StrEnum):
    """What the taker does with the base asset of the pair."""

    BUY = "buy"
    SELL = "sell"


class QuoteParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Either `offer_id` (with `amount` in either of its assets, or left out for all that is left),
    or `pair`, `side`, `amount` (of the base asset) and `limit_price` (whole coins, quote per base:
    the most a buyer pays, the least a seller gets)."""

    offer_id: OfferId | None = None
    amount: AmountParam | None = None
    pair: Pair | None = None
    side: Side | None = None
    limit_price: Decimal | None = None


class Fill(Struct, frozen=True, kw_only=True):
    """What is taken from one offer."""

    offer_id: OfferId
    maker: str
    pay: AmountView
    receive: AmountView
    price: PriceView


class QuoteResult(Struct, frozen=True, kw_only=True):
    """Everything a take would cost and return now; nothing is committed. `pay` is locked,
    `pay_total` adds the lock's fee; `receive` is what the counterparty locks, `receive_net` what
    arrives. `usual_seconds` until paid, `worst_seconds` until our coins are back at the latest if
    it fails (`worst_freeze`). `problems` are reasons why a take would be refused now."""

    fills: tuple[Fill, ...]
    pay: AmountView
    pay_total: AmountView
    receive: AmountView
    receive_net: AmountView
    fees: tuple[FeeLine, ...]
    now: UnixTime
    usual_seconds: Seconds
    worst_seconds: Seconds
    depth_pay: int
    depth_receive: int
    deadlines: tuple[Deadline, ...]
    if_they_vanish: str
    if_we_vanish: str
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


class TakeParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As in `quote`; `destination` is an own address for what we receive (left out: an address of
    the seed, later `withdraw`)."""

    offer_id: OfferId | None = None
    amount: AmountParam | None = None
    pair: Pair | None = None
    side: Side | None = None
    limit_price: Decimal | None = None
    destination: Address | None = None
    idempotency_key: IdempotencyKey | None = None


class TakeResult(Struct, frozen=True, kw_only=True):
    """The swaps that were begun: follow them with `swap.wait` or a subscription."""

    swaps: tuple[SwapSummary, ...]
