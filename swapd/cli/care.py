"""Commands for trouble: doctor, swap explain, swap rescue.

Owns: those. Must not know: other commands.
"""

import click

from swapd.api import calls
from swapd.cli import care_draw, exits, resolve
from swapd.cli.app import App, Command, app_of, pass_app

KEYS_WARNING = (
    "The private keys of this swap will be shown. Whoever sees them can take what they can take: "
    "look behind you, and clear the screen afterwards."
)


@click.command(cls=Command)
@click.pass_context
def doctor(ctx: click.Context) -> None:
    """Everything that is not as it should be, and what to do about it. Ends with 6 if something is
    critical. Without a running daemon: `swapd doctor`."""
    app = app_of(ctx)
    found = app.ask("doctor", calls.NoParams(), calls.DoctorResult)
    care_draw.show_findings(app.output, found)
    ctx.exit(exits.HEALTH_CRITICAL if found.critical else exits.OK)


@click.command(cls=Command)
@click.argument("identifier", metavar="SWAP")
@pass_app
def explain(app: App, /, *, identifier: str) -> None:
    """In plain words: what happens next in SWAP, who can act until when, what it costs now, and
    what is at risk if we go offline now."""
    params = calls.SwapExplainParams(swap_id=resolve.swap_id(app, identifier))
    app.show(
        "swap.explain",
        params,
        calls.SwapExplainResult,
        lambda r: care_draw.explanation(app.output, r),
    )


@click.command(cls=Command)
@click.argument("identifier", metavar="SWAP")
@click.option("--keys", is_flag=True, help="The private keys too; asks before.")
@click.option(
    "--fee-rate",
    "fee_rates",
    type=click.IntRange(1, 100_000_000),
    multiple=True,
    help="One more variant, in base units per 1000 vbytes.",
)
@click.option("--yes", is_flag=True, help="Don't ask before keys are shown.")
@pass_app
def rescue(
    app: App, /, *, identifier: str, keys: bool, fee_rates: tuple[int, ...], yes: bool
) -> None:
    """All that is needed to get the coins of SWAP back by hand, with plain nodes.

    Signed refunds, and claims once the secret is out, at several fee rates, and the commands to
    send them with. Print it while all is well: it works when swapd is gone. Without a running
    daemon: `swapd rescue SWAP`.
    """
    if keys and not yes:
        confirm_keys(app)
    params = calls.SwapRescueParams(
        swap_id=resolve.swap_id(app, identifier), keys=keys, fee_rates=fee_rates
    )
    app.show(
        "swap.rescue",
        params,
        calls.SwapRescueResult,
        lambda r: care_draw.rescue(app.output, r),
    )


def confirm_keys(app: App) -> None:
    """Returns when somebody said yes. Raises click.UsageError, click.Abort."""
    if app.output.as_json or not app.interactive:
        raise click.UsageError("this shows private keys and nobody can be asked: add --yes")
    click.echo(KEYS_WARNING, err=True)
    app.confirm("Show them?")
