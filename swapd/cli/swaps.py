"""Commands about swaps: list, show, wait, watch, cancel.

Owns: those. Must not know: other commands.
"""

import click

from swapd.api import calls
from swapd.cli import draw, live, resolve
from swapd.cli.app import App, Group, app_of, pass_app
from swapd.cli.output import clock, short
from swapd.cli.wallet import fresh_key, key_option


@click.group(cls=Group)
def swap() -> None:
    """Our swaps, open and ended. SWAP is an id, or its beginning."""


@swap.command(name="list")
@click.option("--open", "open_only", is_flag=True, help="Without the ended ones.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--cursor", default=None, help="`next_cursor` of the page before.")
@pass_app
def list_swaps(app: App, /, *, open_only: bool, limit: int, cursor: str | None) -> None:
    """Our swaps, newest first."""
    params = calls.SwapListParams(open_only=open_only, limit=limit, cursor=cursor)
    app.show("swap.list", params, calls.SwapListResult, lambda r: _page(app, r))


def _page(app: App, r: calls.SwapListResult) -> None:
    draw.swaps(app.output, r.swaps)
    if r.next_cursor is not None:
        app.output.line(f"There are more: add --cursor {r.next_cursor}")


@swap.command()
@click.argument("identifier", metavar="SWAP")
@pass_app
def show(app: App, /, *, identifier: str) -> None:
    """Everything about SWAP: every txid, address, script and deadline, and who acts next."""
    params = calls.SwapGetParams(swap_id=resolve.swap_id(app, identifier))
    app.show("swap.get", params, calls.SwapGetResult, lambda r: draw.swap(app.output, r.swap))


@swap.command()
@click.argument("identifier", metavar="SWAP")
@click.pass_context
def wait(ctx: click.Context, identifier: str) -> None:
    """Follow SWAP to its end. Ends with 0 if it completed, with 4 if not."""
    app = app_of(ctx)
    ctx.exit(live.follow(app, resolve.swap_id(app, identifier), each_change=False))


@swap.command()
@click.argument("identifier", metavar="[SWAP]", required=False)
@click.option("--count", type=click.IntRange(1), default=None, help="End after so many events.")
@click.pass_context
def watch(ctx: click.Context, identifier: str | None, count: int | None) -> None:
    """Follow SWAP, or everything that happens to any swap until interrupted.

    With --json each change is a line.
    """
    app = app_of(ctx)
    if identifier is not None:
        ctx.exit(live.follow(app, resolve.swap_id(app, identifier)))
    _watch_all(app, count)


def _watch_all(app: App, count: int | None) -> None:
    subscribed = app.ask(
        "subscribe", calls.SubscribeParams(topic=calls.Topic.SWAPS), calls.SubscribeResult
    )
    if not app.output.as_json:
        app.output.line(f"watching from {subscribed.sequence}; end with Ctrl-C")
    for number, notice in enumerate(app.client.notices(), start=1):
        if app.output.as_json:
            app.output.json(notice)
        elif isinstance(notice, calls.ResyncNotice):
            app.output.line("some events were missed: see `swap-cli swap list`")
        elif isinstance(notice.event, calls.SwapEvent):
            row = notice.event.swap
            phase = row.phase.replace("_", " ")
            app.output.line(
                f"{clock(row.updated_at)} {short(row.swap_id)} {phase}: {notice.event.what}"
            )
        if number == count:
            return


@swap.command()
@click.argument("identifier", metavar="SWAP")
@key_option
@pass_app
def cancel(app: App, /, *, identifier: str, key: str | None) -> None:
    """Give up SWAP; only before our lock."""
    params = calls.SwapCancelParams(
        swap_id=resolve.swap_id(app, identifier), idempotency_key=fresh_key(key)
    )
    app.show(
        "swap.cancel",
        params,
        calls.SwapCancelResult,
        lambda r: app.output.line(f"{r.swap.phase.replace('_', ' ')}: {r.swap.explanation}"),
    )
