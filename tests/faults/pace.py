"""Owns how time passes around a swap that something is done to.

Like the fleet's own time, except that it does not wait for what cannot come: an act whose gate is
shut, a version of a transaction that another one has replaced, a node that is cut off.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

import trio

from tests.daemons.fleet import BLOCK_SECONDS, Fleet

PATIENCE: Final = 8.0
"""Seconds for which a daemon is waited for that seems to owe something."""

MEND_BLOCKS: Final = 8
"""So many blocks after a reorganisation no node calls the old branch a competing one any more."""

_POLL: Final = 0.03
_ROUNDS: Final = 5
_GATED: Final = frozenset({"agreed", "locking", "locked"})
_RIVALS: Final = (frozenset({"lock", "kill"}), frozenset({"claim", "refund"}))


async def settle(
    fleet: Fleet, *, patience: float = PATIENCE, blind: Collection[str] = ()
) -> list[str]:
    """Waits until every daemon but the `blind` ones has seen what the chains say and owes nothing.
    What was still missing when it took longer than `patience`; nothing, otherwise."""
    missing: list[str] = []
    with trio.move_on_after(patience):
        # Daemons and nodes have to agree, and no single event tells that they do.
        while missing := await _missing(fleet, blind):  # noqa: ASYNC110 - see above
            await trio.sleep(_POLL)
    return missing


async def _missing(fleet: Fleet, blind: Collection[str]) -> list[str]:
    """What the daemons still have to see or do, a few words each."""
    running = [d for d in fleet.daemons.values() if d.running and d.name not in blind]
    told = {daemon.name: await fleet.open_swaps(daemon) for daemon in running}
    locked = {
        (swap["summary"]["swap_id"], leg["name"])
        for swaps in told.values()
        for swap in swaps
        for leg in swap["legs"]
        if leg["outpoint"] is not None and leg["depth"] > 0
    }
    found = []
    for name, swaps in told.items():
        for swap in swaps:
            if swap["next_actor"] == "us" and not _is_gated(swap):
                found.append(f"{name}: {swap['next_action']}")
            for leg in swap["legs"]:
                key = swap["summary"]["swap_id"], leg["name"]
                if leg["outpoint"] is None and key in locked:
                    found.append(f"{name}: lock {leg['name']}")
                found += [f"{name}: {tx}" for tx in await _stale(fleet, leg)]
    return found


def _is_gated(swap: dict[str, Any]) -> bool:
    """A daemon that has a reason not to trust its nodes neither locks nor reveals; and nobody can
    claim a lock that has left its chain."""
    if swap["summary"]["phase"] in _GATED:
        return bool(swap["warnings"])
    return any(leg["outpoint"] is None for leg in swap["legs"] if not leg["ours"])


async def _stale(fleet: Fleet, leg: dict[str, Any]) -> list[str]:
    """The transactions of a leg on which a daemon's word is not what the chain says."""
    found = []
    seen = {tx["what"] for tx in leg["transactions"] if tx["depth"] is not None}
    for tx in leg["transactions"]:
        what = f"{tx['what']} {tx['txid'][:8]} at {tx['depth']}"
        if tx["depth"] is None:
            rivals = next(group for group in _RIVALS if tx["what"] in group)
            orphan = "claim" in rivals and leg["outpoint"] is None
            if tx["ours"] and not seen & rivals and not orphan:
                found.append(what)
        elif await fleet.depth(tx["ticker"], tx["txid"]) != tx["depth"]:
            found.append(what)
    return found


async def relay(fleet: Fleet) -> None:
    """Lets the nodes pass on what the daemons made, as far as the miner wants it."""
    for _ in range(_ROUNDS):
        if not await _unheard(fleet):
            return
        # Nodes pass transactions on by their clock.
        await fleet.world.clock.advance(1)
        await trio.sleep(0.05)


async def _unheard(fleet: Fleet) -> list[str]:
    """Unconfirmed transactions of the daemons that the miner does not have."""
    made = {
        (tx["ticker"], tx["txid"])
        for daemon in fleet.daemons.values()
        if daemon.running
        for swap in await fleet.open_swaps(daemon)
        for leg in swap["legs"]
        for tx in leg["transactions"]
        if tx["depth"] == 0
    }
    return [txid for chain, txid in sorted(made) if await fleet.depth(chain, txid) is None]


Hook = Callable[[], Awaitable[object]]


async def _nothing() -> None:
    """No hook."""


async def block(fleet: Fleet, *, patience: float = PATIENCE, before: Hook = _nothing) -> None:
    """10 seconds and a block on both chains, daemons and nodes in step before and after. `before`
    is done last, just before the blocks."""
    await settle(fleet, patience=patience)
    await relay(fleet)
    await settle(fleet, patience=patience)
    await before()
    await fleet.world.pass_time(BLOCK_SECONDS)
    await settle(fleet, patience=patience)


async def pass_to(fleet: Fleet, when: int) -> None:
    """Many blocks at once, up to unix time `when`: for a time in which nobody has to act."""
    await settle(fleet)
    await relay(fleet)
    left = when - fleet.world.clock.now()
    if left > 0:
        await fleet.world.pass_time(left)
    await settle(fleet)


async def until(
    fleet: Fleet,
    wanted: Callable[[], Awaitable[bool]],
    *,
    blocks: int = 30,
    patience: float = PATIENCE,
    before: Hook = _nothing,
) -> None:
    """Lets blocks pass until `wanted`. Raises AssertionError when it isn't after so many."""
    await settle(fleet, patience=patience)
    for _ in range(blocks):
        if await wanted():
            return
        await block(fleet, patience=patience, before=before)
    assert await wanted(), f"not within {blocks} blocks: {await fleet.where()}"


async def until_ended(
    fleet: Fleet,
    swap_id: str,
    *,
    blocks: int,
    patience: float = PATIENCE,
    before: Hook = _nothing,
) -> None:
    """Lets blocks pass until a swap has ended for every running daemon."""

    async def ended() -> bool:
        running = [daemon for daemon in fleet.daemons.values() if daemon.running]
        found = [swap for daemon in running for swap in await fleet.open_swaps(daemon)]
        return swap_id not in {swap["summary"]["swap_id"] for swap in found}

    await until(fleet, ended, blocks=blocks, patience=patience, before=before)


async def calm(fleet: Fleet) -> None:
    """After a case: enough blocks that nobody doubts the chains any more."""
    await fleet.world.pass_time(MEND_BLOCKS * BLOCK_SECONDS)
