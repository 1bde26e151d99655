"""The life of one child, seen from the daemon: requests and answers, channels, reports.

Owns: which answer belongs to which request, which channel a frame is for, the checks on what the
child may say when. Must not know: how children are started, what survives them.
"""

from typing import Protocol, TypeVar, assert_never

import trio

from swapd.network import frames
from swapd.network.channel import PeerChannel
from swapd.network.limits import PROBE_SECONDS, PROBE_TIMEOUT_SECONDS
from swapd.ports import NetworkDown

Answer = frames.Done | frames.Refused | frames.Connected | frames.PeerList | frames.Opened
A = TypeVar("A", frames.Done, frames.Connected, frames.PeerList, frames.Opened)
Ask = (
    frames.Publish
    | frames.Connect
    | frames.Disconnect
    | frames.Drain
    | frames.ListPeers
    | frames.Open
)  # fmt: skip


class Declined(Exception):
    """The child answered with Refused."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Listener(Protocol):
    """Who is told what the child reports by itself."""

    def on_ready(self, report: frames.Ready) -> None: ...

    def on_failed(self, report: frames.Failed) -> None: ...

    def on_gossip(self, report: frames.Gossip) -> None: ...

    def on_peer_up(self, peer: frames.Peer) -> None: ...

    def on_peer_down(self, peer_id: str) -> None: ...

    def on_channel(self, channel: PeerChannel) -> bool:
        """False when nobody takes it."""
        ...

    def on_dropped(self, gossip: int) -> None:
        """How much gossip this child has dropped so far because the daemon was slow."""
        ...


class _Waiting:
    """A request whose answer has not come yet."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.done = trio.Event()
        self.answer: Answer | None = None


class Session:
    """One running child. After `end` every call raises NetworkDown and every channel is closed."""

    def __init__(self, stream: trio.SocketStream, listener: Listener) -> None:
        self._listener = listener
        self._outbox = frames.Outbox(stream)
        self._reader: frames.FrameReader[frames.Report] = frames.FrameReader(stream, frames.Report)
        self._waiting: dict[int, _Waiting] = {}
        self._channels: dict[int, PeerChannel] = {}
        self._opened_for: dict[int, PeerChannel] = {}
        self._last = 0
        self._probed = 0
        self._answered = 0
        self._stuck = trio.Event()
        self._ended: str | None = None

    async def run(self) -> str:
        """Until the child ends or breaks the rules; returns which."""
        why = "it ended"
        async with trio.open_nursery() as nursery:

            async def write() -> None:
                try:
                    await self._outbox.run()
                except frames.EndOfFrames:
                    nursery.cancel_scope.cancel()

            async def read() -> None:
                nonlocal why
                try:
                    await self._read()
                except frames.EndOfFrames:
                    pass
                except frames.FrameError as error:
                    why = f"it broke the rules: {error}"
                nursery.cancel_scope.cancel()

            async def probe() -> None:
                nonlocal why
                why = await self._probe(why)
                nursery.cancel_scope.cancel()

            nursery.start_soon(write)
            nursery.start_soon(read)
            nursery.start_soon(probe)
        return why

    def post(self, command: frames.Command) -> None:
        """Sends a checked command. Nothing happens when the child is gone."""
        if self._ended is not None:
            return
        try:
            self._outbox.put(command)
        except frames.FrameError:
            self._stuck.set()

    def number(self) -> int:
        """A fresh request number."""
        self._last += 1
        return self._last

    async def ask(self, ask: Ask, kind: type[A], timeout: float) -> A:
        """Sends a request and returns its answer. Raises Declined (also for a request that is out
        of bounds), NetworkDown."""
        try:
            frames.check(ask)
        except ValueError as error:
            raise Declined("address", str(error)) from error
        if self._ended is not None:
            raise NetworkDown(self._ended)
        waiting = self._waiting[ask.request] = _Waiting(ask)
        self.post(ask)
        try:
            with trio.move_on_after(timeout):
                await waiting.done.wait()
        finally:
            self._waiting.pop(ask.request, None)
        if self._ended is not None and waiting.answer is None:
            raise NetworkDown(self._ended)
        match waiting.answer:
            case frames.Refused(kind=refused, why=why):
                raise Declined(refused, why)
            case None:
                raise NetworkDown("the network process did not answer in time; try again")
            case answer if isinstance(answer, kind):
                return answer
            case _:
                self._stuck.set()
                raise NetworkDown("the network process answered something else; it is restarted")

    async def open(self, ask: frames.Open, timeout: float) -> PeerChannel:
        """A new channel. Raises Declined, NetworkDown."""
        opened = None
        try:
            opened = (await self.ask(ask, frames.Opened, timeout)).channel
        finally:
            if opened is None and (stray := self._opened_for.get(ask.request)) is not None:
                await stray.aclose()
            channel = self._opened_for.pop(ask.request, None)
        if channel is None:
            raise NetworkDown("the network process ended meanwhile; try again")
        return channel

    def end(self, why: str) -> None:
        """The child is gone: everyone who waits is told."""
        self._ended = f"the network process is not running ({why}); it is being restarted"
        for waiting in self._waiting.values():
            waiting.done.set()
        self._waiting.clear()
        for channel in self._channels.values():
            channel.end(self._ended)
        self._channels.clear()

    async def _probe(self, ended: str) -> str:
        """Asks for a sign of life now and then; returns when the child is stuck."""
        while True:
            with trio.move_on_after(PROBE_SECONDS):
                await self._stuck.wait()
                return "it does not read, or answers nonsense"
            self._probed += 1
            self.post(frames.Probe(number=self._probed))
            if (self._probed - self._answered) * PROBE_SECONDS > PROBE_TIMEOUT_SECONDS:
                return f"it does not answer ({ended})"

    async def _read(self) -> None:
        while True:
            self._handle(await self._reader.receive())

    def _handle(self, report: frames.Report) -> None:
        match report:
            case frames.Received(channel=number, data=data):
                if (channel := self._channels.get(number)) is not None:
                    channel.arrived(data)
            case frames.Written(channel=number):
                if (channel := self._channels.get(number)) is not None:
                    channel.written()
            case frames.Closed(channel=number, why=why):
                if (channel := self._channels.pop(number, None)) is not None:
                    channel.end(why)
            case frames.Gossip():
                self._listener.on_gossip(report)
            case frames.Incoming(channel=number, peer_id=peer_id, protocol=protocol):
                channel = self._add_channel(number, peer_id, protocol)
                if not self._listener.on_channel(channel):
                    channel.end("nobody takes it")
                    self.post(frames.Close(channel=number))
            case frames.Opened():
                self._opened(report)
            case frames.Done() | frames.Refused() | frames.Connected() | frames.PeerList():
                self._answer(report)
            case frames.PeerUp(peer=peer):
                self._listener.on_peer_up(peer)
            case frames.PeerDown(peer_id=peer_id):
                self._listener.on_peer_down(peer_id)
            case frames.Alive(number=number, gossip_dropped=dropped):
                self._answered = max(self._answered, min(number, self._probed))
                self._listener.on_dropped(dropped)
            case frames.Ready():
                self._listener.on_ready(report)
            case frames.Failed():
                self._listener.on_failed(report)
            case _:
                assert_never(report)

    def _answer(self, answer: Answer) -> None:
        waiting = self._waiting.get(answer.request)
        if waiting is not None:
            waiting.answer = answer
            waiting.done.set()

    def _opened(self, report: frames.Opened) -> None:
        """A caller that gave up meanwhile leaves a channel that nobody wants."""
        waiting = self._waiting.get(report.request)
        if waiting is None or not isinstance(waiting.ask, frames.Open):
            self.post(frames.Close(channel=report.channel))
            return
        channel = self._add_channel(report.channel, waiting.ask.peer_id, waiting.ask.protocol)
        self._opened_for[report.request] = channel
        self._answer(report)

    def _add_channel(self, number: int, peer_id: str, protocol: str) -> PeerChannel:
        if number in self._channels:
            raise frames.FrameError("the child used a channel number twice")
        channel = self._channels[number] = PeerChannel(number, peer_id, protocol, self.post)
        return channel
