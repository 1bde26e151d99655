"""Owns the verdict on a swap that something was done to: its ends, and every balance to the unit.

Must not know: what was done. Fees and amounts are read from the chain. Which transactions are whose
follows from what they are: an earlier version of a claim counts as much as the last one.
"""

from collections import defaultdict
from typing import Any, Final

from tests.daemons.fleet import Fleet
from tests.faults import pace
from tests.functional import accounts
from tests.functional.accounts import Balances
from tests.nodes import Chain

FINE: Final = {
    ("completed", "completed"),
    ("refunded", "refunded"),
    ("never_funded", "refunded"),
    ("never_funded", "never_funded"),
    ("refunded", "never_funded"),
}
"""Ends of (maker, taker) in which nobody lost a leg. In the last one the taker's lock left its
chain after the maker had answered it."""

MOST_BLOCKS: Final = 250
"""A child whose parent a node will not fetch is tried again after the node forgot it: 120 blocks of
these chains later."""

BOTH: Final = ("maker", "taker")
MADE: Final = {
    "completed": [["claim", "lock"]],
    "refunded": [["lock", "refund"]],
    "never_funded": [[], ["kill"]],
}


async def verdict(
    fleet: Fleet, before: Balances, swap_id: str, *, blocks: int = MOST_BLOCKS
) -> str:
    """Lets blocks pass until the swap has ended for both; how it did. Raises AssertionError when
    it does not, when anybody lost, or when a balance is not exact."""
    await pace.until_ended(fleet, swap_id, blocks=blocks)
    return await judged(fleet, before, swap_id)


async def judged(fleet: Fleet, before: Balances, swap_id: str) -> str:
    """The same for a swap that has ended."""
    found = await accounts.ends(fleet, swap_id, *BOTH)
    assert found in FINE, f"(maker, taker): {found}\n{await reasons(fleet, swap_id)}"
    await exact(fleet, before, swap_id)
    return told(found)


async def exact(fleet: Fleet, before: Balances, *swap_ids: str) -> None:
    """Raises AssertionError unless each balance moved by just what the ends of these swaps mean."""
    expected: dict[tuple[str, str], int] = defaultdict(int)
    for swap_id in swap_ids:
        for name in BOTH:
            for chain, units in (await _moves(fleet, name, swap_id)).items():
                expected[name, chain] += units
    after = await accounts.balances(fleet)
    moved = {key: after[key] - before[key] for key in before}
    wanted = {key: expected[key] for key in before}
    assert moved == wanted, f"moved {moved}, expected {wanted}\n{await reasons(fleet, *swap_ids)}"


async def _moves(fleet: Fleet, name: str, swap_id: str) -> dict[Chain, int]:
    swap = await fleet.swap(name, swap_id)
    phase, moves = swap["summary"]["phase"], defaultdict[Chain, int](int)
    made = []
    for leg in swap["legs"]:
        chain: Chain = leg["ticker"]
        for tx in await _mined(fleet, leg):
            made.append(tx["what"])
            moves[chain] -= await fleet.fee(chain, tx["txid"])
            if tx["what"] in {"claim", "refund"}:
                moves[chain] -= await _children(fleet, chain, tx["txid"])
        if phase == "completed":
            units = int(leg["amount"]["units"])
            moves[chain] += -units if leg["ours"] else units
    assert sorted(made) in MADE[phase], f"{name}: {phase} with {made}"
    return moves


async def _children(fleet: Fleet, chain: Chain, txid: str) -> int:
    """The fees of what was hung on our claim or refund to lift it into a block: it spends our own
    only output, and pays it to ourselves. Unconfirmed ones count: they are what we will get."""
    node, fees = fleet.world.funder.node(chain), 0
    spends: dict[str, str] = {}
    height = int(await node.rpc("getblockcount"))
    mined = height - int((await node.rpc("getrawtransaction", txid, True))["confirmations"]) + 1
    blocks = [await node.rpc("getblockhash", h) for h in range(mined, height + 1)]
    for block in blocks:
        for tx in (await node.rpc("getblock", block, 2))["tx"]:
            spends |= {vin["txid"]: tx["txid"] for vin in tx["vin"] if vin.get("vout") == 0}
    for waiting in await node.rpc("getrawmempool"):
        tx = await node.rpc("getrawtransaction", waiting, True)
        spends |= {vin["txid"]: waiting for vin in tx["vin"] if vin["vout"] == 0}
    while txid in spends:
        txid = spends[txid]
        fees += await fleet.fee(chain, txid)
    return fees


async def _mined(fleet: Fleet, leg: dict[str, Any]) -> list[dict[str, Any]]:
    """What this party made on a leg and is in the chain now, by the miner's word."""
    own = {"lock", "refund", "kill"} if leg["ours"] else {"claim"}
    return [
        tx
        for tx in leg["transactions"]
        if tx["what"] in own and (await fleet.depth(leg["ticker"], tx["txid"]) or 0) > 0
    ]


def told(ends: tuple[str, ...]) -> str:
    """Both ends in one word, or two."""
    return ends[0] if len(set(ends)) == 1 else "maker {}, taker {}".format(*ends)


async def reasons(fleet: Fleet, *swap_ids: str) -> str:
    """What each of the two says about the swaps, for failures."""
    lines = []
    for swap_id in swap_ids:
        for name in BOTH:
            swap: dict[str, Any] = await fleet.swap(name, swap_id)
            made = [
                (tx["what"], tx["txid"][:8], tx["depth"])
                for leg in swap["legs"]
                for tx in leg["transactions"]
            ]
            said = (swap["summary"]["phase"], swap["next_action"], swap["warnings"])
            lines.append(f"{name}: {said} {made}")
    return "\n".join(lines)
