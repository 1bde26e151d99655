"""A maker and a taker who negotiate and swap for real, and an ear on the wire between them.

Owns: the stage of the replay tests: real engines (maker, taker, swaps) on fake chains and a network
in memory, what was said, and everything that may not change. Must not know: what is replayed when.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio
import trio.testing

from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.negotiation.messages import PROTOCOL_ID
from protocol.swap.agreement import Agreement
from protocol.swap.states import SwapState
from swapd.engine import journal
from swapd.engine.maker import Maker
from swapd.engine.swaps import Swaps
from swapd.engine.taker import Taker
from swapd.ports import ChannelClosed, PeerUnreachable
from tests.engine.negotiation.stage import COIN, DEEP, Party, Stage, post
from tests.fakes.ledger import FakeLedger


@dataclass(frozen=True)
class Said:
    """One message: from whom, to whom, what."""

    speaker: str
    hearer: str
    data: bytes


@dataclass
class Wire:
    """Hears every message. `instead` may replace one, by its number."""

    heard: list[Said] = field(default_factory=list)
    instead: dict[int, bytes] = field(default_factory=dict)

    def tap(self, speaker: str, hearer: str, data: bytes) -> bytes:
        number = len(self.heard)
        self.heard.append(Said(speaker, hearer, data))
        return self.instead.get(number, data)


class World:
    """Both parties with everything of theirs running, and a stranger."""

    def __init__(self, mock: trio.testing.MockClock) -> None:
        self.mock = mock
        self.stage = Stage()
        # Chains that leave the clock alone: here both find their blocks at one moment.
        self.stage.btc = FakeLedger(BITCOIN_REGTEST, self.stage.clock)
        self.stage.ltc = FakeLedger(LITECOIN_REGTEST, self.stage.clock)
        for ledger in (self.stage.btc, self.stage.ltc):
            ledger.mine(DEEP)
        self.wire = Wire()
        self.stage.network.tap = self.wire.tap
        self.maker = self._party("maker")
        self.taker = self._party("taker")
        self.stranger = self.stage.network.join("stranger")

    def _party(self, name: str) -> Party:
        party = self.stage.party(name, coins=3)
        party.swaps = Swaps(party.world)  # type: ignore[assignment]  # the real ones
        return party

    def parties(self) -> tuple[Party, Party]:
        """Both."""
        return self.maker, self.taker

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Swaps and makers of both parties run."""
        async with trio.open_nursery() as nursery:
            for party in self.parties():
                swaps = party.swaps
                assert isinstance(swaps, Swaps)
                await nursery.start(swaps.run)
                await nursery.start(Maker(party.world, party.offers, party.ledger, swaps).run)
            await self.settle()
            yield
            nursery.cancel_scope.cancel()

    async def settle(self, seconds: float = 0) -> None:
        """Everybody does what can be done now; then `seconds` pass."""
        await trio.testing.wait_all_tasks_blocked()
        if seconds:
            self.mock.jump(seconds)
            await trio.testing.wait_all_tasks_blocked()

    async def take(self, sequence: int = 1) -> Agreement:
        """A take of a fresh offer, agreed or refused as the wire lets it."""
        signed = await post(self.maker, sequence=sequence)
        taker = self.taker
        made = Taker(taker.world, taker.ledger, taker.swaps)
        return await made.take(signed, 4 * COIN, peer_id="maker", addresses=("/memory/maker",))

    async def block(self) -> None:
        """Both chains find a block, everybody looks."""
        self.stage.clock.advance(10)
        self.stage.btc.mine()
        self.stage.ltc.mine()
        await self.settle()
        await self.settle(31)

    def live(self, swap: Agreement) -> bool:
        """Whether either party still runs it."""
        both = [party.swaps for party in self.parties()]
        return any(isinstance(s, Swaps) and s.live(swap.swap_id) is not None for s in both)

    def state(self, party: Party, swap: Agreement) -> SwapState:
        """The newest state on the party's disk."""
        return journal.load_state(party.store.disk.journal[swap.swap_id][-1])

    def everything(self) -> dict[str, object]:
        """What a replayed message may not change: disks, promises, coins, chains, what was sent."""
        found: dict[str, object] = {}
        for party in self.parties():
            disk = party.store.disk
            found[party.name] = (
                {name: tuple(rows) for name, rows in disk.journal.items()},
                set(disk.open),
                set(disk.hashlocks),
                dict(disk.values),
                dict(disk.counters),
                dict(party.ledger._holds),
                dict(party.offers.left),
                party.broadcasts,
            )
        for ledger in (self.stage.btc, self.stage.ltc):
            found[ledger.params.name] = (ledger.height, tuple(ledger.mempool))
        return found

    async def replay(self, said: Said, by: str) -> bytes:
        """`by` opens a channel to whoever heard this and says it again; the answer, empty when
        there is none."""
        peers = self.stage.network.nodes[by]
        try:
            channel = await peers.open(said.hearer, ("/memory",), PROTOCOL_ID)
        except PeerUnreachable:
            return b""
        try:
            await channel.send(said.data)
            return await channel.receive()
        except ChannelClosed:
            return b""
        finally:
            await channel.aclose()
            await self.settle()
