"""Alarms, draining and unlocking: parameters and results.

Owns: those shapes and the bounds of each parameter. Must not know: how a call is done.
"""

from typing import Annotated

from msgspec import Meta, Struct

from swapd.api.values import SwapId, SwapPhase, UnixTime


class AlarmView(Struct, frozen=True, kw_only=True):
    """Something wrong that holds since `since`. `severity` is info, warning or critical; `code`
    and `subject` (a ticker, the beginning of a swap's id, a path) are its identity."""

    code: str
    severity: str
    subject: str
    text: str
    remedy: str
    since: UnixTime


class AlarmListResult(Struct, frozen=True, kw_only=True):
    """The worst first."""

    alarms: tuple[AlarmView, ...]
    sequence: int


class AlarmEvent(Struct, frozen=True, kw_only=True, tag="alarms", tag_field="topic"):
    """An alarm began (`raised`), got worse or milder (`changed`), or is over (`cleared`)."""

    what: str
    alarm: AlarmView


class DrainParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No idempotency key: draining twice is draining once."""

    undo: Annotated[bool, Meta(description="go on trading instead")] = False


class DrainSwap(Struct, frozen=True, kw_only=True):
    """An open swap, and when it has ended at the worst."""

    swap_id: SwapId
    phase: SwapPhase
    ends_at_worst: UnixTime
    explanation: str


class DrainResult(Struct, frozen=True, kw_only=True):
    """What the daemon still finishes; it stops by itself after the last. `draining` is false after
    `undo`. `ends_at_worst` is that of the slowest swap."""

    draining: bool
    offers_withdrawn: int
    open_swaps: tuple[DrainSwap, ...]
    ends_at_worst: UnixTime | None


class UnlockParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The seed's passphrase. It is never logged, kept, or told in an error. No idempotency key:
    unlocking twice is unlocking once."""

    passphrase: Annotated[str, Meta(description="of the seed", max_length=4096)]


class UnlockResult(Struct, frozen=True, kw_only=True):
    """`was_locked` is false where there was nothing to unlock."""

    was_locked: bool
