"""The ledger of promises: coins that are spoken for but in no signed lock yet.

Owns: what is held for which swap, fees included, and the operator's limits against it.
Must not know: nodes, messages, how long a promise lasts.

A promise begins when a take is answered (or sent) and ends when its swap has signed its lock, from
where on the chain adapter keeps the very coins; or when the negotiation fails, or the swap ends
without a lock. So no coin is promised twice, and none stays promised for ever.

Failure and persistence: held in memory only. Takes in progress die with the process; agreed swaps
are in the journal, from which `adopt` restores their promises before anything new is promised.
"""

import enum
from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

import trio
from msgspec import Struct
from msgspec.structs import replace

from protocol.assets import AssetId
from protocol.errors import LocalProtocolError, Refusal, RemoteProtocolError
from protocol.swap.agreement import Agreement
from protocol.swap.states import SwapState, Unfunded
from swapd.policy import Policy


class Hold(Struct, frozen=True):
    """`units` to be locked and `fee` for locking them, both of `asset`. `offer_id` is the offer
    they were promised from; empty for coins of ours that pay for a take."""

    asset: AssetId
    units: int
    fee: int
    offer_id: bytes
    peer_id: str
    agreed: bool = False


class RunningSwaps(Protocol):
    """What a negotiation must know of the swaps, and where an agreement goes."""

    def open(self) -> tuple[SwapState, ...]:
        """The states of all running swaps."""
        ...

    def locked(self, asset: AssetId) -> int:
        """Units of `asset` promised to or locked in running swaps, fees not counted."""
        ...

    async def start(self, agreement: Agreement) -> None:
        """Journals and runs a new swap; it is on disk when this returns. Raises StoreError."""
        ...


class Reservations:
    """Every promise by swap id. All methods are immediate."""

    def __init__(self) -> None:
        self._holds: dict[bytes, Hold] = {}
        self._looking: defaultdict[AssetId, trio.Lock] = defaultdict(trio.Lock)

    def looking(self, asset: AssetId) -> trio.Lock:
        """To be held from looking for free coins of `asset` until they are promised: the node is
        asked in between, and two who look at once would both see the same coins."""
        return self._looking[asset]

    def hold(
        self,
        swap_id: bytes,
        asset: AssetId,
        units: int,
        offer_id: bytes,
        *,
        fee: int = 0,
        peer_id: str = "",
    ) -> None:
        """Promises `units` and `fee` to a swap. Raises LocalProtocolError for a second promise."""
        if swap_id in self._holds:
            msg = f"swap {swap_id.hex()} holds coins already"
            raise LocalProtocolError(msg)
        self._holds[swap_id] = Hold(asset, units, fee, offer_id, peer_id)

    def agree(self, swap_id: bytes) -> None:
        """The swap is journalled: from now on it counts as a running one."""
        if swap_id in self._holds:
            self._holds[swap_id] = replace(self._holds[swap_id], agreed=True)

    def release(self, swap_id: bytes) -> None:
        """Ends a promise; without effect when there is none."""
        self._holds.pop(swap_id, None)

    def adopt(self, states: Iterable[SwapState]) -> None:
        """Promises again, after a start, what running swaps have not locked yet."""
        for state in states:
            own, swap_id = state.agreement.own.amount, state.agreement.swap_id
            if _is_promised(state) and swap_id not in self._holds:
                terms, peer = state.agreement.terms, state.agreement.peer_id
                self.hold(swap_id, own.asset, own.units, terms.offer_id, peer_id=peer)
                self.agree(swap_id)

    def follow(self, state: SwapState, _sequence: int) -> None:
        """A listener of Swaps: a promise ends when its lock is signed, or with its swap."""
        if not _is_promised(state):
            self.release(state.agreement.swap_id)

    def held(self, asset: AssetId) -> int:
        """Base units of `asset` that are promised, fees included."""
        return sum(hold.units + hold.fee for hold in self._holds.values() if hold.asset == asset)

    def held_of_offer(self, offer_id: bytes) -> int:
        """Base units promised out of one offer, fees not counted."""
        return sum(hold.units for hold in self._holds.values() if hold.offer_id == offer_id)

    def negotiating(self, asset: AssetId | None = None, peer_id: str | None = None) -> list[Hold]:
        """The promises of takes that are not agreed yet, all or of one asset or peer."""
        return [
            hold
            for hold in self._holds.values()
            if not hold.agreed
            and (asset is None or hold.asset == asset)
            and (peer_id is None or hold.peer_id == peer_id)
        ]


def _is_promised(state: SwapState) -> bool:
    return isinstance(state.own, Unfunded) and state.outcome is None


# --- The operator's limits --------------------------------------------------------------------


class Limit(enum.StrEnum):
    """Which of the operator's limits a take would break."""

    OPEN_SWAPS = "max_open_swaps"
    PEER_SWAPS = "max_open_swaps_per_peer"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    LOCKED = "max_locked"


class OverLimit(RemoteProtocolError):
    """One of our operator's limits says no. The peer is not told the figure."""

    def __init__(self, limit: Limit, detail: str) -> None:
        super().__init__(Refusal.LIMIT_REACHED, detail)
        self.limit = limit


def check_limits(
    policy: Policy,
    ledger: Reservations,
    swaps: RunningSwaps,
    *,
    gives: tuple[AssetId, int],
    gets: tuple[AssetId, int],
    peer_id: str,
) -> None:
    """Raises OverLimit when one more swap, giving and getting so much, breaks a limit."""
    running = swaps.open()
    if len(running) + len(ledger.negotiating()) >= policy.max_open_swaps:
        raise OverLimit(Limit.OPEN_SWAPS, "too many swaps are open")
    with_peer = sum(state.agreement.peer_id == peer_id for state in running)
    with_peer += len(ledger.negotiating(peer_id=peer_id))
    if with_peer >= policy.max_open_swaps_per_peer:
        raise OverLimit(Limit.PEER_SWAPS, "too many swaps are open with this peer")
    for asset, units in (gives, gets):
        limits = policy.limits(asset)
        if limits.minimum is not None and units < limits.minimum:
            raise OverLimit(Limit.MINIMUM, f"too little of {asset} for one swap")
        if limits.maximum is not None and units > limits.maximum:
            raise OverLimit(Limit.MAXIMUM, f"too much of {asset} for one swap")
    asset, units = gives
    most = policy.limits(asset).max_locked
    promised = sum(hold.units for hold in ledger.negotiating(asset))
    if most is not None and swaps.locked(asset) + promised + units > most:
        raise OverLimit(Limit.LOCKED, f"too much of {asset} would be locked at once")
