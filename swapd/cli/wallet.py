"""Commands about money: balance, address, withdraw, wallet split.

Owns: those. Must not know: other commands.
"""

import secrets

import click

from swapd.api import calls
from swapd.cli import draw
from swapd.cli.app import App, Command, Group, pass_app
from swapd.cli.app import amount as parse_amount

yes_option = click.option("--yes", is_flag=True, help="Don't ask before money moves.")
key_option = click.option(
    "--key",
    default=None,
    help="Idempotency key: repeating the command with the same key does it once.",
)
fee_option = click.option(
    "--fee-rate", type=int, default=None, help="In base units per 1000 vbytes."
)
any_fee_option = click.option(
    "--fee-rate",
    type=int,
    default=None,
    help="In base units per 1000 vbytes; of ETH and tokens in wei per 1000 gas.",
)


def fresh_key(given: str | None) -> str:
    """The key of one call: a lost connection must not make it happen twice."""
    return given if given is not None else secrets.token_hex(16)


@click.command(cls=Command)
@click.argument("asset", required=False)
@pass_app
def balance(app: App, /, *, asset: str | None) -> None:
    """What we have of ASSET, or of each: free, reserved, locked, in flight, paid out."""
    params = calls.BalanceParams(asset=asset)
    app.show("balance", params, calls.BalanceResult, lambda r: draw.balance(app.output, r))


@click.command(cls=Command)
@click.argument("asset")
@pass_app
def address(app: App, /, *, asset: str) -> None:
    """A fresh address to deposit ASSET to."""
    params = calls.AddressParams(asset=asset)
    app.show("address", params, calls.AddressResult, lambda r: app.output.line(r.address))


@click.command(cls=Command)
@click.argument("asset")
@click.argument("destination", metavar="ADDRESS")
@any_fee_option
@yes_option
@key_option
@pass_app
def withdraw(
    app: App, /, *, asset: str, destination: str, fee_rate: int | None, yes: bool, key: str | None
) -> None:
    """Send all ASSET that swaps paid us to ADDRESS."""

    params = calls.WithdrawParams(
        asset=asset,
        destination=destination,
        fee_rate=fee_rate,
        idempotency_key=fresh_key(key),
    )
    app.show_after_yes(
        "withdraw", params, calls.WithdrawResult, draw.withdraw, question="Send it?", yes=yes
    )


@click.group(cls=Group)
def wallet() -> None:
    """The coins that locks are funded from."""


@wallet.command()
@click.argument("count", type=click.IntRange(1, 100))
@click.argument("amount", nargs=-1, required=True)
@fee_option
@yes_option
@key_option
@pass_app
def split(
    app: App,
    /,
    *,
    count: int,
    amount: tuple[str, ...],
    fee_rate: int | None,
    yes: bool,
    key: str | None,
) -> None:
    """Make COUNT coins of AMOUNT each, so that as many locks need not wait for change."""
    each = parse_amount(" ".join(amount))

    params = calls.WalletSplitParams(
        amount=each,
        count=count,
        fee_rate=fee_rate,
        idempotency_key=fresh_key(key),
    )
    app.show_after_yes(
        "wallet.split", params, calls.WalletSplitResult, draw.split, question="Make them?", yes=yes
    )
