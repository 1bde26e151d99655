"""Whether an offer that the operator wants to post makes sense: each fault with its remedy.

Owns: `Draft` and the checks of a draft. Must not know: the store, the market, messages.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from protocol.amounts import MAX_UNITS, Price, Units
from protocol.assets import AssetId, chain_of
from protocol.kinds import kind_of
from protocol.negotiation.checks import economic_minimum
from protocol.offers import MAX_LIFE
from protocol.swap.timelocks import ScheduleRefused, depth_for, schedule
from swapd.api.amounts import format_units
from swapd.api.errors import ApiError, ErrorName
from swapd.engine.node_errors import node_error
from swapd.engine.offers_account import ACCOUNT_VERSION, Account
from swapd.engine.world import World
from swapd.policy import AssetLimits, Policy
from swapd.ports import (
    Chain,
    ChainError,
    ChainStatus,
    InsufficientFunds,
)

MIN_LIFETIME: Final = 60
DEFAULT_LIFETIME: Final = MAX_LIFE


class Draft(Struct, frozen=True):
    """What the operator wants to sell: `maximum` units of `sell` for `buy` at `price` (buy units
    per sell unit), a fill being at least `minimum` (None: the least that makes sense), for
    `lifetime` seconds."""

    sell: AssetId
    buy: AssetId
    price: Price
    maximum: int
    minimum: int | None = None
    lifetime: int = DEFAULT_LIFETIME


def least_fill(price: Price, least_sell: int, least_buy: int) -> int:
    """The least units of the sold asset at which both legs are worth their fees (rule 14), of which
    `least_*` are the economic minima."""
    # The least s with ceil(s * price) >= least, and with at least one whole unit for it.
    for_buy = (least_buy - 1) * price.denominator // price.numerator + 1 if least_buy > 0 else 1
    one_unit = -(-price.denominator // price.numerator)
    return max(1, least_sell, for_buy, one_unit)


async def examine(world: World, draft: Draft) -> Account:
    """The account of a draft that can be posted; slot 0. Raises ApiError."""
    chains = world.chains
    _check_assets(draft, chains)
    minimum = _minimum(draft, world.policy, chains)
    _check_lifetime(draft.lifetime)
    _check_limits(draft, minimum, world.policy, chains)
    status_sell = await _status(chains[draft.sell])
    status_buy = await _status(chains[draft.buy])
    depth_sell, depth_buy = _depths(draft, minimum, world.policy, status_sell, status_buy)
    now = world.clock.now()
    return Account(
        version=ACCOUNT_VERSION,
        slot=0,
        sell=draft.sell,
        buy=draft.buy,
        price=draft.price,
        minimum=Units(minimum),
        total=Units(draft.maximum),
        filled=Units(0),
        taken=(),
        created=now,
        expires=now + draft.lifetime,
        kinds=_kinds(draft),
        timing=world.policy.timing,
        exposure=world.policy.exposure,
        depth_sell=depth_sell,
        depth_buy=depth_buy,
        min_fee_rate=status_buy.fee_floor,
    )


async def check_funds(chain: Chain, units: int, *, promised: int) -> None:
    """Raises ApiError unless the wallet has `units` beside what is `promised` already, the
    fee for locking included."""
    try:
        status = await chain.status()
        await chain.reserved_units(units + promised, status.fee_next)
    except InsufficientFunds as error:
        needed = units + promised
        beside = f", {_told(promised, chain)} of it promised already" if promised else ""
        message = (
            f"{_told(needed, chain)} and a fee are needed{beside}; "
            f"{_told(error.confirmed, chain)} are confirmed and free"
        )
        if error.confirmed + error.unconfirmed > needed:
            raise ApiError(
                ErrorName.FUNDS_UNCONFIRMED,
                f"{message}, {_told(error.unconfirmed, chain)} more are unconfirmed change",
                "wait for a confirmation, or split coins ahead with `wallet.split`",
            ) from error
        raise ApiError(ErrorName.INSUFFICIENT_FUNDS, message, "deposit, or offer less") from error
    except ChainError as error:
        raise node_error(error) from error


# --- One rule each ----------------------------------------------------------------------------


def _check_assets(draft: Draft, chains: Mapping[AssetId, Chain]) -> None:
    for asset in (draft.sell, draft.buy):
        if asset not in chains:
            known = ", ".join(sorted(chain.ticker for chain in chains.values())) or "none"
            raise ApiError(
                ErrorName.UNKNOWN_ASSET,
                f"no node is configured for {asset}",
                f"this daemon knows {known}; add others to its configuration",
            )
    if draft.sell == draft.buy:
        ticker = chains[draft.sell].ticker
        raise ApiError(
            ErrorName.PAIR_INVALID, f"{ticker} for {ticker} is no swap", "name two different assets"
        )


def _minimum(draft: Draft, policy: Policy, chains: Mapping[AssetId, Chain]) -> int:
    """The least fill, checked against everything that bounds it."""
    sold = chains[draft.sell]
    asked = draft.minimum
    for units in (draft.maximum, draft.maximum if asked is None else asked):
        if units < 1:
            remedy = "give a positive amount"
            raise ApiError(ErrorName.AMOUNT_INVALID, f"{units} units of {sold.ticker}", remedy)
    least = least_fill(
        draft.price,
        *(economic_minimum(asset, policy.stress(asset)) for asset in (draft.sell, draft.buy)),
    )
    if asked is not None and asked > draft.maximum:
        raise ApiError(
            ErrorName.AMOUNT_OUT_OF_RANGE,
            f"a least fill of {_told(asked, sold)} is more than the whole, "
            f"{_told(draft.maximum, sold)}",
            "give a smaller minimum",
        )
    if draft.maximum * draft.price.numerator < draft.price.denominator:
        raise ApiError(
            ErrorName.PRICE_ROUNDS_TO_NOTHING,
            f"{_told(draft.maximum, sold)} at this price brings less than the smallest unit",
            "give a larger amount or price",
        )
    if -(-draft.maximum * draft.price.numerator // draft.price.denominator) > MAX_UNITS:
        raise ApiError(
            ErrorName.AMOUNT_TOO_LARGE, "the whole costs more than can exist", "offer less"
        )
    smallest = min(draft.maximum, draft.maximum if asked is None else asked)
    if smallest < least:
        raise ApiError(
            ErrorName.BELOW_ECONOMIC_MINIMUM,
            f"a fill of {_told(smallest, sold)}: fees could eat a tenth of it or more",
            f"make every fill at least {_told(least, sold)}",
        )
    own = policy.limits(draft.sell).minimum or 0
    return asked if asked is not None else min(draft.maximum, max(least, own))


def _kinds(draft: Draft) -> tuple[str, ...]:
    """The kinds of both legs, each once."""
    return tuple(dict.fromkeys(kind_of(chain_of(a)).value for a in (draft.sell, draft.buy)))


def _check_lifetime(lifetime: int) -> None:
    if not MIN_LIFETIME <= lifetime <= MAX_LIFE:
        raise ApiError(
            ErrorName.LIFETIME_INVALID,
            f"a life of {lifetime} s",
            f"offers live {MIN_LIFETIME} s to {MAX_LIFE // 3600} h",
        )


def _check_limits(
    draft: Draft, minimum: int, policy: Policy, chains: Mapping[AssetId, Chain]
) -> None:
    """The operator's own limits: a fill that we would refuse is not offered."""
    fills = (
        (draft.sell, minimum, draft.maximum),
        (draft.buy, int(draft.price.pays(minimum)), int(draft.price.pays(draft.maximum))),
    )
    for asset, least, most in fills:
        limits: AssetLimits = policy.limits(asset)
        chain = chains[asset]
        if limits.minimum is not None and least < limits.minimum:
            raise _own_limit(
                f"a fill of {_told(least, chain)}; you allow {_told(limits.minimum, chain)} or more"
            )
        if limits.maximum is not None and most > limits.maximum:
            raise _own_limit(
                f"a fill of {_told(most, chain)}; you allow {_told(limits.maximum, chain)} at most"
            )
    locked = policy.limits(draft.sell).max_locked
    if locked is not None and draft.maximum > locked:
        sold = chains[draft.sell]
        message = (
            f"{_told(draft.maximum, sold)}; you allow {_told(locked, sold)} to be locked at once"
        )
        raise _own_limit(message, ErrorName.OVER_LOCKED_LIMIT)


def _own_limit(message: str, name: ErrorName = ErrorName.OVER_SWAP_LIMIT) -> ApiError:
    return ApiError(name, message, "change the amounts, or your limits in the configuration")


def _told(units: int, chain: Chain) -> str:
    """An amount for people."""
    return f"{format_units(units, chain.decimals)} {chain.ticker}"


async def _status(chain: Chain) -> ChainStatus:
    try:
        status = await chain.status()
    except ChainError as error:
        raise node_error(error) from error
    if status.problems:
        raise ApiError(
            ErrorName.NODE_NOT_READY,
            f"{chain.ticker}: {'; '.join(status.problems)}",
            "wait until the node is ready: see `health`",
        )
    return status


def _depths(
    draft: Draft, minimum: int, policy: Policy, sell: ChainStatus, buy: ChainStatus
) -> tuple[int, int]:
    """The least depths of a least fill; and that the largest fill still has a schedule."""

    def depth(asset: AssetId, units: int, height: int) -> int:
        own = policy.limits(asset).depth or 1
        factor, timing = policy.depth_factor, policy.timing
        chain = chain_of(asset)
        least = depth_for(
            chain, units, timing=timing, factor=factor, height=height, pace=policy.pace(asset)
        )
        return max(own, least)

    def both(units: int) -> tuple[int, int]:
        pays = int(draft.price.pays(units))
        return depth(draft.sell, units, sell.height), depth(draft.buy, pays, buy.height)

    try:
        deepest_sell, deepest_buy = both(draft.maximum)
        schedule(
            t0=max(sell.median_time, buy.median_time),
            timing=policy.timing,
            chain_i=chain_of(draft.buy),
            chain_p=chain_of(draft.sell),
            depth_i=deepest_buy,
            depth_p=deepest_sell,
            exposure_i=policy.exposure,
            exposure_p=policy.exposure,
            pace_i=policy.pace(draft.buy),
            pace_p=policy.pace(draft.sell),
        )
        return both(minimum)
    except ScheduleRefused as error:
        raise ApiError(
            ErrorName.PAIR_NOT_SWAPPABLE,
            error.detail,
            "see `pair.check`; a smaller amount or a shorter absence may help",
        ) from error
