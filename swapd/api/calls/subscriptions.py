"""Subscriptions and their events: parameters and results.

Owns: those shapes and the bounds of each parameter. Must not know: how a call is done.
"""

import enum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from swapd.api.calls.alarms import AlarmEvent
from swapd.api.values import OfferView, SwapSummary


class Topic(enum.StrEnum):
    """What can be subscribed to."""

    BOOK = "book"
    SWAPS = "swaps"
    ALARMS = "alarms"


class SubscribeParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`after_sequence` resumes behind the last event seen, or behind a snapshot's `sequence`; left
    out: from now on."""

    topic: Topic
    after_sequence: Annotated[int, Meta(description="the last one seen", ge=0)] | None = None


class SubscribeResult(Struct, frozen=True, kw_only=True):
    """`subscription` names it in notifications on this connection; events follow from behind
    `sequence`. `resync` when `after_sequence` is too old to resume from: take a new snapshot."""

    subscription: int
    sequence: int
    resync: bool


class UnsubscribeParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which subscription of this connection."""

    subscription: int


class UnsubscribeResult(Struct, frozen=True, kw_only=True):
    """Nothing more comes for it."""

    unsubscribed: bool


class BookEvent(Struct, frozen=True, kw_only=True, tag="book", tag_field="topic"):
    """An offer came (`added`), changed what is left (`changed`) or went (`removed`, `reason` says
    why: taken, cancelled, expired, maker_gone)."""

    what: str
    offer: OfferView
    reason: str = ""


class SwapEvent(Struct, frozen=True, kw_only=True, tag="swaps", tag_field="topic"):
    """A swap's journal grew. `what` names what happened, in plain words."""

    what: str
    swap: SwapSummary


Event = BookEvent | SwapEvent | AlarmEvent


class EventNotice(Struct, frozen=True, kw_only=True):
    """Parameters of the notification `event`."""

    subscription: int
    sequence: int
    event: Event


class ResyncNotice(Struct, frozen=True, kw_only=True):
    """Parameters of the notification `resync`: events were dropped (too slow, or resumed too late).
    Take a new snapshot; events go on behind `sequence`."""

    subscription: int
    topic: Topic
    sequence: int


Notice = EventNotice | ResyncNotice
"""What a subscription sends."""


def read_notice(method: str, params: bytes) -> Notice:
    """A notification's parameters, for clients. Raises msgspec.DecodeError."""
    try:
        if method == "resync":
            return msgspec.json.decode(params, type=ResyncNotice)
        return msgspec.json.decode(params, type=EventNotice)
    except (UnicodeDecodeError, RecursionError) as error:  # msgspec lets them through as they are
        raise msgspec.DecodeError(str(error)) from error
