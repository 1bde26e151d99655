"""`swap-cli guide`: from an empty directory to the first swap, by questions.

Owns: the order of the steps. Must not know: how any of them is done elsewhere.

It looks what is there and begins with the first step that is missing, so it can be broken off and
begun again at any time. It starts nothing by itself: each command is told, and done by the reader.
"""

import itertools
import shlex
from collections.abc import Callable
from pathlib import Path

import click

from swapd import config as configuration
from swapd import paths
from swapd.api import calls
from swapd.cli import draw, exits, setup
from swapd.cli.app import App, Command, app_of, usage
from swapd.cli.app import amount as parse_amount
from swapd.cli.market import take_now
from swapd.cli.place import Place
from swapd.cli.wallet import fresh_key
from swapd.control.blocking import BlockingClient
from swapd.control.failures import CannotConnectError


@click.command(cls=Command)
@click.pass_context
def guide(ctx: click.Context) -> None:
    """From nothing to your first swap, by questions."""
    app = app_of(ctx)
    if app.output.as_json or not app.interactive:
        usage("the guide asks questions: run it in a terminal, without --json")
    ctx.exit(_Guide(app).run())


class _Guide:
    """One walk through the steps."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._out = app.output
        self._options = ""

    def run(self) -> int:
        """The exit code; click.Abort ends it anywhere."""
        self._out.line("This leads you to a first swap. Ctrl-C ends it; begin again at any time.")
        daemon = self._configuration()
        self._until(
            daemon.paths.seed.exists,
            f"swapd init{self._options}",
            "Your keys come from a seed of 24 words that you write down on paper.",
        )
        self._until(
            lambda: _answers(daemon.paths.socket),
            f"swapd run{self._options}",
            "The daemon must run, and keep running while a swap is open.",
        )
        self._app.place = Place(socket=daemon.paths.socket)
        self._healthy()
        return self._trade()

    def _configuration(self) -> configuration.Config:
        """Reads the configuration, after writing it if there is none."""
        place = self._app.place
        file = place.config or self._existing()
        if file is None or not file.exists():
            self._heading("Configuration")
            file = file or paths.default_config_files(self._app.environ)[0]
            text = setup.ask_configuration(self._out, self._app.environ, place.network)
            self._out.line(f"\n{text}")
            click.confirm(f"Write this to {file}?", default=True, abort=True)
            setup.write(file, text)
        if file not in paths.default_config_files(self._app.environ):
            self._options = f" --config {shlex.quote(str(file))}"
        flags = {} if place.network is None else {"network": place.network}
        if place.datadir is not None:
            flags["data_dir"] = str(place.datadir)
        try:
            loaded = configuration.load(
                environ=self._app.environ, cwd=Path.cwd(), file=file, flags=flags
            )
        except configuration.ConfigError as e:
            usage(f"{file} can't be used yet: {e}")
        self._out.line(f"Configuration: {file} ({loaded.config.network})")
        for text in loaded.warnings:
            self._out.line(f"warning: {text}")
        return loaded.config

    def _existing(self) -> Path | None:
        named = self._app.environ.get("SWAPD_CONFIG")
        if named:
            return Path(named)
        usual = paths.default_config_files(self._app.environ)
        return next((file for file in usual if file.exists()), None)

    def _heading(self, text: str) -> None:
        self._out.line(f"\n== {text} ==")

    def _until(self, done: Callable[[], bool], command: str, why: str) -> None:
        """Tells a command again until it has been done."""
        if done():
            return
        self._heading(command)
        self._out.line(why)
        self._out.line(f"In another terminal, run:  {command}")
        while True:
            click.confirm("Done?", default=True, abort=True)
            if done():
                return
            self._out.line(f"Not yet. Run:  {command}")

    def _healthy(self) -> None:
        while True:
            found = self._app.ask("health", calls.NoParams(), calls.HealthResult)
            if found.healthy:
                self._out.line("The daemon runs and is healthy.")
                return
            self._heading("Health")
            draw.health(self._out, found)
            if not click.confirm("Look again? (n goes on as it is)", default=True):
                return

    def _trade(self) -> int:
        info = self._app.ask("getinfo", calls.NoParams(), calls.GetInfoResult)
        tickers = [a.ticker for a in info.assets]
        if len(tickers) < 2:
            self._out.line("A swap needs two assets: add the second node to the configuration.")
            return exits.OK
        self._heading("Your first swap")
        kind = click.Choice(tickers, case_sensitive=False)
        have: str = click.prompt("What do you have?", type=kind)
        others = [t for t in tickers if t != have]
        want: str = others[0]
        if len(others) > 1:
            want = click.prompt("What do you want for it?", type=click.Choice(others))
        self._swappable(f"{want}/{have}")
        self._funded(have)
        self._connected()
        return self._deal(have, want)

    def _swappable(self, pair: str) -> None:
        params = calls.PairCheckParams(pair=pair)
        found = self._app.ask("pair.check", params, calls.PairCheckResult)
        draw.pair_check(self._out, found)
        if not found.swappable:
            click.confirm("Go on all the same?", default=False, abort=True)

    def _funded(self, have: str) -> None:
        address = ""
        while True:
            found = self._app.ask("balance", calls.BalanceParams(asset=have), calls.BalanceResult)
            if any(int(a.free.units) for a in found.assets):
                draw.balance(self._out, found)
                return
            if not address:
                params = calls.AddressParams(asset=have, idempotency_key=fresh_key(None))
                address = self._app.ask("address", params, calls.AddressResult).address
                self._heading(f"Deposit {have}")
                self._out.line(f"Send {have} to {address} and wait for a confirmation.")
            click.confirm("Look again?", default=True, abort=True)

    def _connected(self) -> None:
        if self._app.ask("peer.list", calls.PeerListParams(), calls.PeerListResult).peers:
            return
        self._heading("Peers")
        self._out.line("You are connected to nobody, so you see nobody's offers.")
        address = click.prompt("A peer's address (empty for none)", default="", show_default=False)
        if address.strip():
            params = calls.PeerConnectParams(
                address=address.strip(), idempotency_key=fresh_key(None)
            )
            peer = self._app.ask("peer.connect", params, calls.PeerConnectResult).peer
            self._out.line(f"Connected to {peer.peer_id}.")

    def _deal(self, have: str, want: str) -> int:
        """Takes an offer if there is one, else posts one."""
        for look in itertools.count():
            params = calls.BookGetParams(pair=f"{want}/{have}", limit=20)
            found = self._app.ask("book.get", params, calls.BookGetResult)
            if any(not o.own for o in found.asks):
                draw.book(self._out, found)
                return self._take(have, want)
            if look == 0:
                self._out.line(f"Nobody sells {want} for {have} at this moment.")
            if not click.confirm("Look again? (n posts an offer of yours)", default=False):
                break
        return self._post(have, want)

    def _take(self, have: str, want: str) -> int:
        text = click.prompt(f"How much {want} do you want to buy?")
        asked = calls.QuoteParams(
            pair=f"{want}/{have}",
            side=calls.Side.BUY,
            amount=parse_amount(_with_ticker(text, want)),
        )
        code = take_now(self._app, asked, None, wait=True, yes=False, key=None)
        if code == exits.OK:
            self._out.line(f"That was your first swap. Move your {want} on with:")
            self._out.line(f"  swap-cli withdraw {want} ADDRESS")
        return code

    def _post(self, have: str, want: str) -> int:
        text = click.prompt(f"How much {have} do you want to sell?")
        price = click.prompt(f"How many {want} for each {have}?")
        planned = calls.OfferPostParams(
            sell=parse_amount(_with_ticker(text, have)),
            buy=want,
            price=price,
            dry_run=True,
        )
        shown = self._app.ask("offer.post", planned, calls.OfferPostResult)
        draw.own_offer(self._out, shown)
        self._app.confirm("Post it?")
        params = calls.OfferPostParams(
            sell=planned.sell, buy=want, price=price, idempotency_key=fresh_key(None)
        )
        posted = self._app.ask("offer.post", params, calls.OfferPostResult)
        self._out.line(f"Posted: {posted.offer.offer.offer_id}")
        self._out.line("Leave the daemon running. Watch takers come with:  swap-cli swap watch")
        return exits.OK


def _with_ticker(text: str, ticker: str) -> str:
    """ "0.5" as "0.5 BTC"; what names a ticker already stays."""
    return text if any(c.isalpha() for c in text) else f"{text} {ticker}"


def _answers(path: Path) -> bool:
    try:
        with BlockingClient(path):
            return True
    except CannotConnectError:
        return False
