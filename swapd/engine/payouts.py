"""Payouts that no journal remembers: looked for where another life was taken over.

Owns: the searches and what they found. Must not know: what is done with the coins.

A recovery file tells open swaps. What ended ones paid to addresses of the seed, and nobody has
withdrawn, only the chain knows: that is searched for once. A swap that was open goes on, but a
claim, refund or child of it that the life before sent may be the one that was mined: its output is
searched for when the swap is over.
"""

import structlog
import trio

from protocol.assets import AssetId
from protocol.swap.machine import is_closed
from protocol.swap.states import SwapState
from swapd.engine.addresses import known_addresses
from swapd.engine.swaps import Swaps
from swapd.engine.world import World
from swapd.ports import ChainError, StoreError

log = structlog.get_logger("payouts")

LIFE = "taken-over"
"""In the store: the name of the life that was taken over last; a search is due for each."""

_SPACE = "payout"
RETRY_SECONDS = 60
PAGE = 200


async def found_payouts(world: World, asset: AssetId) -> set[str]:
    """The outputs that a search found, spent or not since."""
    prefix = f"{asset}|"
    keys = [key for key, _ in await world.store.items(_SPACE)]
    return {key.removeprefix(prefix) for key in keys if key.startswith(prefix)}


class Payouts:
    """`follow` each journalled state of a swap, and `run`."""

    def __init__(self, world: World, swaps: Swaps) -> None:
        self._world = world
        self._swaps = swaps
        self._poked = trio.Event()

    def follow(self, state: SwapState, _sequence: int) -> None:
        """A swap that another life began and this one ended is a reason to look."""
        if state.restored and is_closed(state):
            self._poked.set()

    async def run(self, life: str) -> None:
        """Searches every chain once in this `life` and after each swap of the one before; for
        ever."""
        await self._search_all([life])
        while True:
            self._poked = trio.Event()
            await self._search_all(await self._over())
            await self._poked.wait()

    async def _over(self) -> list[str]:
        """The restored swaps that are closed."""
        found: list[str] = []
        after: bytes | None = None
        while True:
            rows = await self._swaps.page(after=after, limit=PAGE)
            states = [state for state, _, _ in rows]
            over = [state for state in states if state.restored and is_closed(state)]
            found += [state.agreement.swap_id.hex() for state in over]
            if len(rows) < PAGE:
                return found
            after = states[-1].agreement.swap_id

    async def _search_all(self, reasons: list[str]) -> None:
        async with trio.open_nursery() as nursery:
            for asset in self._world.chains:
                nursery.start_soon(self._search, asset, reasons)

    async def _search(self, asset: AssetId, reasons: list[str]) -> None:
        """One search for all of `reasons` that had none on this chain; until it is done."""
        store = self._world.store
        names = [f"searched|{asset}|{reason}" for reason in reasons]
        due = [name for name in names if await store.get("meta", name) is None]
        while due:
            try:
                addresses = list(await known_addresses(self._world, asset))
                coins = await self._world.chains[asset].search(addresses) if addresses else ()
                for coin in coins:
                    await store.put(_SPACE, f"{asset}|{coin.ref}", b"1")
                for name in due:
                    await store.put("meta", name, b"1")
                due = []
                found, known = len(coins), len(addresses)
                log.info("payouts.searched", asset=asset, addresses=known, found=found)
            except (ChainError, StoreError) as error:
                log.warning("payouts.not_searched", asset=asset, reason=str(error))
                await trio.sleep(RETRY_SECONDS)
