"""One run of swap-cli: what was given, the connection, and how each kind of failure ends it.

Owns: `App`, the click classes every command is made of. Must not know: single commands.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import click
from msgspec import Struct, structs

from swapd.api.amounts import split_text
from swapd.api.errors import ApiError
from swapd.api.values import AmountParam
from swapd.cli.output import Output
from swapd.cli.place import NoDaemonError, Place, PlaceError, find_socket
from swapd.control.blocking import BlockingClient
from swapd.control.failures import CannotConnectError

R = TypeVar("R", bound=Struct)

AMOUNT_OPTIONS = ("--sell", "--min", "--amount")
_NUMBER = re.compile(r"[-+]?[0-9.,_]+(?:[eE][-+]?[0-9]+)?")
_TICKER = re.compile(r"[A-Za-z][A-Za-z0-9.]*")


class App:
    """Shared by the commands of one run. `interactive` when somebody is there to be asked."""

    def __init__(self, environ: Mapping[str, str], *, interactive: bool) -> None:
        self.place = Place()
        self.environ = environ
        self.interactive = interactive
        self.output = Output(as_json=False, environ=environ)
        self._client: BlockingClient | None = None

    @property
    def client(self) -> BlockingClient:
        """Connects at the first use. Raises CannotConnectError, click.UsageError."""
        if self._client is None:
            self._client = BlockingClient(self.socket(), on_silence=_say_silence)
        return self._client

    def socket(self) -> Path:
        """Where the daemon is. Raises CannotConnectError, click.UsageError."""
        try:
            return find_socket(self.place, self.environ, Path.cwd())
        except PlaceError as e:
            raise click.UsageError(str(e)) from None
        except NoDaemonError as e:
            raise CannotConnectError(
                str(e),
                "start one with `swapd run`, or say where it is with --network, --datadir or "
                "--socket; `swap-cli guide` leads through the beginnings",
            ) from None

    def close(self) -> None:
        """Ends the connection."""
        if self._client is not None:
            self._client.close()

    def ask(self, method: str, params: Struct, kind: type[R]) -> R:
        """A typed call."""
        return self.client.ask(method, params, kind)

    def show(self, method: str, params: Struct, kind: type[R], draw: Callable[[R], None]) -> None:
        """A call whose result is all there is to print."""
        if self.output.as_json:
            self.output.json(self.client.call(method, params))
        else:
            draw(self.ask(method, params, kind))

    def show_after_yes(
        self,
        method: str,
        params: Struct,
        kind: type[R],
        draw: Callable[[Output, R], None],
        *,
        question: str,
        yes: bool,
    ) -> None:
        """A call that moves money, or promises it: unless `yes`, its dry run is shown and the
        answer to `question` waited for. `params` have `dry_run` and `idempotency_key`."""
        if not yes:
            self.require_somebody()
            planned = structs.replace(params, dry_run=True, idempotency_key=None)
            draw(self.output, self.ask(method, planned, kind))
            self.confirm(question)
        self.show(method, params, kind, lambda result: draw(self.output, result))

    def require_somebody(self) -> None:
        """Raises click.UsageError when nobody can be asked; before anything is shown."""
        if self.output.as_json or not self.interactive:
            raise click.UsageError("this moves money and nobody can be asked: add --yes")

    def confirm(self, question: str) -> None:
        """Returns when the answer is yes. Raises click.Abort when it is no."""
        click.confirm(question, abort=True)


class Command(click.Command):
    """Every command takes --json, and amounts of two words ("--sell 0.5 BTC")."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--json", "as_json"],
                is_flag=True,
                expose_value=False,
                callback=_set_json,
                help="Print JSON, one value a line.",
            )
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Joins the two words of an amount."""
        return super().parse_args(ctx, join_amounts(args))


class Group(click.Group):
    """Commands in it are of our kind."""

    command_class = Command
    group_class = type


def join_amounts(args: list[str]) -> list[str]:
    """`--sell 0.5 BTC` as `--sell "0.5 BTC"`."""
    joined: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        joined.append(word)
        if (
            word in AMOUNT_OPTIONS
            and len(rest) >= 2
            and _NUMBER.fullmatch(rest[0])
            and _TICKER.fullmatch(rest[1])
        ):
            joined.append(f"{rest.pop(0)} {rest.pop(0)}")
    return joined


def _say_silence() -> None:
    click.echo(
        "the daemon has not answered yet; still waiting (Ctrl-C ends this command, "
        "not what it may have begun)",
        err=True,
    )


def _set_json(ctx: click.Context, _: click.Parameter, value: object) -> None:
    if value:
        app_of(ctx).output.as_json = True


def app_of(ctx: click.Context) -> App:
    """The run this command belongs to."""
    return cast("App", ctx.find_object(App))


pass_app = click.make_pass_decorator(App)
"""Gives a command its App as first argument."""


def amount(text: str) -> AmountParam:
    """ "0.5 BTC", exactly as written. Whether the daemon knows the ticker, and how precise it can
    be, the daemon says. Raises click.BadParameter."""
    try:
        return split_text(text)
    except ApiError as e:
        raise click.BadParameter(f"{e.message}: {e.remedy}") from None


def usage(text: str) -> NoReturn:
    """Ends the run with the exit code of a wrong command line."""
    raise click.UsageError(text)
