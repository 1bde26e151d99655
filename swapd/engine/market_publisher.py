"""What we say on the gossip topics: our log, our heartbeat, our certificate, in batches.

Owns: the outbox, when a heartbeat is due, what it says, the certificate's renewal.
Must not know: how offers come about (offers), what others say.

Every batch begins with a fresh heartbeat and our certificate, so that it explains itself to
somebody who never heard of us. What gossip loses is found by the heartbeat's digest.
"""

import math
from collections import defaultdict
from typing import Final

import structlog
import trio

from protocol.codec import encode
from protocol.gossip import Item, ItemKind, encode_items, item_of, pack, topic_of
from protocol.identity import (
    IDENTITY_VERSION,
    MAX_ADDRESS_LENGTH,
    MAX_ADDRESSES,
    Certificate,
)
from protocol.lease import LEASE_VERSION, MAX_BOOKS, PERIOD, Heartbeat
from protocol.offers import MAX_LIFE, Signed
from protocol.signing import Tag
from swapd.engine.market_intake import Intake
from swapd.engine.world import World
from swapd.ports import NetworkDown, NetworkIdentity, StoreError

BATCH_SECONDS: Final = 0.075
"""How long an item waits for others to travel with."""
TICK_SECONDS: Final = 1
NEWCOMER_SECONDS: Final = 2
"""From a peer's coming to a heartbeat for it: gossip needs a moment to include a newcomer."""
NEWCOMER_PAUSE_SECONDS: Final = 5
CALLS: Final = 10
"""Heartbeats in which a daemon that took over says so, also without offers."""
RETRY_SECONDS: Final = 5
RENEW_AFTER: Final = MAX_LIFE // 2

_log = structlog.get_logger("market")


class Publisher:
    """Speaks for our maker key. `pairs` are the ids that are followed."""

    def __init__(self, world: World, intake: Intake, pairs: frozenset[bytes], epoch: int) -> None:
        self._world = world
        self._intake = intake
        self._pairs = pairs
        self._epoch = epoch
        self._own = world.signer.maker_key()
        self._outbox: defaultdict[bytes, list[Item]] = defaultdict(list)
        self._wake = trio.Event()
        self._speaking = trio.Lock()
        self._silent = False
        self._calls = 0
        self._beat_at = -math.inf
        self._beat_time = 0
        self._last_beat = -math.inf
        self._certificate: tuple[Signed, Certificate] | None = None

    # --- What to say --------------------------------------------------------------------------

    def say(self, item: Item, pair: bytes) -> None:
        """Has an item published on its pair's topic with the next batch."""
        self._outbox[pair].append(item)
        self._wake.set()

    def say_everywhere(self, item: Item) -> None:
        """The same on the topic of every pair that we have a history in."""
        for pair in self._spoken():
            self.say(item, pair)

    async def pass_on(self, item: Item) -> None:
        """Publishes somebody else's proof on every topic at once, without our name to it."""
        data = encode_items((item,))
        for pair in self._pairs:
            await self._publish(pair, data)

    def greet(self) -> None:
        """A peer came: a heartbeat soon, so that it need not wait for the next regular one."""
        soon = trio.current_time() + NEWCOMER_SECONDS
        self._beat_at = min(self._beat_at, max(soon, self._last_beat + NEWCOMER_PAUSE_SECONDS))

    def call(self) -> None:
        """Says that we are there although we may have no offers: an older daemon with our seed must
        hear of us."""
        self._calls = CALLS
        self._beat_at = -math.inf
        self._wake.set()

    def fall_silent(self) -> None:
        """Another daemon with our key took over: never speak again."""
        self._silent = True
        self._outbox.clear()

    # --- When ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Publishes until cancelled."""
        while True:
            with trio.move_on_after(TICK_SECONDS):
                await self._wake.wait()
                await trio.sleep(BATCH_SECONDS)
            if (self._outbox or self._is_due()) and not await self.flush():
                await trio.sleep(RETRY_SECONDS)

    async def flush(self) -> bool:
        """Publishes what waits, and a heartbeat to every pair in which we have offers. Returns
        False, all still waiting, when the disk did not take the heartbeat's counter."""
        async with self._speaking:
            self._wake = trio.Event()
            waiting, self._outbox = self._outbox, defaultdict(list)
            if self._silent:
                return True
            live = {pair for pair in self._pairs if self._intake.book.of_maker(self._own, pair)}
            due = live if self._is_due() else set()
            if self._calls and self._is_due():
                self._calls -= 1
                due = set(self._pairs)
            if not waiting and not due:
                self._beat_at = trio.current_time() + PERIOD
                return True
            try:
                about = await self._about()
            except StoreError as error:
                # Without a durable counter we are silent, and soon gone: better than two truths.
                _log.error("no heartbeat", why=str(error))
                for pair, items in waiting.items():
                    self._outbox[pair][:0] = items
                return False
            for pair in sorted(due | set(waiting)):
                for data in pack(about, waiting.get(pair, ())):
                    await self._publish(pair, data)
            if live <= due | set(waiting):
                self._beat_at = trio.current_time() + PERIOD
                self._beat_time = self._world.clock.now()
            return True

    def _is_due(self) -> bool:
        """By our own clock, or because the wall clock moved on by a heartbeat's period: a
        newcomer holds the signed time against the wall clock."""
        moved = self._world.clock.now() - self._beat_time >= PERIOD
        return moved or trio.current_time() >= self._beat_at

    async def _publish(self, pair: bytes, data: bytes) -> None:
        try:
            await self._world.peers.publish(topic_of(pair), data)
        except NetworkDown:
            # Whoever connects to us next asks for our book, or sees its digest.
            _log.info("gossip not sent, the network is down", pair=pair.hex()[:8])
        except ValueError as error:
            _log.error("gossip refused by our own check", pair=pair.hex()[:8], why=str(error))

    # --- Who we are ---------------------------------------------------------------------------

    def _spoken(self) -> tuple[bytes, ...]:
        """The followed pairs we have a history in, sorted."""
        book = self._intake.book
        return tuple(pair for pair in sorted(self._pairs) if book.has_history(self._own, pair))

    async def _about(self) -> tuple[Item, ...]:
        """A new heartbeat, and the certificate when the network is up."""
        world, book = self._world, self._intake.book
        counter = await world.store.next_counter("heartbeat", world.clock.now_ms())
        now = world.clock.now()
        books = tuple(book.state(self._own, pair, at=now) for pair in self._spoken()[:MAX_BOOKS])
        heartbeat = Heartbeat(LEASE_VERSION, self._own, self._epoch, counter, now, books)
        payload = encode(heartbeat)
        signed = Signed(payload, await world.signer.sign_maker(Tag.HEARTBEAT, payload))
        moment = round(trio.current_time() * 1000)
        self._intake.hear_self(signed, heartbeat, now=now, moment=moment)
        self._last_beat = trio.current_time()
        items = [item_of(ItemKind.HEARTBEAT, signed)]
        certificate = await self._certified(now)
        if certificate is not None:
            items.append(item_of(ItemKind.CERTIFICATE, certificate))
        return tuple(items)

    async def _certified(self, now: int) -> Signed | None:
        """Our certificate, renewed when our addresses changed or half its life is over."""
        try:
            identity = self._world.peers.identity()
        except NetworkDown:
            return None
        if self._certificate is not None and self._still_good(identity, now):
            return self._certificate[0]
        # Of two certificates the later counts, also where two are made within a second, by two
        # runs of this daemon, or after the clock was set back.
        created = await self._world.store.next_counter("certificate", now)
        certificate = Certificate(
            IDENTITY_VERSION,
            self._own,
            identity.peer_id,
            _fit(identity),
            self._epoch,
            created,
            created + MAX_LIFE,
        )
        payload = encode(certificate)
        signed = Signed(payload, await self._world.signer.sign_maker(Tag.CERTIFICATE, payload))
        self._certificate = (signed, certificate)
        self._intake.certify_self(signed, certificate)
        return signed

    def _still_good(self, identity: NetworkIdentity, now: int) -> bool:
        if self._certificate is None:
            return False
        certificate = self._certificate[1]
        return (
            certificate.peer_id == identity.peer_id
            and certificate.addresses == _fit(identity)
            and now < certificate.created + RENEW_AFTER
        )


def _fit(identity: NetworkIdentity) -> tuple[str, ...]:
    """The addresses that a certificate has room for."""
    short = (address for address in identity.addresses if len(address) <= MAX_ADDRESS_LENGTH)
    return tuple(dict.fromkeys(short))[:MAX_ADDRESSES]
