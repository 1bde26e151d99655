"""How long a swap takes beyond the confirmations it waits for, and how large its transactions are.

For each step: from the moment the block that allows it is at the party's own node to the moment the
party's next transaction is in that node's mempool.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from tests.bench.report import Row, milliseconds, p50, spread
from tests.daemons.process import SwapdProcess
from tests.nodes import Chain, World

SWAPS = 5
FLOORS = {"claim": 139, "refund": 131}
STEPS = (
    "take to taker's lock",
    "depth of I to maker's lock",
    "depth of P to taker's claim",
    "claim of P seen to maker's claim",
)


@dataclass
class Figures:
    """What the swaps showed."""

    waits: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in STEPS})
    sizes: dict[str, set[int]] = field(default_factory=dict)
    floors: dict[str, int] = field(default_factory=dict)


async def measure(world: World, maker: SwapdProcess, taker: SwapdProcess) -> list[Row]:
    """Several swaps, one after the other."""
    figures = Figures()
    for _ in range(SWAPS):
        await _swap(world, maker, taker, figures)
    rows = [
        Row(step, spread(waits), "", "p50 under 1 s" if step != STEPS[3] else "p50 under 2 s")
        for step, waits in figures.waits.items()
    ]
    total = sum(p50(waits) for waits in figures.waits.values())
    rows.append(
        Row(
            "a whole swap beyond its confirmations",
            milliseconds(total),
            "",
            "",
            "sum of the p50 of the four steps",
        )
    )
    for what, sizes in sorted(figures.sizes.items()):
        floor = figures.floors.get(what) or FLOORS.get(what, 0)
        rows.append(Row(f"{what}, vbytes", ", ".join(map(str, sorted(sizes))), f"{floor} floor"))
    return rows


async def _swap(world: World, maker: SwapdProcess, taker: SwapdProcess, figures: Figures) -> None:
    posted = await maker.call(
        "offer.post", sell={"asset": "LTC", "decimal": "1"}, buy="BTC", price="0.01"
    )
    offer_id = posted["offer"]["offer"]["offer_id"]
    await _until(lambda: _in_book(taker, offer_id))
    began = time.perf_counter()
    taken = await taker.call("take", offer_id=offer_id)
    swap_id = taken["swaps"][0]["swap_id"]
    lock_i = await _mempool(taker, swap_id, "BTC", "lock")
    figures.waits[STEPS[0]].append(time.perf_counter() - began)
    await world.relay_mempool("BTC", lock_i)
    await world.mine("BTC", 1)
    figures.waits[STEPS[1]].append(await _after_block(world, "BTC", maker, swap_id, "LTC", "lock"))
    lock_p = await _mempool(maker, swap_id, "LTC", "lock")
    await world.relay_mempool("LTC", lock_p)
    await world.mine("LTC", 2)
    figures.waits[STEPS[2]].append(await _after_block(world, "LTC", taker, swap_id, "LTC", "claim"))
    claim_p = await _mempool(taker, swap_id, "LTC", "claim")
    await world.relay_mempool("LTC", claim_p)
    began = time.perf_counter()
    claim_i = await _mempool(maker, swap_id, "BTC", "claim")
    figures.waits[STEPS[3]].append(time.perf_counter() - began)
    await world.relay_mempool("BTC", claim_i)
    txids: dict[str, list[tuple[Chain, str]]] = {
        "lock": [("BTC", lock_i), ("LTC", lock_p)],
        "claim": [("LTC", claim_p), ("BTC", claim_i)],
    }
    for what, found in txids.items():
        for chain, txid in found:
            raw = await world.funder.rpc(chain, "getrawtransaction", txid, True)
            figures.sizes.setdefault(what, set()).add(int(raw["vsize"]))
            if what == "lock":
                figures.floors[what] = 11 + 68 * len(raw["vin"]) + 43 + 31 * (len(raw["vout"]) - 1)
    await _finish(world, maker, taker, swap_id)


async def _after_block(
    world: World, chain: Chain, party: SwapdProcess, swap_id: str, on: str, what: str
) -> float:
    """Mines the block that allows the step and times the party's answer."""
    await world.mine(chain, 1)
    began = time.perf_counter()
    await _mempool(party, swap_id, on, what)
    return time.perf_counter() - began


async def _in_book(taker: SwapdProcess, offer_id: str) -> bool:
    book = await taker.call("book.get", pair="LTC/BTC")
    return any(offer["offer_id"] == offer_id for offer in book["asks"])


async def _until(ready: Callable[[], Awaitable[bool]]) -> None:
    """The book has no call that waits, so it is asked again and again."""
    with trio.fail_after(60):
        while not await ready():  # noqa: ASYNC110 - see above
            await trio.sleep(0.02)


async def _mempool(party: SwapdProcess, swap_id: str, ticker: str, what: str) -> str:
    """The txid of `what`, as soon as the party itself saw it on its node."""
    with trio.fail_after(60):
        while True:
            detail = (await party.call("swap.get", swap_id=swap_id))["swap"]
            for leg in detail["legs"]:
                for tx in leg["transactions"]:
                    if tx["ticker"] == ticker and tx["what"] == what and tx["depth"] is not None:
                        return str(tx["txid"])
            await trio.sleep(0.01)


async def _finish(world: World, maker: SwapdProcess, taker: SwapdProcess, swap_id: str) -> None:
    """Both claims are in every mempool: bury them, then both daemons must say so."""
    await world.mine("LTC", 3)
    await world.mine("BTC", 2)
    for party in (maker, taker):
        waited = await party.call("swap.wait", swap_id=swap_id, timeout_seconds=60)
        phase = waited["swap"]["summary"]["phase"]
        if phase != "completed":
            raise RuntimeError(f"{party.name}: the swap is {phase}\n{party.tail()}")
