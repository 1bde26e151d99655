"""Owns the demo's accounts: balances before and after, fees, and whether they add up to the unit.

Balances come from the nodes' wallets and the daemons' payout addresses; fees are computed from the
transactions on the chain, not believed from the daemons.
"""

import sys
from typing import Any, Final

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from tests.daemons.fleet import Fleet
from tests.demo.plans import ACCOUNTS, Plan, coins

Balances = dict[tuple[str, str], int]
_WIDTH: Final = 124


class Paid(Struct, frozen=True):
    """A transaction of the swap: who made it, on which chain, and what it cost."""

    who: str
    what: str
    asset: str
    amount: int
    fee: int
    told_fee: int
    txid: str


async def snapshot(fleet: Fleet, plan: Plan) -> Balances:
    """What each party has of each asset, in base units."""
    return {
        (name, asset): await fleet.holdings(name, asset)
        for name in fleet.daemons
        for asset in plan.assets
    }


async def transactions(fleet: Fleet, told: dict[str, dict[str, Any]]) -> list[Paid]:
    """Every transaction of the swap."""
    return [
        Paid(
            who=name,
            what=tx["what"],
            asset=leg["amount"]["ticker"],
            amount=int(leg["amount"]["units"]),
            fee=await fleet.fee(leg["amount"]["ticker"], tx["txid"]),
            told_fee=int(tx["fee"]["units"]),
            txid=tx["txid"],
        )
        for name, swap in sorted(told.items(), reverse=True)
        for leg in swap["legs"]
        for tx in leg["transactions"]
        if tx["ours"]
    ]


def fee_asset(asset: str) -> str:
    """What fees are paid in."""
    return "ETH" if asset in ACCOUNTS else asset


def show(before: Balances, after: Balances, paid: list[Paid]) -> None:
    """Both tables on stdout."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH)
    balances = Table(title="balances", title_justify="left")
    for heading in ("party", "asset"):
        balances.add_column(heading)
    for heading in ("before", "after", "difference"):
        balances.add_column(heading, justify="right")
    for (name, asset), units in before.items():
        now = after[name, asset]
        row = (coins(units, asset), coins(now, asset), coins(now - units, asset))
        balances.add_row(name, asset, *row)
    console.print(balances)
    fees = Table(title="transactions", title_justify="left")
    for heading in ("who", "what", "asset"):
        fees.add_column(heading)
    fees.add_column("amount", justify="right")
    fees.add_column("fee", justify="right")
    fees.add_column("txid", overflow="fold")
    for tx in paid:
        fee = f"{coins(tx.fee, fee_asset(tx.asset))} {fee_asset(tx.asset)}"
        fees.add_row(tx.who, tx.what, tx.asset, coins(tx.amount, tx.asset), fee, tx.txid)
    console.print(fees)


def check(
    before: Balances, after: Balances, paid: list[Paid], told: dict[str, dict[str, Any]]
) -> None:
    """Raises AssertionError where a balance moved by another amount than agreed."""
    assert sorted((tx.who, tx.what) for tx in paid) == [
        ("maker", "claim"),
        ("maker", "lock"),
        ("taker", "claim"),
        ("taker", "lock"),
    ], paid
    for tx in paid:
        # An account pays by the gas used and its block's base fee: told is the most it can be.
        honest = tx.fee <= tx.told_fee if tx.asset in ACCOUNTS else tx.fee == tx.told_fee
        assert honest, f"{tx.who} says its {tx.what} cost {tx.told_fee}: {tx.fee}"
    for (name, asset), units in before.items():
        summary = told[name]["summary"]
        expected = -sum(tx.fee for tx in paid if (tx.who, fee_asset(tx.asset)) == (name, asset))
        if summary["receive"]["ticker"] == asset:
            expected += int(summary["receive"]["units"])
        if summary["pay"]["ticker"] == asset:
            expected -= int(summary["pay"]["units"])
        moved = after[name, asset] - units
        assert moved == expected, f"{name}'s {asset} moved by {moved}, expected {expected}"
