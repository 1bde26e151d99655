"""Message channels over libp2p streams, inside the child.

Owns: the framing on a stream (4-byte big-endian length, then at most 64 KiB), the deadlines of
every read and write, the credits that bound what waits for the daemon, the number of channels.
Must not know: what is said on a channel, how peers are dialled.
"""

import contextlib
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

import structlog
import trio
from libp2p.abc import INetStream
from libp2p.exceptions import BaseLibp2pError
from libp2p.network.stream.exceptions import StreamEOF

from swapd.network.frames import Closed, Incoming, Opened, Outbox, Received, Written
from swapd.network.limits import CHANNEL_QUEUE, MAX_MESSAGE, PENALTY_MALFORMED, NetworkLimits
from swapd.network.patches import reset_quietly

_log = structlog.get_logger("network.channels")
_LENGTH: Final = 4
_READ: Final = 64 * 1024
_LINGER_SECONDS: Final = 5.0
_GOODBYE: Final = "the peer closed it"

Misbehaved = Callable[[str, int, str], None]


class TooManyChannels(Exception):
    """This peer, or all of them together, have as many channels as allowed."""


class Overlong(Exception):
    """A message above the limit was announced."""


class MessageStream:
    """Whole messages over one libp2p stream. Reads are always sized (B14)."""

    def __init__(self, stream: INetStream, limits: NetworkLimits) -> None:
        self._stream = stream
        self._limits = limits
        self._buffer = bytearray()

    async def receive(self) -> bytes | None:
        """The next message, however long it takes to begin; None at the end of the stream.
        Raises Overlong, trio.TooSlowError for one that begins and does not end."""
        if not await self._fill(1):
            return None
        with trio.fail_after(self._limits.io_timeout_seconds):
            if not await self._fill(_LENGTH):
                return None
            size = int.from_bytes(self._buffer[:_LENGTH], "big")
            if size > MAX_MESSAGE:
                raise Overlong(f"a message of {size} bytes was announced")
            if not await self._fill(_LENGTH + size):
                return None
        message = bytes(self._buffer[_LENGTH : _LENGTH + size])
        del self._buffer[: _LENGTH + size]
        return message

    async def send(self, message: bytes) -> None:
        """Raises trio.TooSlowError when the peer does not take it in time."""
        with trio.fail_after(self._limits.io_timeout_seconds):
            await self._stream.write(len(message).to_bytes(_LENGTH, "big") + message)

    async def finish(self) -> None:
        """Says that nothing more will be sent; what was sent is still delivered."""
        with trio.move_on_after(self._limits.io_timeout_seconds):
            with contextlib.suppress(BaseLibp2pError, OSError):
                await self._stream.close()

    async def _fill(self, count: int) -> bool:
        while len(self._buffer) < count:
            try:
                chunk = await self._stream.read(_READ)
            except StreamEOF:
                return False
            if not chunk:
                return False
            self._buffer += chunk
        return True


class _Channel:
    """One open channel: what waits to be written, and how much the daemon would take."""

    def __init__(self) -> None:
        self.outgoing: deque[bytes] = deque()
        self.finishing = False
        self.changed = trio.Event()
        self.credit = trio.Semaphore(CHANNEL_QUEUE, max_value=CHANNEL_QUEUE)
        self.scope = trio.CancelScope()

    def wake(self) -> None:
        self.changed.set()


class Channels:
    """All open channels. `serve` and `open` return when the channel is over."""

    def __init__(self, outbox: Outbox, limits: NetworkLimits, misbehaved: Misbehaved) -> None:
        self._outbox = outbox
        self._limits = limits
        self._misbehaved = misbehaved
        self._channels: dict[int, _Channel] = {}
        self._per_peer: Counter[str] = Counter()
        self._last = 0

    def check_room(self, peer_id: str) -> None:
        """Raises TooManyChannels."""
        if len(self._channels) >= self._limits.channels_total:
            raise TooManyChannels("all channels are taken; close some")
        if self._per_peer[peer_id] >= self._limits.channels_per_peer:
            raise TooManyChannels("this peer has as many channels as one may have")

    async def serve(self, stream: INetStream, protocol: str) -> None:
        """A peer opened a stream of a protocol that the daemon serves."""
        peer_id = str(stream.muxed_conn.peer_id)
        try:
            self.check_room(peer_id)
        except TooManyChannels as error:
            _log.info("channel refused", peer=peer_id, why=str(error))
            return
        number = self._number()
        self._outbox.put(Incoming(channel=number, peer_id=peer_id, protocol=protocol))
        await self._run(number, stream, peer_id)

    async def open(self, request: int, stream: INetStream) -> None:
        """We opened a stream for the daemon's request. Raises TooManyChannels."""
        peer_id = str(stream.muxed_conn.peer_id)
        self.check_room(peer_id)
        number = self._number()
        self._outbox.put(Opened(request=request, channel=number))
        await self._run(number, stream, peer_id)

    def send(self, number: int, data: bytes) -> None:
        """Queues a message of the daemon; one for a channel that is over is dropped."""
        channel = self._channels.get(number)
        if channel is None or channel.finishing:
            return
        if len(channel.outgoing) >= CHANNEL_QUEUE:
            _log.error("the daemon sent beyond its credit", channel=number)
            channel.scope.cancel()
            return
        channel.outgoing.append(data)
        channel.wake()

    def take(self, number: int) -> None:
        """The daemon took a message of this channel."""
        channel = self._channels.get(number)
        if channel is not None and channel.credit.value < CHANNEL_QUEUE:
            channel.credit.release()

    def close(self, number: int) -> None:
        """Ends a channel once everything queued is written."""
        channel = self._channels.get(number)
        if channel is not None:
            channel.finishing = True
            channel.wake()

    def _number(self) -> int:
        self._last += 1
        return self._last

    async def _run(self, number: int, stream: INetStream, peer_id: str) -> None:
        channel = self._channels[number] = _Channel()
        self._per_peer[peer_id] += 1
        messages = MessageStream(stream, self._limits)
        why = "closed"
        try:
            with channel.scope:
                self._touch(channel)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write_all, number, channel, messages)
                    why = await self._read_all(number, channel, messages, peer_id)
                    nursery.cancel_scope.cancel()
                if why == _GOODBYE:
                    await messages.finish()
            if channel.scope.cancelled_caught:
                why = "nothing was said for too long"
        finally:
            del self._channels[number]
            self._per_peer[peer_id] -= 1
            if not self._per_peer[peer_id]:
                del self._per_peer[peer_id]
            self._outbox.put(Closed(channel=number, why=why))
            await reset_quietly(stream)

    def _touch(self, channel: _Channel) -> None:
        if not channel.finishing:
            channel.scope.deadline = trio.current_time() + self._limits.channel_idle_seconds

    async def _read_all(
        self, number: int, channel: _Channel, messages: MessageStream, peer_id: str
    ) -> str:
        """Hands messages to the daemon as it takes them. Returns why the channel is over."""
        try:
            while True:
                message = await messages.receive()
                if message is None:
                    return _GOODBYE
                self._touch(channel)
                if channel.finishing:
                    continue
                with trio.fail_after(self._limits.slow_reader_seconds):
                    await channel.credit.acquire()
                self._outbox.put(Received(channel=number, data=message))
        except Overlong as error:
            self._misbehaved(peer_id, PENALTY_MALFORMED, f"on a channel: {error}")
            return str(error)
        except trio.TooSlowError:
            return "a message was not sent, or not taken, in time"
        except (BaseLibp2pError, OSError, trio.BrokenResourceError) as error:
            return f"the connection failed: {error!r}"[:200]

    async def _write_all(self, number: int, channel: _Channel, messages: MessageStream) -> None:
        """Writes what the daemon queued, and says goodbye when it is done with the channel. The
        peer then has some seconds to say it too; the reader sees it or the deadline comes."""
        try:
            while True:
                while channel.outgoing:
                    await messages.send(channel.outgoing.popleft())
                    self._touch(channel)
                    self._outbox.put(Written(channel=number))
                if channel.finishing:
                    channel.scope.deadline = trio.current_time() + _LINGER_SECONDS
                    await messages.finish()
                    return
                await channel.changed.wait()
                channel.changed = trio.Event()
        except (BaseLibp2pError, OSError, trio.TooSlowError, trio.BrokenResourceError) as error:
            _log.debug("channel not written", channel=number, error=repr(error)[:200])
            channel.scope.cancel()
