"""The book of one taker, fed by relays that delay, lose, repeat, reorder and forge.

Owns: `Bazaar`: makers that post, replace and cancel; what reaches the book, and when; the glue that
the daemon's intake is (open, hear, admit, compare, settle). Must not know: what a good book is
(`checks.market`). Signatures here are real: they are what makes an offer one's own.
"""

import hashlib
from random import Random

import msgspec

from protocol.amounts import Price, Units
from protocol.book import Book
from protocol.codec import encode
from protocol.errors import RemoteProtocolError
from protocol.lease import LEASE_VERSION, Heard, Heartbeat, Leases, open_heartbeat, sign_heartbeat
from protocol.offers import (
    OFFER_VERSION,
    Cancel,
    Floor,
    Offer,
    Signed,
    offer_id,
    open_cancel,
    open_floor,
    open_offer,
    pair_id,
    sign_offer,
)
from protocol.reconcile import Comparison
from protocol.signing import PublicKey, Signature, Tag, public_key, sign
from tests.simulation.checks import market as checks
from tests.simulation.pure.setting import Setting

_STEPS = 14
_SECONDS = 15


class Maker:
    """Signs what it wants; `log` keeps the truth for the checkers."""

    def __init__(self, name: str) -> None:
        self.secret = hashlib.sha256(f"maker {name}".encode()).digest()
        self.key: PublicKey = public_key(self.secret)
        self.log = checks.Log(self.key)
        self.number = 0
        self.slots: dict[int, tuple[Offer, Signed]] = {}
        self.is_there = True

    def sign(self, tag: Tag, message: bytes) -> Signature:
        """With its maker key."""
        return sign(self.secret, tag, message, bytes(32))

    def next_number(self) -> int:
        """Of its log."""
        self.number += 1
        return self.number

    def note(self) -> None:
        """What is live at the present number."""
        self.log.live[self.number] = frozenset(s.payload for _, s in self.slots.values())


class Bazaar:
    """Some minutes of one market. `best` is what the taker then takes; `faults` what was wrong."""

    def __init__(self, setting: Setting, families: tuple[str, str], rng: Random, now: int) -> None:
        self.buy, self.sell = (setting.params(family).asset_id for family in families)
        self.pair = pair_id(self.sell, self.buy)
        self.now = now - _STEPS * _SECONDS
        self.book = Book()
        self.leases = Leases()
        self.makers = [Maker(name) for name in ("anna", "bert")]
        self.faults: list[str] = []
        self._setting, self._families, self._rng = setting, families, rng
        self._told = {maker.key: checks.Heard() for maker in self.makers}
        self._way: list[tuple[int, int, str, Signed]] = []
        self._past: list[tuple[str, Signed]] = []
        self._sent = 0
        for _ in range(_STEPS):
            self._step()

    # --- makers ---

    def _offer(self, maker: Maker, slot: int) -> None:
        rng, kind = self._rng, self._setting.kind
        least = self._setting.least_units
        before = maker.slots.get(slot)
        sequence = before[0].sequence + 1 if before else 1 + maker.number
        offer = Offer(
            version=OFFER_VERSION,
            maker=maker.key,
            slot=slot,
            sequence=sequence,
            number=maker.next_number(),
            sell=self.sell,
            buy=self.buy,
            price=Price(Units(rng.choice((90, 101, 150, 177))), Units(89)),
            minimum=Units(least * 2),
            maximum=Units(least * 4),
            created=self.now,
            expires=self.now + rng.choice((60, 3600)),
            kinds=("p2wsh",),
            timing=kind.timing,
            exposure=kind.maker,
            depth_sell=self._setting.depths[self._families[1]],
            depth_buy=self._setting.depths[self._families[0]],
            min_fee_rate=1000,
        )
        signed = sign_offer(offer, maker.sign)
        maker.slots[slot] = (offer, signed)
        maker.log.signed.add(signed.payload)
        self._send("offer", signed)

    def _cancel(self, maker: Maker) -> None:
        slot = self._rng.choice(sorted(maker.slots))
        offer, signed = maker.slots.pop(slot)
        number, name = maker.next_number(), offer_id(signed)
        notice = Cancel(1, maker.key, number, self.pair, name, slot, offer.sequence, self.now)
        payload = encode(notice)
        self._send("cancel", Signed(payload, maker.sign(Tag.CANCEL, payload)))

    def _floor(self, maker: Maker) -> None:
        maker.slots.clear()
        floor = maker.number
        payload = encode(Floor(1, maker.key, maker.next_number(), floor, self.now))
        self._send("floor", Signed(payload, maker.sign(Tag.FLOOR, payload)))

    def _beat(self, maker: Maker) -> None:
        truth = Book()
        truth.admit(maker.key)
        for offer, signed in list(maker.slots.values()):
            if self.now >= offer.expires:
                del maker.slots[offer.slot]
            else:
                truth.put(offer, signed, now=self.now)
        maker.note()
        state = truth.state(maker.key, self.pair, at=self.now)
        state = msgspec.structs.replace(state, number=maker.number)
        beat = Heartbeat(LEASE_VERSION, maker.key, 1, self.now * 1000, self.now, (state,))
        self._send("heartbeat", sign_heartbeat(beat, maker.sign))

    # --- relays ---

    def _send(self, kind: str, signed: Signed) -> None:
        rng = self._rng
        self._past.append((kind, signed))
        if rng.random() < 0.12:
            return
        for _ in range(1 if rng.random() < 0.85 else 2):
            delay = rng.choice((0, 0, 0, 1, 20, 40))
            self._sent += 1
            self._way.append((self.now + delay, self._sent, kind, signed))
        if rng.random() < 0.2:
            self._sent += 1
            self._way.append((self.now, self._sent, kind, self._forged(kind, signed)))

    def _forged(self, kind: str, signed: Signed) -> Signed:
        """A relay's own version: bytes changed, or signed by somebody else."""
        payload = bytearray(signed.payload)
        payload[self._rng.randrange(len(payload))] ^= 1 << self._rng.randrange(8)
        if self._rng.random() < 0.5:
            return Signed(bytes(payload), signed.signature)
        other = Maker("mallory")
        tag = {"offer": Tag.OFFER, "cancel": Tag.CANCEL, "floor": Tag.FLOOR}.get(
            kind, Tag.HEARTBEAT
        )
        return Signed(bytes(payload), other.sign(tag, bytes(payload)))

    def _step(self) -> None:
        rng = self._rng
        for maker in self.makers:
            if not maker.is_there:
                continue
            what = rng.random()
            if what < 0.5 or not maker.slots:
                self._offer(maker, rng.randrange(3))
            elif what < 0.65:
                self._cancel(maker)
            elif what < 0.7:
                self._floor(maker)
            if self._sent == 0 or rng.random() < 0.6:
                self._beat(maker)
            if maker is self.makers[1] and rng.random() < 0.06:
                maker.is_there = False
        if rng.random() < 0.4:
            kind, signed = rng.choice(self._past)
            self._sent += 1
            self._way.append((self.now + rng.randint(0, 30), self._sent, kind, signed))
        self.now += _SECONDS
        due = sorted(entry[:2] for entry in self._way if entry[0] <= self.now)
        by_number = {entry[1]: entry for entry in self._way}
        self._way = [entry for entry in self._way if entry[0] > self.now]
        for _, number in due:
            self._hear(*by_number[number][2:])
        for maker_key in self.leases.lapsed(now=self.now, moment=self.now * 1000):
            self.book.drop(maker_key)
        self.book.expire(self.now)
        self._judge()

    # --- the book's intake ---

    def _hear(self, kind: str, signed: Signed) -> None:
        now = self.now
        try:
            if kind == "offer":
                self.book.put(open_offer(signed, now=now), signed, now=now)
            elif kind == "cancel":
                cancel = open_cancel(signed, now=now)
                self.book.cancel(cancel)
                if not self._is_present(cancel.maker):
                    return  # of a maker that is not here nothing need be remembered
                told = self._told[cancel.maker]
                told.ended[cancel.slot] = max(told.ended.get(cancel.slot, 0), cancel.sequence)
            elif kind == "floor":
                floor = open_floor(signed, now=now)
                self.book.raise_floor(floor)
                if not self._is_present(floor.maker):
                    return
                told = self._told[floor.maker]
                told.floor = max(told.floor, floor.floor)
            else:
                self._beaten(signed, open_heartbeat(signed, now=now))
        except RemoteProtocolError:
            return

    def _is_present(self, maker: PublicKey) -> bool:
        return self.leases.is_alive(maker, moment=self.now * 1000)

    def _beaten(self, signed: Signed, beat: Heartbeat) -> None:
        if self.leases.hear(signed, beat, now=self.now, moment=self.now * 1000) is not Heard.NEW:
            return
        told = self._told[beat.maker]
        told.beat = max(told.beat, beat.time)
        self.book.admit(beat.maker)
        for state in beat.books:
            result = self.book.compare(beat.maker, state, at=beat.time)
            if result is Comparison.GAP and self._rng.random() < 0.7:
                maker = next(m for m in self.makers if m.key == beat.maker)
                payloads = maker.log.live[state.number]
                known = {s.payload: s for k, s in self._past if k == "offer"}
                live = [known[p] for p in sorted(payloads)]
                for each in live:
                    self._hear("offer", each)
                result = self.book.settle(
                    beat.maker, state, [offer_id(s) for s in live], at=beat.time
                )
            if result is Comparison.MATCH and state.number >= told.settled:
                told.settled, told.settled_at = state.number, beat.time

    def _judge(self) -> None:
        items = [
            checks.Item(
                e.offer.maker, e.signed.payload, e.offer.number, e.offer.slot, e.offer.sequence,
                e.offer.expires,
            )
            for e in self.book.side(self.sell, self.buy)
        ]  # fmt: skip
        logs: dict[bytes, checks.Log] = {maker.key: maker.log for maker in self.makers}
        heard: dict[bytes, checks.Heard] = dict(self._told.items())
        self.faults += checks.judge_book(items, logs, heard, self.now)
