"""The market as the daemon knows it: everyone's live offers, and our own voice in it.

Owns: the tasks that connect gossip, channels, book and publisher; lookups; the feed of changes.
Must not know: our own offers' accounts (engine.offers), negotiation, the control socket.

One consumer of `peers.gossip()` and of `peers.events()` exists in the daemon: this one.
"""

from collections import OrderedDict
from collections.abc import Iterable

import structlog
import trio
from msgspec import Struct

from protocol.assets import AssetId
from protocol.book import Book, Change, Entry, Placed
from protocol.codec import encode
from protocol.errors import LocalProtocolError, RemoteProtocolError
from protocol.gossip import Item, ItemKind, decode_items, item_of, pair_topic
from protocol.identity import IDENTITY_VERSION, Certificate, Retire
from protocol.offers import Cancel, Floor, Offer, Signed, pair_id
from protocol.reconcile import Comparison
from protocol.signing import PublicKey, Tag
from swapd.engine.booksync import BookSync, Source
from swapd.engine.market_intake import Gap, Intake, Notes
from swapd.engine.market_publisher import Publisher
from swapd.engine.world import World

TICK_SECONDS = 1
KEPT_NEWER = 4096
"""Replaced offers that are still found by their old id."""
_RUN_BITS = 32
"""Each run of the daemon numbers its changes from (run << 32) on."""

_log = structlog.get_logger("market")


class Found(Struct, frozen=True):
    """An offer in the book. `certificate` says where its maker is reached; None in the moment
    before it has come."""

    offer_id: bytes
    offer: Offer
    signed: Signed
    certificate: Certificate | None


class Snapshot(Struct, frozen=True):
    """One side of a pair, best price first, at change number `sequence`."""

    sequence: int
    offers: tuple[Found, ...]


class Resync(Struct, frozen=True):
    """The reader fell too far behind: take a snapshot, then go on from `sequence`."""

    sequence: int


class Feed:
    """A reader's place in the changes; any number of them, each as slow as it likes: what it is
    behind by is kept once for all, and past that it gets a Resync."""

    def __init__(self, market: "Market", after: int) -> None:
        self._market = market
        self.after = after

    async def next(self) -> tuple[Change, ...] | Resync:
        """Waits for changes after `after` (which then moves on), or says Resync."""
        while True:
            changes = self._market.changes_since(self.after)
            if changes is None:
                self.after = self._market.sequence
                return Resync(self.after)
            if changes:
                self.after = changes[-1].sequence
                return changes
            await self._market.wait_changed()


class Market:
    """`pairs`: the pairs to follow and relay, each of two assets in either order. `epoch` is that
    of our network key; it grows with each restart that uses a new one."""

    def __init__(
        self, world: World, pairs: Iterable[tuple[AssetId, AssetId]], *, epoch: int = 1
    ) -> None:
        self._world = world
        self._own: PublicKey = world.signer.maker_key()
        self.pairs: dict[bytes, tuple[AssetId, AssetId]] = {pair_id(a, b): (a, b) for a, b in pairs}
        self._epoch = epoch
        self._changed = trio.Event()
        self.superseded = trio.Event()
        """Set when another daemon with our seed and a newer epoch speaks: we are silent then."""
        self._told = 0
        self._newer: OrderedDict[bytes, bytes] = OrderedDict()
        self._running = False
        self._begin(0)

    def _begin(self, run: int) -> None:
        world, followed = self._world, frozenset(self.pairs)
        self._book = Book(own=self._own, start=run << _RUN_BITS)
        self._intake = Intake(self._book, self._own, followed)
        self._publisher = Publisher(world, self._intake, followed, self._epoch)
        self._sync = BookSync(
            world.peers,
            tuple(followed),
            sections=self._intake.sections,
            heads=self._intake.heads,
            accept=self._accept,
            is_gap=self._is_gap,
        )

    # --- Tasks --------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; `started` when topics are subscribed and offers can be posted."""
        self._begin(await self._world.store.next_counter("book-run", 1))
        for pair in self.pairs.values():
            await self._world.peers.subscribe(pair_topic(*pair))
        async with trio.open_nursery() as nursery:
            await nursery.start(self._sync.run)
            nursery.start_soon(self._hear)
            nursery.start_soon(self._meet, nursery)
            nursery.start_soon(self._tick)
            nursery.start_soon(self._publisher.run)
            self._running = True
            task_status.started()

    async def _hear(self) -> None:
        async for message in self._world.peers.gossip():
            try:
                items = decode_items(message.data)
            except RemoteProtocolError as error:
                _log.warning("gossip the network process should have refused", why=error.detail)
                continue
            notes = self._take(items)
            await self._follow_up(notes, message.from_peer)

    async def _meet(self, nursery: trio.Nursery) -> None:
        for peer in await self._world.peers.peers():
            nursery.start_soon(self._sync.ask_all, peer.peer_id)
        async for event in self._world.peers.events():
            if event.up:
                nursery.start_soon(self._sync.ask_all, event.peer_id)
                self._publisher.greet()

    async def _tick(self) -> None:
        while True:
            self._intake.tick(now=self._world.clock.now(), moment=_moment())
            self._tell_readers()
            await trio.sleep(TICK_SECONDS)

    # --- Others' words ------------------------------------------------------------------------

    def _take(self, items: tuple[Item, ...]) -> Notes:
        notes = self._intake.take(items, now=self._world.clock.now(), moment=_moment())
        self._tell_readers()
        return notes

    async def _accept(self, items: tuple[Item, ...], peer_id: str) -> None:
        """A whole answer of one peer to one request."""
        notes = self._take(items)
        self._intake.settle(notes)
        self._tell_readers()
        if notes.faults:
            await self._world.peers.penalise(peer_id, f"a book answer: {notes.faults[0]}")
        await self._follow_up(notes, peer_id)

    async def _follow_up(self, notes: Notes, peer_id: str) -> None:
        if notes.newer_self is not None and notes.newer_self > self._epoch:
            self._give_way(f"a daemon set up later (epoch {notes.newer_self}) has the same seed")
        elif notes.twin:
            self._give_way("a copy of this daemon is running elsewhere: stop one of them")
        for proof in notes.proofs:
            await self._publisher.pass_on(proof)
        for gap in sorted(notes.gaps, key=lambda gap: (gap.pair, gap.maker)):
            self._sync.fetch(gap, self._sources(gap.maker, peer_id))

    def _give_way(self, why: str) -> None:
        """Two daemons that trade with one seed would lock the same coins and offer them twice."""
        if self.superseded.is_set():
            return
        _log.critical("this daemon only watches from now on", why=why)
        self._publisher.fall_silent()
        self._world.mode.only_watch(why)
        self.superseded.set()

    def _sources(self, maker: PublicKey, peer_id: str) -> tuple[Source, ...]:
        """Whoever told us first, then the maker itself."""
        certificate = self._intake.certificate(maker)
        if certificate is None or certificate.peer_id == peer_id:
            return (Source(peer_id),)
        return Source(peer_id), Source(certificate.peer_id, certificate.addresses)

    def _is_gap(self, gap: Gap) -> bool:
        lease = self._intake.leases.last(gap.maker)
        state = None if lease is None else lease.heartbeat.book(gap.pair)
        if lease is None or state is None:
            return False
        compared = self._book.compare(gap.maker, state, at=lease.heartbeat.time)
        return compared is Comparison.GAP or self._intake.certificate(gap.maker) is None

    # --- Reading ------------------------------------------------------------------------------

    @property
    def sequence(self) -> int:
        """The number of the newest change."""
        return self._book.sequence

    def count(self) -> int:
        """Offers in the book."""
        return len(self._book)

    def find(self, offer_id: bytes) -> Found | None:
        """An offer in the book, by id, ours included. Where the maker has published it again at
        the same price (somebody took a part of it, say), the newest version is found."""
        name = offer_id
        # Ends: in a slot a version only ever gives way to one that ranks above it.
        while name in self._newer:
            name = self._newer[name]
        entry = self._book.get(name)
        return None if entry is None else self._found(entry)

    def side(self, sell: AssetId, buy: AssetId) -> Snapshot:
        """The offers that sell `sell` for `buy`: lowest price first, then the earliest."""
        offers = tuple(self._found(entry) for entry in self._book.side(sell, buy))
        return Snapshot(self._book.sequence, offers)

    def feed(self, after: int | None = None) -> Feed:
        """Changes after the number of a snapshot or of an earlier feed (None: from now on)."""
        return Feed(self, self.sequence if after is None else after)

    def changes_since(self, sequence: int) -> tuple[Change, ...] | None:
        """None when they are no longer known."""
        return self._book.since(sequence)

    async def wait_changed(self) -> None:
        """Until the book changes."""
        await self._changed.wait()

    def _remember_newer(self, change: Change) -> None:
        """So that a taker who quoted an offer still finds it a moment later."""
        if change.entry is None or change.before is None:
            return
        old, new = change.before, change.entry
        if old.side == new.side and old.offer.price == new.offer.price:
            self._newer[old.offer_id] = new.offer_id
            while len(self._newer) > KEPT_NEWER:
                self._newer.popitem(last=False)

    def _found(self, entry: Entry) -> Found:
        certificate = self._intake.certificate(entry.offer.maker)
        return Found(entry.offer_id, entry.offer, entry.signed, certificate)

    def _tell_readers(self) -> None:
        if self._book.sequence != self._told:
            for change in self._book.since(self._told) or ():
                self._remember_newer(change)
            self._told = self._book.sequence
            self._changed.set()
            self._changed = trio.Event()

    # --- Our own words ------------------------------------------------------------------------

    def announce(self, offer: Offer, signed: Signed) -> None:
        """Puts an offer of ours into the book and on its topic. Raises LocalProtocolError when it
        is not one that others would take in, or the market does not run yet."""
        if not self._running:
            msg = "an offer can't be announced before the market runs"
            raise LocalProtocolError(msg)
        placed = self._book.put(offer, signed, now=self._world.clock.now())
        if placed not in (Placed.PLACED, Placed.KNOWN):
            msg = f"our own offer was not placed: {placed.value}"
            raise LocalProtocolError(msg)
        self._tell_readers()
        self._publisher.say(item_of(ItemKind.OFFER, signed), pair_id(offer.sell, offer.buy))

    def withdraw(self, cancel: Cancel, signed: Signed) -> None:
        """Ends an offer of ours in the book and on its topic."""
        self._book.cancel(cancel)
        self._tell_readers()
        self._publisher.say(item_of(ItemKind.CANCEL, signed), cancel.pair)

    def withdraw_all(self, floor: Floor, signed: Signed) -> None:
        """Ends all our offers up to a floor."""
        self._book.raise_floor(floor)
        self._tell_readers()
        self._publisher.say_everywhere(item_of(ItemKind.FLOOR, signed))

    def fall_silent(self) -> None:
        """Never speaks for our key again: leases end what others still show of us."""
        self._publisher.fall_silent()

    def call(self, floor: Floor, signed: Signed) -> None:
        """On every pair, for one that took over from another life: what that one offered is void,
        and an older daemon with our seed hears of us."""
        for pair in self.pairs:
            self._book.begin_history(self._own, pair, floor.number)
        self.withdraw_all(floor, signed)
        self._publisher.call()

    async def retire(self) -> None:
        """Our key's permanent farewell, published at once. There is no way back."""
        retire = Retire(IDENTITY_VERSION, self._own, self._world.clock.now())
        signed = await sign_own(self._world, Tag.RETIRE, retire)
        await self._publisher.pass_on(item_of(ItemKind.RETIRE, signed))
        self._publisher.fall_silent()

    async def flush(self) -> None:
        """Publishes what still waits; for the end of the daemon."""
        await self._publisher.flush()


async def sign_own(world: World, tag: Tag, value: Struct) -> Signed:
    """A value signed with our maker key."""
    payload = encode(value)
    return Signed(payload, await world.signer.sign_maker(tag, payload))


def _moment() -> int:
    """Milliseconds of the clock that leases run by."""
    return round(trio.current_time() * 1000)
