"""Commands for who looks after the daemon: alarms, health, drain, unlock.

Owns: those. Must not know: other commands.
"""

import sys

import click

from swapd.api import calls
from swapd.cli import draw, exits
from swapd.cli.app import App, Command, pass_app

_HEALTH = {"warning": exits.HEALTH_WARNING, "critical": exits.HEALTH_CRITICAL}


@click.command(cls=Command)
@pass_app
def health(app: App) -> int:
    """What is wrong, and what to do about it.

    Ends with 0 when all is well, 5 when something needs attention, 6 when coins or deadlines are
    in danger; 2 when the daemon can't be reached.
    """
    result = app.ask("health", calls.NoParams(), calls.HealthResult)
    if app.output.as_json:
        app.output.json(result)
    else:
        draw.health(app.output, result)
    return _HEALTH.get(result.severity, exits.OK)


@click.command(cls=Command)
@pass_app
def alarms(app: App) -> None:
    """The alarms that hold now, the worst first."""
    app.show(
        "alarm.list", calls.NoParams(), calls.AlarmListResult, lambda r: draw.alarms(app.output, r)
    )


@click.command(cls=Command)
@click.option("--undo", is_flag=True, help="Go on trading instead.")
@pass_app
def drain(app: App, /, *, undo: bool) -> None:
    """Begin no new swap, finish the open ones, then stop.

    Says how many are open and until when they last at the worst. It survives restarts.
    """
    params = calls.DrainParams(undo=undo)
    app.show("drain", params, calls.DrainResult, lambda r: draw.drain(app.output, r))


@click.command(cls=Command)
@pass_app
def unlock(app: App) -> None:
    """Give a locked daemon the passphrase of its seed.

    Asks for it on a terminal; else it is one line of the standard input.
    """
    if app.interactive:
        passphrase = click.prompt("Passphrase of the seed", hide_input=True, err=True)
    else:
        passphrase = sys.stdin.readline(4097).rstrip("\r\n")
    params = calls.UnlockParams(passphrase=passphrase)
    app.show("unlock", params, calls.UnlockResult, lambda r: draw.unlock(app.output, r))
