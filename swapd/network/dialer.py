"""Reaching peers: dials, and staying connected.

Owns: one dial at a time to each peer, the loop that keeps wanted
peers connected with growing pauses. Must not know: gossip, channels, the daemon.

Every address is tried by itself: libp2p's own dialler picks one TCP address of many, drops
loopback ones, and refuses a peer for a minute after a failure (B7).
"""

import random
from collections.abc import Callable
from typing import Final

import structlog
import trio
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID

from swapd.network.addresses import Multiaddr, parse_address, parse_peer
from swapd.network.limits import MAX_ADDRESSES, MAX_KNOWN_PEERS, NetworkLimits

_log = structlog.get_logger("network.dialer")
_FORGET_AFTER: Final = 6


class DialFailed(Exception):
    """No address led to the peer."""


class Dialer:
    """Dials, and keeps wanted peers connected. `refused(peer_id)` tells who is turned away."""

    def __init__(
        self,
        swarm: Swarm,
        limits: NetworkLimits,
        refused: Callable[[str], bool],
        chance: random.Random,
    ) -> None:
        self._swarm = swarm
        self._limits = limits
        self._refused = refused
        self._chance = chance
        self._locks: dict[ID, trio.Lock] = {}
        self._kept: dict[str, trio.CancelScope] = {}
        self._lost: dict[str, trio.Event] = {}

    def connected(self, peer_id: ID) -> bool:
        """Whether at least one connection to the peer is open."""
        return any(not conn.is_closed for conn in self._swarm.get_connections(peer_id))

    async def dial(self, peer_id: ID, addresses: tuple[Multiaddr, ...]) -> None:
        """Returns at once when connected already. Raises DialFailed."""
        if peer_id == self._swarm.get_peer_id():
            raise DialFailed("that is our own peer id")
        lock = self._locks.setdefault(peer_id, trio.Lock())
        try:
            async with lock:
                await self._dial(peer_id, addresses)
        finally:
            if not lock.locked():
                self._locks.pop(peer_id, None)

    async def _dial(self, peer_id: ID, addresses: tuple[Multiaddr, ...]) -> None:
        if self.connected(peer_id):
            return
        if self._refused(str(peer_id)):
            raise DialFailed("this peer misbehaved and is refused for a while")
        reasons: list[str] = []
        for address in addresses[:MAX_ADDRESSES]:
            try:
                with trio.fail_after(self._limits.dial_timeout_seconds):
                    await self._swarm.dial_addr(address, peer_id)
            except trio.TooSlowError:
                reasons.append(f"{address}: no answer")
            except Exception as error:  # noqa: BLE001 - libp2p raises whatever a peer provokes
                reasons.append(f"{address}: {_cause(error)}")
            else:
                self._swarm.unblock_peer(peer_id)
                return
        raise DialFailed("; ".join(reasons)[:600] or "no address is known")

    def keep(
        self, nursery: trio.Nursery, peer: str, addresses: tuple[str, ...], *, ever: bool
    ) -> None:
        """Stays connected to this peer from now on; with `ever` false only while it is reachable.
        Raises BadAddress."""
        peer_id = parse_peer(peer)
        if peer in self._kept or peer_id == self._swarm.get_peer_id():
            return
        if len(self._kept) >= 2 * MAX_KNOWN_PEERS:
            return
        parsed = tuple(parse_address(text, names=True) for text in addresses)
        self._kept[peer] = trio.CancelScope()
        nursery.start_soon(self._stay_connected, peer_id, parsed, ever)

    def let_go(self, peer: str) -> None:
        """No longer redials this peer."""
        scope = self._kept.pop(peer, None)
        if scope is not None:
            scope.cancel()

    def lost(self, peer: str) -> None:
        """The last connection to this peer is gone."""
        event = self._lost.pop(peer, None)
        if event is not None:
            event.set()

    async def _stay_connected(
        self,
        peer_id: ID,
        addresses: tuple[Multiaddr, ...],
        ever: bool,  # noqa: FBT001 - passed through start_soon, which takes no keywords
    ) -> None:
        peer = str(peer_id)
        scope = self._kept[peer]
        with scope:
            failures = 0
            while ever or failures < _FORGET_AFTER:
                event = self._lost[peer] = trio.Event()
                try:
                    await self.dial(peer_id, addresses)
                except DialFailed as error:
                    failures += 1
                    _log.info("dial failed", peer=peer, failures=failures, why=str(error))
                    await trio.sleep(self._pause(failures))
                else:
                    failures = 0
                    await event.wait()
                    await trio.sleep(self._pause(1))
        if self._kept.get(peer) is scope:
            del self._kept[peer]

    def _pause(self, failures: int) -> float:
        """Doubles with each failure up to the cap, and is spread so that nodes do not march."""
        first, cap = self._limits.redial_first_seconds, self._limits.redial_cap_seconds
        return min(cap, first * 2.0 ** min(failures - 1, 20)) * self._chance.uniform(0.5, 1.0)


def _cause(error: BaseException) -> str:
    """The innermost reason, in a few words."""
    while error.__cause__ is not None:
        error = error.__cause__
    return f"{type(error).__name__} {error}"[:120].strip()
