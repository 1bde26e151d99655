"""The book against a naive model that forgets nothing, and its rules one by one."""

from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from protocol import book as book_module
from protocol.amounts import Price, Units
from protocol.book import Book, Placed, Why
from protocol.lease import PairState
from protocol.offers import Offer, Signed, offer_id
from protocol.reconcile import Comparison, live_digest
from protocol.signing import PublicKey
from tests.protocol.market.samples import (
    BTC,
    DOGE,
    LTC,
    NOW,
    PAIR,
    cancel,
    floor,
    key,
    offer,
    signed_offer,
)

MAKERS = ("maker", "other")


# --- The model --------------------------------------------------------------------------------


@dataclass
class Naive:
    """Everything ever said, and the rule of the book applied to all of it each time."""

    now: int = NOW
    present: set[PublicKey] = field(default_factory=set)
    said: dict[bytes, Offer] = field(default_factory=dict)
    cancels: list[tuple[PublicKey, int, int]] = field(default_factory=list)
    floors: dict[PublicKey, int] = field(default_factory=dict)
    unheard: set[bytes] = field(default_factory=set)
    hidden: set[bytes] = field(default_factory=set)

    def counts(self, name: bytes) -> bool:
        one = self.said[name]
        return (
            one.maker in self.present
            and name not in self.unheard | self.hidden
            and self.now < one.expires
            and one.number > self.floors.get(one.maker, 0)
            and not any(
                maker == one.maker and slot == one.slot and one.sequence <= last
                for maker, slot, last in self.cancels
            )
            and not any(
                other.maker == one.maker
                and other.slot == one.slot
                and other.sequence > one.sequence
                for rival, other in self.said.items()
                if rival not in self.unheard
            )
        )

    def live(self) -> set[bytes]:
        return {name for name in self.said if self.counts(name)}


class BookMachine(RuleBasedStateMachine):
    """Offers, cancels, floors, time and silence in any order. Sequences and log numbers only
    grow, as a maker's do; anything said before may be said again by anybody."""

    def __init__(self) -> None:
        super().__init__()
        self.book, self.model = Book(start=1000), Naive()
        self.number = 0
        self.wire: dict[bytes, Signed] = {}
        self.mirror: dict[bytes, Offer] = {}
        self.read = 1000

    @rule(
        who=st.sampled_from(MAKERS),
        slot=st.integers(0, 2),
        price=st.integers(1, 3),
        life=st.integers(1, 400),
        buy=st.sampled_from([BTC, DOGE]),
    )
    def post(self, who: str, price: int, life: int, **fields: object) -> None:
        self.number += 1
        changes = {
            **fields,
            "number": self.number,
            "sequence": self.number,
            "created": self.model.now,
            "expires": self.model.now + life,
            "price": Price.of(price, 7),
        }
        signed = signed_offer(who, **changes)
        self.wire[offer_id(signed)] = signed
        self.hear(offer_id(signed), offer(who, **changes))

    @rule(which=st.integers(0, 50))
    def repeat(self, which: int) -> None:
        names = [name for name in self.model.said if self.model.now < self.model.said[name].expires]
        if names:
            name = names[which % len(names)]
            self.hear(name, self.model.said[name])

    def hear(self, name: bytes, one: Offer) -> None:
        is_new = name not in self.model.said
        self.model.said[name] = one
        if one.maker in self.model.present:
            self.model.unheard.discard(name)
            self.model.hidden.discard(name)
        elif is_new:
            self.model.unheard.add(name)
        self.book.put(one, self.wire[name], now=self.model.now)

    @rule(who=st.sampled_from(MAKERS), slot=st.integers(0, 2), back=st.integers(0, 4))
    def cancel(self, who: str, slot: int, back: int) -> None:
        sequence = max(1, self.number - back)
        self.number += 1
        if key(who) in self.model.present:
            self.model.cancels.append((key(who), slot, sequence))
            self.book.cancel(
                cancel(who, slot=slot, sequence=sequence, number=self.number, time=self.model.now)
            )

    @rule(who=st.sampled_from(MAKERS), back=st.integers(1, 5))
    def raise_floor(self, who: str, back: int) -> None:
        self.number += 1
        if key(who) in self.model.present:
            least = max(0, self.number - back)
            self.model.floors[key(who)] = max(least, self.model.floors.get(key(who), 0))
            self.book.raise_floor(floor(who, number=self.number, floor=least, time=self.model.now))

    @rule(seconds=st.integers(0, 300))
    def pass_time(self, seconds: int) -> None:
        self.model.now += seconds
        self.book.expire(self.model.now)

    @rule(who=st.sampled_from(MAKERS))
    def come(self, who: str) -> None:
        self.model.present.add(key(who))
        self.book.admit(key(who))

    @rule(who=st.sampled_from(MAKERS))
    def fall_silent(self, who: str) -> None:
        for name in self.model.live():
            if self.model.said[name].maker == key(who):
                self.model.hidden.add(name)
        self.model.present.discard(key(who))
        self.book.drop(key(who))

    @invariant()
    def the_book_is_the_model(self) -> None:
        entries = [e for buy in (BTC, DOGE) for e in self.book.side(LTC, buy)]
        assert {entry.offer_id for entry in entries} == self.model.live()
        assert len(self.book) == len(entries)
        for buy in (BTC, DOGE):
            ranks = [
                (Fraction(e.offer.price.numerator, e.offer.price.denominator), e.offer.created,
                 e.offer_id)
                for e in self.book.side(LTC, buy)
            ]  # fmt: skip
            assert ranks == sorted(ranks)

    @invariant()
    def the_changes_lead_from_one_book_to_the_next(self) -> None:
        changes = self.book.since(self.read)
        assert changes is not None
        for change in changes:
            assert change.sequence == self.read + 1
            self.read = change.sequence
            if change.before is not None:
                del self.mirror[change.before.offer_id]
            if change.entry is not None:
                self.mirror[change.entry.offer_id] = change.entry.offer
        assert set(self.mirror) == {
            e.offer_id for buy in (BTC, DOGE) for e in self.book.side(LTC, buy)
        }


TestBookAgainstTheModel = BookMachine.TestCase
TestBookAgainstTheModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


# --- One rule each ----------------------------------------------------------------------------


def put(book: Book, who: str = "maker", **changes: object) -> tuple[Placed, bytes]:
    signed = signed_offer(who, **changes)
    return book.put(offer(who, **changes), signed, now=NOW), offer_id(signed)


def opened(*makers: str) -> Book:
    book = Book()
    for who in makers or ("maker",):
        book.admit(key(who))
    return book


def test_offers_of_a_maker_who_is_not_there_are_not_taken_in() -> None:
    assert put(Book())[0] is Placed.ABSENT


def test_best_price_first_then_the_earliest_then_the_smallest_id() -> None:
    book = opened()
    cases = [(3, 0), (1, 5), (1, 4), (2, 0), (1, 4)]
    for slot, (price, created) in enumerate(cases):
        put(book, slot=slot, price=Price.of(price, 100), created=NOW - 50 + created)
    order = [(int(e.offer.price.numerator) * 100 // int(e.offer.price.denominator),
              e.offer.created - NOW + 50) for e in book.side(LTC, BTC)]  # fmt: skip
    assert order == [(1, 4), (1, 4), (1, 5), (2, 0), (3, 0)]
    same = [e.offer_id for e in book.side(LTC, BTC)][:2]
    assert same == sorted(same)


def test_an_older_version_of_a_slot_never_comes_back() -> None:
    book = opened()
    old = put(book, sequence=1, number=1)[1]
    assert put(book, sequence=2, number=2)[0] is Placed.PLACED
    assert put(book, sequence=1, number=1)[0] is Placed.STALE
    book.cancel(cancel(sequence=2, number=3))
    assert put(book, sequence=2, number=2)[0] is Placed.DEAD
    assert put(book, sequence=1, number=1)[0] is Placed.DEAD
    assert book.get(old) is None
    assert put(book, sequence=3, number=4)[0] is Placed.PLACED


def test_an_older_version_does_not_rise_when_a_newer_one_expires() -> None:
    book = opened()
    put(book, sequence=2, number=2, expires=NOW + 10)
    book.expire(NOW + 10)
    assert len(book) == 0
    old = signed_offer(sequence=1, number=1)
    assert book.put(offer(sequence=1, number=1), old, now=NOW + 10) is Placed.DEAD


def test_a_maker_that_returns_may_bring_its_offers_back_but_not_what_it_replaced() -> None:
    book = opened()
    put(book, sequence=1, number=1)
    put(book, sequence=2, number=2)
    book.drop(key())
    assert len(book) == 0
    book.admit(key())
    assert put(book, sequence=1, number=1)[0] is Placed.DEAD
    assert put(book, sequence=2, number=2)[0] is Placed.PLACED


def test_two_offers_with_one_sequence_leave_the_same_one_in_every_book() -> None:
    one, other = opened(), opened()
    names = [put(one, depth_sell=depth)[1] for depth in (4, 5)]
    for depth in (5, 4):
        put(other, depth_sell=depth)
    assert [e.offer_id for e in one.side(LTC, BTC)] == [min(names)]
    assert [e.offer_id for e in other.side(LTC, BTC)] == [min(names)]


def test_a_change_tells_what_came_what_went_and_why() -> None:
    book = opened()
    put(book, sequence=1, number=1)
    put(book, sequence=2, number=2, maximum=Units(2_000_000))
    book.drop(key())
    changes = book.since(0)
    assert changes is not None
    assert [change.why for change in changes] == [Why.POSTED, Why.REPLACED, Why.MAKER_GONE]
    replaced = changes[1]
    assert replaced.before is not None
    assert replaced.entry is not None
    assert (replaced.before.offer.sequence, replaced.entry.offer.sequence) == (1, 2)


def test_a_reader_too_far_behind_or_of_another_run_is_told() -> None:
    book = Book(start=5000)
    book.admit(key())
    put(book)
    assert book.since(4999) is None
    assert len(book.since(5000) or ()) == 1
    assert book.since(5001) == ()
    assert book.since(5002) is None


def test_only_so_many_changes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "KEPT_CHANGES", 3)
    book = opened()
    for slot in range(5):
        put(book, slot=slot)
    assert book.since(1) is None
    assert [change.sequence for change in book.since(2) or ()] == [3, 4, 5]


# --- Quotas -----------------------------------------------------------------------------------


def test_one_maker_has_a_quota_and_we_ourselves_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_OFFERS_PER_MAKER", 2)
    book = Book(own=key("other"))
    for who in MAKERS:
        book.admit(key(who))
    assert [put(book, slot=slot)[0] for slot in range(3)] == [
        Placed.PLACED, Placed.PLACED, Placed.QUOTA
    ]  # fmt: skip
    assert [put(book, "other", slot=slot)[0] for slot in range(3)] == [Placed.PLACED] * 3


def test_a_full_book_takes_from_whoever_has_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_OFFERS", 4)
    book = opened("maker", "other", "third")
    for slot in range(4):
        put(book, slot=slot, number=slot + 1)
    assert put(book, slot=9, number=9)[0] is Placed.FULL
    assert put(book, "other", slot=0)[0] is Placed.PLACED
    assert put(book, "other", slot=1)[0] is Placed.PLACED
    assert put(book, "other", slot=2)[0] is Placed.FULL
    left = [e.offer.number for e in book.of_maker(key(), PAIR)]
    assert sorted(left) == [1, 2], "the newest went first"
    assert put(book, "third")[0] is Placed.PLACED


def test_the_memory_of_the_dead_is_bounded_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_TOMBS_PER_MAKER", 10)
    book = opened()
    for slot in range(50):
        book.cancel(cancel(slot=slot, sequence=1, number=slot + 1))
    shelf = book._shelves[key()]
    assert len(shelf.least) == book._tombs == 10
    book.raise_floor(floor())
    book.expire(NOW + 86_400)
    assert (len(shelf.least), book._tombs, shelf.floor) == (0, 0, 0)
    book.drop(key())
    assert book._shelves == {}


def test_absent_makers_make_room_for_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_SHELVES", 2)
    book = opened("maker", "other")
    put(book, "other")
    book.drop(key("other"))
    book.admit(key("third"))
    assert set(book._shelves) == {key(), key("third")}
    assert book._tombs == 0


# --- Against the maker's digest ---------------------------------------------------------------


def filled(count: int = 3) -> tuple[Book, list[bytes]]:
    book = opened()
    return book, [put(book, slot=n, number=n + 1)[1] for n in range(count)]


def test_a_set_that_hashes_to_the_digest_is_a_match_and_closes_the_past() -> None:
    book, names = filled(2)
    state = PairState(PAIR, 5, live_digest(names))
    assert book.compare(key(), state, at=NOW) is Comparison.MATCH
    assert put(book, slot=7, number=5)[0] is Placed.DEAD, "it was not in the live set at 5"
    assert put(book, slot=7, number=6)[0] is Placed.PLACED


def test_a_missing_offer_is_a_gap_and_a_later_change_is_not() -> None:
    book, names = filled(2)
    whole = live_digest([*names, bytes(32)])
    assert book.compare(key(), PairState(PAIR, 2, whole), at=NOW) is Comparison.GAP
    put(book, slot=8, number=9)
    assert book.compare(key(), PairState(PAIR, 2, whole), at=NOW) is Comparison.AHEAD


def test_a_whole_set_removes_what_the_maker_no_longer_counts() -> None:
    book, names = filled(3)
    state = PairState(PAIR, 9, live_digest(names[:2]))
    assert book.compare(key(), state, at=NOW) is Comparison.GAP
    assert book.settle(key(), state, names[:2], at=NOW) is Comparison.MATCH
    assert {e.offer_id for e in book.side(LTC, BTC)} == set(names[:2])
    changes = book.since(0) or ()
    assert changes[-1].why is Why.UNLISTED


def test_a_part_of_a_set_removes_nothing() -> None:
    book, names = filled(3)
    state = PairState(PAIR, 9, live_digest(names[:2]))
    assert book.settle(key(), state, names[:1], at=NOW) is Comparison.GAP
    assert len(book) == 3


def test_an_offer_about_to_expire_is_not_compared() -> None:
    book, names = filled(2)
    put(book, slot=5, number=3, expires=NOW + 60)
    state = PairState(PAIR, 3, live_digest(names))
    assert book.compare(key(), state, at=NOW) is Comparison.MATCH
    assert book.state(key(), PAIR, at=NOW) == state


def test_what_we_say_of_our_own_set_matches_it() -> None:
    book, _ = filled(3)
    book.cancel(cancel(slot=1, sequence=3, number=4))
    state = book.state(key(), PAIR, at=NOW)
    assert state.number == 4
    assert book.compare(key(), state, at=NOW) is Comparison.MATCH


def test_an_evicted_offer_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "MAX_OFFERS", 3)
    book, names = filled(3)
    book.admit(key("other"))
    state = PairState(PAIR, 3, live_digest(names))
    assert book.compare(key(), state, at=NOW) is Comparison.MATCH
    assert put(book, "other")[0] is Placed.PLACED
    book.forget(key("other"))
    assert put(book, slot=2, number=3)[0] is Placed.PLACED
