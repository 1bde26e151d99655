"""The taker's side of a take: bytes and facts in, a new state and bytes out.

Owns: which message is legal when, and how long the taker waits for a signature.
Must not know: stores, nodes, timers, how anything is signed.

    ask() --> Asking --reserve--> Offered --propose()--> Proposing --accept--> Agreed
                 \\--refuse--> Refused                          \\--refuse--> Refused

States are frozen: a message that is not the legal, timely, correctly signed one raises
RemoteProtocolError, and the state it came to is what it was. `receive` is total.

Failure and persistence: the salt of the swap is durable before `propose`, because with it the
hashlock leaves. A take that ends before Agreed committed nothing on any chain; should the Accept
be lost on its way, the maker's promise lapses by itself, and the taker takes again with a new id.
"""

from typing import TypeAlias

from msgspec import Struct

from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.kinds import kind_of
from protocol.limits import RESERVATION_SECONDS, SKEW
from protocol.negotiation.checks import (
    Fill,
    Side,
    agreed_depths,
    chains_of,
    check_reserve,
    check_take,
    fill_of,
    least_depths,
    own_paces,
)
from protocol.negotiation.messages import (
    TAKE_VERSION,
    Accept,
    Propose,
    Refuse,
    Reserve,
    SignedReserve,
    SignedTake,
    Take,
    open_reserve,
    read,
    readable,
    swap_id_of,
    unexpected,
)
from protocol.negotiation.terms import TakerPart, build_terms
from protocol.offers import Offer
from protocol.signing import PublicKey, Signature, Tag, check_signed
from protocol.swap.timelocks import Schedule, schedule
from protocol.terms import Terms, terms_hash


class Draft(Struct, frozen=True):
    """A take that is good by our own rules, to be signed and sent."""

    take: Take
    offer: Offer
    fill: Fill
    side: Side


class Asking(Struct, frozen=True):
    """Our take is out."""

    draft: Draft
    swap_id: bytes


class Offered(Struct, frozen=True):
    """The maker holds the coins for us. Its proof of funds is not yet checked."""

    asking: Asking
    reserve: Reserve


class Proposing(Struct, frozen=True):
    """Our signed terms are out since `since` (unix seconds)."""

    terms: Terms
    taker_signature: Signature
    since: int


class Agreed(Struct, frozen=True):
    """Both signed: the end of a negotiation."""

    terms: Terms
    maker_signature: Signature
    taker_signature: Signature


class Refused(Struct, frozen=True):
    """The maker said no. `detail` is its own text, made printable."""

    refusal: Refusal
    detail: str


TakerNegotiation: TypeAlias = Draft | Asking | Offered | Proposing | Agreed | Refused


def ask(
    offer: Offer,
    offer_id: bytes,
    units: int,
    *,
    side: Side,
    taker: PublicKey,
    nonce: bytes,
    now: int,
) -> Draft:
    """A take of `units` of what `offer` sells, checked as the maker will check it.

    `taker` is a key, `nonce` 32 bytes, both fresh. Raises RemoteProtocolError by name.
    """
    fill = fill_of(offer, units, remaining=offer.maximum)
    depth_i, depth_p = least_depths(side, fill)
    pace_i, pace_p = own_paces(offer, side)
    chain_i, chain_p = chains_of(offer)
    take = Take(
        version=TAKE_VERSION,
        offer_id=offer_id,
        taker=taker,
        nonce=nonce,
        units=fill.amount_p.units,
        kind_i=kind_of(chain_i),
        kind_p=kind_of(chain_p),
        timing=side.timing,
        exposure=side.exposure,
        depth_i=depth_i,
        depth_p=depth_p,
        pace_i=pace_i,
        pace_p=pace_p,
        pinned_i=side.pinned_i,
        pinned_p=side.pinned_p,
        created=now,
    )
    check_take(take, offer=offer, offer_id=offer_id, remaining=units, side=side, now=now)
    draft = Draft(take, offer, fill, side)
    likely_schedule(draft, now=now)
    return draft


def likely_schedule(draft: Draft, *, now: int) -> Schedule:
    """The doors if it began now at the depths known so far, for quotes. Raises ScheduleRefused."""
    take, offer = draft.take, draft.offer
    depth_i, depth_p = agreed_depths(take, offer, draft.side, draft.fill)
    chain_i, chain_p = chains_of(offer)
    return schedule(
        t0=now,
        timing=take.timing,
        chain_i=chain_i,
        chain_p=chain_p,
        depth_i=depth_i,
        depth_p=depth_p,
        exposure_i=take.exposure,
        exposure_p=offer.exposure,
        pace_i=take.pace_i,
        pace_p=take.pace_p,
    )


def asking(draft: Draft, signature: Signature) -> tuple[Asking, bytes]:
    """The take, signed with its own key under Tag.TAKE over `encode(draft.take)`."""
    payload = encode(draft.take)
    check_signed(draft.take.taker, Tag.TAKE, payload, signature)
    return Asking(draft, swap_id_of(payload)), encode(SignedTake(payload, signature))


def receive(state: TakerNegotiation, data: bytes, *, now: int) -> Offered | Agreed | Refused:
    """The state after a message of the maker; `now` in unix seconds.

    Raises RemoteProtocolError; `state` is then still the state.
    """
    message = read(data)
    match state, message:
        case Asking(), SignedReserve():
            return _offered(state, message, now)
        case Asking(), Refuse():
            return _refused(message, state.swap_id)
        case Proposing(), Accept():
            return _agreed(state, message, now)
        case Proposing(), Refuse():
            return _refused(message, state.terms.swap_id)
        case Asking(), _:
            raise unexpected(message, "a reserve answer")
        case Proposing(), _:
            raise unexpected(message, "the maker's signature")
        case _:
            raise unexpected(message, "our own message")


def _refused(message: Refuse, swap_id: bytes) -> Refused:
    if message.swap_id not in {b"", swap_id}:
        raise RemoteProtocolError(Refusal.WRONG_SWAP, "the refusal of another take")
    return Refused(message.refusal, readable(message.detail))


def _offered(state: Asking, message: SignedReserve, now: int) -> Offered:
    draft = state.draft
    answer = open_reserve(message, draft.offer.maker)
    check_reserve(
        answer,
        take=draft.take,
        swap_id=state.swap_id,
        offer=draft.offer,
        side=draft.side,
        fill=draft.fill,
    )
    ends_in, skew = answer.valid_until - now, SKEW[draft.take.timing]
    if ends_in < -skew:
        raise RemoteProtocolError(Refusal.TOO_LATE, f"the reservation ended {-ends_in} s ago")
    if ends_in > RESERVATION_SECONDS + skew:
        detail = f"reserved for {ends_in} s by our clock: one of the clocks is wrong"
        raise RemoteProtocolError(Refusal.CLOCK_SKEW, detail)
    return Offered(state, answer)


def draft_terms(offered: Offered, part: TakerPart) -> Terms:
    """The terms to sign. The salt behind the hashlock is durable before they leave.

    Raises RemoteProtocolError: wrong_key, and as `schedule` does.
    """
    asked = offered.asking
    return build_terms(
        take=asked.draft.take,
        swap_id=asked.swap_id,
        offer=asked.draft.offer,
        fill=asked.draft.fill,
        reserve=offered.reserve,
        part=part,
    )


def propose(terms: Terms, signature: Signature, *, now: int) -> tuple[Proposing, bytes]:
    """The terms, signed with the take's key under Tag.TERMS over `encode(terms)`."""
    payload = encode(terms)
    check_signed(terms.taker, Tag.TERMS, payload, signature)
    return Proposing(terms, signature, now), encode(Propose(payload, signature))


def _agreed(state: Proposing, message: Accept, now: int) -> Agreed:
    terms = state.terms
    if message.swap_id != terms.swap_id:
        raise RemoteProtocolError(Refusal.WRONG_SWAP, "the acceptance of another swap")
    if now - state.since > RESERVATION_SECONDS:
        detail = f"accepted {now - state.since} s after our proposal"
        raise RemoteProtocolError(Refusal.TOO_LATE, detail)
    if message.terms_hash != terms_hash(terms):
        raise RemoteProtocolError(Refusal.WRONG_TERMS, "accepts other terms than ours")
    check_signed(terms.maker, Tag.TERMS, encode(terms), message.signature)
    return Agreed(terms, message.signature, state.taker_signature)
