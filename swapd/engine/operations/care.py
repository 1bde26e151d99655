"""Help in trouble, for the operator: swap.rescue.

Owns: those calls. Must not know: sockets, how a rescue is planned or signed.
"""

from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.engine.operations.context import Context
from swapd.engine.operations.rescuing import rescue


class CareOperations:
    """swap.rescue"""

    def __init__(self, context: Context) -> None:
        self._c = context

    async def swap_rescue(self, params: calls.SwapRescueParams) -> calls.SwapRescueResult:
        row = await self._c.swaps.get(bytes.fromhex(params.swap_id))
        if row is None:
            raise ApiError(ErrorName.UNKNOWN_SWAP, f"no swap {params.swap_id} here")
        world = self._c.world
        return await rescue(
            world.store,
            world.signer,
            self._c.assets,
            row[0],
            keys=params.keys,
            fee_rates=params.fee_rates,
            now=max(row[0].now, world.clock.now()),
        )
