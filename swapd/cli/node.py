"""Commands about the daemon itself: info, stop, call.

Owns: those. Must not know: other commands.
"""

from pathlib import Path
from typing import Any

import click
import msgspec

from swapd.api import calls
from swapd.cli import draw
from swapd.cli.app import App, Command, pass_app, usage
from swapd.cli.wallet import key_option


@click.command(cls=Command)
@pass_app
def info(app: App) -> None:
    """Who and what the daemon is."""
    app.show("getinfo", calls.NoParams(), calls.GetInfoResult, lambda r: draw.info(app.output, r))


@click.command(cls=Command)
@click.argument("path", required=False, type=click.Path(path_type=Path))
@key_option
@pass_app
def backup(app: App, /, *, path: Path | None, key: str | None) -> None:
    """Write a copy of the database, verified, to the file PATH while the daemon runs.

    By default backup.sqlite3 in the data directory; another disk is better. It replaces an older
    backup and nothing else. It holds every swap, but no key: the 24 words are kept apart.
    """
    place = None if path is None else str(Path.cwd() / path)
    params = calls.BackupParams(path=place, idempotency_key=key)
    app.show("backup", params, calls.BackupResult, lambda r: draw.backup(app.output, r))


@click.command(cls=Command)
@pass_app
def stop(app: App) -> None:
    """Stop the daemon; says which swaps stay open and until when they are safe."""
    app.show("stop", calls.StopParams(), calls.StopResult, lambda r: draw.stop(app.output, r))


@click.command(cls=Command)
@click.argument("method")
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE]...")
@pass_app
def call(app: App, /, *, method: str, parameters: tuple[str, ...]) -> None:
    """Call METHOD as it is, and print its result as JSON.

    A VALUE that is JSON is taken as such (limit=5, dry_run=true,
    amount={"asset":"BTC","decimal":"0.5"}), anything else as text.
    """
    given: dict[str, Any] = {}
    for parameter in parameters:
        name, separator, value = parameter.partition("=")
        if not separator or not name:
            usage(f"{parameter!r} is not NAME=VALUE")
        if name in given:
            usage(f"{name} is given twice")
        given[name] = _value(value)
    app.output.json(app.client.call(method, given))


def _value(text: str) -> Any:
    """JSON objects, lists, numbers of few digits, true, false and null; else the text itself: an id
    or a decimal amount that happens to look like a number must stay what was typed."""
    if text[:1] in ("{", "[", '"') or text in ("true", "false", "null") or _is_small(text):
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as e:
            usage(f"{text[:80]!r} is not JSON: {e}")
    return text


def _is_small(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16 and str(int(text)) == text
