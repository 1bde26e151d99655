"""Whether the clock is right: by the chains, and by what the kernel says.

Must not know: where the times come from.
"""

import ctypes
from collections.abc import Sequence

from swapd.doctor.findings import Finding, finding
from swapd.ports import ChainStatus

AHEAD_SECONDS = 3 * 3600
"""No pair of chains stands still for so long."""

OFFSET_SECONDS = 60
"""What a node's peers say of its clock is right to some seconds."""

_TIME_ERROR = 5
_TIMEX_BYTES = 256


def by_chains(now: int, statuses: Sequence[ChainStatus]) -> list[Finding]:
    """The wall clock `now` (unix seconds) against each chain."""
    found = []
    for status in statuses:
        if now < status.median_time - status.early:
            behind = status.median_time - status.early - now
            what = f"the clock is {behind} s behind the chain's time"
            found.append(finding("clock_behind", status.ticker, what))
        if abs(status.time_offset) > OFFSET_SECONDS:
            what = f"the node's peers say that its clock is off by {status.time_offset} s"
            found.append(finding("clock_off", status.ticker, what))
    if statuses and all(now - status.tip_time > AHEAD_SECONDS for status in statuses):
        least = min(now - status.tip_time for status in statuses)
        what = f"the newest block of any chain is {least // 60} minutes old"
        remedy = "set the clock (NTP); if it is right, the nodes have lost their peers"
        found.append(finding("clock_ahead", "clock", what, remedy))
    return found


def is_synchronised() -> bool | None:
    """Whether something keeps the kernel's clock right; None where the kernel does not tell.
    Source: adjtimex(2), which returns TIME_ERROR while the clock is not synchronised."""
    try:
        told = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if told < 0 else bool(told != _TIME_ERROR)


def by_kernel(synchronised: bool | None) -> list[Finding]:  # noqa: FBT001 - the very question
    """What the kernel says."""
    return [finding("clock_not_synchronised", "clock")] if synchronised is False else []
