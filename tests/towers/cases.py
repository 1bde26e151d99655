"""The cases of `./dev towers`: who is away from when on, which towers he has, and what must be.

Owns: the stories and what is checked at their end, from the chain and from what the client has.
Must not know: how results are printed.

Both roles, honest towers and rogues. In each the client ends with the agreed coins or with his own,
less fees; what a tower sent pays nobody but the client's own address, and no more in fees than the
package allowed.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

import trio

from tests.daemons.fleet import BLOCK_SECONDS
from tests.functional.test_vanishing import begin, deadline, leg_reaches
from tests.nodes import Chain
from tests.nodes.world import CHAINS
from tests.towers.stage import MAX_FEE_PERCENT, Stage

SELLS: Final[Chain] = "LTC"
"""What the maker sells: leg P. Leg I is on the other chain."""

CHAIN_OF: Final[dict[str, Chain]] = {"i": "BTC", "p": "LTC"}
OTHER: Final = {"maker": "taker", "taker": "maker"}
FINAL_P: Final = 3
"""Depth of litecoin locks on the regtest timing."""

MOST_BLOCKS: Final = 45
TELL_SECONDS: Final = 20

UNITS: Final[dict[Chain, int]] = {"LTC": 200_000_000, "BTC": 2_000_000}
"""What `begin` swaps."""


Holdings = dict[Chain, int]


@dataclass(frozen=True)
class Case:
    """`away` is the client: from his lock (maker), from his lock or his reveal (taker); `other`
    goes on or is away too; `towers` are modes, the client leaves his packages with all of them."""

    name: str
    client: str
    since: str
    others_do: str
    towers: tuple[str, ...]
    end: str
    warned: str = ""

    @property
    def leg(self) -> str:
        """The one that a tower spends: theirs by a claim, the client's own by a refund."""
        own, theirs = ("p", "i") if self.client == "maker" else ("i", "p")
        return theirs if self.end == "completed" else own


@dataclass(frozen=True)
class Result:
    """What came of it: the client's end, what a tower paid as fee and the most that it was allowed
    to (base units), and what the client was told of his towers."""

    end: str
    fee: int
    most: int
    warned: str


def _maker(others_do: str, end: str, *towers: str, warned: str = "") -> Case:
    word = "taker claims" if others_do == "claim" else "taker gone too"
    name = f"maker away, {word}"
    if towers != ("honest",):
        name += f", {' and '.join(towers)}"
    return Case(name, "maker", "lock", others_do, towers, end, warned)


CASES: Final[tuple[Case, ...]] = (
    _maker("claim", "completed", "honest"),
    _maker("vanish", "refunded", "honest"),
    Case("taker away from his reveal", "taker", "reveal", "claim", ("honest",), "completed"),
    Case("taker away from his lock", "taker", "lock", "vanish", ("honest",), "refunded"),
    _maker("claim", "completed", "early"),
    _maker("vanish", "refunded", "early"),
    Case("taker away from his reveal, early", "taker", "reveal", "claim", ("early",), "completed"),
    Case("taker away from his lock, early", "taker", "lock", "vanish", ("early",), "refunded"),
    _maker("claim", "completed", "late"),
    _maker("vanish", "refunded", "late"),
    _maker("claim", "completed", "thief", "honest"),
    _maker("vanish", "refunded", "thief", "honest"),
    _maker("claim", "completed", "idle", "honest"),
    _maker("claim", "completed", "liar", "honest", warned="can't prove"),
    _maker("vanish", "refunded", "liar", "honest", warned="can't prove"),
)


async def play(stage: Stage, case: Case) -> Result:
    """Tells one story. Raises AssertionError when anything is not as it must be."""
    fleet = stage.fleet
    for mode in case.towers:
        await stage.add(mode)
    await stage.employ(case.client)
    before = {chain: await fleet.holdings(case.client, chain) for chain in CHAINS}
    swap_id = await begin(fleet)
    await _leave(stage, case, swap_id)
    warned = await _told(stage, case)
    legs = (await fleet.swap(case.client, swap_id))["legs"]
    outpoint = next(leg["outpoint"] for leg in legs if leg["name"] == case.leg)
    txid = await _meanwhile(stage, case, swap_id, outpoint)
    result = await _check(stage, case, swap_id, txid, before)
    return replace(result, warned=warned)


async def _leave(stage: Stage, case: Case, swap_id: str) -> None:
    """Up to the moment from which the client is away."""
    fleet = stage.fleet
    if case.client == "maker":
        await leg_reaches(fleet, "maker", swap_id, "p", "unconfirmed")
    elif case.since == "lock":
        await leg_reaches(fleet, "taker", swap_id, "i", "unconfirmed")
    else:
        await leg_reaches(fleet, "taker", swap_id, "p", "confirmed")
        await _reveal_alone(stage, swap_id)
    await fleet.relay_transactions()


async def _reveal_alone(stage: Stage, swap_id: str) -> None:
    """The taker reveals, and his claim gets no further than his own node, which dies with it: what
    the world learns of it, it learns from the tower."""
    world, node = stage.fleet.world, stage.fleet.world["taker"].node(SELLS)
    while await _depth_of_p(stage, swap_id) < FINAL_P - 1:
        await stage.block()
    await node.rpc("setnetworkactive", False)
    await world.clock.advance(BLOCK_SECONDS)
    for chain in CHAINS:
        name = (await world.mine_apart(chain))[0]
        if chain == SELLS:
            block = await world.funder.rpc(chain, "getblock", name, 0)
            await node.rpc("submitblock", block)
    tower = stage.towers[0]
    await tower.until(lambda: len(tower.kept("claim")) == 2)
    await node.kill()


async def _depth_of_p(stage: Stage, swap_id: str) -> int:
    legs = (await stage.fleet.swap("taker", swap_id))["legs"]
    return int(next(leg["depth"] for leg in legs if leg["name"] == "p"))


async def _told(stage: Stage, case: Case) -> str:
    """What the client is told of his towers while he is there. Raises AssertionError when a bad
    tower goes unnoticed, or a good one is complained of."""
    with trio.move_on_after(TELL_SECONDS):
        while not (found := await _what_is_told(stage, case))[0]:  # noqa: ASYNC110 - another process
            await trio.sleep(0.1)
    assert found[0], found[1]
    return case.warned


async def _what_is_told(stage: Stage, case: Case) -> tuple[bool, dict[str, Any]]:
    """Whether each tower is told of as it is: a bad one as bad, a good one as holding all."""
    told = await stage.fleet[case.client].call("tower.list")
    is_as_it_is = [
        any(case.warned in problem for problem in tower["problems"])
        if mode == "liar"
        else not tower["problems"] and all(package["held"] for package in tower["packages"])
        for mode, tower in zip(case.towers, told["towers"], strict=True)
    ]
    return all(is_as_it_is), told


async def _meanwhile(stage: Stage, case: Case, swap_id: str, outpoint: str) -> str:
    """Time goes by without the client until his leg is spent; the transaction that does."""
    fleet, leg = stage.fleet, case.leg
    swap = await fleet.swap(case.client, swap_id)
    await fleet[case.client].kill()
    if case.others_do == "vanish":
        await fleet[OTHER[case.client]].kill()
        await fleet.pass_blocks_to(deadline(swap, f"expiry_{leg}"))
    chain = CHAIN_OF[leg]

    async def spent() -> bool:
        return await stage.spend_of(chain, outpoint) is not None

    assert await stage.until(spent, blocks=MOST_BLOCKS), "no tower spent the leg"
    txid = await stage.spend_of(chain, outpoint)
    assert txid is not None
    return txid


async def _check(stage: Stage, case: Case, swap_id: str, txid: str, before: Holdings) -> Result:
    """Everybody is back: the end, to the unit. Raises AssertionError."""
    fleet, chain = stage.fleet, CHAIN_OF[case.leg]
    if not fleet.world["taker"].node(SELLS).running:
        await fleet.world.restart("taker", SELLS)
    for name in ("maker", "taker"):
        if not fleet[name].running:
            await fleet[name].start()
    await fleet.until_ended(swap_id)
    swap = await fleet.swap(case.client, swap_id)
    end = str(swap["summary"]["phase"])
    assert end == case.end, swap["summary"]
    sent = [event for tower in stage.towers for event in tower.events("tower.sent")]
    assert any(event["outcome"] == "accepted" for event in sent), "no tower sent anything"
    paid = "destination" if end == "completed" else "refund_destination"
    assert await stage.paid_to(chain, txid) == [swap[paid]]
    fee = await fleet.fee(chain, txid)
    most = UNITS[chain] * MAX_FEE_PERCENT // 100
    assert 0 < fee <= most
    lock = next(t for leg in swap["legs"] if leg["ours"] for t in leg["transactions"])
    expected = dict.fromkeys(CHAINS, 0)
    expected[lock["ticker"]] -= await fleet.fee(lock["ticker"], lock["txid"])
    if end == "completed":
        expected[lock["ticker"]] -= UNITS[lock["ticker"]]
        expected[chain] += UNITS[chain]
    expected[chain] -= fee
    after = {c: await fleet.holdings(case.client, c) for c in CHAINS}
    assert {c: after[c] - before[c] for c in CHAINS} == expected
    return Result(end, fee, most, "")
