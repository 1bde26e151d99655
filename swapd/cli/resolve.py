"""Ids by their beginnings.

Owns: finding the one swap or offer whose id begins so. Must not know: commands.
"""

import itertools
import re
from collections.abc import Iterator

from swapd.api import calls
from swapd.cli.app import App, usage

_LEAST = 4
_PAGE = 500


def swap_id(app: App, text: str) -> str:
    """The swap whose id begins with `text`. Raises click.UsageError unless there is one."""
    return _whole(text) or _one(text, "swap", _swaps(app))


def own_offer_id(app: App, text: str) -> str:
    """The same for our offers."""
    return _whole(text) or _one(text, "offer of yours", _own_offers(app))


def offer_id(app: App, text: str) -> str:
    """The same for anybody's offers, in every book."""
    return _whole(text) or _one(text, "offer", _offers(app))


def _whole(text: str) -> str | None:
    if not re.fullmatch(r"[0-9a-fA-F]{4,64}", text):
        usage(f"{text!r} is not an id: give it, or at least its first {_LEAST} digits")
    return text.lower() if len(text) == 64 else None


def _one(text: str, what: str, ids: Iterator[str]) -> str:
    found = sorted({i for i in ids if i.startswith(text.lower())})
    if not found:
        usage(f"there is no {what} whose id begins with {text}")
    if len(found) > 1:
        usage(f"{len(found)} ids begin with {text}: give more digits")
    return found[0]


def _swaps(app: App) -> Iterator[str]:
    cursor: str | None = None
    while True:
        params = calls.SwapListParams(cursor=cursor, limit=_PAGE)
        page = app.ask("swap.list", params, calls.SwapListResult)
        yield from (s.swap_id for s in page.swaps)
        cursor = page.next_cursor
        if cursor is None:
            return


def _own_offers(app: App) -> Iterator[str]:
    cursor: str | None = None
    while True:
        params = calls.OfferListParams(include_ended=True, cursor=cursor, limit=_PAGE)
        page = app.ask("offer.list", params, calls.OfferListResult)
        yield from (o.offer.offer_id for o in page.offers)
        cursor = page.next_cursor
        if cursor is None:
            return


def _offers(app: App) -> Iterator[str]:
    assets = app.ask("getinfo", calls.NoParams(), calls.GetInfoResult).assets
    for base, quote in itertools.combinations(assets, 2):
        cursor: str | None = None
        while True:
            pair = f"{base.asset} {quote.asset}"
            params = calls.BookGetParams(pair=pair, cursor=cursor, limit=_PAGE)
            page = app.ask("book.get", params, calls.BookGetResult)
            yield from (o.offer_id for o in (*page.asks, *page.bids))
            cursor = page.next_cursor
            if cursor is None:
                break
