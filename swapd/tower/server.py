"""Answers clients on "/swapd/tower/1".

Owns: inbound channels, limits on strangers, one answer for each question. Must not know: what is
done with a package (`keeper`), adapters.
"""

from typing import Final

import structlog
import trio

from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.tower.messages import (
    PROTOCOL_ID,
    Ask,
    Drop,
    Gone,
    Held,
    Kept,
    Put,
    Question,
    read_question,
    refuse,
)
from swapd.ports import Channel, ChannelClosed, PeerError, Peers, StoreError
from swapd.strangers import FOUL, Limits, Strangers
from swapd.tower.keeper import Keeper

log = structlog.get_logger(__name__)

MAX_CHANNELS: Final = 64
MAX_CHANNELS_PER_PEER: Final = 2
MAX_QUESTIONS_PER_MINUTE: Final = 60
"""From one peer: a package costs us up to 256 signature checks and calls to nodes."""

IDLE_SECONDS: Final = 30.0
CHANNEL_SECONDS: Final = 300.0
CLOSE_SECONDS: Final = 1.0

_LIMITS: Final = Limits(
    MAX_CHANNELS, MAX_CHANNELS_PER_PEER, MAX_QUESTIONS_PER_MINUTE, asked="questions"
)


class TowerServer:
    """Serves until cancelled."""

    def __init__(self, peers: Peers, keeper: Keeper) -> None:
        self._peers, self._keeper = peers, keeper
        self._strangers = Strangers(_LIMITS)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serves inbound channels. One that fails never ends another."""
        inbound = self._peers.serve(PROTOCOL_ID)
        async with trio.open_nursery() as nursery:
            task_status.started()
            async for channel in inbound:
                nursery.start_soon(self._serve, channel)

    async def _serve(self, channel: Channel) -> None:
        try:
            with trio.move_on_after(CHANNEL_SECONDS), self._strangers.channel(channel.peer_id):
                await self._converse(channel)
        except PeerError as error:
            log.debug("tower.client_left", client=channel.peer_id, reason=str(error))
        except Exception:
            # A bug of ours for one client must not end the watch for all.
            log.exception("tower.client_failed", client=channel.peer_id)
        finally:
            with trio.move_on_after(CLOSE_SECONDS, shield=True):
                await channel.aclose()

    async def _converse(self, channel: Channel) -> None:
        while True:
            data = await self._hear(channel)
            try:
                self._strangers.admit(channel.peer_id)
                answer = await self._answer(channel.peer_id, read_question(data))
            except RemoteProtocolError as error:
                log.info("tower.refused", client=channel.peer_id, detail=str(error))
                await channel.send(refuse(error))
                if error.refusal in FOUL:
                    await self._peers.penalise(channel.peer_id, error.detail)
                    return
            except StoreError as error:
                log.exception("tower.store_failed")
                failed = RemoteProtocolError(Refusal.INTERNAL, "a fault on our side")
                await channel.send(refuse(failed))
                raise ChannelClosed(str(error)) from error
            else:
                await channel.send(answer)

    async def _hear(self, channel: Channel) -> bytes:
        with trio.move_on_after(IDLE_SECONDS):
            return await channel.receive()
        raise ChannelClosed(f"no question within {IDLE_SECONDS:.0f} s")

    async def _answer(self, client: str, question: Question) -> bytes:
        match question:
            case Put():
                kept = await self._keeper.put(client, question.ticket, question.package)
                return encode(Kept(question.ticket, kept))
            case Drop():
                await self._keeper.drop(question.ticket)
                return encode(Gone(question.ticket))
            case Ask():
                holdings = [self._keeper.holding(question.nonce, t) for t in question.tickets]
                return encode(Held(tuple(holdings), await self._keeper.tips()))
