"""Commands about the market: pair check, book, offer post/list/cancel, quote, take.

Owns: those. Must not know: other commands.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from swapd.api import calls
from swapd.api.values import AmountParam
from swapd.cli import draw, live, resolve
from swapd.cli.app import App, Command, Group, app_of, pass_app, usage
from swapd.cli.app import amount as parse_amount
from swapd.cli.wallet import fresh_key, key_option, yes_option

F = TypeVar("F", bound=Callable[..., Any])


@click.group(cls=Group)
def pair() -> None:
    """Pairs of assets."""


@pair.command()
@click.argument("names", metavar="PAIR")
@pass_app
def check(app: App, /, *, names: str) -> None:
    """Can the two assets of PAIR (like BTC/LTC) be swapped here and now; if not, why."""
    params = calls.PairCheckParams(pair=names)
    app.show("pair.check", params, calls.PairCheckResult, lambda r: draw.pair_check(app.output, r))


@click.command(cls=Command)
@click.argument("names", metavar="PAIR")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True)
@click.option("--cursor", default=None, help="`next_cursor` of the page before.")
@pass_app
def book(app: App, /, *, names: str, limit: int, cursor: str | None) -> None:
    """The order book of PAIR (like BTC/LTC)."""
    params = calls.BookGetParams(pair=names, limit=limit, cursor=cursor)
    app.show("book.get", params, calls.BookGetResult, lambda r: draw.book(app.output, r))


@click.group(cls=Group)
def offer() -> None:
    """Our own offers."""


@offer.command()
@click.option(
    "--sell", type=parse_amount, metavar="AMOUNT", required=True, help="What we sell, like 0.5 BTC."
)
@click.option("--buy", required=True, metavar="ASSET", help="What we want for it, like LTC.")
@click.option(
    "--price", required=True, help="Whole coins of what we buy for each whole coin we sell."
)
@click.option(
    "--min",
    "minimum",
    type=parse_amount,
    metavar="AMOUNT",
    default=None,
    help="Smallest fill, in what we sell.",
)
@click.option(
    "--lifetime",
    type=click.IntRange(60, 86_400),
    default=None,
    metavar="SECONDS",
    help="How long it stands; at most 24 hours.",
)
@yes_option
@key_option
@pass_app
def post(
    app: App,
    /,
    *,
    sell: AmountParam,
    buy: str,
    price: str,
    minimum: AmountParam | None,
    lifetime: int | None,
    yes: bool,
    key: str | None,
) -> None:
    """Offer to sell an amount at a price."""

    params = calls.OfferPostParams(
        sell=sell,
        buy=buy,
        price=price,
        minimum=minimum,
        lifetime_seconds=lifetime,
        idempotency_key=fresh_key(key),
    )
    app.show_after_yes(
        "offer.post", params, calls.OfferPostResult, draw.own_offer, question="Post it?", yes=yes
    )


@offer.command(name="list")
@click.option("--all", "include_ended", is_flag=True, help="Ended ones too.")
@click.option("--limit", type=click.IntRange(1, 500), default=100, show_default=True)
@click.option("--cursor", default=None, help="`next_cursor` of the page before.")
@pass_app
def list_offers(app: App, /, *, include_ended: bool, limit: int, cursor: str | None) -> None:
    """Our own offers."""
    params = calls.OfferListParams(include_ended=include_ended, limit=limit, cursor=cursor)
    app.show("offer.list", params, calls.OfferListResult, lambda r: draw.offers(app.output, r))


@offer.command()
@click.argument("identifier", metavar="[OFFER]", required=False)
@click.option("--all", "every", is_flag=True, help="All of them.")
@key_option
@pass_app
def cancel(app: App, /, *, identifier: str | None, every: bool, key: str | None) -> None:
    """Cancel OFFER. Swaps that were agreed before go on."""
    if (identifier is None) == (not every):
        usage("give an offer's id, or --all")
    chosen = None if identifier is None else resolve.own_offer_id(app, identifier)
    params = calls.OfferCancelParams(offer_id=chosen, every=every, idempotency_key=fresh_key(key))
    app.show("offer.cancel", params, calls.OfferCancelResult, lambda r: _cancelled(app, r))


def _cancelled(app: App, r: calls.OfferCancelResult) -> None:
    for identifier in r.cancelled:
        app.output.line(f"cancelled {identifier}")
    for identifier in r.open_swaps:
        app.output.line(f"goes on   swap {identifier}")
    if not r.cancelled:
        app.output.line("nothing to cancel")


def _what(function: F) -> F:
    """The options that say what to take."""
    options = (
        click.argument("identifier", metavar="[OFFER]", required=False),
        click.option(
            "--amount",
            type=parse_amount,
            metavar="AMOUNT",
            default=None,
            help="How much; with an offer, left out, all that is left of it.",
        ),
        click.option("--pair", default=None, help="Instead of an offer: a pair, like BTC/LTC."),
        click.option(
            "--side",
            type=click.Choice([s.value for s in calls.Side]),
            default=None,
            help="With --pair: whether to buy or sell its first asset.",
        ),
        click.option(
            "--limit-price",
            default=None,
            help="With --pair: the most a buyer pays, the least a seller gets.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def _quote_params(
    app: App,
    *,
    identifier: str | None,
    amount: AmountParam | None,
    pair: str | None,
    side: str | None,
    limit_price: str | None,
) -> calls.QuoteParams:
    if identifier is None and (pair is None or side is None or amount is None):
        usage("give an offer's id, or --pair, --side and --amount")
    if identifier is not None and (pair or side or limit_price):
        usage("--pair, --side and --limit-price are for taking without naming an offer")
    return calls.QuoteParams(
        offer_id=None if identifier is None else resolve.offer_id(app, identifier),
        amount=amount,
        pair=pair,
        side=None if side is None else calls.Side(side),
        limit_price=limit_price,
    )


@click.command(cls=Command)
@_what
@pass_app
def quote(app: App, /, **what: Any) -> None:
    """What a take would cost and return; nothing is committed."""
    params = _quote_params(app, **what)
    app.show("quote", params, calls.QuoteResult, lambda r: draw.quote(app.output, r))


@click.command(cls=Command)
@_what
@click.option("--to", "destination", default=None, help="Own address for what we receive.")
@click.option("--wait", is_flag=True, help="Follow the swap to its end.")
@yes_option
@key_option
@click.pass_context
def take(
    ctx: click.Context,
    /,
    *,
    destination: str | None,
    wait: bool,
    yes: bool,
    key: str | None,
    **what: Any,
) -> None:
    """Take OFFER whole or in part, or the best offers of a pair. Shows the quote first."""
    app = app_of(ctx)
    ctx.exit(take_now(app, _quote_params(app, **what), destination, wait=wait, yes=yes, key=key))


def take_now(
    app: App,
    asked: calls.QuoteParams,
    destination: str | None,
    *,
    wait: bool,
    yes: bool,
    key: str | None,
) -> int:
    """Quote, question, take, and perhaps the way to the end; the exit code."""
    if not yes:
        app.require_somebody()
        quoted = app.ask("quote", asked, calls.QuoteResult)
        draw.quote(app.output, quoted)
        app.confirm("Take it?")
        asked = _as_shown(asked, quoted)
    params = calls.TakeParams(
        **msgspec.structs.asdict(asked), destination=destination, idempotency_key=fresh_key(key)
    )
    taken = app.ask("take", params, calls.TakeResult)
    if app.output.as_json:
        app.output.json(taken)
    else:
        for row in taken.swaps:
            app.output.line(f"swap {row.swap_id}")
            if not wait:
                app.output.line(f"follow it with: swap-cli swap wait {row.swap_id[:16]}")
    codes = [live.follow(app, row.swap_id) for row in taken.swaps] if wait else []
    return max(codes, default=0)


def _as_shown(asked: calls.QuoteParams, quoted: calls.QuoteResult) -> calls.QuoteParams:
    """What was confirmed is what is taken: of one offer that very offer, so that the book may have
    changed in the meantime without changing the price."""
    if asked.offer_id is not None or len(quoted.fills) != 1:
        return asked
    return calls.QuoteParams(offer_id=quoted.fills[0].offer_id, amount=asked.amount)
