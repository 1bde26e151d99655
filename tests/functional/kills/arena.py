"""Owns one world in which runs are played one after the other, and what must be true after each.

Must not know: which runs there are, how results are shown.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from tests.daemons.mortal import MortalAccounts, MortalFleet
from tests.functional import accounts
from tests.functional.kills.account_stories import BY_NAME
from tests.functional.kills.plan import Cell, Run
from tests.functional.kills.points import PARTIES
from tests.nodes import World

COINS: Final = 12
COIN: Final = {"BTC": 100_000_000, "LTC": 2_000_000_000}
QUICK_MS: Final = "100"
PATIENCE_SECONDS: Final = 30
"""Of real time: a loaded machine must not pass over what a story waits for."""

FINE: Final = {
    ("completed", "completed"),
    ("refunded", "refunded"),
    ("never_funded", "refunded"),
    ("refunded", "never_funded"),
    ("never_funded", "never_funded"),
}
"""Ends of (maker, taker) in which nobody lost a leg."""

SEARCH_SECONDS: Final = 20

NO_SWAP: Final = "no swap"
"""Of a daemon that died before it had written a swap down: it has nothing to end."""

NOT_PASSED: Final = "not passed"


async def swaps_of(fleet: MortalFleet, name: str) -> set[str]:
    """The ids of all swaps that a daemon ever had."""
    found, more = set[str](), dict[str, str]()
    while True:
        page = await fleet[name].call("swap.list", limit=200, **more)
        found |= {row["swap_id"] for row in page["swaps"]}
        if page["next_cursor"] is None:
            return found
        more = {"cursor": page["next_cursor"]}


async def play(fleet: MortalFleet, run: Run) -> dict[Cell, str]:
    """Tells the story with the run's kills; how each dead party's swap ended. Raises AssertionError
    when somebody lost a leg, or a balance is not exact to the fee."""
    story, kills = BY_NAME[run.story], run.kills()
    old = {name: await swaps_of(fleet, name) for name in PARTIES}
    before = await accounts.balances(fleet)
    try:
        gifts = await story.tale(fleet, kills)
        assert not fleet.away, f"never fetched: {fleet.away}"
        new = {name: await swaps_of(fleet, name) - old[name] for name in PARTIES}
        ends = {name: await _end(fleet, name, new[name]) for name in PARTIES}
        _check_ends(ends, forgets=fleet.loses_machines)
        await _check_books(fleet, before, new["maker"] | new["taker"], gifts)
    finally:
        # What was passed is asked for after this: only the kills are taken back.
        fleet.spare()
    await fleet["maker"].call("offer.cancel", every=True)
    found = dict[Cell, str]()
    for party, planned in kills.items():
        cells = [cell for cell in run.cells if cell.party == party]
        for cell, kill in zip(cells, planned, strict=True):
            found[cell] = ends[party] if kill in fleet.killed[party] else NOT_PASSED
    return found


async def _check_books(
    fleet: MortalFleet, before: accounts.Balances, swaps: set[str], gifts: accounts.Balances
) -> None:
    """What a lost machine had sent is searched for once the swap is over: a moment later."""
    with trio.move_on_after(SEARCH_SECONDS if fleet.loses_machines else 0):
        while True:
            try:
                return await accounts.check(fleet, before, *swaps, gifts=gifts)
            except AssertionError:
                await trio.sleep(0.2)
    return await accounts.check(fleet, before, *swaps, gifts=gifts)


async def _end(fleet: MortalFleet, name: str, swaps: set[str]) -> str:
    assert len(swaps) <= 1, f"{name} has {len(swaps)} new swaps"
    for swap_id in swaps:
        return await fleet.phase(name, swap_id)
    return NO_SWAP


def _check_ends(ends: dict[str, str], *, forgets: bool) -> None:
    """`forgets`: a lost machine may have left no word of a swap in which it had locked nothing."""
    if forgets:
        ends = {name: "never_funded" if end == NO_SWAP else end for name, end in ends.items()}
    found = (ends["maker"], ends["taker"])
    without = {NO_SWAP, "never_funded"}
    assert found in FINE or (NO_SWAP in found and set(found) <= without), f"(maker, taker): {found}"


class Arena:
    """A world with a maker and a taker. A daemon that a failed run left with an open swap begins
    anew."""

    def __init__(
        self,
        folder: Path | None = None,
        *,
        pair: tuple[str, str] | None = None,
        loses_machines: bool = False,
    ) -> None:
        """`pair`: what the taker pays and the maker sells, one on a chain of accounts at least."""
        if pair is None:
            self.fleet: MortalFleet = MortalFleet(World(PARTIES, folder=folder), PARTIES)
        else:
            self.fleet = MortalAccounts.of(pair, parties=PARTIES)
            self.fleet.patience = PATIENCE_SECONDS
        for chain in self.fleet.world.chains:
            self.fleet.configure(f"chains.{chain.lower()}.mempool_poll_ms", QUICK_MS)
        self.fleet.loses_machines = loses_machines

    async def open(self) -> None:
        """Starts everything."""
        await self.fleet.begin()
        for name in PARTIES:
            await self._fund_anew(name)
        await self.fleet.start()

    async def close(self) -> None:
        """Ends everything."""
        await self.fleet.end()

    async def _fund_anew(self, name: str) -> None:
        await self.fleet.world[name].new_wallet()
        for chain in self.fleet.world.chains:
            await self.fleet.world.fund(name, chain, COINS, COIN[chain])

    async def play(self, run: Run) -> dict[Cell, str]:
        """As `play`."""
        return await play(self.fleet, run)

    def passed(self) -> dict[str, Sequence[str]]:
        """The points of the last run, by party."""
        return {name: self.fleet.passed(name) for name in PARTIES}

    def tails(self) -> str:
        """The ends of the daemons' logs."""
        fleet = self.fleet
        return "\n".join(f"--- {name}\n{fleet[name].tail(40)}" for name in PARTIES)
