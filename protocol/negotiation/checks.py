"""What makes a take and a reserve answer good: every field, each with its refusal.

Owns: `Side` (what one party insists on), amounts of a fill, depths, keys, the economic minimum.
Must not know: message order, signatures, nodes, terms (negotiation.terms).
"""

import coincurve
from msgspec import Struct

from protocol.amounts import Amount, Units
from protocol.assets import ChainId, chain_of
from protocol.errors import Refusal
from protocol.limits import (
    CLAIM_VBYTES,
    ECONOMIC_DIVISOR,
    PINNED_SPREAD,
    REFUND_VBYTES,
    SKEW,
)
from protocol.negotiation.messages import Reserve, Take
from protocol.offers import Offer, refuse_unless
from protocol.swap.timelocks import depth_for
from protocol.terms import (
    HTLC_KEY_SIZE,
    Exposure,
    Kind,
    PinnedBlock,
    Timing,
)


class Side(Struct, frozen=True, kw_only=True):
    """What one party insists on for one take, and how it sees both chains.

    `depth_factor` is q of rule 4, `floor_*` the operator's own least depths, `pinned_*` our block
    about 100 deep, `stress_fee_rate` base units per 1000 vbytes.
    """

    timing: Timing
    exposure: Exposure
    pinned_i: PinnedBlock
    pinned_p: PinnedBlock
    stress_fee_rate: int
    depth_factor: int = 1
    floor_i: int = 1
    floor_p: int = 1
    kinds: tuple[Kind, ...] = (Kind.P2WSH,)


class Fill(Struct, frozen=True):
    """What changes hands: `amount_i` the taker's coins, `amount_p` the maker's."""

    amount_i: Amount
    amount_p: Amount


# --- Amounts ----------------------------------------------------------------------------------


def fill_of(offer: Offer, units: int, *, remaining: int) -> Fill:
    """The amounts of taking `units` of what the offer sells, of which `remaining` are left.

    Raises RemoteProtocolError: amount_out_of_range, amount_taken.
    """
    refuse_unless(
        offer.minimum <= units <= offer.maximum,
        Refusal.AMOUNT_OUT_OF_RANGE,
        f"{units} is not within {offer.minimum} to {offer.maximum}",
    )
    refuse_unless(
        units <= remaining, Refusal.AMOUNT_TAKEN, f"{units} wanted, {max(0, remaining)} are left"
    )
    return Fill(
        amount_i=Amount(offer.buy, offer.price.pays(units)),
        amount_p=Amount(offer.sell, Units(units)),
    )


def economic_minimum(fee_rate: int) -> int:
    """The least base units worth locking when spends cost `fee_rate` per 1000 vbytes (rule 14)."""
    return -(-(CLAIM_VBYTES + REFUND_VBYTES) * fee_rate // 1000) * ECONOMIC_DIVISOR


def check_economic(amount: Amount, fee_rate: int) -> None:
    """Raises RemoteProtocolError (below_economic_minimum)."""
    least = economic_minimum(fee_rate)
    detail = f"{amount.units} of {amount.asset} is below {least}: fees could eat a tenth of it"
    refuse_unless(amount.units >= least, Refusal.BELOW_ECONOMIC_MINIMUM, detail)


def chains_of(offer: Offer) -> tuple[ChainId, ChainId]:
    """The chains of leg I and leg P of a take of this offer."""
    return chain_of(offer.buy), chain_of(offer.sell)


# --- Chains, depths, keys ---------------------------------------------------------------------


def check_pinned(theirs: PinnedBlock, ours: PinnedBlock, leg: str) -> None:
    """Raises RemoteProtocolError (wrong_chain) unless the block is about as deep as our own."""
    refuse_unless(
        len(theirs.block_hash) == 32
        and theirs.height >= 0
        and abs(theirs.height - ours.height) <= PINNED_SPREAD
        and (theirs.height != ours.height or theirs == ours),
        Refusal.WRONG_CHAIN,
        f"block {theirs.height} of leg {leg} is not about 100 deep on our chain",
    )


def least_depths(side: Side, fill: Fill) -> tuple[int, int]:
    """The depths this side insists on for leg I and leg P. Raises RemoteProtocolError."""

    def depth(amount: Amount, floor: int, pinned: PinnedBlock) -> int:
        least = depth_for(
            chain_of(amount.asset),
            amount.units,
            timing=side.timing,
            factor=side.depth_factor,
            height=pinned.height,
        )
        return max(least, floor)

    return (
        depth(fill.amount_i, side.floor_i, side.pinned_i),
        depth(fill.amount_p, side.floor_p, side.pinned_p),
    )


def _is_point(key: bytes) -> bool:
    if len(key) != HTLC_KEY_SIZE:
        return False
    try:
        coincurve.PublicKey(key)
    except ValueError:
        return False
    return True


def check_keys(*keys: bytes) -> None:
    """Raises RemoteProtocolError (wrong_key) unless all are compressed points and no two share
    their x: a claimer who is also the refunder could take back what was paid."""
    refuse_unless(all(map(_is_point, keys)), Refusal.WRONG_KEY, "an HTLC key is not on the curve")
    different = len({key[1:] for key in keys}) == len(keys)
    refuse_unless(different, Refusal.WRONG_KEY, "an HTLC key is used twice")


# --- Take and reserve -------------------------------------------------------------------------


def check_take(
    take: Take, *, offer: Offer, offer_id: bytes, remaining: int, side: Side, now: int
) -> Fill:
    """The fill, if this take of this offer is acceptable to `side`, maker or taker.

    Raises RemoteProtocolError by name. Not checked: whether the pinned blocks are in our chain.
    """
    refuse_unless(take.offer_id == offer_id, Refusal.UNKNOWN_OFFER, "a take of another offer")
    refuse_unless(take.taker != offer.maker, Refusal.OWN_OFFER, "maker and taker are one key")
    refuse_unless(now < offer.expires, Refusal.OFFER_EXPIRED, f"expired at {offer.expires}")
    refuse_unless(
        take.kind in offer.kinds and take.kind in side.kinds,
        Refusal.UNSUPPORTED_KIND,
        f"{take.kind!r} is not accepted here",
    )
    refuse_unless(
        take.timing is offer.timing and take.timing is side.timing,
        Refusal.WRONG_TERMS,
        f"timing {take.timing.value}; the offer has {offer.timing.value}, we {side.timing.value}",
    )
    skew = SKEW[take.timing]
    refuse_unless(
        abs(now - take.created) <= skew,
        Refusal.CLOCK_SKEW,
        f"made {now - take.created} s ago by our clock, at most {skew} either way",
    )
    fill = fill_of(offer, take.units, remaining=remaining)
    check_economic(fill.amount_i, side.stress_fee_rate)
    check_economic(fill.amount_p, side.stress_fee_rate)
    check_pinned(take.pinned_i, side.pinned_i, "I")
    check_pinned(take.pinned_p, side.pinned_p, "P")
    return fill


def agreed_depths(take: Take, offer: Offer, side: Side, fill: Fill) -> tuple[int, int]:
    """The maker's answer: the deepest that anyone asked for. Raises RemoteProtocolError."""
    least_i, least_p = least_depths(side, fill)
    return (
        max(least_i, take.depth_i, offer.depth_buy),
        max(least_p, take.depth_p, offer.depth_sell),
    )


def check_reserve(
    reserve: Reserve, *, take: Take, swap_id: bytes, offer: Offer, side: Side, fill: Fill
) -> None:
    """The taker's view of the answer. Raises RemoteProtocolError by name.

    Not checked: the proof of funds, whether the pinned blocks are in our chain, the deadline.
    """
    refuse_unless(reserve.swap_id == swap_id, Refusal.WRONG_SWAP, "an answer to another take")
    refuse_unless(
        reserve.exposure == offer.exposure,
        Refusal.WRONG_TERMS,
        "another exposure than the offer says",
    )
    least_i, least_p = agreed_depths(take, offer, side, fill)
    refuse_unless(
        reserve.depth_i >= least_i and reserve.depth_p >= least_p,
        Refusal.DEPTH_TOO_SMALL,
        f"depths {reserve.depth_i} and {reserve.depth_p}; at least {least_i} and {least_p}",
    )
    refuse_unless(
        reserve.min_fee_rate_i <= max(side.stress_fee_rate, offer.min_fee_rate),
        Refusal.WRONG_TERMS,
        f"asks for a fee rate of {reserve.min_fee_rate_i} for our lock",
    )
    check_keys(reserve.claim_key_i, reserve.refund_key_p)
    check_pinned(reserve.pinned_i, side.pinned_i, "I")
    check_pinned(reserve.pinned_p, side.pinned_p, "P")
