"""The running network inside the child: peers, gossip, channels, and the daemon's commands.

Owns: what becomes of each command, which connections count as peers, who is refused. Must not
know: how the daemon uses any of it.
"""

import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, assert_never

import structlog
import trio
from libp2p.abc import INetConn, INetStream, INetwork, INotifee
from libp2p.crypto.secp256k1 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.exceptions import BaseLibp2pError
from libp2p.peer.id import ID
from libp2p.rcmgr import Direction
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.tools.anyio_service import background_trio_service
from msgspec import structs

from swapd.network import frames
from swapd.network.addresses import (
    BadAddress,
    Multiaddr,
    is_private,
    parse_address,
    parse_peer,
    reachable,
    split_peer,
)
from swapd.network.admission import PeerRates, PenaltyBook
from swapd.network.channels import Channels, TooManyChannels
from swapd.network.dialer import Dialer, DialFailed
from swapd.network.gossip import GossipHooks, SwapGossipSub, SwapPubsub
from swapd.network.host import (
    StartFailure,
    build_host,
    load_validator,
    own_address,
    probe_port,
    swarm_of,
)
from swapd.network.limits import (
    MAX_ADDRESSES,
    MAX_REQUESTS,
    MAX_SERVED,
    MAX_TOPICS,
    PENALTY_REPORTED,
)
from swapd.network.patches import close_abruptly

_log = structlog.get_logger("network.node")
_MAINTENANCE_SECONDS: Final = 60.0

Ask = TypeVar("Ask", frames.Publish, frames.Connect, frames.Disconnect, frames.Drain, frames.Open)

_OPEN_AGAIN_SECONDS = (0.1, 0.4, 1.0)
"""Pauses before a stream is opened again. When two peers dial each other at once, one of the two
connections is closed, perhaps with a stream just being opened on it; nothing was said on it yet."""

_DRAIN_SECONDS = 1.0
_DRAIN_POLL_SECONDS = 0.01


class _Refusal(Exception):
    """What a request is answered with instead of success."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class _Watcher(INotifee):
    """Tells the node of connections that come and go."""

    def __init__(self, up: Callable[[INetConn], None], down: Callable[[INetConn], None]) -> None:
        self._up = up
        self._down = down

    async def connected(self, _network: INetwork, conn: INetConn) -> None:
        self._up(conn)

    async def disconnected(self, _network: INetwork, conn: INetConn) -> None:
        self._down(conn)

    async def opened_stream(self, network: INetwork, stream: INetStream) -> None: ...

    async def closed_stream(self, network: INetwork, stream: INetStream) -> None: ...

    async def listen(self, network: INetwork, multiaddr: Multiaddr) -> None: ...

    async def listen_close(self, network: INetwork, multiaddr: Multiaddr) -> None: ...


class Node:
    """The running network. `handle` takes the daemon's commands and never blocks."""

    def __init__(self, start: frames.Start, outbox: frames.Outbox) -> None:
        limits = start.limits
        self._limits = limits
        self._outbox = outbox
        self._start = start
        self._validate = load_validator(start.validator)
        self._clock_offset = start.clock_offset
        self._rates = PeerRates(
            messages=limits.messages_per_second,
            messages_burst=limits.messages_burst,
            size=limits.bytes_per_second,
            size_burst=limits.bytes_burst,
        )
        self._book = PenaltyBook(limit=limits.penalty_limit, refuse_seconds=limits.refuse_seconds)
        self._peers: dict[str, frames.Peer] = {}
        self._requests = 0
        self._topics = frozenset(start.topics)
        self._topics_changed = trio.Event()
        self._served: set[str] = set()
        self._nursery: trio.Nursery | None = None
        self.started = trio.Event()
        listen = tuple(own_address(text) for text in start.listen)
        announce = tuple(own_address(text) for text in start.announce)
        for address in listen:
            probe_port(address)
        self._host = build_host(
            create_new_key_pair(start.secret), listen, announce, limits, self._refused
        )
        self._listen = listen
        self._swarm = swarm_of(self._host)
        self._router = SwapGossipSub()
        self._pubsub = SwapPubsub(
            self._host,
            self._router,
            GossipHooks(
                validate=self._believe,
                deliver=self._deliver,
                misbehaved=self._misbehaved,
                spend=self._spend,
            ),
        )
        self._channels = Channels(outbox, limits, self._misbehaved)
        self._dialer = Dialer(self._swarm, limits, self._refused, random.Random())  # noqa: S311 - it spreads redials, nothing depends on its secrecy
        self._swarm.register_notifee(_Watcher(self._connected, self._disconnected))

    async def run(self) -> None:
        """Until cancelled. Raises StartFailure when the port was taken between probe and bind."""
        async with self._host.run(listen_addrs=self._listen):
            own = tuple(str(address) for address in self._host.get_transport_addrs())
            if len(own) < len(self._listen):
                raise StartFailure("listen", f"cannot listen on all of {self._start.listen}")
            async with (
                background_trio_service(self._router),
                background_trio_service(self._pubsub),
                trio.open_nursery() as nursery,
            ):
                self._nursery = nursery
                self.started.set()
                await self._pubsub.wait_until_ready()
                for protocol in self._start.served:
                    self._serve(protocol)
                await self._follow_topics()
                self._outbox.put(
                    frames.Ready(
                        peer_id=str(self._host.get_id()),
                        addresses=self._start.announce or reachable(own),
                        listen=own,
                    )
                )
                for peer in self._start.peers:
                    self._keep(peer.peer_id, peer.addresses, ever=peer.keep)
                await self._maintain()

    async def _maintain(self) -> None:
        while True:
            with trio.move_on_after(_MAINTENANCE_SECONDS) as pause:
                await self._topics_changed.wait()
                self._topics_changed = trio.Event()
                await self._follow_topics()
            if pause.cancelled_caught:
                self._router.forget_expired()

    async def _follow_topics(self) -> None:
        """Makes the subscriptions what the daemon last wanted."""
        for topic in tuple(self._pubsub.topic_ids):
            if topic not in self._topics:
                await self._pubsub.unsubscribe(topic)
        for topic in self._topics:
            await self._pubsub.subscribe(topic)

    # --- Commands -----------------------------------------------------------------------------

    def handle(self, command: frames.Command) -> None:
        """One command of the daemon. What takes time is done by a task of its own."""
        match command:
            case frames.Send(channel=channel, data=data):
                self._channels.send(channel, data)
            case frames.Take(channel=channel):
                self._channels.take(channel)
            case frames.Close(channel=channel):
                self._channels.close(channel)
            case frames.Probe(number=number):
                self._outbox.put(frames.Alive(number=number, gossip_dropped=self._outbox.dropped))
            case frames.SetClock(offset=offset):
                self._clock_offset = offset
            case frames.Serve(protocol=protocol):
                self._serve(protocol)
            case frames.Penalise(peer_id=peer_id, why=why):
                self._misbehaved(peer_id, PENALTY_REPORTED, why)
            case frames.ListPeers(request=request):
                peers = tuple(self._fresh(peer) for peer in self._peers.values())
                self._outbox.put(frames.PeerList(request=request, peers=peers))
            case frames.Subscribe(topic=topic):
                self._follow(self._topics | {topic})
            case frames.Unsubscribe(topic=topic):
                self._follow(self._topics - {topic})
            case frames.Publish():
                self._attempt(command, self._publish)
            case frames.Connect():
                self._attempt(command, self._connect)
            case frames.Disconnect():
                self._attempt(command, self._disconnect)
            case frames.Drain():
                self._attempt(command, self._drain)
            case frames.Open():
                self._attempt(command, self._open)
            case frames.Start():
                raise frames.FrameError("started twice")
            case _:
                assert_never(command)

    def _follow(self, topics: frozenset[str]) -> None:
        if len(topics) > MAX_TOPICS:
            _log.error("too many topics", limit=MAX_TOPICS)
            return
        self._topics = topics
        self._topics_changed.set()

    def _serve(self, protocol: str) -> None:
        if protocol in self._served or len(self._served) >= MAX_SERVED:
            return
        self._served.add(protocol)

        async def handle(stream: INetStream) -> None:
            await self._channels.serve(stream, protocol)

        self._host.set_stream_handler(TProtocol(protocol), handle)

    def _keep(self, peer_id: str, addresses: tuple[str, ...], *, ever: bool) -> None:
        try:
            self._dialer.keep(self._tasks(), peer_id, addresses, ever=ever)
        except BadAddress as error:
            _log.warning("a known peer is not dialled", peer=peer_id, why=str(error))

    def _attempt(self, ask: Ask, work: Callable[[Ask], Awaitable[None]]) -> None:
        """Does `work` in a task; whatever it raises becomes the answer."""
        if self._requests >= MAX_REQUESTS:
            self._refuse(ask.request, "busy", "too many requests at once; try again")
            return
        self._requests += 1
        self._tasks().start_soon(self._answer, ask, work)

    async def _answer(self, ask: Ask, work: Callable[[Ask], Awaitable[None]]) -> None:
        try:
            with trio.fail_after(self._limits.open_timeout_seconds):
                await work(ask)
        except _Refusal as refusal:
            self._refuse(ask.request, refusal.kind, str(refusal))
        except BadAddress as error:
            self._refuse(ask.request, "address", str(error))
        except (DialFailed, TooManyChannels) as error:
            self._refuse(ask.request, "unreachable", str(error))
        except trio.TooSlowError:
            self._refuse(ask.request, "unreachable", "no answer in time")
        except (BaseLibp2pError, OSError) as error:
            why = f"{error!r} ({error.__cause__!r})" if error.__cause__ else repr(error)
            self._refuse(ask.request, "unreachable", why)
        finally:
            self._requests -= 1

    def _refuse(self, request: int, kind: str, why: str) -> None:
        self._outbox.put(frames.Refused(request=request, kind=kind, why=why[:1000]))

    async def _publish(self, ask: frames.Publish) -> None:
        if not self._believe(ask.topic, ask.data):
            raise _Refusal("invalid", "our own validator refuses this message")
        await self._pubsub.publish(ask.topic, ask.data)
        self._outbox.put(frames.Done(request=ask.request))

    async def _connect(self, ask: frames.Connect) -> None:
        peer_id, address = split_peer(ask.address)
        await self._dialer.dial(peer_id, (address,))
        peer = self._peers.get(str(peer_id))
        if peer is None:
            raise DialFailed("the peer hung up at once")
        self._keep(str(peer_id), (str(address),), ever=True)
        self._outbox.put(frames.Connected(request=ask.request, peer=self._fresh(peer)))

    async def _disconnect(self, ask: frames.Disconnect) -> None:
        self._dialer.let_go(ask.peer_id)
        await self._drop(parse_peer(ask.peer_id))
        self._outbox.put(frames.Done(request=ask.request))

    async def _drain(self, ask: frames.Drain) -> None:
        # libp2p's queues have no event for being empty.
        with trio.move_on_after(_DRAIN_SECONDS):
            while not self._pubsub.is_quiet():  # noqa: ASYNC110 - see above
                await trio.sleep(_DRAIN_POLL_SECONDS)
        self._outbox.put(frames.Done(request=ask.request))

    async def _open(self, ask: frames.Open) -> None:
        self._channels.check_room(ask.peer_id)
        for pause in _OPEN_AGAIN_SECONDS:
            try:
                stream = await self._stream(ask)
                break
            except BaseLibp2pError as error:
                if "not supported" in f"{error} {error.__cause__}":
                    raise
                _log.info("opening a stream again", peer=ask.peer_id, error=repr(error)[:200])
            await trio.sleep(pause)
        else:
            stream = await self._stream(ask)
        self._tasks().start_soon(self._channels.open, ask.request, stream)

    async def _stream(self, ask: frames.Open) -> INetStream:
        peer_id = parse_peer(ask.peer_id)
        if not self._dialer.connected(peer_id):
            await self._dialer.dial(peer_id, self._strangers_addresses(ask.addresses))
        return await self._host.new_stream(peer_id, [TProtocol(ask.protocol)])

    def _strangers_addresses(self, texts: tuple[str, ...]) -> tuple[Multiaddr, ...]:
        """Those that may be dialled of what somebody else says: IP addresses, and no private ones
        unless the operator said so. Raises BadAddress when none is left."""
        found: list[Multiaddr] = []
        why = "no address is known"
        for text in texts:
            try:
                address = parse_address(text, names=False)
            except BadAddress as error:
                why = str(error)
                continue
            if is_private(address) and not self._start.allow_private:
                why = f"{address} is a private address, which is not dialled for strangers"
                continue
            found.append(address)
        if not found:
            raise DialFailed(why)
        return tuple(found)

    # --- Hooks --------------------------------------------------------------------------------

    def _now(self) -> int:
        return int(time.time()) + self._clock_offset

    def _believe(self, topic: str, data: bytes) -> bool:
        try:
            return self._validate(topic, data, self._now()) is True
        except Exception:  # noqa: BLE001 - logged; our mistake must not end the network
            _log.exception("the gossip validator raised; the message is refused", topic=topic)
            return False

    def _deliver(self, topic: str, data: bytes, from_peer: str) -> None:
        self._outbox.put_gossip(frames.Gossip(topic=topic, data=data, from_peer=from_peer))

    def _spend(self, peer_id: str, messages: int, size: int) -> float:
        return self._rates.spend(peer_id, messages, size, trio.current_time())

    def _refused(self, peer_id: str) -> bool:
        return self._book.refused(peer_id, trio.current_time())

    def _misbehaved(self, peer_id: str, points: int, why: str) -> None:
        _log.info("peer misbehaved", peer=peer_id, points=points, why=why[:300])
        if self._book.add(peer_id, points, trio.current_time()):
            _log.warning("peer refused for a while", peer=peer_id, why=why[:300])
            self._tasks().start_soon(self._drop_text, peer_id)

    async def _drop_text(self, peer_id: str) -> None:
        try:
            await self._drop(parse_peer(peer_id))
        except BadAddress:
            _log.error("penalty for what is no peer id", peer=peer_id[:80])

    async def _drop(self, peer_id: ID) -> None:
        for conn in tuple(self._swarm.get_connections(peer_id)):
            if isinstance(conn.muxed_conn, Yamux):
                await close_abruptly(conn.muxed_conn)

    def _connected(self, conn: INetConn) -> None:
        peer_id = str(conn.muxed_conn.peer_id)
        if peer_id in self._peers:
            return
        addresses = tuple(str(address) for address in conn.get_transport_addresses())
        peer = frames.Peer(
            peer_id=peer_id,
            addresses=addresses[:MAX_ADDRESSES],
            inbound=getattr(conn, "direction", None) == Direction.INBOUND,
            connected_since=self._now(),
            latency_ms=None,
        )
        self._peers[peer_id] = peer
        self._outbox.put(frames.PeerUp(peer=peer))

    def _disconnected(self, conn: INetConn) -> None:
        peer_id = conn.muxed_conn.peer_id
        if self._dialer.connected(peer_id) or self._peers.pop(str(peer_id), None) is None:
            return
        self._outbox.put(frames.PeerDown(peer_id=str(peer_id)))
        self._dialer.lost(str(peer_id))

    def _fresh(self, peer: frames.Peer) -> frames.Peer:
        """The same peer with the round trip time as it is now."""
        for conn in self._swarm.get_connections(parse_peer(peer.peer_id)):
            if isinstance(conn.muxed_conn, Yamux) and conn.muxed_conn.rtt() > 0:
                latency = max(1, round(conn.muxed_conn.rtt() * 1000))
                return structs.replace(peer, latency_ms=latency)
        return peer

    def _tasks(self) -> trio.Nursery:
        if self._nursery is None:
            raise StartFailure("config", "a command came before the start")
        return self._nursery
