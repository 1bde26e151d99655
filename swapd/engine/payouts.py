"""Payouts that no journal remembers: looked for once, after another life was taken over.

Owns: the search and what it found. Must not know: what is done with the coins.

A recovery file tells open swaps. What ended ones paid to addresses of the seed, and nobody has
withdrawn, only the chain knows.
"""

import structlog
import trio

from protocol.assets import AssetId
from swapd.engine.addresses import known_addresses
from swapd.engine.world import World
from swapd.ports import ChainError, StoreError

log = structlog.get_logger("payouts")

LIFE = "taken-over"
"""In the store: the name of the life that was taken over last; a search is due for each."""

_SPACE = "payout"
RETRY_SECONDS = 60


async def found_payouts(world: World, asset: AssetId) -> set[str]:
    """The outputs that a search found, spent or not since."""
    prefix = f"{asset}|"
    keys = [key for key, _ in await world.store.items(_SPACE)]
    return {key.removeprefix(prefix) for key in keys if key.startswith(prefix)}


async def search_all(world: World, life: str) -> None:
    """Searches every chain once in this `life`; until all are done."""
    async with trio.open_nursery() as nursery:
        for asset in world.chains:
            nursery.start_soon(_search, world, asset, life)


async def _search(world: World, asset: AssetId, life: str) -> None:
    done = f"searched|{asset}|{life}"
    while await world.store.get("meta", done) is None:
        try:
            addresses = list(await known_addresses(world, asset))
            coins = await world.chains[asset].search(addresses) if addresses else ()
            for coin in coins:
                await world.store.put(_SPACE, f"{asset}|{coin.ref}", b"1")
            await world.store.put("meta", done, b"1")
            log.info("payouts.searched", asset=asset, addresses=len(addresses), found=len(coins))
        except (ChainError, StoreError) as error:
            log.warning("payouts.not_searched", asset=asset, reason=str(error))
            await trio.sleep(RETRY_SECONDS)
