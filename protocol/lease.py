"""How long a maker is believed to be there: heartbeats, leases, and proof of two-facedness.

Owns: `Heartbeat`, `Equivocation`, the table of leases. Must not know: offers' contents, the book.

A maker signs a heartbeat every `PERIOD`; without one for `LEASE` it is gone (safety rule 18). Two
clocks are told apart: `now` is wall time in unix seconds, which signed times are held against;
`moment` is milliseconds of any clock that only runs forward, which leases end by, so that a step
of the wall clock ends no lease.
"""

import enum
import itertools

from msgspec import Struct

from protocol.codec import decode, encode
from protocol.errors import LocalProtocolError, Refusal
from protocol.offers import (
    MAX_COUNTER,
    MAX_LIFE,
    MAX_TIME,
    PAIR_SIZE,
    Signed,
    SignWith,
    check_range,
    check_size,
    check_version,
    refuse_unless,
)
from protocol.signing import PublicKey, Tag, check_signed

LEASE_VERSION = 1
PERIOD = 30
"""Seconds from one heartbeat to the next."""
WINDOW = 45
"""Seconds that a heartbeat's signed time may differ from ours, either way."""
LEASE = 80
"""Seconds that a heartbeat keeps its maker's offers in a book: two may be lost."""
GONE_AFTER = 90
"""Seconds after its last heartbeat by which a maker's offers have left every book."""
MAX_BOOKS = 32
"""Pairs one maker offers at once."""
MAX_HEARTBEAT_SIZE = 4096
MAX_MAKERS = 4096
MAX_BANNED = 16384

if not (2 * PERIOD < LEASE < GONE_AFTER and PERIOD < WINDOW < LEASE):
    msg = "the times of a lease contradict each other"
    raise LocalProtocolError(msg)


class PairState(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A maker's side of one pair: at its log `number` its live offers hash to `digest`
    (reconcile.live_digest); `pair` is offers.pair_id."""

    pair: bytes
    number: int
    digest: bytes


class Heartbeat(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A maker is there at `time`. `counter` = max(stored + 1, unix milliseconds) when it was
    signed; `epoch` is that of the network key, which only grows; `books` are sorted by pair."""

    version: int
    maker: PublicKey
    epoch: int
    counter: int
    time: int
    books: tuple[PairState, ...]

    def book(self, pair: bytes) -> PairState | None:
        """The state of one pair, if this maker is in it."""
        return next((state for state in self.books if state.pair == pair), None)


class Equivocation(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Two different heartbeats that one maker signed with one counter: proof, needing no
    signature of its own. The lesser payload stands first."""

    first: Signed
    second: Signed


# --- Checks -----------------------------------------------------------------------------------


def _read(payload: bytes) -> Heartbeat:
    heartbeat = decode(Heartbeat, payload, max_size=MAX_HEARTBEAT_SIZE)
    check_version(heartbeat.version, LEASE_VERSION, "a heartbeat")
    check_size(heartbeat.maker, 32, "the maker key")
    check_range(heartbeat.epoch, 0, MAX_COUNTER, "epoch")
    check_range(heartbeat.counter, 1, MAX_COUNTER, "counter")
    check_range(heartbeat.time, 1, MAX_TIME, "time")
    check_range(len(heartbeat.books), 0, MAX_BOOKS, "the number of pairs")
    for state in heartbeat.books:
        check_size(state.pair, PAIR_SIZE, "a pair")
        check_size(state.digest, 32, "a digest")
        check_range(state.number, 0, MAX_COUNTER, "a log number")
    pairs = [state.pair for state in heartbeat.books]
    in_order = all(one < other for one, other in itertools.pairwise(pairs))
    refuse_unless(in_order, Refusal.MALFORMED, "pairs out of order, or one twice")
    return heartbeat


def read_heartbeat(payload: bytes, *, now: int) -> Heartbeat:
    """The heartbeat in `payload`, all but its signature checked. Raises RemoteProtocolError:
    clock_skew when it is not of this moment."""
    heartbeat = _read(payload)
    away = heartbeat.time - now
    refuse_unless(
        abs(away) <= WINDOW,
        Refusal.CLOCK_SKEW,
        f"a heartbeat {away:+d} s from our clock, at most {WINDOW} s are allowed",
    )
    return heartbeat


def open_heartbeat(signed: Signed, *, now: int) -> Heartbeat:
    """The heartbeat in `signed`, fully checked. Raises RemoteProtocolError."""
    heartbeat = read_heartbeat(signed.payload, now=now)
    check_signed(heartbeat.maker, Tag.HEARTBEAT, signed.payload, signed.signature)
    return heartbeat


def sign_heartbeat(heartbeat: Heartbeat, sign: SignWith) -> Signed:
    """The heartbeat with its maker's signature."""
    payload = encode(heartbeat)
    return Signed(payload, sign(Tag.HEARTBEAT, payload))


def equivocation(one: Signed, other: Signed) -> Equivocation:
    """The proof made of two heartbeats, in its one order."""
    first, second = sorted((one, other), key=lambda signed: signed.payload)
    return Equivocation(first, second)


def read_equivocation(payload: bytes, *, now: int) -> tuple[Equivocation, Heartbeat, Heartbeat]:
    """The proof in `payload` and both heartbeats, all but their signatures checked.

    A proof counts for 24 hours from the older heartbeat: then everything that was signed beside it
    has expired. Raises RemoteProtocolError.
    """
    proof = decode(Equivocation, payload, max_size=2 * MAX_HEARTBEAT_SIZE + 256)
    first, second = _read(proof.first.payload), _read(proof.second.payload)
    proves = (
        proof.first.payload < proof.second.payload
        and first.maker == second.maker
        and first.counter == second.counter
    )
    refuse_unless(proves, Refusal.MALFORMED, "two heartbeats that prove nothing")
    fresh = now < min(first.time, second.time) + MAX_LIFE
    refuse_unless(fresh, Refusal.OFFER_EXPIRED, "a proof too old to matter")
    return proof, first, second


def open_equivocation(payload: bytes, *, now: int) -> tuple[PublicKey, int]:
    """The maker that a proof convicts, and the unix time until which it counts. Raises
    RemoteProtocolError unless both heartbeats are that maker's."""
    proof, first, second = read_equivocation(payload, now=now)
    for signed in (proof.first, proof.second):
        check_signed(first.maker, Tag.HEARTBEAT, signed.payload, signed.signature)
    return first.maker, min(first.time, second.time, now) + MAX_LIFE


# --- The table --------------------------------------------------------------------------------


class Heard(enum.StrEnum):
    """What a checked heartbeat turned out to be."""

    NEW = "new"
    KNOWN = "known"
    OLD = "old"
    TWO_FACED = "two_faced"
    BANNED = "banned"
    FULL = "full"


class Lease(Struct, frozen=True):
    """A maker's newest heartbeat, and the moment at which it ends."""

    signed: Signed
    heartbeat: Heartbeat
    ends: int


class Leases:
    """Who is there. Bounded: at most `MAX_MAKERS` makers, `MAX_BANNED` bans."""

    def __init__(self) -> None:
        self._leases: dict[PublicKey, Lease] = {}
        self._retired: dict[PublicKey, None] = {}
        self._banned: dict[PublicKey, int] = {}

    def hear(self, signed: Signed, heartbeat: Heartbeat, *, now: int, moment: int) -> Heard:
        """Takes note of a heartbeat that `open_heartbeat` passed at `now`.

        TWO_FACED: `last(maker)` and this one are a proof; the caller bans and passes it on.
        """
        maker = heartbeat.maker
        if self.is_banned(maker):
            return Heard.BANNED
        last = self._leases.get(maker)
        if last is None:
            if len(self._leases) >= MAX_MAKERS:
                return Heard.FULL
        elif heartbeat.counter < last.heartbeat.counter:
            return Heard.OLD
        elif heartbeat.counter == last.heartbeat.counter:
            same = signed.payload == last.signed.payload
            return Heard.KNOWN if same else Heard.TWO_FACED
        # Neither a late arrival nor a clock ahead of ours makes a lease longer.
        ends = moment + 1000 * (LEASE - max(0, now - heartbeat.time))
        self._leases[maker] = Lease(signed, heartbeat, ends)
        return Heard.NEW

    def last(self, maker: PublicKey) -> Lease | None:
        """The newest heartbeat of a maker, its lease perhaps over."""
        return self._leases.get(maker)

    def is_alive(self, maker: PublicKey, *, moment: int) -> bool:
        """True while the maker's lease runs."""
        lease = self._leases.get(maker)
        return lease is not None and moment < lease.ends

    def lapsed(self, *, now: int, moment: int) -> tuple[PublicKey, ...]:
        """The makers whose lease is over. Their counters are kept for as long as a replay of
        their last heartbeat could still pass for new."""
        over = tuple(maker for maker, lease in self._leases.items() if moment >= lease.ends)
        for maker in over:
            if now > self._leases[maker].heartbeat.time + WINDOW:
                del self._leases[maker]
        self._banned = {maker: until for maker, until in self._banned.items() if now < until}
        return over

    def ban(self, maker: PublicKey, until: int) -> None:
        """Nothing of this maker counts until then (unix seconds)."""
        self._leases.pop(maker, None)
        if len(self._banned) >= MAX_BANNED:
            del self._banned[next(iter(self._banned))]
        self._banned[maker] = until

    def retire(self, maker: PublicKey) -> None:
        """Nothing of this maker counts any more."""
        self._leases.pop(maker, None)
        if len(self._retired) >= MAX_BANNED:
            del self._retired[next(iter(self._retired))]
        self._retired[maker] = None

    def is_banned(self, maker: PublicKey) -> bool:
        """True for a maker that retired or was caught signing two truths."""
        return maker in self._banned or maker in self._retired
