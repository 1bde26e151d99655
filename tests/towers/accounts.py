"""Watchtowers of swaps between bitcoind and a chain of accounts: who is away, and what must be.

Owns: the stories of such a pair and what is checked at their end, from the chain and from what the
client has. Must not know: how results are printed. `cases` has those of BTC and LTC.

The towers run on the taker's nodes, each pays gas from an account of its own, and the client is a
stranger to them: they do for a fee what they do.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import trio

from protocol.evm.address import parse_address
from tests.daemons.accounts import ETHER, AccountFleet
from tests.daemons.tower import TowerProcess
from tests.matrix import stories
from tests.towers.stage import dismiss

MAX_FEE_PERCENT: Final = 10
MOST_BLOCKS: Final = 60
GAS: Final = ETHER
PATIENCE: Final = 20.0
OTHER: Final = {"maker": "taker", "taker": "maker"}


@dataclass(frozen=True)
class Away:
    """`client` of a swap in which the taker pays `pay` for `get` is away from `since` on; `vanish`:
    the other side is, too. `leg` is the one that a tower spends."""

    pay: str
    get: str
    client: str
    since: str
    vanish: bool
    towers: tuple[str, ...]

    @property
    def end(self) -> str:
        """Of the client."""
        return "refunded" if self.vanish else "completed"

    @property
    def leg(self) -> str:
        own, theirs = ("p", "i") if self.client == "maker" else ("i", "p")
        return own if self.vanish else theirs

    @property
    def asset(self) -> str:
        return self.pay if self.leg == "i" else self.get

    @property
    def name(self) -> str:
        other = "gone too" if self.vanish else "goes on"
        towers = " and ".join(self.towers)
        return f"{self.pay}/{self.get}: {self.client} away, the other {other}, {towers}"


CASES: Final = (
    Away("ETH", "BTC", "maker", "lock", vanish=False, towers=("honest",)),
    Away("BTC", "ETH", "maker", "lock", vanish=False, towers=("honest",)),
    Away("BTC", "ETH", "maker", "lock", vanish=True, towers=("honest",)),
    Away("BTC", "ETH", "taker", "reveal", vanish=False, towers=("honest",)),
    Away("ETH", "BTC", "taker", "lock", vanish=True, towers=("honest",)),
    Away("ETH", "BTC", "maker", "lock", vanish=False, towers=("early",)),
    Away("BTC", "ETH", "maker", "lock", vanish=True, towers=("early",)),
    Away("ETH", "BTC", "maker", "lock", vanish=False, towers=("late",)),
    Away("ETH", "BTC", "maker", "lock", vanish=False, towers=("thief", "honest")),
    Away("BTC", "ETH", "maker", "lock", vanish=True, towers=("thief", "honest")),
    Away("ETH", "BTC", "maker", "lock", vanish=False, towers=("idle", "honest")),
    Away("ETH", "BTC", "maker", "lock", vanish=False, towers=("liar", "honest")),
    Away("BTC", "ETH", "maker", "lock", vanish=True, towers=("dead", "honest")),
)


class Towers:
    """Towers beside a fleet, and a client that uses them."""

    def __init__(self, fleet: AccountFleet, folder: Path) -> None:
        self.fleet, self.folder = fleet, folder
        self.towers: list[TowerProcess] = []
        self.addresses: list[str] = []

    async def add(self, mode: str, wei: int = GAS) -> TowerProcess:
        """Starts one, with so much gas. `dead` is an honest one that will be killed."""
        plain = mode in {"honest", "dead"}
        command = ("swapd", "tower") if plain else ("tests.towers.rogue", mode)
        name = f"tower{len(self.towers)}-{mode}"
        chain = self.fleet.chain_of("ETH")
        tower = TowerProcess(
            name,
            self.folder / name,
            clock=self.fleet.world.clock.path,
            party=self.fleet.world["taker"],
            command=command,
            tables=chain.tables(token=False),
        )
        self.addresses.append(await tower.start())
        self.towers.append(tower)
        await chain.anvil.give(account_of(tower), wei)
        return tower

    async def employ(self, client: str) -> None:
        """The client's daemon names all of them for both acts."""
        named = ",".join(self.addresses)
        self.fleet[client].settings |= {"towers.claims": named, "towers.refunds": named}
        await self.fleet.restart(client)

    async def close(self) -> None:
        """Ends all; daemons run without any from their next start on."""
        await dismiss(self.fleet, self.towers)

    async def until_looked(self) -> None:
        """Every tower that runs has looked at the newest blocks."""
        node = self.fleet.world["taker"].node("BTC")
        wanted = {
            "BTC": int(await node.rpc("getblockcount")),
            "ETH": await self.fleet.chain_of("ETH").anvil.height(),
        }
        for tower in self.towers:
            if tower.running:
                with trio.move_on_after(PATIENCE):
                    await tower.until(lambda tower=tower: looked(tower, wanted))  # type: ignore[misc] # a default binds it now

    async def block(self) -> None:
        """10 seconds and a block, in step with daemons, nodes and towers."""
        await self.fleet.block()
        await self.until_looked()
        await self.fleet.relay_transactions()

    def sent(self) -> list[dict[str, Any]]:
        """What towers sent that a node took."""
        events = [event for tower in self.towers for event in tower.events("tower.sent")]
        return [event for event in events if event["outcome"] == "accepted"]


def account_of(tower: TowerProcess) -> bytes:
    """Where it pays gas from, by its own log."""
    [address] = tower.events("tower.ready")[-1]["gas_accounts"].values()
    return parse_address(address)


def looked(tower: TowerProcess, wanted: dict[str, int]) -> bool:
    """Whether its last look was at these blocks."""
    looks = tower.events("tower.looked")
    if not looks or not looks[-1]["packages"]:
        return bool(looks)
    return all(height >= wanted[chain] for chain, height in looks[-1]["heights"].items())


async def play(stage: Towers, case: Away) -> tuple[str, int, int]:
    """Tells one story: how it ended for the client, the fee, and the most that was allowed. Raises
    AssertionError when anything is not as it must be."""
    fleet = stage.fleet
    for mode in case.towers:
        await stage.add(mode)
    await stage.employ(case.client)
    before = await fleet.holdings(case.client, case.asset)
    swap_id = await stories.take(fleet, case.pay, case.get)
    await _leave(stage, case, swap_id)
    for tower in stage.towers:
        if "-dead" in tower.name:
            await tower.kill()
    expiry = await stories.expiry_of(fleet, case.client, swap_id, case.leg)
    await fleet[case.client].kill()
    if case.since == "reveal":
        await fleet.chain_of("ETH").anvil.rpc("anvil_dropAllTransactions")
    if case.vanish:
        await fleet[OTHER[case.client]].kill()
        await fleet.pass_blocks_to(expiry)
    await _until_spent(stage, case)
    for name in ("maker", "taker"):
        if not fleet[name].running:
            await fleet[name].start()
    await fleet.until_ended(swap_id)
    return await _check(stage, case, swap_id, before)


async def _leave(stage: Towers, case: Away, swap_id: str) -> None:
    """Up to the moment from which the client is away, and all towers hold what they should."""
    fleet, own = stage.fleet, "p" if case.client == "maker" else "i"

    async def is_sent() -> bool:
        return (await stories.leg_of(fleet, case.client, swap_id, own))[0] != "unseen"

    await fleet.until(is_sent)
    if case.since == "reveal":
        for _ in range(MOST_BLOCKS):
            if len(stage.towers[0].kept("claim")) == 2:
                return
            await stage.block()
        raise AssertionError("the taker never revealed")
    await fleet.relay_transactions()
    with trio.fail_after(PATIENCE):
        while not await _told_right(stage, case):  # noqa: ASYNC110 - another process
            await trio.sleep(0.1)


async def _told_right(stage: Towers, case: Away) -> bool:
    """The client is told of a liar, and of nobody else."""
    told = (await stage.fleet[case.client].call("tower.list"))["towers"]
    return all(
        any("can't prove" in problem for problem in tower["problems"])
        if mode == "liar"
        else not tower["problems"] and all(package["held"] for package in tower["packages"])
        for mode, tower in zip(case.towers, told, strict=True)
    )


async def _until_spent(stage: Towers, case: Away) -> None:
    """Time goes by until some tower says that the leg is spent."""
    act = "refund" if case.vanish else "claim"
    for _ in range(MOST_BLOCKS):
        for tower in stage.towers:
            if any(event["act"] == act for event in tower.events("tower.spent")):
                return
        await stage.block()
    raise AssertionError("no tower spent the leg")


async def _check(stage: Towers, case: Away, swap_id: str, before: int) -> tuple[str, int, int]:
    fleet = stage.fleet
    assert await fleet.phase(case.client, swap_id) == case.end
    swap = await fleet.swap(case.client, swap_id)
    leg = next(each for each in swap["legs"] if each["name"] == case.leg)
    units = int(leg["amount"]["units"])
    most = units * MAX_FEE_PERCENT // 100
    moved = await fleet.holdings(case.client, case.asset) - before
    if case.vanish:
        lock = next(tx["txid"] for tx in leg["transactions"] if tx["what"] == "lock")
        fee = -moved - await fleet.fee(case.asset, lock)
    else:
        fee = units - moved
    named = {int(found) for e in stage.sent() for found in re.findall(r"a fee of (\d+)", e["what"])}
    assert 0 < fee <= most
    assert fee in named, f"paid {fee}, towers asked for {named}"
    return case.end, fee, most


def chosen(word: str) -> Sequence[Away]:
    """The cases whose name contains `word`, or one of several with bars between."""
    return [case for case in CASES if any(one in case.name for one in word.split("|"))]
