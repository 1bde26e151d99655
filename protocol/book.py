"""The order book: who offers what, best price first, then the earliest.

Owns: which signed offers count at this moment, their order, quotas, the numbered changes.
Must not know: gossip, signatures (callers hand over what `open_offer` passed), heartbeats.

The rule it keeps: nothing is in the book that its maker did not sign, has cancelled or replaced,
or is no longer there to honour. "Is there" is told by `admit` and `drop`. An offer that was in a
maker's live set can only come back by being signed anew with a higher log number, so that little
has to be remembered of the dead:

* `floor`: what the maker itself declared dead, by log number, for 24 hours;
* `settled`, per pair: up to this number our set was, by digest, the maker's whole live set;
* `least`, per slot: sequences below are dead, until all of them have expired anyway.
"""

import enum
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Collection, Iterator
from fractions import Fraction

from msgspec import Struct

from protocol.assets import AssetId
from protocol.lease import MAX_MAKERS, PairState
from protocol.offers import MAX_LIFE, Cancel, Floor, Offer, Signed, offer_id, pair_id
from protocol.reconcile import DYING, Comparison, compare, live_digest
from protocol.signing import PublicKey

MAX_OFFERS = 20_000
MAX_OFFERS_PER_MAKER = 256
MAX_TOMBS = 50_000
"""Remembered dead slots of all makers; past it the digest of the next heartbeat must do."""
MAX_TOMBS_PER_MAKER = 2 * MAX_OFFERS_PER_MAKER
MAX_SHELVES = 4 * MAX_MAKERS
"""Makers present or remembered; an absent one makes room for a new one."""
SWEEP = 60
"""Seconds between two looks at what may be forgotten."""
KEPT_CHANGES = 4096


class Entry(Struct, frozen=True):
    """An offer in the book with the bytes its maker signed; `pair` is `pair_id` of its assets."""

    offer_id: bytes
    offer: Offer
    signed: Signed
    pair: bytes

    @property
    def side(self) -> tuple[AssetId, AssetId]:
        """What is sold for what."""
        return self.offer.sell, self.offer.buy


class Placed(enum.StrEnum):
    """What became of an offer handed to `put`."""

    PLACED = "placed"
    KNOWN = "known"
    STALE = "stale"
    DEAD = "dead"
    EXPIRED = "expired"
    ABSENT = "absent"
    QUOTA = "quota"
    FULL = "full"


class Why(enum.StrEnum):
    """Why the book changed. REPLACED: the maker published a newer offer in the same slot, usually
    with less left; UNLISTED: the maker's own digest no longer counts it; EVICTED: our quota."""

    POSTED = "posted"
    REPLACED = "replaced"
    CANCELLED = "cancelled"
    UNLISTED = "unlisted"
    EXPIRED = "expired"
    MAKER_GONE = "maker_gone"
    EVICTED = "evicted"


class Change(Struct, frozen=True):
    """One step of the book. `sequence` grows by one each. POSTED and REPLACED: `entry` is in the
    book now, and `before` no longer, if set. All others: `before` left, `entry` is None."""

    sequence: int
    why: Why
    entry: Entry | None
    before: Entry | None


class _Tomb(Struct, frozen=True):
    least: int
    until: int


class _Shelf:
    """What is known of one maker: its offers by slot, and what is dead of it."""

    def __init__(self) -> None:
        self.present = False
        self.slots: dict[int, Entry] = {}
        self.floor = 0
        self.floor_until = 0
        self.settled: dict[bytes, int] = {}
        self.highest: dict[bytes, int] = {}
        self.least: dict[int, _Tomb] = {}

    def saw(self, pair: bytes, number: int) -> None:
        self.highest[pair] = max(number, self.highest.get(pair, 0))


_Rank = tuple[Fraction, int, bytes]


def _rank(entry: Entry) -> _Rank:
    price = entry.offer.price
    return Fraction(price.numerator, price.denominator), entry.offer.created, entry.offer_id


class Book:
    """All pairs. Every method is a pure step; `now` is unix seconds.

    `own` is exempt from eviction and quota. `start` is the sequence before the first change: a
    later run of a daemon begins above all earlier ones, so that no client resumes in a book that
    is another one.
    """

    def __init__(self, *, own: PublicKey | None = None, start: int = 0) -> None:
        self._own = own
        self._shelves: dict[PublicKey, _Shelf] = {}
        self._entries: dict[bytes, Entry] = {}
        self._sides: dict[tuple[AssetId, AssetId], list[tuple[_Rank, Entry]]] = {}
        self._changes: deque[Change] = deque(maxlen=KEPT_CHANGES)
        self._sequence = start
        self._tombs = 0
        self._next_end = 0

    # --- Reading ------------------------------------------------------------------------------

    @property
    def sequence(self) -> int:
        """Of the newest change."""
        return self._sequence

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: bytes) -> Entry | None:
        """The offer with this id."""
        return self._entries.get(name)

    def side(self, sell: AssetId, buy: AssetId) -> Iterator[Entry]:
        """Offers that sell `sell` for `buy`: lowest price, then earliest, then smallest id."""
        return (entry for _, entry in self._sides.get((sell, buy), ()))

    def since(self, sequence: int) -> tuple[Change, ...] | None:
        """The changes after `sequence`; None when they are no longer (or not yet) known."""
        oldest = self._sequence - len(self._changes)
        if not oldest <= sequence <= self._sequence:
            return None
        return tuple(change for change in self._changes if change.sequence > sequence)

    def makers(self, pair: bytes) -> tuple[PublicKey, ...]:
        """The makers present that have a history in a pair, in order of their keys."""
        return tuple(sorted(maker for maker in self._shelves if self.has_history(maker, pair)))

    def has_history(self, maker: PublicKey, pair: bytes) -> bool:
        """Whether the maker is present and was heard of in a pair."""
        shelf = self._shelves.get(maker)
        return shelf is not None and shelf.present and pair in shelf.highest

    def of_maker(self, maker: PublicKey, pair: bytes) -> tuple[Entry, ...]:
        """A maker's offers in one pair, by id."""
        shelf = self._shelves.get(maker)
        mine = [] if shelf is None else [e for e in shelf.slots.values() if e.pair == pair]
        return tuple(sorted(mine, key=lambda entry: entry.offer_id))

    # --- Whether a maker is there -------------------------------------------------------------

    def admit(self, maker: PublicKey) -> None:
        """The maker is there: from now on its offers are taken in."""
        if maker not in self._shelves and len(self._shelves) >= MAX_SHELVES:
            absent = (m for m, shelf in self._shelves.items() if not shelf.present)
            self.forget(next(absent, maker))
        self._shelves.setdefault(maker, _Shelf()).present = True

    def drop(self, maker: PublicKey) -> None:
        """The maker is silent: its offers leave at once. What it cancelled stays dead; what was
        live may come back with it."""
        shelf = self._shelves.get(maker)
        if shelf is None or not shelf.present:
            return
        shelf.present = False
        shelf.settled.clear()
        for entry in tuple(shelf.slots.values()):
            self._remove(entry, Why.MAKER_GONE)
            self._bury(shelf, entry.offer, entry.offer.sequence)
        self._forget_if_empty(maker, shelf)

    def forget(self, maker: PublicKey) -> None:
        """Drops a maker whose key is void: nothing of it will be taken in again."""
        self.drop(maker)
        shelf = self._shelves.pop(maker, None)
        if shelf is not None:
            self._tombs -= len(shelf.least)

    # --- What makers say ----------------------------------------------------------------------

    def put(self, offer: Offer, signed: Signed, *, now: int) -> Placed:
        """Takes in an offer that `open_offer` passed. Only PLACED changes the book."""
        shelf = self._shelves.get(offer.maker)
        if shelf is None or not shelf.present:
            return Placed.ABSENT
        entry = Entry(offer_id(signed), offer, signed, pair_id(offer.sell, offer.buy))
        shelf.saw(entry.pair, offer.number)
        if entry.offer_id in self._entries:
            return Placed.KNOWN
        if now >= offer.expires:
            return Placed.EXPIRED
        if self._is_dead(shelf, entry):
            return Placed.DEAD
        there = shelf.slots.get(offer.slot)
        if there is None:
            refusal = self._make_room(offer.maker, shelf)
            if refusal is not None:
                return refusal
        elif not _replaces(entry, there):
            return Placed.STALE
        else:
            self._take_out(there)
        self._insert(shelf, entry)
        self._note(Why.POSTED if there is None else Why.REPLACED, entry, there)
        return Placed.PLACED

    def cancel(self, cancel: Cancel) -> None:
        """Ends the slot's offers up to the cancelled sequence. Of a maker that was never here
        nothing is remembered: when it comes, its digest tells."""
        shelf = self._shelves.get(cancel.maker)
        if shelf is None:
            return
        shelf.saw(cancel.pair, cancel.number)
        self._entomb(shelf, cancel.slot, cancel.sequence + 1, cancel.time + MAX_LIFE)
        there = shelf.slots.get(cancel.slot)
        if there is not None and there.offer.sequence <= cancel.sequence:
            self._remove(there, Why.CANCELLED)

    def begin_history(self, maker: PublicKey, pair: bytes, number: int) -> None:
        """The maker is there and was heard of in `pair` up to log `number`: for ourselves, in a
        life that does not know what an earlier one said."""
        self.admit(maker)
        self._shelves[maker].saw(pair, number)

    def raise_floor(self, floor: Floor) -> None:
        """Ends every offer of the maker up to the floor."""
        shelf = self._shelves.get(floor.maker)
        if shelf is None:
            return
        shelf.floor = max(shelf.floor, floor.floor)
        shelf.floor_until = max(shelf.floor_until, floor.time + MAX_LIFE)
        for pair in shelf.highest:
            shelf.saw(pair, floor.number)
        for entry in tuple(shelf.slots.values()):
            if entry.offer.number <= shelf.floor:
                self._remove(entry, Why.CANCELLED)

    def expire(self, now: int) -> None:
        """Removes what has expired. Cheap while nothing is due."""
        if now < self._next_end:
            return
        for entry in tuple(self._entries.values()):
            if now >= entry.offer.expires:
                self._remove(entry, Why.EXPIRED)
                self._bury(self._shelves[entry.offer.maker], entry.offer, entry.offer.sequence + 1)
        ends = (entry.offer.expires for entry in self._entries.values())
        self._next_end = min(now + SWEEP, min(ends, default=now + SWEEP))
        for maker, shelf in tuple(self._shelves.items()):
            self._forget_past(shelf, now)
            self._forget_if_empty(maker, shelf)

    # --- Against the maker's digest -----------------------------------------------------------

    def state(self, maker: PublicKey, pair: bytes, *, at: int) -> PairState:
        """What a heartbeat of this maker signed at unix time `at` says of a pair, by our set."""
        shelf = self._shelves.get(maker)
        number = 0 if shelf is None else shelf.highest.get(pair, 0)
        return PairState(pair, number, live_digest(self._live(maker, pair, number, at)))

    def compare(self, maker: PublicKey, state: PairState, *, at: int) -> Comparison:
        """Our set against the state that a heartbeat signed at unix time `at`. After a MATCH no
        offer up to its number that we don't have is ever taken in."""
        live = self._live(maker, state.pair, state.number, at)
        shelf = self._shelves.get(maker)
        highest = 0 if shelf is None else shelf.highest.get(state.pair, 0)
        result = compare(live, state.digest, highest=highest, number=state.number)
        if result is Comparison.MATCH and shelf is not None:
            shelf.saw(state.pair, state.number)
            shelf.settled[state.pair] = max(state.number, shelf.settled.get(state.pair, 0))
        return result

    def settle(
        self, maker: PublicKey, state: PairState, names: Collection[bytes], *, at: int
    ) -> Comparison:
        """Removes whatever of ours is not among `names`, if these hash to the digest of `state`:
        then they are the maker's whole live set at that number. Returns the new comparison."""
        if live_digest(names) == state.digest:
            for name in self._live(maker, state.pair, state.number, at):
                if name not in names:
                    self._remove(self._entries[name], Why.UNLISTED)
        return self.compare(maker, state, at=at)

    def _live(self, maker: PublicKey, pair: bytes, number: int, at: int) -> list[bytes]:
        return [
            entry.offer_id
            for entry in self.of_maker(maker, pair)
            if counts(entry.offer, number=number, at=at)
        ]

    # --- Inside -------------------------------------------------------------------------------

    def _is_dead(self, shelf: _Shelf, entry: Entry) -> bool:
        offer = entry.offer
        tomb = shelf.least.get(offer.slot)
        return (
            offer.number <= shelf.floor
            or offer.number <= shelf.settled.get(entry.pair, 0)
            or (tomb is not None and offer.sequence < tomb.least)
        )

    def _make_room(self, maker: PublicKey, shelf: _Shelf) -> Placed | None:
        """None when one more offer of this maker fits. A full book takes from whoever has most:
        that maker loses its newest offer; he who has most himself is refused."""
        if maker == self._own:
            return None
        if len(shelf.slots) >= MAX_OFFERS_PER_MAKER:
            return Placed.QUOTA
        if len(self._entries) < MAX_OFFERS:
            return None
        others = ((m, s) for m, s in self._shelves.items() if m != self._own)
        largest = max((s for _, s in others), key=lambda s: len(s.slots), default=shelf)
        if len(largest.slots) < len(shelf.slots) + 2:
            return Placed.FULL
        victim = max(largest.slots.values(), key=lambda entry: entry.offer.number)
        self._remove(victim, Why.EVICTED)
        # Our set is no longer that maker's: an offer we lack is not for that reason dead.
        largest.settled.pop(victim.pair, None)
        return None

    def _insert(self, shelf: _Shelf, entry: Entry) -> None:
        shelf.slots[entry.offer.slot] = entry
        self._entries[entry.offer_id] = entry
        insort(
            self._sides.setdefault(entry.side, []),
            (_rank(entry), entry),
            key=lambda ranked: ranked[0],
        )
        self._next_end = min(self._next_end, entry.offer.expires)

    def _remove(self, entry: Entry, why: Why) -> None:
        self._take_out(entry)
        self._note(why, None, entry)

    def _take_out(self, entry: Entry) -> None:
        del self._shelves[entry.offer.maker].slots[entry.offer.slot]
        del self._entries[entry.offer_id]
        side = self._sides[entry.side]
        del side[bisect_left(side, _rank(entry), key=lambda ranked: ranked[0])]
        if not side:
            del self._sides[entry.side]

    def _note(self, why: Why, entry: Entry | None, before: Entry | None) -> None:
        self._sequence += 1
        self._changes.append(Change(self._sequence, why, entry, before))

    def _bury(self, shelf: _Shelf, offer: Offer, least: int) -> None:
        """Whatever the slot held below `least` was created before this offer."""
        self._entomb(shelf, offer.slot, least, offer.created + MAX_LIFE)

    def _entomb(self, shelf: _Shelf, slot: int, least: int, until: int) -> None:
        tomb = shelf.least.get(slot)
        if tomb is None:
            if self._tombs >= MAX_TOMBS or len(shelf.least) >= MAX_TOMBS_PER_MAKER:
                return
            self._tombs += 1
        elif tomb.least > least:
            return
        shelf.least[slot] = _Tomb(least, max(until, tomb.until if tomb is not None else 0))

    def _forget_past(self, shelf: _Shelf, now: int) -> None:
        """What could rise again has expired by itself."""
        gone = [slot for slot, tomb in shelf.least.items() if now >= tomb.until]
        for slot in gone:
            del shelf.least[slot]
        self._tombs -= len(gone)
        if now >= shelf.floor_until:
            shelf.floor = 0

    def _forget_if_empty(self, maker: PublicKey, shelf: _Shelf) -> None:
        if not shelf.present and not shelf.slots and not shelf.least and not shelf.floor:
            del self._shelves[maker]


def _replaces(entry: Entry, there: Entry) -> bool:
    """Whether `entry` takes the slot of `there`. Two offers with one sequence are the maker's
    fault: the one with the smaller id stays, everywhere, so that books agree."""
    if entry.offer.sequence == there.offer.sequence:
        return entry.offer_id < there.offer_id
    return entry.offer.sequence > there.offer.sequence


def counts(offer: Offer, *, number: int, at: int) -> bool:
    """Whether an offer is in the digest of a heartbeat with log `number`, signed at `at`."""
    return offer.number <= number and offer.expires > at + DYING
