"""The terms that follow from a take and its answer, and how proposed ones are compared with them.

Owns: building terms, naming the first field that differs.
Must not know: message order, signatures. Neither side trusts the other's arithmetic: both build
the terms from what they themselves know, so a proposal has nothing left to lie about but its own
keys, hashlock and start.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from protocol.errors import Refusal
from protocol.evm.legs import check_payee
from protocol.kinds import check_parties
from protocol.limits import NEGOTIATION, SKEW
from protocol.negotiation.checks import Fill, chains_of
from protocol.negotiation.messages import Reserve, Take
from protocol.offers import Offer, refuse_unless
from protocol.swap.timelocks import schedule
from protocol.terms import TERMS_VERSION, Kind, LegTerms, Terms, Timing


class TakerPart(Struct, frozen=True):
    """What only the taker knows before it proposes: who it is in both legs, the hashlock, the
    start."""

    claim_key_p: bytes
    refund_key_i: bytes
    hashlock: bytes
    t0: int


def build_terms(
    *, take: Take, swap_id: bytes, offer: Offer, fill: Fill, reserve: Reserve, part: TakerPart
) -> Terms:
    """The one set of terms that follows from all that was said.

    Raises RemoteProtocolError: wrong_key, unsupported_kind, and as `schedule` does.
    """
    kind_i, kind_p = Kind(take.kind_i), Kind(take.kind_p)
    check_parties(
        kind_i,
        kind_p,
        i=(reserve.claim_key_i, part.refund_key_i),
        p=(part.claim_key_p, reserve.refund_key_p),
    )
    for kind, amount, claimer in (
        (kind_i, fill.amount_i, reserve.claim_key_i),
        (kind_p, fill.amount_p, part.claim_key_p),
    ):
        if kind is Kind.EVM:
            check_payee(amount.asset, claimer)
    refuse_unless(len(part.hashlock) == 32, Refusal.WRONG_TERMS, "a hashlock has 32 bytes")
    chain_i, chain_p = chains_of(offer)
    doors = schedule(
        t0=part.t0,
        timing=take.timing,
        chain_i=chain_i,
        chain_p=chain_p,
        depth_i=reserve.depth_i,
        depth_p=reserve.depth_p,
        exposure_i=take.exposure,
        exposure_p=reserve.exposure,
        pace_i=reserve.pace_i,
        pace_p=reserve.pace_p,
    )
    return Terms(
        version=TERMS_VERSION,
        swap_id=swap_id,
        offer_id=take.offer_id,
        maker=offer.maker,
        taker=take.taker,
        hashlock=part.hashlock,
        t0=part.t0,
        timing=take.timing,
        exposure_i=take.exposure,
        exposure_p=reserve.exposure,
        leg_i=LegTerms(
            kind_i,
            fill.amount_i,
            reserve.claim_key_i,
            part.refund_key_i,
            doors.expiry_i,
            reserve.depth_i,
            take.pinned_i,
            reserve.pace_i,
        ),
        leg_p=LegTerms(
            kind_p,
            fill.amount_p,
            part.claim_key_p,
            reserve.refund_key_p,
            doors.expiry_p,
            reserve.depth_p,
            take.pinned_p,
            reserve.pace_p,
        ),
        min_fee_rate_i=reserve.min_fee_rate_i,
    )


_TERMS_FIELDS: Final[tuple[tuple[str, Refusal, Callable[[Terms], object]], ...]] = (
    ("version", Refusal.UNKNOWN_VERSION, lambda terms: terms.version),
    ("swap id", Refusal.WRONG_SWAP, lambda terms: terms.swap_id),
    ("offer id", Refusal.UNKNOWN_OFFER, lambda terms: terms.offer_id),
    ("maker key", Refusal.WRONG_KEY, lambda terms: terms.maker),
    ("taker key", Refusal.WRONG_KEY, lambda terms: terms.taker),
    ("timing", Refusal.WRONG_TERMS, lambda terms: terms.timing),
    ("exposure of the initiator", Refusal.WRONG_TERMS, lambda terms: terms.exposure_i),
    ("exposure of the participant", Refusal.WRONG_TERMS, lambda terms: terms.exposure_p),
    ("least fee rate", Refusal.WRONG_TERMS, lambda terms: terms.min_fee_rate_i),
)

_LEG_FIELDS: Final[tuple[tuple[str, Refusal, Callable[[LegTerms], object]], ...]] = (
    ("kind", Refusal.UNSUPPORTED_KIND, lambda leg: leg.kind),
    ("chain", Refusal.WRONG_CHAIN, lambda leg: leg.chain),
    ("asset", Refusal.UNSUPPORTED_ASSET, lambda leg: leg.amount.asset),
    ("amount", Refusal.WRONG_TERMS, lambda leg: leg.amount.units),
    ("claim key", Refusal.WRONG_KEY, lambda leg: leg.claim_key),
    ("refund key", Refusal.WRONG_KEY, lambda leg: leg.refund_key),
    ("expiry", Refusal.WRONG_EXPIRY, lambda leg: leg.expiry),
    ("depth", Refusal.DEPTH_TOO_SMALL, lambda leg: leg.depth),
    ("pinned block", Refusal.WRONG_CHAIN, lambda leg: leg.pinned),
    ("pace", Refusal.WRONG_TERMS, lambda leg: leg.pace),
)


def check_same_terms(proposed: Terms, expected: Terms) -> None:
    """Raises RemoteProtocolError naming the first field in which the two differ."""
    for name, refusal, value in _TERMS_FIELDS:
        refuse_unless(value(proposed) == value(expected), refusal, f"the terms have another {name}")
    for leg, one, other in (
        ("I", proposed.leg_i, expected.leg_i),
        ("P", proposed.leg_p, expected.leg_p),
    ):
        for name, refusal, field in _LEG_FIELDS:
            refuse_unless(
                field(one) == field(other), refusal, f"leg {leg} of the terms has another {name}"
            )
    refuse_unless(proposed == expected, Refusal.WRONG_TERMS, "the terms differ from those agreed")


def check_start(t0: int, timing: Timing, now: int) -> None:
    """Raises RemoteProtocolError (clock_skew) unless t0 is within [-S, +N] of `now`."""
    early, late = SKEW[timing], NEGOTIATION[timing]
    refuse_unless(
        now - early <= t0 <= now + late,
        Refusal.CLOCK_SKEW,
        f"t0 is {t0 - now} s from our clock, within -{early} to +{late} is allowed",
    )
