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
from tests.nodes import Chain
from tests.nodes.world import CHAINS

Balances = dict[tuple[str, Chain], int]
_WIDTH: Final = 124


class Paid(Struct, frozen=True):
    """A transaction of the swap: who made it, on which chain, and what it cost."""

    who: str
    what: str
    chain: Chain
    amount: int
    fee: int
    told_fee: int
    txid: str


async def snapshot(fleet: Fleet) -> Balances:
    """What each party has on each chain, in base units."""
    return {
        (name, chain): await fleet.holdings(name, chain)
        for name in fleet.daemons
        for chain in CHAINS
    }


async def transactions(fleet: Fleet, told: dict[str, dict[str, Any]]) -> list[Paid]:
    """Every transaction of the swap."""
    return [
        Paid(
            who=name,
            what=tx["what"],
            chain=leg["ticker"],
            amount=int(leg["amount"]["units"]),
            fee=await fleet.fee(leg["ticker"], tx["txid"]),
            told_fee=int(tx["fee"]["units"]),
            txid=tx["txid"],
        )
        for name, swap in sorted(told.items(), reverse=True)
        for leg in swap["legs"]
        for tx in leg["transactions"]
        if tx["ours"]
    ]


def coins(units: int) -> str:
    """Base units as coins with all eight digits."""
    sign = "-" if units < 0 else ""
    return f"{sign}{abs(units) // 10**8}.{abs(units) % 10**8:08d}"


def show(before: Balances, after: Balances, paid: list[Paid]) -> None:
    """Both tables on stdout."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH)
    balances = Table(title="balances", title_justify="left")
    for heading in ("party", "chain"):
        balances.add_column(heading)
    for heading in ("before", "after", "difference"):
        balances.add_column(heading, justify="right")
    for (name, chain), units in before.items():
        now = after[name, chain]
        balances.add_row(name, chain, coins(units), coins(now), coins(now - units))
    console.print(balances)
    fees = Table(title="transactions", title_justify="left")
    for heading in ("who", "what", "chain"):
        fees.add_column(heading)
    fees.add_column("amount", justify="right")
    fees.add_column("fee", justify="right")
    fees.add_column("txid", overflow="fold")
    for tx in paid:
        fees.add_row(tx.who, tx.what, tx.chain, coins(tx.amount), coins(tx.fee), tx.txid)
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
        assert tx.fee == tx.told_fee, f"{tx.who} says its {tx.what} cost {tx.told_fee}: {tx.fee}"
    for (name, chain), units in before.items():
        summary = told[name]["summary"]
        expected = -sum(tx.fee for tx in paid if (tx.who, tx.chain) == (name, chain))
        if summary["receive"]["ticker"] == chain:
            expected += int(summary["receive"]["units"])
        if summary["pay"]["ticker"] == chain:
            expected -= int(summary["pay"]["units"])
        moved = after[name, chain] - units
        assert moved == expected, f"{name}'s {chain} moved by {moved}, expected {expected}"
