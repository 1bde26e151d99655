"""Serves takes of our offers to whoever knocks.

Owns: inbound channels, limits on strangers, what they are told when the answer is no.
Must not know: adapters, how one take is answered (engine.answering), how a swap runs.
"""

from typing import Final

import structlog
import trio

from protocol.errors import Refusal, RemoteProtocolError
from protocol.negotiation.messages import PROTOCOL_ID, refuse
from swapd.engine.answering import Answering, Desk, OwnOffers
from swapd.engine.reservations import Reservations, RunningSwaps
from swapd.engine.world import World
from swapd.ports import (
    ChainError,
    Channel,
    ChannelClosed,
    InsufficientFunds,
    PeerError,
    StoreError,
)
from swapd.strangers import FOUL, Limits, Strangers

log = structlog.get_logger(__name__)

MAX_CHANNELS: Final = 32
"""Negotiations at once; more are told that we are busy."""

MAX_CHANNELS_PER_PEER: Final = 2

MAX_TAKES_PER_MINUTE: Final = 12
"""From one peer: each costs us node calls and a proof of funds."""

NEGOTIATION_SECONDS: Final = 90.0
"""One channel, from its opening to its end, whatever the other side does."""

CLOSE_SECONDS: Final = 1.0
"""For a polite end of a channel, also while we stop."""

_LIMITS: Final = Limits(MAX_CHANNELS, MAX_CHANNELS_PER_PEER, MAX_TAKES_PER_MINUTE, asked="takes")

_PRIVATE: Final = {
    Refusal.NODE_NOT_READY: "not ready for swaps at this moment",
    Refusal.INSUFFICIENT_FUNDS: "not enough coins at this moment",
    Refusal.LIMIT_REACHED: "over a limit of this maker",
    Refusal.SHUTTING_DOWN: "this maker is stopping",
    Refusal.INTERNAL: "a fault on our side",
}
"""What a stranger is told instead of the state of our nodes, wallet and configuration."""


class Maker:
    """Answers takes until cancelled."""

    def __init__(
        self, world: World, offers: OwnOffers, ledger: Reservations, swaps: RunningSwaps
    ) -> None:
        self._world = world
        self._desk = Desk(world, offers, ledger, swaps)
        self._strangers = Strangers(_LIMITS)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serves inbound channels. One that fails never ends another."""
        inbound = self._world.peers.serve(PROTOCOL_ID)
        async with trio.open_nursery() as nursery:
            task_status.started()
            async for channel in inbound:
                nursery.start_soon(self._serve, channel)

    async def _serve(self, channel: Channel) -> None:
        try:
            with trio.move_on_after(NEGOTIATION_SECONDS), self._strangers.channel(channel.peer_id):
                await self._answer(channel)
        except Exception:
            # A bug of ours in one take must not end the market for all.
            log.exception("take.failed", peer=channel.peer_id)
        finally:
            with trio.move_on_after(CLOSE_SECONDS, shield=True):
                await channel.aclose()

    async def _answer(self, channel: Channel) -> None:
        """Sees to it that whoever may be told is told, and that nothing stays promised."""
        attempt = Answering(self._desk, channel)
        try:
            self._strangers.admit(channel.peer_id)
            await attempt.run()
        except RemoteProtocolError as error:
            await self._refuse(channel, attempt.swap_id, error)
        except ChannelClosed as error:
            log.info("take.left", peer=channel.peer_id, reason=str(error))
        except ChainError as error:
            log.warning("take.node_failed", peer=channel.peer_id, reason=str(error))
            enough = not isinstance(error, InsufficientFunds)
            refusal = Refusal.NODE_NOT_READY if enough else Refusal.INSUFFICIENT_FUNDS
            await self._refuse(channel, attempt.swap_id, RemoteProtocolError(refusal, str(error)))
        except StoreError as error:
            log.exception("take.store_failed", peer=channel.peer_id)
            failed = RemoteProtocolError(Refusal.INTERNAL, str(error))
            await self._refuse(channel, attempt.swap_id, failed)
        finally:
            attempt.give_back()

    async def _refuse(self, channel: Channel, swap_id: bytes, error: RemoteProtocolError) -> None:
        log.info(
            "take.refused",
            peer=channel.peer_id,
            swap=swap_id.hex(),
            refusal=error.refusal.value,
            detail=error.detail,
        )
        told = RemoteProtocolError(error.refusal, _PRIVATE.get(error.refusal, error.detail))
        try:
            await channel.send(refuse(swap_id, told))
            if error.refusal in FOUL:
                await self._world.peers.penalise(channel.peer_id, error.detail)
        except PeerError as gone:
            log.debug("take.refusal_lost", peer=channel.peer_id, reason=str(gone))


__all__ = ["Maker", "OwnOffers"]
