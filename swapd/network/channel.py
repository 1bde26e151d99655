"""The daemon's end of a message channel.

Owns: the credits of one channel and what has arrived on it. Must not know: libp2p, frames beyond
those of a channel.
"""

from collections.abc import Callable

import trio

from swapd.network.frames import Close, Command, FrameError, Send, Take
from swapd.network.limits import CHANNEL_QUEUE, MAX_MESSAGE
from swapd.ports import ChannelClosed


class PeerChannel:
    """One direct, encrypted, authenticated message channel (the port `Channel`)."""

    def __init__(
        self, number: int, peer_id: str, protocol: str, post: Callable[[Command], None]
    ) -> None:
        self.peer_id = peer_id
        self.protocol = protocol
        self._number = number
        self._post = post
        self._credit = CHANNEL_QUEUE
        self._waiting = trio.lowlevel.ParkingLot()
        self._ended: str | None = None
        self._arrive, self._arrived = trio.open_memory_channel[bytes](CHANNEL_QUEUE)

    async def send(self, message: bytes) -> None:
        """Returns when the message is on its way to the network process; waits while too many are.
        Raises ChannelClosed, ValueError over 64 KiB."""
        if len(message) > MAX_MESSAGE:
            raise ValueError(f"a message of {len(message)} bytes; {MAX_MESSAGE} is the limit")
        await trio.lowlevel.checkpoint()
        while self._ended is None and not self._credit:
            await self._waiting.park()
        if self._ended is not None:
            raise ChannelClosed(self._ended)
        self._credit -= 1
        self._post(Send(channel=self._number, data=message))

    async def receive(self) -> bytes:
        """The next message, in order; what arrived before the end is still received.
        Raises ChannelClosed."""
        try:
            message = await self._arrived.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError) as error:
            raise ChannelClosed(self._ended or "closed") from error
        if self._ended is None:
            self._post(Take(channel=self._number))
        return message

    async def aclose(self) -> None:
        """Ends the channel; what was sent before is still delivered. May be repeated."""
        if self._ended is None:
            self._post(Close(channel=self._number))
            self.end("we closed it")
        self._arrived.close()
        await trio.lowlevel.checkpoint()

    # --- For the client that reads the child's frames -----------------------------------------

    def arrived(self, message: bytes) -> None:
        """Raises FrameError when the child sends more than it may."""
        if self._ended is not None:
            return
        try:
            self._arrive.send_nowait(message)
        except trio.WouldBlock as error:
            raise FrameError("the child sent beyond the credit of a channel") from error

    def written(self) -> None:
        """One more message may be sent. Raises FrameError when the child says so too often."""
        if self._credit >= CHANNEL_QUEUE:
            raise FrameError("the child returned credit that it never got")
        self._credit += 1
        self._waiting.unpark()

    def end(self, why: str) -> None:
        """Nothing more will come; whoever waits is told."""
        if self._ended is None:
            self._ended = why
            self._arrive.close()
            self._waiting.unpark_all()
