"""What makes a take and a reserve answer good: every field, each with its refusal.

Owns: `Side` (what one party insists on), amounts of a fill, depths, keys, the economic minimum.
Must not know: message order, signatures, nodes, terms (negotiation.terms).
"""

from msgspec import Struct

from protocol.amounts import Amount, Units
from protocol.assets import AssetId, ChainId, chain_of
from protocol.errors import Refusal
from protocol.kinds import check_maker, check_units, kind_of, pays_own_fees, sizes_of
from protocol.limits import ECONOMIC_DIVISOR, PINNED_SPREAD, SKEW
from protocol.negotiation.messages import Reserve, Take
from protocol.offers import Offer, refuse_unless
from protocol.swap.timelocks import chain_timing, depth_for, pace_of, slower
from protocol.terms import Exposure, Kind, Pace, PinnedBlock, Timing


class Side(Struct, frozen=True, kw_only=True):
    """What one party insists on for one take, and how it sees both chains.

    `depth_factor` is q of rule 4, `floor_*` the operator's own least depths, `pinned_*` our block
    about 100 deep, `stress_fee_rate_*` what a bad day costs, in base units per 1000 units of size;
    `pace_*` how the operator says a chain keeps time, None where it is known.
    """

    timing: Timing
    exposure: Exposure
    pinned_i: PinnedBlock
    pinned_p: PinnedBlock
    stress_fee_rate_i: int
    stress_fee_rate_p: int
    depth_factor: int = 1
    floor_i: int = 1
    floor_p: int = 1
    pace_i: Pace | None = None
    pace_p: Pace | None = None
    kinds: tuple[Kind, ...] = tuple(Kind)


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


def economic_minimum(asset: AssetId, fee_rate: int) -> int:
    """The least base units of `asset` worth locking when spends cost `fee_rate` per 1000 units of
    size (rule 14). What a token is worth in the coin that pays its fees nobody here knows: there
    the operator's own limit is all."""
    if not pays_own_fees(asset):
        return 1
    sizes = sizes_of(asset)
    return -(-(sizes.claim + sizes.refund) * fee_rate // 1000) * ECONOMIC_DIVISOR


def check_economic(amount: Amount, fee_rate: int) -> None:
    """Raises RemoteProtocolError (below_economic_minimum)."""
    least = economic_minimum(amount.asset, fee_rate)
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

    def depth(amount: Amount, floor: int, pinned: PinnedBlock, pace: Pace | None) -> int:
        chain = chain_of(amount.asset)
        least = depth_for(
            chain,
            amount.units,
            timing=side.timing,
            factor=side.depth_factor,
            height=pinned.height,
            pace=pace_of(chain, pace),
        )
        return max(least, floor)

    return (
        depth(fill.amount_i, side.floor_i, side.pinned_i, side.pace_i),
        depth(fill.amount_p, side.floor_p, side.pinned_p, side.pace_p),
    )


def own_paces(offer: Offer, side: Side) -> tuple[Pace | None, Pace | None]:
    """How this side says that the chains of leg I and leg P keep time."""
    chain_i, chain_p = chains_of(offer)
    return pace_of(chain_i, side.pace_i), pace_of(chain_p, side.pace_p)


def agreed_paces(take: Take, offer: Offer, side: Side) -> tuple[Pace | None, Pace | None]:
    """The maker's answer: the slower of both parties'."""
    pace_i, pace_p = own_paces(offer, side)
    return slower(take.pace_i, pace_i), slower(take.pace_p, pace_p)


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
    _check_kinds(take, offer, side)
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
    for amount in (fill.amount_i, fill.amount_p):
        check_units(amount.asset, amount.units)
    check_economic(fill.amount_i, side.stress_fee_rate_i)
    check_economic(fill.amount_p, side.stress_fee_rate_p)
    for chain, pace in zip(chains_of(offer), (take.pace_i, take.pace_p), strict=True):
        chain_timing(chain, take.timing, pace)
    check_pinned(take.pinned_i, side.pinned_i, "I")
    check_pinned(take.pinned_p, side.pinned_p, "P")
    return fill


def _check_kinds(take: Take, offer: Offer, side: Side) -> None:
    """Each leg's kind is that of its chain, and accepted by both."""
    for chain, kind in zip(chains_of(offer), (take.kind_i, take.kind_p), strict=True):
        refuse_unless(
            kind in offer.kinds and kind in side.kinds and kind == kind_of(chain),
            Refusal.UNSUPPORTED_KIND,
            f"{kind!r} is not accepted here",
        )


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
        reserve.min_fee_rate_i <= max(side.stress_fee_rate_i, offer.min_fee_rate),
        Refusal.WRONG_TERMS,
        f"asks for a fee rate of {reserve.min_fee_rate_i} for our lock",
    )
    for ours, theirs, leg in (
        (take.pace_i, reserve.pace_i, "I"),
        (take.pace_p, reserve.pace_p, "P"),
    ):
        refuse_unless(
            slower(ours, theirs) == theirs and (ours is None) == (theirs is None),
            Refusal.WRONG_TERMS,
            f"another pace of the chain of leg {leg} than ours, and not slower",
        )
    kind_i, kind_p = Kind(take.kind_i), Kind(take.kind_p)
    check_maker(kind_i, reserve.claim_key_i, kind_p, reserve.refund_key_p)
    check_pinned(reserve.pinned_i, side.pinned_i, "I")
    check_pinned(reserve.pinned_p, side.pinned_p, "P")
