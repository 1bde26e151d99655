"""swap-cli: the tree of commands, and how every kind of failure ends it.

Owns: both. Must not know: what single commands do.
"""

import itertools
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from swapd import BUILD
from swapd.cli import alarms, care, exits, guide, market, node, peers, swaps, towers, wallet
from swapd.cli.app import App, Group
from swapd.cli.output import ReaderLeftError
from swapd.cli.place import NETWORKS, Place
from swapd.control.failures import CallError, CannotConnectError


@click.group(
    cls=Group, epilog=exits.EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--network", type=click.Choice(NETWORKS), default=None, help="Whose daemon to talk to."
)
@click.option(
    "--datadir", type=click.Path(path_type=Path), default=None, help="Its data directory."
)
@click.option("--socket", type=click.Path(path_type=Path), default=None, help="Its control socket.")
@click.option("--config", type=click.Path(path_type=Path), default=None, help="Its configuration.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one value a line.")
@click.version_option(BUILD, prog_name="swap-cli")
@click.pass_obj
def cli(
    app: App,
    /,
    *,
    network: str | None,
    datadir: Path | None,
    socket: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Talk to a running swapd. Begin with `swap-cli guide`."""
    app.place = Place(network=network, datadir=datadir, socket=socket, config=config)
    app.output.as_json = as_json


for command in (
    guide.guide,
    node.info,
    alarms.health,
    alarms.alarms,
    alarms.drain,
    alarms.unlock,
    care.doctor,
    wallet.balance,
    wallet.address,
    wallet.withdraw,
    wallet.wallet,
    market.pair,
    market.book,
    market.offer,
    market.quote,
    market.take,
    swaps.swap,
    peers.peer,
    towers.towers,
    node.backup,
    node.call,
    node.stop,
):
    cli.add_command(command)
swaps.swap.add_command(care.explain)
swaps.swap.add_command(care.rescue)


def run(arguments: Sequence[str], app: App) -> int:
    """One run; the exit code. Errors are told on stderr, with --json as JSON on stdout."""
    try:
        code = cli.main(list(arguments), prog_name="swap-cli", standalone_mode=False, obj=app)
    except CallError as e:
        shown = {
            "code": e.code,
            "name": e.name,
            "message": e.message,
            "retryable": e.retryable,
            "remedy": e.remedy,
            "detail": e.detail,
        }
        return _fail(app, exits.ERROR_REPLY, e.message, e.remedy, shown)
    except CannotConnectError as e:
        shown = {"name": "cannot_connect", "message": e.message, "remedy": e.remedy}
        return _fail(app, exits.CANNOT_CONNECT, e.message, e.remedy, shown)
    except msgspec.DecodeError as e:
        text = f"the daemon's answer can't be understood: {e}"
        shown = {"name": "bad_reply", "message": text}
        return _fail(app, exits.ERROR_REPLY, text, "is it of another version?", shown)
    except click.UsageError as e:
        if not app.output.as_json:
            e.show()
            return exits.USAGE
        return _fail(app, exits.USAGE, e.message, "", {"name": "usage", "message": e.message})
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return exits.INTERRUPTED
    except ReaderLeftError:
        return _reader_left()
    finally:
        app.close()
    return code if isinstance(code, int) else exits.OK


def _fail(app: App, code: int, message: str, remedy: str, shown: dict[str, object]) -> int:
    if app.output.as_json:
        app.output.json({"error": shown})
        return code
    click.echo(f"error: {message}", err=True)
    if remedy:
        click.echo(f"  {_as_commands(remedy)}", err=True)
    return code


def _as_commands(remedy: str) -> str:
    """Remedies name methods (`offer.list`), for they are for programs, too; people have commands
    for them (`swap-cli offer list`)."""

    from swapd.api.table import METHODS  # noqa: PLC0415 - needed after an error only

    def command(found: re.Match[str]) -> str:
        method = METHODS.get(found.group(1))
        if method is None:
            return found.group(0)
        words = itertools.takewhile(str.islower, method.cli.replace("(", " ").split())
        return f"`{' '.join(words)}`"

    return re.sub(r"`([a-z.]+)`", command, remedy)


def _reader_left() -> int:
    """No failure of ours; nothing may be flushed to it at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exits.OK


def main() -> None:
    """The command `swap-cli`."""
    sys.exit(run(sys.argv[1:], App(os.environ, interactive=sys.stdin.isatty())))
