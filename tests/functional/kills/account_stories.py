"""Owns what only a chain of accounts does to a swap, told so that either side may die anywhere in
it, and which stories are told of which pair.

Must not know: which points there are.
"""

from typing import Final

from tests.daemons.accounts import COINS
from tests.daemons.mortal import Kills, MortalAccounts, MortalFleet
from tests.functional.accounts import Balances
from tests.functional.kills.stories import (
    KILL,
    NO_GIFT,
    STORIES,
    Story,
    agree,
    block_without,
    cancel,
    finish,
    moment,
    until_leg,
)

STUCK_BLOCKS: Final = 6
"""By then a claim was made dearer: each version is given some blocks."""


def _of_accounts(fleet: MortalFleet) -> tuple[str, str, str]:
    """Who locks on a chain of accounts, in which leg, and what its gas is paid in: the taker's
    where both legs are on one."""
    assert isinstance(fleet, MortalAccounts)
    for asset, name, leg in zip(fleet.deal, ("taker", "maker"), "ip", strict=True):
        if asset in COINS:
            return name, leg, COINS[asset]
    raise AssertionError(f"no chain of accounts in {fleet.deal}")


async def lock_outrun(fleet: MortalFleet, kills: Kills) -> Balances:
    """Gas climbs so that no block takes a lock until its gate has closed."""
    swap_id = await agree(fleet)
    name, leg, coin = _of_accounts(fleet)
    await until_leg(fleet, name, swap_id, leg, "unconfirmed")
    gate = moment(await fleet.swap(name, swap_id), f"lock_gate_{leg}")
    fleet.arm(kills)
    while fleet.world.clock.now() < gate:
        await block_without(fleet, coin)
    await finish(fleet)
    return NO_GIFT


async def claim_outrun(fleet: MortalFleet, kills: Kills) -> Balances:
    """Gas climbs so that no block takes a claim for a while."""
    swap_id = await agree(fleet)
    _, _, coin = _of_accounts(fleet)
    await until_leg(fleet, "taker", swap_id, "p", "claimed")
    await fleet.relay_transactions()
    await fleet.settle()
    fleet.arm(kills)
    for _ in range(STUCK_BLOCKS):
        await block_without(fleet, coin)
    await finish(fleet)
    return NO_GIFT


async def called_off(fleet: MortalFleet, kills: Kills) -> Balances:
    """The operator of who locks on a chain of accounts wants out while that lock waits."""
    swap_id = await agree(fleet)
    name, leg, _ = _of_accounts(fleet)
    await until_leg(fleet, name, swap_id, leg, "unconfirmed")
    fleet.arm(kills)
    await cancel(fleet, name, swap_id)
    await finish(fleet)
    return NO_GIFT


_LOCK: Final = ("BuildLock", "LockBuilt", "BroadcastLock")
_CLAIM: Final = ("BuildClaim", "ClaimBuilt", "BroadcastClaim")
_CALLED_OFF: Final = ("CancelRequested", *KILL)

_SHARED: Final = ("happy", "refund", "cancelled by the taker", "the taker's lock falls out")
_PAYS_ACCOUNTS: Final = (
    # Its gate is a few blocks away: it is sent again, and no dearer version gets its turn.
    Story("gas outruns the taker's lock", lock_outrun, {"taker": ("BroadcastLock",)}),
    Story("gas outruns the maker's claim", claim_outrun, {"maker": _CLAIM}),
)
_SELLS_ACCOUNTS: Final = (
    Story("gas outruns the maker's lock", lock_outrun, {"maker": _LOCK}),
    Story("gas outruns the taker's claim", claim_outrun, {"taker": _CLAIM}),
    Story("called off by the maker", called_off, {"maker": _CALLED_OFF}),
)

BY_NAME: Final = {story.name: story for story in (*STORIES, *_PAYS_ACCOUNTS, *_SELLS_ACCOUNTS)}
"""Every story there is."""

_NO_CHILD: Final = "only where nodes do not replace is anything lifted: on Litecoin"
_ONE_LOCK: Final = "the maker has no lock on a chain of accounts that could be called off"


def stories_of(pair: tuple[str, str] | None) -> list[str]:
    """The names of what is told of a pair (taker pays, maker sells); None: of BTC and LTC."""
    if pair is None:
        return [story.name for story in STORIES]
    more = _PAYS_ACCOUNTS if pair[0] in COINS else _SELLS_ACCOUNTS
    return [*_SHARED, *(story.name for story in more)]


def out_of_reach(pair: tuple[str, str] | None) -> dict[tuple[str, str], str]:
    """(party, name of an event or effect): why no story of the pair gets there."""
    if pair is None:
        return {}
    child = ("BuildChild", "ChildBuilt", "BroadcastChild")
    found = {(party, name): _NO_CHILD for party in ("taker", "maker") for name in child}
    if pair[0] in COINS:
        found |= {("maker", name): _ONE_LOCK for name in _CALLED_OFF}
    return found
