"""Owns what is done to the chains of a world: branches of every content, and who mines them.

Knows nodes only.
"""

import enum
from collections.abc import Sequence

from tests.nodes import Chain, World
from tests.nodes.world import BLOCK_SECONDS


class Branch(enum.StrEnum):
    """What the other branch holds of what the old one held."""

    EMPTY = "left out"
    SAME = "mined again at once"


async def block(world: World, chain: Chain, transactions: Sequence[str] = ()) -> str:
    """The clock goes on, and the funder mines a block of just these transactions (raw or ids)."""
    await world.clock.advance(BLOCK_SECONDS)
    miner = world.funder.node(chain)
    made = await miner.rpc("generateblock", await miner.nobody(), list(transactions))
    return str(made["hash"])


async def invalidate(world: World, chain: Chain, depth: int) -> str:
    """The funder alone goes back `depth` blocks; the hash to give to `reconsiderblock`."""
    miner = world.funder.node(chain)
    height = await miner.rpc("getblockcount")
    first = str(await miner.rpc("getblockhash", height - depth + 1))
    await miner.rpc("invalidateblock", first)
    return first


async def reorganise(
    world: World, chain: Chain, depth: int, branch: Branch, *, instead: Sequence[str] = ()
) -> None:
    """Replaces the last `depth` blocks by one more. The first of them holds the raw transactions
    `instead`; what the old blocks held goes back to the mempools where it is still valid."""
    miner = world.funder.node(chain)
    first = await invalidate(world, chain, depth)
    for index in range(depth + 1):
        held: list[str] = list(instead) if index == 0 else []
        if branch is Branch.SAME:
            held += [str(txid) for txid in await _parents_first(world, chain)]
        await block(world, chain, held)
    await miner.rpc("reconsiderblock", first)
    await world.agree(chain)


async def _parents_first(world: World, chain: Chain) -> list[str]:
    miner = world.funder.node(chain)
    pool = await miner.rpc("getrawmempool", True)
    return sorted(pool, key=lambda txid: (pool[txid]["ancestorcount"], txid))
