"""From signed items to the book: every item is opened here, whoever brought it.

Owns: what each kind of item does to the book, the leases and the certificates; which of it calls
for more (a gap to fetch, a proof to pass on). Must not know: channels, gossip, the clock: no I/O.

The network process has checked gossip before; here it is checked again, because that process is
the part of us that strangers reach.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from protocol.book import Book, counts
from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.gossip import Item, ItemKind, item_of
from protocol.identity import Certificate, is_newer, open_certificate, open_retire
from protocol.lease import (
    Heard,
    Heartbeat,
    Leases,
    equivocation,
    open_equivocation,
    open_heartbeat,
)
from protocol.offers import (
    Offer,
    Signed,
    offer_id,
    open_cancel,
    open_floor,
    open_offer,
    pair_id,
)
from protocol.reconcile import BookRequest, Comparison, Head, Section, head_of, live_digest
from protocol.signing import PublicKey

_HONEST_LATENESS = frozenset({Refusal.OFFER_EXPIRED, Refusal.CLOCK_SKEW})
"""What a message can become on its way without anybody's fault."""


@dataclass(frozen=True)
class Gap:
    """Our set of a maker's offers in a pair (32 bytes) is not what its heartbeat says."""

    maker: PublicKey
    pair: bytes


@dataclass
class Notes:
    """What came of a batch of items. `gaps` to fetch, `proofs` to pass on, `faults` of whoever
    brought the batch; `newer_self` is the epoch of a heartbeat signed with our own key by another
    daemon; `twin` says that one of our own epoch was not sent by us; `offers` are the valid ones
    of followed pairs, by maker and pair."""

    gaps: set[Gap] = field(default_factory=set)
    proofs: list[Item] = field(default_factory=list)
    faults: list[RemoteProtocolError] = field(default_factory=list)
    newer_self: int | None = None
    twin: bool = False
    offers: dict[Gap, list[tuple[bytes, Offer]]] = field(default_factory=dict)
    heard: list[Heartbeat] = field(default_factory=list)


class Intake:
    """The market's memory. `pairs` are the ids that are followed; the rest is ignored."""

    def __init__(self, book: Book, own: PublicKey, pairs: frozenset[bytes]) -> None:
        self.book = book
        self.leases = Leases()
        self._own = own
        self._pairs = pairs
        self._own_last: Heartbeat | None = None
        self._certificates: dict[PublicKey, tuple[Signed, Certificate]] = {}
        self._doors: dict[ItemKind, Callable[[Item, int, int, Notes], None]] = {
            ItemKind.OFFER: self._offer,
            ItemKind.CANCEL: self._cancel,
            ItemKind.FLOOR: self._floor,
            ItemKind.HEARTBEAT: self._heartbeat,
            ItemKind.CERTIFICATE: self._certificate,
            ItemKind.RETIRE: self._retire,
            ItemKind.EQUIVOCATION: self._equivocation,
        }
        book.admit(own)

    # --- Taking in ----------------------------------------------------------------------------

    def take(self, items: Iterable[Item], *, now: int, moment: int) -> Notes:
        """Opens each item and does what it says. `now` is unix seconds, `moment` milliseconds of
        the clock that leases run by. Never raises for what a stranger sent."""
        notes = Notes()
        for item in items:
            try:
                self._doors[item.kind](item, now, moment, notes)
            except RemoteProtocolError as error:
                if error.refusal not in _HONEST_LATENESS:
                    notes.faults.append(error)
        # Only now: the offers that a heartbeat speaks of stand behind it in the same message.
        for heartbeat in notes.heard:
            notes.gaps |= self._gaps(heartbeat)
        return notes

    def settle(self, notes: Notes) -> None:
        """After a fetch: where what was fetched is by digest a maker's whole live set, the rest
        of ours goes."""
        for gap, offers in notes.offers.items():
            self.settle_one(gap, offers)

    def settle_one(self, gap: Gap, offers: Iterable[tuple[bytes, Offer]]) -> Comparison | None:
        """The same for one maker and pair; None when there is nothing to hold it against."""
        lease = self.leases.last(gap.maker)
        state = None if lease is None else lease.heartbeat.book(gap.pair)
        if lease is None or state is None:
            return None
        at = lease.heartbeat.time
        names = {name for name, offer in offers if counts(offer, number=state.number, at=at)}
        return self.book.settle(gap.maker, state, names, at=at)

    def tick(self, *, now: int, moment: int) -> None:
        """Lets go of makers that fell silent and of what expired."""
        for maker in self.leases.lapsed(now=now, moment=moment):
            if maker != self._own:
                self.book.drop(maker)
                self._certificates.pop(maker, None)
        self.book.expire(now)

    def hear_self(self, signed: Signed, heartbeat: Heartbeat, *, now: int, moment: int) -> None:
        """Our own heartbeat, so that we hand it on like any other."""
        self._own_last = heartbeat
        self.leases.hear(signed, heartbeat, now=now, moment=moment)

    def certify_self(self, signed: Signed, certificate: Certificate) -> None:
        """Our own certificate."""
        self._certificates[self._own] = (signed, certificate)

    # --- Handing out --------------------------------------------------------------------------

    def certificate(self, maker: PublicKey) -> Certificate | None:
        """The newest certificate of a maker that is here."""
        kept = self._certificates.get(maker)
        return None if kept is None else kept[1]

    def sections(self, request: BookRequest) -> Iterable[Section]:
        """What we can tell of a pair, by maker, from the request's cursor on: of the one named,
        or of all but those whose digest the asker has."""
        known = set(request.heads)
        for name in self.book.makers(request.pair):
            if name < request.cursor[:32] or request.maker not in (b"", name):
                continue
            section = self._section(name, request.pair, known)
            if section is not None:
                yield section

    def heads(self, pair: bytes) -> tuple[Head, ...]:
        """What we have of a pair, as the short digests of their makers' own heartbeats."""
        found = []
        for maker in self.book.makers(pair):
            digest = self._signed_digest(maker, pair)
            if digest is not None:
                found.append(head_of(maker, digest))
        return tuple(found)

    def _signed_digest(self, maker: PublicKey, pair: bytes) -> bytes | None:
        """The digest that a maker signed last, when our set is that set."""
        lease = self.leases.last(maker)
        state = None if lease is None else lease.heartbeat.book(pair)
        if lease is None or state is None:
            return None
        entries = self.book.of_maker(maker, pair)
        at, number = lease.heartbeat.time, state.number
        live = (e.offer_id for e in entries if counts(e.offer, number=number, at=at))
        return state.digest if live_digest(live) == state.digest else None

    def _section(self, maker: PublicKey, pair: bytes, known: set[Head]) -> Section | None:
        lease, certified = self.leases.last(maker), self._certificates.get(maker)
        if lease is None:
            return None
        digest = self._signed_digest(maker, pair)
        if digest is not None and head_of(maker, digest) in known:
            return None
        about = [item_of(ItemKind.HEARTBEAT, lease.signed)]
        if certified is not None:
            about.append(item_of(ItemKind.CERTIFICATE, certified[0]))
        offers = tuple(
            (entry.offer_id, item_of(ItemKind.OFFER, entry.signed))
            for entry in self.book.of_maker(maker, pair)
        )
        return Section(maker, tuple(about), offers)

    # --- One door per kind of item ------------------------------------------------------------

    def _is_void(self, maker: PublicKey) -> bool:
        """Nothing that others bring counts for ourselves, nor for a banned maker."""
        return maker == self._own or self.leases.is_banned(maker)

    def _offer(self, item: Item, now: int, _moment: int, notes: Notes) -> None:
        known = self.book.get(offer_id(item.signed))
        offer = open_offer(item.signed, now=now) if known is None else known.offer
        pair = pair_id(offer.sell, offer.buy)
        if pair not in self._pairs or self._is_void(offer.maker):
            return
        notes.offers.setdefault(Gap(offer.maker, pair), []).append((offer_id(item.signed), offer))
        if known is None:
            self.book.put(offer, item.signed, now=now)

    def _cancel(self, item: Item, now: int, _moment: int, _notes: Notes) -> None:
        cancel = open_cancel(item.signed, now=now)
        if cancel.pair in self._pairs and not self._is_void(cancel.maker):
            self.book.cancel(cancel)

    def _floor(self, item: Item, now: int, _moment: int, _notes: Notes) -> None:
        floor = open_floor(item.signed, now=now)
        if not self._is_void(floor.maker):
            self.book.raise_floor(floor)

    def _heartbeat(self, item: Item, now: int, moment: int, notes: Notes) -> None:
        heartbeat = open_heartbeat(item.signed, now=now)
        if heartbeat.maker == self._own:
            notes.newer_self = max(heartbeat.epoch, notes.newer_self or 0)
            notes.twin |= self._is_twins(heartbeat)
            return
        last = self.leases.last(heartbeat.maker)
        heard = self.leases.hear(item.signed, heartbeat, now=now, moment=moment)
        if heard is Heard.NEW:
            self.book.admit(heartbeat.maker)
            notes.heard.append(heartbeat)
        elif heard is Heard.TWO_FACED and last is not None:
            proof = Item(ItemKind.EQUIVOCATION, encode(equivocation(last.signed, item.signed)), b"")
            self._equivocation(proof, now, moment, notes)

    def _is_twins(self, heartbeat: Heartbeat) -> bool:
        """Ours only grow: one that is ahead of all that this run signed is a copy's."""
        own = self._own_last
        if own is None or heartbeat.epoch != own.epoch:
            return False
        return heartbeat.counter >= own.counter and heartbeat != own

    def _certificate(self, item: Item, now: int, moment: int, _notes: Notes) -> None:
        certificate = open_certificate(item.signed, now=now)
        maker = certificate.maker
        # Whoever is not here needs no address: this bounds the table by that of the leases.
        if self._is_void(maker) or not self.leases.is_alive(maker, moment=moment):
            return
        kept = self.certificate(maker)
        if kept is None or is_newer(certificate, kept):
            self._certificates[maker] = (item.signed, certificate)

    def _retire(self, item: Item, _now: int, _moment: int, notes: Notes) -> None:
        maker = open_retire(item.signed).maker
        if not self._is_void(maker):
            self.leases.retire(maker)
            self._forget(maker, notes)

    def _equivocation(self, item: Item, now: int, _moment: int, notes: Notes) -> None:
        maker, until = open_equivocation(item.payload, now=now)
        if not self._is_void(maker):
            self.leases.ban(maker, until)
            self._forget(maker, notes)
            notes.proofs.append(item)

    def _forget(self, maker: PublicKey, notes: Notes) -> None:
        self.book.forget(maker)
        self._certificates.pop(maker, None)
        notes.heard = [heartbeat for heartbeat in notes.heard if heartbeat.maker != maker]

    def _gaps(self, heartbeat: Heartbeat) -> set[Gap]:
        """The followed pairs in which we lack something of a maker, its certificate included."""
        maker, at = heartbeat.maker, heartbeat.time
        followed = [state for state in heartbeat.books if state.pair in self._pairs]
        return {
            Gap(maker, state.pair)
            for state in followed
            if self.book.compare(maker, state, at=at) is Comparison.GAP
            or maker not in self._certificates
        }
