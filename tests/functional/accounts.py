"""Owns the books of a functional test: what each party had, has, and should have, to the unit.

Fees are computed from the transactions on the chain, never believed from a daemon.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tests.daemons.accounts import COINS, AccountFleet
from tests.daemons.fleet import Fleet
from tests.nodes import Chain

Balances = dict[tuple[str, str], int]
"""By party and asset, in base units. On chains of accounts with all gas that the party ever paid
added, and by "ETH transactions" how many of its transactions that was."""


async def balances(fleet: Fleet) -> Balances:
    """What every party has of everything that is swapped."""
    found = {(n, a): await fleet.holdings(n, a) for n in fleet.daemons for a in fleet.tickers}
    if isinstance(fleet, AccountFleet):
        for name in fleet.daemons:
            for coin in fleet.accounts:
                fees, count = await fleet.paid(name, coin)
                found[name, coin] += fees
                found[name, _count_on(coin)] = count
    return found


def _count_on(coin: str) -> str:
    return f"{coin} transactions"


async def ends(fleet: Fleet, swap_id: str, *names: str) -> tuple[str, ...]:
    """The phase that each of the parties reports."""
    return tuple([await fleet.phase(name, swap_id) for name in names])


async def check(
    fleet: Fleet, before: Balances, *swap_ids: str, gifts: Mapping[tuple[str, str], int] = {}
) -> None:
    """Raises AssertionError unless each balance moved by just what these swaps' ends mean and by
    `gifts` (what strangers paid in, less the fee of fetching it), and nobody's by anything else."""
    expected = defaultdict[tuple[str, str], int](int, gifts)
    for name in fleet.daemons:
        for swap_id in swap_ids:
            for key, units in (await _moves(fleet, name, swap_id)).items():
                expected[name, key] += units
    after = await balances(fleet)
    moved = {key: after[key] - before[key] for key in before}
    wanted = {key: expected[key] for key in before}
    assert moved == wanted, f"moved {moved}, expected {wanted}"


async def _moves(fleet: Fleet, name: str, swap_id: str) -> dict[str, int]:
    listed = (await fleet[name].call("swap.list", limit=500))["swaps"]
    if swap_id not in {row["swap_id"] for row in listed}:
        return {}
    swap = await fleet.swap(name, swap_id)
    phase, moves = swap["summary"]["phase"], defaultdict[str, int](int)
    assert phase in {"completed", "refunded", "never_funded"}, swap["summary"]
    has_children = any(line["what"] == "child" for line in swap["fees"])
    for leg in swap["legs"]:
        coin = COINS.get(leg["ticker"])
        for tx in _final(leg):
            if coin is not None:
                moves[_count_on(coin)] += 1
                continue
            moves[leg["ticker"]] -= await fleet.fee(leg["ticker"], tx["txid"])
            if tx["what"] in {"claim", "refund"} and has_children:
                moves[leg["ticker"]] -= await _lifted(fleet, leg["ticker"], tx["txid"])
        if phase == "completed":
            units = int(leg["amount"]["units"])
            moves[leg["ticker"]] += -units if leg["ours"] else units
    _check_made(swap, phase)
    return moves


async def _lifted(fleet: Fleet, chain: Chain, txid: str) -> int:
    """What the children of a claim or refund paid, each the spend of the one before."""
    funder, fees = fleet.world.funder, 0
    found = await funder.rpc(chain, "getrawtransaction", txid, True)
    block = await funder.rpc(chain, "getblock", found["blockhash"], 2)
    while True:
        for tx in block["tx"]:
            if {"txid": txid, "vout": 0}.items() <= tx["vin"][0].items():
                fees += await fleet.fee(chain, tx["txid"])
                txid = tx["txid"]
        if "nextblockhash" not in block:
            return fees
        block = await funder.rpc(chain, "getblock", block["nextblockhash"], 2)


def _final(leg: dict[str, Any]) -> list[dict[str, Any]]:
    """Our own transactions of a leg that are on the chain for good."""
    return [
        tx
        for tx in leg["transactions"]
        if tx["ours"] and tx["depth"] is not None and tx["depth"] >= tx["final_depth"]
    ]


def _check_made(swap: dict[str, Any], phase: str) -> None:
    made = sorted(tx["what"] for leg in swap["legs"] for tx in _final(leg))
    allowed = {
        "completed": [["claim", "lock"]],
        "refunded": [["lock", "refund"]],
        "never_funded": [[], ["kill"]],
    }
    assert made in allowed[phase], f"{phase} with {made}"
