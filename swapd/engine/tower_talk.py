"""One conversation with one tower: leave packages, drop them, ask what is held and check the proof.

Owns: the messages in order, what an answer must be to be believed. Must not know: which packages
there are (protocol.tower.plan), when to talk (`towers`), adapters.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import trio
from msgspec import Struct

from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.tower.messages import (
    MAX_TICKETS,
    NONCE_BYTES,
    PROTOCOL_ID,
    Answer,
    Ask,
    Drop,
    Gone,
    Held,
    Holding,
    Kept,
    Put,
    Question,
    Refuse,
    Tip,
    read_answer,
)
from protocol.tower.package import Package, digest, proof_of_keeping
from swapd.engine import parley
from swapd.engine.world import World
from swapd.ports import Channel, PeerUnreachable

OPEN_SECONDS: Final = 30.0
CLOSE_SECONDS: Final = 1.0


class TowerAddress(Struct, frozen=True):
    """Who a tower is, and the multiaddrs (without /p2p) at which it is dialled."""

    peer_id: str
    addresses: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "TowerAddress":
        """From a full address, as it is configured."""
        front, _, peer_id = text.rpartition("/p2p/")
        return cls(peer_id, (front,))


class TowerRefused(RemoteProtocolError):
    """The tower said no: its refusal and its words."""


class Report(Struct, frozen=True):
    """What a tower holds now, by ticket, each proven or said to be missing; and its chains."""

    holdings: Mapping[bytes, Holding]
    proven: frozenset[bytes]
    tips: tuple[Tip, ...]


class Talk:
    """An open channel to a tower."""

    def __init__(self, channel: Channel, world: World) -> None:
        self._channel, self._world = channel, world

    async def put(self, ticket: bytes, package: Package) -> None:
        """Leaves a package. Raises TowerRefused, RemoteProtocolError (another one was kept),
        PeerError."""
        answer = await self._ask(Put(ticket, encode(package)))
        if not isinstance(answer, Kept):
            raise _unexpected(answer)
        if answer != Kept(ticket, digest(package)):
            raise RemoteProtocolError(Refusal.WRONG_TERMS, "the tower kept another package")

    async def drop(self, ticket: bytes) -> None:
        """Takes a package back. Raises as `put`."""
        answer = await self._ask(Drop(ticket))
        if not isinstance(answer, Gone):
            raise _unexpected(answer)

    async def report(self, wanted: Mapping[bytes, Package]) -> Report:
        """What is held of `wanted` (by ticket). Raises as `put`."""
        holdings: dict[bytes, Holding] = {}
        proven: set[bytes] = set()
        tips: tuple[Tip, ...] = ()
        tickets = tuple(wanted)
        for start in range(0, max(1, len(tickets)), MAX_TICKETS):
            some = tickets[start : start + MAX_TICKETS]
            nonce = self._world.entropy(NONCE_BYTES)
            answer = await self._ask(Ask(nonce, some))
            if not isinstance(answer, Held):
                raise _unexpected(answer)
            if tuple(holding.ticket for holding in answer.holdings) != some:
                raise RemoteProtocolError(Refusal.MALFORMED, "an answer to another question")
            tips = answer.tips
            for holding in answer.holdings:
                holdings[holding.ticket] = holding
                proof = proof_of_keeping(nonce, encode(wanted[holding.ticket]))
                if holding.proof == proof:
                    proven.add(holding.ticket)
        return Report(holdings, frozenset(proven), tips)

    async def _ask(self, question: Question) -> Answer:
        await self._channel.send(encode(question))
        answer = read_answer(await parley.hear(self._channel))
        if isinstance(answer, Refuse):
            raise TowerRefused(answer.refusal, answer.detail)
        return answer


def _unexpected(answer: Answer) -> RemoteProtocolError:
    return RemoteProtocolError(Refusal.UNEXPECTED_MESSAGE, f"a {type(answer).__name__}")


@asynccontextmanager
async def talk_to(world: World, tower: TowerAddress) -> AsyncIterator[Talk]:
    """A conversation. Raises PeerError when the tower can't be reached in time."""
    try:
        with trio.fail_after(OPEN_SECONDS):
            channel = await world.peers.open(tower.peer_id, tower.addresses, PROTOCOL_ID)
    except trio.TooSlowError:
        message = f"the tower was not reached within {OPEN_SECONDS:.0f} s"
        raise PeerUnreachable(message) from None
    try:
        yield Talk(channel, world)
    finally:
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            await channel.aclose()
