"""The maker's side of a take: bytes and facts in, a new state and bytes out.

Owns: which message is legal when, and the deadline of a reservation.
Must not know: stores, nodes, timers, how anything is signed.

    Listening --take--> Asked --reserve()--> Reserved --propose--> Proposed --accept()--> Accepted

States are frozen: whatever a peer sends that is not the one legal, timely, correctly signed
message raises RemoteProtocolError with the refusal to answer, and the state it came to is what it
was. `receive` is total over all states and all bytes.

Failure and persistence: nothing here is durable. Before `accept` is called the caller journals the
swap and the hashlock; a crash before that leaves no promise but a signed Reserve that lapses.
"""

from typing import TypeAlias

from msgspec import Struct

from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.kinds import check_maker
from protocol.limits import RESERVATION_SECONDS
from protocol.negotiation.checks import (
    Fill,
    Side,
    agreed_depths,
    agreed_paces,
    chains_of,
    check_take,
)
from protocol.negotiation.messages import (
    Accept,
    Propose,
    Reserve,
    SignedReserve,
    SignedTake,
    Take,
    open_propose,
    open_take,
    read,
    swap_id_of,
    unexpected,
)
from protocol.negotiation.terms import TakerPart, build_terms, check_same_terms, check_start
from protocol.offers import Offer
from protocol.proof import FundsProof
from protocol.signing import Signature, Tag, check_signed
from protocol.swap.timelocks import schedule
from protocol.terms import Kind, Pace, Terms, terms_hash


class Listening(Struct, frozen=True):
    """A channel is open; nothing was said."""


class Asked(Struct, frozen=True):
    """A correctly signed take arrived. Nothing is promised."""

    take: Take
    swap_id: bytes


class Granted(Struct, frozen=True):
    """The take is good by everything that can be known without a node: what to hold and prove."""

    take: Take
    swap_id: bytes
    offer: Offer
    fill: Fill
    side: Side
    depth_i: int
    depth_p: int
    pace_i: Pace | None
    pace_p: Pace | None


class Reserved(Struct, frozen=True):
    """Our Reserve is out; the coins are held until its `valid_until`."""

    granted: Granted
    reserve: Reserve


class Proposed(Struct, frozen=True):
    """Good terms, signed by the taker. We may sign until the reservation ends."""

    terms: Terms
    taker_signature: Signature
    valid_until: int


class Accepted(Struct, frozen=True):
    """Both signed: the end of a negotiation."""

    terms: Terms
    maker_signature: Signature
    taker_signature: Signature


MakerNegotiation: TypeAlias = Listening | Asked | Granted | Reserved | Proposed | Accepted


def receive(state: MakerNegotiation, data: bytes, *, now: int) -> Asked | Proposed:
    """The state after a message of the taker; `now` in unix seconds.

    Raises RemoteProtocolError; `state` is then still the state.
    """
    message = read(data)
    match state, message:
        case Listening(), SignedTake():
            return Asked(open_take(message), swap_id_of(message.payload))
        case Reserved(), Propose():
            return _proposed(state, message, now)
        case Listening(), _:
            raise unexpected(message, "a take")
        case Reserved(), _:
            raise unexpected(message, "a proposal")
        case _:
            raise unexpected(message, "our own answer")


def grant(
    asked: Asked, *, offer: Offer, offer_id: bytes, remaining: int, side: Side, now: int
) -> Granted:
    """Checks a take against our offer and our needs. Raises RemoteProtocolError by name."""
    take = asked.take
    fill = check_take(take, offer=offer, offer_id=offer_id, remaining=remaining, side=side, now=now)
    depth_i, depth_p = agreed_depths(take, offer, side, fill)
    pace_i, pace_p = agreed_paces(take, offer, side)
    chain_i, chain_p = chains_of(offer)
    schedule(  # refuses what would take too long, before anything is promised
        t0=now,
        timing=take.timing,
        chain_i=chain_i,
        chain_p=chain_p,
        depth_i=depth_i,
        depth_p=depth_p,
        exposure_i=take.exposure,
        exposure_p=offer.exposure,
        pace_i=pace_i,
        pace_p=pace_p,
    )
    return Granted(take, asked.swap_id, offer, fill, side, depth_i, depth_p, pace_i, pace_p)


def draft_reserve(
    granted: Granted, *, claim_key_i: bytes, refund_key_p: bytes, proof: FundsProof, now: int
) -> Reserve:
    """Our answer, to be signed. Its 60 s begin now."""
    take = granted.take
    check_maker(Kind(take.kind_i), claim_key_i, Kind(take.kind_p), refund_key_p)
    return Reserve(
        swap_id=granted.swap_id,
        exposure=granted.offer.exposure,
        depth_i=granted.depth_i,
        depth_p=granted.depth_p,
        pace_i=granted.pace_i,
        pace_p=granted.pace_p,
        claim_key_i=claim_key_i,
        refund_key_p=refund_key_p,
        pinned_i=granted.side.pinned_i,
        pinned_p=granted.side.pinned_p,
        min_fee_rate_i=granted.offer.min_fee_rate,
        proof=proof,
        valid_until=now + RESERVATION_SECONDS,
    )


def reserve(granted: Granted, answer: Reserve, signature: Signature) -> tuple[Reserved, bytes]:
    """The answer, signed with the maker key under Tag.RESERVE over `encode(answer)`."""
    payload = encode(answer)
    check_signed(granted.offer.maker, Tag.RESERVE, payload, signature)
    return Reserved(granted, answer), encode(SignedReserve(payload, signature))


def _proposed(state: Reserved, message: Propose, now: int) -> Proposed:
    granted, answer = state.granted, state.reserve
    if now > answer.valid_until:
        detail = f"the reservation ended {now - answer.valid_until} s ago"
        raise RemoteProtocolError(Refusal.TOO_LATE, detail)
    terms = open_propose(message, granted.take.taker)
    if terms.swap_id != granted.swap_id:
        raise RemoteProtocolError(Refusal.WRONG_SWAP, "the terms of another swap")
    check_start(terms.t0, granted.take.timing, now)
    part = TakerPart(terms.leg_p.claim_key, terms.leg_i.refund_key, terms.hashlock, terms.t0)
    expected = build_terms(
        take=granted.take,
        swap_id=granted.swap_id,
        offer=granted.offer,
        fill=granted.fill,
        reserve=answer,
        part=part,
    )
    check_same_terms(terms, expected)
    return Proposed(terms, message.signature, answer.valid_until)


def check_acceptable(proposed: Proposed, *, is_hashlock_new: bool, now: int) -> None:
    """The last look before we sign. Raises RemoteProtocolError: reused_hashlock, too_late."""
    if not is_hashlock_new:
        raise RemoteProtocolError(Refusal.REUSED_HASHLOCK, "this hashlock was seen before")
    if now > proposed.valid_until:
        raise RemoteProtocolError(Refusal.TOO_LATE, "the reservation ended while we checked")


def accept(proposed: Proposed, signature: Signature) -> tuple[Accepted, bytes]:
    """Our signature under Tag.TERMS over `encode(terms)`; journal the swap before sending."""
    terms = proposed.terms
    check_signed(terms.maker, Tag.TERMS, encode(terms), signature)
    answer = Accept(terms.swap_id, terms_hash(terms), signature)
    return Accepted(terms, signature, proposed.taker_signature), encode(answer)
