"""Swaps under way and ended: parameters and results.

Owns: those shapes and the bounds of each parameter. Must not know: how a call is done.
"""

from typing import Annotated

from msgspec import Meta, Struct

from swapd.api.values import Cursor, IdempotencyKey, Limit, SwapDetail, SwapId, SwapSummary


class SwapListParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Newest first; `open_only` leaves ended ones out."""

    open_only: bool = False
    cursor: Cursor | None = None
    limit: Limit = 100


class SwapListResult(Struct, frozen=True, kw_only=True):
    """One page. `sequence` is that of the "swaps" subscription at this moment."""

    swaps: tuple[SwapSummary, ...]
    sequence: int
    next_cursor: str | None


class SwapGetParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which swap."""

    swap_id: SwapId


class SwapGetResult(Struct, frozen=True, kw_only=True):
    """The swap."""

    swap: SwapDetail


class SwapWaitParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until the swap ends; or, with `after_sequence`, until its journal has gone beyond that.
    After `timeout_seconds` it answers in any case."""

    swap_id: SwapId
    after_sequence: Annotated[int, Meta(description="a swap's `sequence`", ge=0)] | None = None
    timeout_seconds: Annotated[int, Meta(description="how long to wait", ge=0, le=3600)] = 60


class SwapWaitResult(Struct, frozen=True, kw_only=True):
    """The swap, and whether what was waited for happened (else the time ran out)."""

    swap: SwapDetail
    reached: bool


class SwapCancelParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which swap."""

    swap_id: SwapId
    idempotency_key: IdempotencyKey | None = None


class SwapCancelResult(Struct, frozen=True, kw_only=True):
    """The swap after it."""

    swap: SwapSummary
