"""The command about watchtowers. Must not know: other commands."""

import click

from swapd.api import calls
from swapd.cli import draw
from swapd.cli.app import App, pass_app


@click.command()
@pass_app
def towers(app: App, /) -> None:
    """Our watchtowers, what each holds of our swaps, and what is wrong with one."""
    app.show(
        "tower.list",
        calls.NoParams(),
        calls.TowerListResult,
        lambda r: draw.towers(app.output, r),
    )
