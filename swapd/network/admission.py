"""Who may talk to us, and how much: rates, penalties and inbound slots, as plain arithmetic.

Owns: token buckets, the penalty book, the counts of inbound connections. Time is an argument
(seconds of any steady clock). Must not know: libp2p, I/O.
"""

import ipaddress
from collections import Counter, OrderedDict
from typing import Final

from swapd.network.limits import PENALTY_HALF_LIFE_SECONDS

_REMEMBERED: Final = 4096
"""Peers with a bucket or penalties; beyond that the longest unseen are forgotten."""


class Allowance:
    """A token bucket that may go into debt: `spend` tells how long to wait until it is paid."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at = now

    def spend(self, cost: float, now: float) -> float:
        """Takes `cost` and returns the seconds until the bucket is out of debt."""
        self._level = min(self._burst, self._level + (now - self._at) * self._rate) - cost
        self._at = now
        return max(0.0, -self._level / self._rate)


class PeerRates:
    """Messages and bytes of each peer. Reading from a peer stops while it is in debt, so a flood
    fills the sender's own queues. Kept by peer, not by connection: reconnecting gains nothing."""

    def __init__(
        self, *, messages: float, messages_burst: float, size: float, size_burst: float
    ) -> None:
        self._messages = (messages, messages_burst)
        self._size = (size, size_burst)
        self._peers: OrderedDict[str, tuple[Allowance, Allowance]] = OrderedDict()

    def spend(self, peer_id: str, messages: int, size: int, now: float) -> float:
        """Seconds to wait before more is read from this peer."""
        pair = self._peers.pop(peer_id, None)
        if pair is None:
            pair = (Allowance(*self._messages, now), Allowance(*self._size, now))
        self._peers[peer_id] = pair
        while len(self._peers) > _REMEMBERED:
            self._peers.popitem(last=False)
        return max(pair[0].spend(messages, now), pair[1].spend(size, now))


class PenaltyBook:
    """Points of misbehaving peers, halved every two minutes. At the limit a peer is refused."""

    def __init__(self, *, limit: float, refuse_seconds: float) -> None:
        self._limit = limit
        self._refuse_seconds = refuse_seconds
        self._points: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._refused: OrderedDict[str, float] = OrderedDict()

    def add(self, peer_id: str, points: float, now: float) -> bool:
        """True when this made the limit full: disconnect it, it is refused for a while."""
        old, at = self._points.pop(peer_id, (0.0, now))
        total = old * 0.5 ** ((now - at) / PENALTY_HALF_LIFE_SECONDS) + points
        if total < self._limit:
            self._points[peer_id] = (total, now)
            _trim(self._points)
            return False
        self._refused.pop(peer_id, None)
        self._refused[peer_id] = now + self._refuse_seconds
        _trim(self._refused)
        return True

    def refused(self, peer_id: str, now: float) -> bool:
        """Whether this peer is to be turned away at `now`."""
        until = self._refused.get(peer_id)
        if until is None:
            return False
        if now < until:
            return True
        del self._refused[peer_id]
        return False


def _trim(book: OrderedDict[str, tuple[float, float]] | OrderedDict[str, float]) -> None:
    while len(book) > _REMEMBERED:
        book.popitem(last=False)


class InboundSlots:
    """Inbound connections that live or are being set up, in all and by origin. An origin is an
    IPv4 address or an IPv6 /64, the smallest thing that is sold."""

    def __init__(self, *, total: int, per_origin: int) -> None:
        self._total = total
        self._per_origin = per_origin
        self._origins: Counter[str] = Counter()
        self._taken = 0

    def take(self, address: str) -> bool:
        """False when there is no room; otherwise pair it with `give_back`."""
        origin = origin_of(address)
        if self._taken >= self._total or self._origins[origin] >= self._per_origin:
            return False
        self._taken += 1
        self._origins[origin] += 1
        return True

    def give_back(self, address: str) -> None:
        origin = origin_of(address)
        self._taken -= 1
        self._origins[origin] -= 1
        if self._origins[origin] <= 0:
            del self._origins[origin]


def origin_of(address: str) -> str:
    """The origin that an IP address counts for."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
    return str(ip)
