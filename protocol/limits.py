"""Every limit and margin of the protocol that more than one module leans on, and how they relate.

Owns: the named constants and the import-time checks between them.
Must not know: chains, messages, configuration. Timings of single chains are in swap.timelocks.
Source: safety.md (Expiries, rules 4, 12, 14, 15). Durations are seconds.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from protocol.errors import LocalProtocolError
from protocol.terms import Timing

SKEW: Final[Mapping[Timing, int]] = MappingProxyType(
    {Timing.STANDARD: 600, Timing.FAST: 600, Timing.REGTEST: 5}
)
"""S: how far two honest clocks may be apart."""

NEGOTIATION: Final[Mapping[Timing, int]] = MappingProxyType(
    {Timing.STANDARD: 300, Timing.FAST: 300, Timing.REGTEST: 10}
)
"""N: how long from t0 until the initiator's lock is broadcast."""

ROUNDING: Final[Mapping[Timing, int]] = MappingProxyType(
    {Timing.STANDARD: 600, Timing.FAST: 600, Timing.REGTEST: 1}
)
"""Expiries are rounded up to a multiple of this, so that they do not tell t0 to the second."""

MAX_OFFLINE: Final = 12 * 3600
"""O: the longest absence a party may ask the other to wait for."""

MAX_SWAP_SECONDS: Final = 48 * 3600
"""T_I - t0: longer than this is refused."""

MAX_DEPTH: Final = 500
"""Deeper is refused before anything is computed; no schedule under 48 h reaches it."""

MIN_EXPIRY: Final = 500_000_001
"""The smallest nLockTime that both chains read as a time (BIP65), not a height."""

MAX_EXPIRY: Final = 2**31 - 1
"""The largest that every signed 32-bit reader of it still takes for the same time."""

RESERVATION_SECONDS: Final = 60
"""How long a maker's promise stands until the taker's lock is seen (rule 15)."""

RELEASE_SECONDS: Final = 30
"""How long after the agreement the initiator still starts to lock: half of the maker's promise, so
that a lock that leaves is seen before the promise lapses."""

UNSEEN_BLOCKS: Final = 5
"""Where mempools do not show another one's lock, so many blocks are its time to be seen, too."""

FIRST_CONFIRMATION_SECONDS: Final = 30 * 60
"""How long a seen lock may stay unconfirmed before the maker gives the coins to others."""

PINNED_DEPTH: Final = 100
"""About how deep the block is that names a chain (rule 12)."""

PINNED_SPREAD: Final = 72
"""How far two honest views of that block may be apart, in blocks: tips a few blocks apart, and a
node that was slow to hear of them."""

CLAIM_VBYTES: Final = 139
REFUND_VBYTES: Final = 131
"""Virtual sizes of the two spends of a P2WSH HTLC to P2WPKH (safety.md, Script)."""

LOCK_VBYTES: Final = 153
KILL_VBYTES: Final = 110
CHILD_VBYTES: Final = 110
"""Virtual sizes of a lock with one P2WPKH input and change, of a kill per input, of a child."""

ECONOMIC_DIVISOR: Final = 10
"""Claim plus refund at a stress rate cost at most one part in this of the value (rule 14)."""

MAX_NEGOTIATION_BYTES: Final = 16 * 1024
"""One message of the take protocol."""

MAX_DETAIL_CHARS: Final = 200
"""The human part of a refusal."""

TAKE_STEP_SECONDS: Final = 20
"""How long either side waits for the next message of a negotiation."""


def _check_relations() -> None:
    relations = {
        "skew and negotiation are positive": all(
            SKEW[timing] > 0 and NEGOTIATION[timing] > 0 for timing in Timing
        ),
        "the longest swap is a whole number of rounding steps": all(
            MAX_SWAP_SECONDS % ROUNDING[timing] == 0 for timing in Timing
        ),
        # Reserve, then Accept: both waits fit in the promise they are made under.
        "a lock that leaves is seen before the promise lapses": RELEASE_SECONDS
        < RESERVATION_SECONDS,
        "a negotiation fits its reservation": 2 * TAKE_STEP_SECONDS < RESERVATION_SECONDS,
        # Otherwise the lock of a taker who kept the promise could come after t0 + N.
        "a reservation fits N": NEGOTIATION[Timing.STANDARD] > RESERVATION_SECONDS,
        "a lock may confirm after it was seen": RESERVATION_SECONDS < FIRST_CONFIRMATION_SECONDS,
        "a block named by either side is below any reorganisation": PINNED_SPREAD < PINNED_DEPTH,
        "an absence fits a swap": MAX_OFFLINE < MAX_SWAP_SECONDS,
    }
    for name, holds in relations.items():
        if not holds:
            msg = f"protocol.limits contradicts itself: {name}"
            raise LocalProtocolError(msg)


_check_relations()
