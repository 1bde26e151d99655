"""The daemon's side of the network: the port `Peers`, and the care for the process behind it.

Owns: starting the child, starting it again when it ends, what it must be told each time, and the
translation between the port and frames. Must not know: libp2p (it is never imported here), offers,
swaps.

Whatever happens to the child costs a reconnect and nothing else: open channels end with
ChannelClosed, waiting calls with NetworkDown, subscriptions and known peers are told to the next
one, which listens on the same port with the same key. The child is not trusted: its frames are
checked, and one that breaks the rules, or does not answer for half a minute, is killed.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeVar

import structlog
import trio
from msgspec import Struct

from swapd.network import frames
from swapd.network.channel import PeerChannel
from swapd.network.limits import (
    EVENT_QUEUE,
    GOSSIP_QUEUE,
    MAX_ADDRESS,
    MAX_ADDRESSES,
    MAX_KNOWN_PEERS,
    MAX_MESSAGE,
    MAX_SERVED,
    MAX_TEXT,
    MAX_TOPICS,
    RESTART_CALM_SECONDS,
    RESTART_CAP_SECONDS,
    RESTART_FIRST_SECONDS,
    SERVE_QUEUE,
    START_TIMEOUT_SECONDS,
    NetworkLimits,
)
from swapd.network.process import ChildProcess, spawn
from swapd.network.session import Declined, Session
from swapd.ports import (
    Channel,
    GossipMessage,
    InvalidAddress,
    ListenError,
    NetworkDown,
    NetworkIdentity,
    PeerError,
    PeerEvent,
    PeerInfo,
    PeerUnreachable,
)

_log = structlog.get_logger("network")
_ATTEMPTS_AT_START: Final = 3
_CLOCK_POLL_SECONDS: Final = 0.1
_ANSWER_MARGIN_SECONDS: Final = 5.0
_EXIT_WAIT_SECONDS: Final = 1.0

Item = TypeVar("Item")


class NetworkConfig(Struct, frozen=True, kw_only=True):
    """What the operator decides. `listen`: /ip4|ip6/<address>/tcp/<port>, port 0 for any free one;
    `announce`: what others are told instead, behind a NAT; `bootstrap`: addresses ending in /p2p/;
    `validator`: "module:function", called as (topic, data, unix seconds) -> bool, pure and quick;
    `allow_private`: whether addresses on private networks are dialled when strangers name them."""

    listen: tuple[str, ...]
    validator: str
    announce: tuple[str, ...] = ()
    bootstrap: tuple[str, ...] = ()
    allow_private: bool = False
    limits: NetworkLimits = NetworkLimits()


class _End(Struct, frozen=True):
    """How one child's life ended."""

    why: str
    ready: bool
    failed: frames.Failed | None


class Libp2pPeers:
    """The port `Peers` over a supervised libp2p process. Nothing works until `run` does.

    Raises ValueError for a configuration out of bounds, InvalidAddress for a bootstrap address.
    `secret` is the 32-byte secp256k1 network key; `clock` gives unix seconds where the daemon's
    clock is not the machine's (test clocks)."""

    def __init__(
        self, config: NetworkConfig, secret: bytes, *, clock: Callable[[], int] | None = None
    ) -> None:
        self._config = config
        self._secret = secret
        self._clock = clock
        self._listen = config.listen
        self._topics: set[str] = set()
        self._served: dict[str, trio.MemorySendChannel[Channel]] = {}
        self._kept: dict[str, tuple[str, ...]] = {}
        self._recent: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._connected: dict[str, frames.Peer] = {}
        self._starting: Session | None = None
        self._session: Session | None = None
        self._child: ChildProcess | None = None
        self._identity: NetworkIdentity | None = None
        self._ready = trio.Event()
        self._failed: frames.Failed | None = None
        self._gossip_in, self._gossip_out = trio.open_memory_channel[GossipMessage](GOSSIP_QUEUE)
        self._events_in, self._events_out = trio.open_memory_channel[PeerEvent](EVENT_QUEUE)
        self.gossip_dropped = 0
        self._dropped_by_child = 0
        for address in config.bootstrap:
            self._keep(address)
        frames.check(self._start_frame())

    # --- The life of the child ----------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keeps a child running until cancelled; `started` once it listens for the first time.
        Raises ListenError when the address is in use at the start, PeerError when the child does
        not start at all; later both are logged and tried again."""
        pause, attempts, started = RESTART_FIRST_SECONDS, 0, False
        while True:
            began = trio.current_time()
            end = await self._live(None if started else task_status)
            started = started or end.ready
            attempts += 1
            if not started:
                _check_first_start(end, attempts)
            if trio.current_time() - began > RESTART_CALM_SECONDS:
                pause = RESTART_FIRST_SECONDS
            _log.warning("network process ended", why=end.why, restart_seconds=pause)
            await trio.sleep(pause)
            pause = min(RESTART_CAP_SECONDS, pause * 2)

    async def _live(self, task_status: trio.TaskStatus[None] | None) -> _End:
        """One child from start to end."""
        self._failed = None
        child = self._child = spawn()
        session = self._starting = Session(child.stream, self)
        session.post(self._start_frame())
        why = "it was stopped"
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._greet, session, task_status, nursery.cancel_scope)
                why = await session.run()
                nursery.cancel_scope.cancel()
        finally:
            ready, self._session, self._starting = self._session is not None, None, None
            if self._ready.is_set():
                self._ready = trio.Event()
            session.end(why)
            for peer_id in tuple(self._connected):
                self._gone(peer_id)
            with trio.CancelScope(shield=True):
                code = await child.exit_code(_EXIT_WAIT_SECONDS) if why == "it ended" else None
                code = await child.end() if code is None else code
                await trio.aclose_forcefully(child.stream)
            self._child = None
        return _End(why=f"{why}, exit code {code}", ready=ready, failed=self._failed)

    async def _greet(
        self,
        session: Session,
        task_status: trio.TaskStatus[None] | None,
        scope: trio.CancelScope,
    ) -> None:
        """Tells a new child all it must know, and waits until it listens."""
        offset = self._offset()
        with trio.move_on_after(START_TIMEOUT_SECONDS) as limit:
            await self._ready.wait()
        if limit.cancelled_caught:
            scope.cancel()
            return
        self._session = session
        if task_status is not None:
            task_status.started()
        while self._clock is not None:
            await trio.sleep(_CLOCK_POLL_SECONDS)
            if (now := self._offset()) != offset:
                offset = now
                session.post(frames.SetClock(offset=offset))

    def _start_frame(self) -> frames.Start:
        config = self._config
        kept = tuple(
            frames.KnownPeer(peer_id=peer, addresses=addresses, keep=True)
            for peer, addresses in self._kept.items()
        )
        recent = tuple(
            frames.KnownPeer(peer_id=peer, addresses=addresses, keep=False)
            for peer, addresses in self._recent.items()
            if peer not in self._kept
        )
        return frames.Start(
            secret=self._secret,
            listen=self._listen,
            announce=config.announce,
            validator=config.validator,
            clock_offset=self._offset(),
            allow_private=config.allow_private,
            limits=config.limits,
            topics=tuple(self._topics),
            served=tuple(self._served),
            peers=kept + recent,
        )

    def _offset(self) -> int:
        return 0 if self._clock is None else self._clock() - int(time.time())

    def _keep(self, address: str) -> None:
        """Remembers a peer to stay connected to, unless there are 64 already.
        Raises InvalidAddress."""
        head, mark, peer_id = address.rpartition("/p2p/")
        if not mark or not head or not peer_id:
            raise InvalidAddress(
                f"{address[:100]!r} is not of the form /ip4/<address>/tcp/<port>/p2p/<peer id>"
            )
        if peer_id in self._kept or len(self._kept) < MAX_KNOWN_PEERS:
            self._kept[peer_id] = (head,)

    # --- What the child reports ---------------------------------------------------------------

    def on_ready(self, report: frames.Ready) -> None:
        """It listens: from now on at this very port."""
        self._listen = report.listen
        self._identity = NetworkIdentity(peer_id=report.peer_id, addresses=report.addresses)
        self._ready.set()

    def on_failed(self, report: frames.Failed) -> None:
        """It says why it cannot start."""
        self._failed = report

    def on_gossip(self, report: frames.Gossip) -> None:
        """Queued for the market; the oldest give way."""
        if report.topic not in self._topics:
            return
        message = GossipMessage(topic=report.topic, data=report.data, from_peer=report.from_peer)
        self.gossip_dropped += _send_newest(self._gossip_in, self._gossip_out, message)

    def on_peer_up(self, peer: frames.Peer) -> None:
        """A peer came."""
        self._connected[peer.peer_id] = peer
        if not peer.inbound:
            self._recent[peer.peer_id] = peer.addresses
            while len(self._recent) > MAX_KNOWN_PEERS:
                self._recent.popitem(last=False)
        _send_newest(self._events_in, self._events_out, PeerEvent(peer_id=peer.peer_id, up=True))

    def on_peer_down(self, peer_id: str) -> None:
        """A peer went while the child lives: it is not one to return to after a restart."""
        self._recent.pop(peer_id, None)
        self._gone(peer_id)

    def _gone(self, peer_id: str) -> None:
        if self._connected.pop(peer_id, None) is not None:
            _send_newest(self._events_in, self._events_out, PeerEvent(peer_id=peer_id, up=False))

    def on_channel(self, channel: PeerChannel) -> bool:
        """A peer opened a channel; False when its protocol is not served or the queue is full."""
        served = self._served.get(channel.protocol)
        if served is None:
            return False
        try:
            served.send_nowait(channel)
        except (trio.WouldBlock, trio.BrokenResourceError):
            return False
        return True

    def on_dropped(self, gossip: int) -> None:
        """Gossip that this child had to drop because we did not read."""
        if gossip > self._dropped_by_child:
            _log.warning("gossip dropped in the network process", count=gossip)
        self._dropped_by_child = gossip

    # --- The port -----------------------------------------------------------------------------

    async def wait_ready(self) -> None:
        """Until the network listens; at once when it does."""
        await self._ready.wait()

    def identity(self) -> NetworkIdentity:
        """Our peer id and addresses. Raises NetworkDown before the first start is complete."""
        if self._identity is None:
            raise NetworkDown("the network has not started yet; wait until it is ready")
        return self._identity

    @property
    def child_pid(self) -> int | None:
        """The network process, for health reports; None while there is none."""
        return None if self._child is None else self._child.pid

    async def publish(self, topic: str, data: bytes) -> None:
        """To everyone who follows the topic. Raises NetworkDown, ValueError when over 64 KiB or
        when our own validator refuses it."""
        if len(data) > MAX_MESSAGE:
            raise ValueError(f"a message of {len(data)} bytes; {MAX_MESSAGE} is the limit")
        session = self._up()
        ask = frames.Publish(request=session.number(), topic=topic, data=data)
        try:
            await session.ask(ask, frames.Done, self._patience())
        except Declined as refusal:
            if refusal.kind == "busy":
                raise NetworkDown(str(refusal)) from refusal
            raise ValueError(str(refusal)) from refusal

    async def subscribe(self, topic: str) -> None:
        """Remembered over restarts. Raises ValueError for a name over 256 characters, or beyond
        1024 topics."""
        if topic not in self._topics and len(self._topics) >= MAX_TOPICS:
            raise ValueError(f"{MAX_TOPICS} topics are the limit")
        self._tell(frames.Subscribe(topic=topic))
        self._topics.add(topic)
        await trio.lowlevel.checkpoint()

    async def unsubscribe(self, topic: str) -> None:
        """Nothing of this topic comes any more."""
        self._tell(frames.Unsubscribe(topic=topic))
        self._topics.discard(topic)
        await trio.lowlevel.checkpoint()

    def gossip(self) -> trio.MemoryReceiveChannel[GossipMessage]:
        """Validated messages of all subscribed topics. One queue: two readers share it."""
        return self._gossip_out.clone()

    def events(self) -> trio.MemoryReceiveChannel[PeerEvent]:
        """Peers that come and go. One queue: two readers share it."""
        return self._events_out.clone()

    async def open(self, peer_id: str, addresses: tuple[str, ...], protocol: str) -> Channel:
        """A channel to the peer, dialled at these addresses (with or without /p2p) when it is not
        connected. Raises PeerUnreachable, NetworkDown."""
        session = self._up()
        ask = frames.Open(
            request=session.number(),
            peer_id=peer_id,
            addresses=addresses[:MAX_ADDRESSES],
            protocol=protocol,
        )
        try:
            return await session.open(ask, self._patience())
        except Declined as refusal:
            raise PeerUnreachable(f"no channel to {peer_id}: {refusal}") from refusal

    def serve(self, protocol: str) -> trio.MemoryReceiveChannel[Channel]:
        """Inbound channels of this protocol from now on, over restarts; once per protocol.
        Whoever takes one closes it."""
        if protocol in self._served or len(self._served) >= MAX_SERVED:
            raise ValueError(f"{protocol} is served already, or {MAX_SERVED} others are")
        send, receive = trio.open_memory_channel[Channel](SERVE_QUEUE)
        self._tell(frames.Serve(protocol=protocol))
        self._served[protocol] = send
        return receive

    async def connect(self, multiaddr: str) -> PeerInfo:
        """Connects, and stays connected from then on. Raises InvalidAddress, PeerUnreachable,
        NetworkDown."""
        session = self._up()
        ask = frames.Connect(request=session.number(), address=multiaddr[:MAX_ADDRESS])
        try:
            answer = await session.ask(ask, frames.Connected, self._patience())
        except Declined as refusal:
            if refusal.kind == "address":
                raise InvalidAddress(str(refusal)) from refusal
            raise PeerUnreachable(str(refusal)) from refusal
        self._keep(multiaddr)
        return _info(answer.peer)

    async def disconnect(self, peer_id: str) -> None:
        """Hangs up, and does not dial this peer again by itself."""
        self._kept.pop(peer_id, None)
        self._recent.pop(peer_id, None)
        session = self._session
        if session is None:
            return
        ask = frames.Disconnect(request=session.number(), peer_id=peer_id)
        try:
            await session.ask(ask, frames.Done, self._patience())
        except Declined as refusal:
            raise InvalidAddress(str(refusal)) from refusal

    async def drain(self) -> None:
        """Returns when what was published is written to the peers, or after a second or so: for
        the end of the daemon, because the network process is ended without a goodbye."""
        session = self._session
        if session is None:
            return
        try:
            await session.ask(frames.Drain(request=session.number()), frames.Done, self._patience())
        except (Declined, NetworkDown) as error:
            _log.info("the network did not drain", why=str(error))

    async def penalise(self, peer_id: str, why: str) -> None:
        """The third time soon after each other, the peer is refused for some minutes."""
        self._tell(frames.Penalise(peer_id=peer_id, why=why[:MAX_TEXT]))
        await trio.lowlevel.checkpoint()

    def peer_count(self) -> int:
        """How many are connected, as last heard from the network process."""
        return len(self._connected)

    async def peers(self) -> tuple[PeerInfo, ...]:
        """Everyone connected now, with fresh round trip times; nobody while the network is down."""
        session = self._session
        if session is None:
            return ()
        ask = frames.ListPeers(request=session.number())
        try:
            answer = await session.ask(ask, frames.PeerList, self._patience())
        except (Declined, NetworkDown):
            return ()
        return tuple(_info(peer) for peer in answer.peers)

    def _up(self) -> Session:
        if self._session is None:
            raise NetworkDown("the network process is not running; it is being restarted")
        return self._session

    def _tell(self, command: frames.Command) -> None:
        """Raises ValueError for a command out of bounds, running or not."""
        frames.check(command)
        if self._starting is not None:
            self._starting.post(command)

    def _patience(self) -> float:
        return self._config.limits.open_timeout_seconds + _ANSWER_MARGIN_SECONDS


def _check_first_start(end: _End, attempts: int) -> None:
    """What is wrong before the network ever worked is the operator's to repair."""
    if end.failed is not None and end.failed.kind == "listen":
        raise ListenError(end.failed.why)
    if end.failed is not None:
        raise PeerError(end.failed.why)
    if attempts >= _ATTEMPTS_AT_START:
        raise PeerError(f"the network process does not start: {end.why}; see the log above")


def _info(peer: frames.Peer) -> PeerInfo:
    return PeerInfo(
        peer_id=peer.peer_id,
        addresses=peer.addresses,
        inbound=peer.inbound,
        connected_since=peer.connected_since,
        latency_ms=peer.latency_ms,
    )


def _send_newest(
    into: trio.MemorySendChannel[Item], out: trio.MemoryReceiveChannel[Item], item: Item
) -> int:
    """Queues an item; when there is no room the oldest gives way. Returns how many did."""
    dropped = 0
    while True:
        try:
            into.send_nowait(item)
        except trio.WouldBlock:
            out.receive_nowait()
            dropped += 1
        else:
            return dropped
