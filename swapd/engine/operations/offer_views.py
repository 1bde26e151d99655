"""Offers as the values of the control API.

Owns: that translation. Must not know: the market's workings, sockets.
"""

from protocol.offers import Offer
from protocol.signing import PublicKey
from swapd.api import calls
from swapd.api.amounts import AssetTable
from swapd.api.values import OfferView
from swapd.engine.offers import Standing


def offer_view(
    assets: AssetTable, offer_id: bytes, offer: Offer, own: PublicKey, *, base: str | None = None
) -> OfferView:
    """One offer. The price is shown in the other asset per `base` (default: the sold one)."""
    price = assets.price_view(offer.price.numerator, offer.price.denominator, offer.sell, offer.buy)
    if base == offer.buy:
        price = assets.price_view(
            offer.price.denominator, offer.price.numerator, offer.buy, offer.sell
        )
    return OfferView(
        offer_id=offer_id.hex(),
        maker=offer.maker.hex(),
        own=offer.maker == own,
        sell_remaining=assets.view_units(offer.sell, int(offer.maximum)),
        sell_minimum=assets.view_units(offer.sell, int(offer.minimum)),
        buy_remaining=assets.view_units(offer.buy, int(offer.price.pays(offer.maximum))),
        price=price,
        created_at=offer.created,
        expires_at=offer.expires,
    )


_REASONS = {
    "live": "",
    "paused": "takes under way hold what is left of it",
    "filled": "all of it is swapped",
    "cancelled": "you cancelled it",
    "expired": "its time is over",
}


def own_offer(assets: AssetTable, standing: Standing, own: PublicKey) -> calls.OwnOffer:
    """One of our own, exactly."""
    sell = standing.offer.sell
    return calls.OwnOffer(
        offer=offer_view(assets, standing.offer_id, standing.offer, own),
        status=standing.status.value,
        reason=_REASONS[standing.status.value],
        sell_total=assets.view_units(sell, standing.total),
        remaining=assets.view_units(sell, standing.free),
        reserved=assets.view_units(sell, standing.reserved),
        filled=assets.view_units(sell, standing.filled),
    )
