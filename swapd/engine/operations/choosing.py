"""Which offers an order means: by id, or the best of a pair.

Owns: that choice. Must not know: nodes, fees, how a take is made.
"""

from msgspec import Struct

from protocol.amounts import Amount, Price
from protocol.assets import AssetId
from protocol.signing import PublicKey
from swapd.api import calls
from swapd.api.amounts import AssetTable
from swapd.api.errors import ApiError, ErrorName
from swapd.api.values import AmountParam
from swapd.engine.market import Found, Market


class Chosen(Struct, frozen=True):
    """`units` of what the offer sells."""

    found: Found
    units: int


class Order(Struct, frozen=True):
    """What `quote` and `take` have in common."""

    offer_id: str | None
    amount: AmountParam | None
    pair: str | None
    side: calls.Side | None
    limit_price: str | None


def choose(order: Order, market: Market, assets: AssetTable, own: PublicKey) -> tuple[Chosen, ...]:
    """The offers to take, best first. Raises ApiError."""
    if order.offer_id is not None:
        if order.pair is not None or order.side is not None or order.limit_price is not None:
            message = "give either `offer_id`, or `pair`, `side` and `amount`, not both"
            raise ApiError(ErrorName.INVALID_PARAMS, message)
        return (_by_id(order, market, assets, own),)
    if order.pair is None or order.side is None or order.amount is None:
        message = "give `offer_id`, or all of `pair`, `side` and `amount`"
        raise ApiError(ErrorName.INVALID_PARAMS, message)
    return _best(order, market, assets, own)


def _by_id(order: Order, market: Market, assets: AssetTable, own: PublicKey) -> Chosen:
    found = market.find(bytes.fromhex(order.offer_id or ""))
    if found is None:
        raise ApiError(ErrorName.UNKNOWN_OFFER, f"no offer {order.offer_id} is in the book")
    if found.offer.maker == own:
        raise ApiError(ErrorName.OWN_OFFER, "this offer is your own")
    offer = found.offer
    if order.amount is None:
        return Chosen(found, int(offer.maximum))
    amount = assets.amount(order.amount)
    if amount.asset == offer.sell:
        units = int(amount.units)
    elif amount.asset == offer.buy:
        units = int(offer.price.buys(amount.units))
    else:
        message = f"the offer is about other assets than {order.amount.asset}"
        remedy = "give the amount in one of the offer's two assets"
        raise ApiError(ErrorName.AMOUNT_INVALID, message, remedy=remedy)
    if units < 1:
        raise ApiError(ErrorName.PRICE_ROUNDS_TO_NOTHING, "that amount buys less than one unit")
    if not offer.minimum <= units <= offer.maximum:
        least = assets.view_units(offer.sell, int(offer.minimum))
        most = assets.view_units(offer.sell, int(offer.maximum))
        wanted = assets.view_units(offer.sell, units)
        raise ApiError(
            ErrorName.AMOUNT_OUT_OF_RANGE,
            f"{wanted.decimal} {wanted.ticker} is wanted; this offer sells {least.decimal} to "
            f"{most.decimal} {most.ticker} at a time",
        )
    return Chosen(found, units)


def _best(order: Order, market: Market, assets: AssetTable, own: PublicKey) -> tuple[Chosen, ...]:
    base, quote = assets.pair(order.pair or "")
    if order.amount is None:
        raise ApiError(ErrorName.INVALID_PARAMS, "`amount` is missing")
    amount = assets.amount(order.amount)
    if amount.asset != base.asset:
        message = f"with a pair the amount is of its first asset, {base.ticker}"
        remedy = f"give the amount in {base.ticker}, or turn the pair round"
        raise ApiError(ErrorName.AMOUNT_INVALID, message, remedy=remedy)
    limit = None if order.limit_price is None else assets.price(order.limit_price, base, quote)
    buying = order.side is calls.Side.BUY
    sold, paid = (base, quote) if buying else (quote, base)
    chosen: list[Chosen] = []
    left = int(amount.units)
    for found in market.side(AssetId(sold.asset), AssetId(paid.asset)).offers:
        if left == 0 or not _within(found.offer.price, limit, buying=buying):
            break
        if found.offer.maker == own or found.certificate is None:
            continue
        units = min(_units(found, left, buying=buying), int(found.offer.maximum))
        if units < max(1, int(found.offer.minimum)):
            continue
        chosen.append(Chosen(found, units))
        left -= min(left, units if buying else int(found.offer.price.pays(units)))
        if not buying and int(found.offer.price.buys(left)) == 0:
            left = 0  # what remains is less than one unit of the other asset
    if left or not chosen:
        short = assets.view(Amount(amount.asset, amount.units))
        missing = assets.view_units(amount.asset, left)
        raise ApiError(
            ErrorName.NO_MATCHING_OFFER,
            f"the book can't fill {short.decimal} {short.ticker} within these terms: "
            f"{missing.decimal} {missing.ticker} are missing",
        )
    return tuple(chosen)


def _units(found: Found, left: int, *, buying: bool) -> int:
    """Units of what is sold that `left` base units mean."""
    return left if buying else int(found.offer.price.buys(left))


def _within(price: Price, limit: Price | None, *, buying: bool) -> bool:
    """`price` is paid units per sold unit; `limit` quote per base."""
    if limit is None:
        return True
    if buying:
        return not limit < price
    ours = int(price.denominator) * int(limit.denominator)
    return ours >= int(limit.numerator) * int(price.numerator)
