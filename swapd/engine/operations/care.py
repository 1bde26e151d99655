"""Help in trouble, for the operator: doctor, swap.explain, swap.rescue.

Owns: those calls. Must not know: sockets, how a rescue is planned or signed.
"""

from collections.abc import Iterator, Sequence

from protocol.swap.advice import Around
from protocol.swap.states import SwapState
from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.engine.operations.context import Context
from swapd.engine.operations.examining import doctor_result, examine
from swapd.engine.operations.explaining import explanation
from swapd.engine.operations.rescuing import rescue
from swapd.engine.towers import TowerStatus


class CareOperations:
    """doctor, swap.explain, swap.rescue"""

    def __init__(self, context: Context) -> None:
        self._c = context

    async def doctor(self, params: calls.NoParams) -> calls.DoctorResult:  # noqa: ARG002 - interface
        return doctor_result(*await examine(self._c))

    async def swap_explain(self, params: calls.SwapExplainParams) -> calls.SwapExplainResult:
        state = await self._state(params.swap_id)
        return explanation(self._c.assets, state, self._around(state))

    def _around(self, state: SwapState) -> Around:
        swap_id, swaps = state.agreement.swap_id, self._c.swaps
        return Around(
            wall=self._c.world.clock.now(),
            trouble=swaps.trouble(swap_id),
            unattended=swaps.unattended().get(swap_id, ""),
            watch_only=self._c.world.mode.watch_only,
            locked=self._c.world.mode.locked,
            towers=tuple(_lacking(self._c.towers(), swap_id)),
            stand_in=tuple(_ready(self._c.towers(), swap_id)),
        )

    async def _state(self, swap_id: str) -> SwapState:
        row = await self._c.swaps.get(bytes.fromhex(swap_id))
        if row is None:
            raise ApiError(ErrorName.UNKNOWN_SWAP, f"no swap {swap_id} here")
        return row[0]

    async def swap_rescue(self, params: calls.SwapRescueParams) -> calls.SwapRescueResult:
        state, world = await self._state(params.swap_id), self._c.world
        return await rescue(
            world.store,
            world.signer,
            self._c.assets,
            state,
            keys=params.keys,
            fee_rates=params.fee_rates,
            now=max(state.now, world.clock.now()),
        )


def _lacking(towers: Sequence[TowerStatus], swap_id: bytes) -> Iterator[str]:
    """Why a tower could not stand in for us in one swap."""
    for tower in towers:
        packages = [package for package in tower.packages if package.swap_id == swap_id]
        if packages and tower.problems:
            yield f"{tower.tower.peer_id}: {tower.problems[0]}"
        elif any(not package.held for package in packages):
            yield f"{tower.tower.peer_id} has not proven that it holds what we left"


def _ready(towers: Sequence[TowerStatus], swap_id: bytes) -> Iterator[str]:
    """The towers that hold every package of one swap that we left with them."""
    for tower in towers:
        packages = [package for package in tower.packages if package.swap_id == swap_id]
        if packages and not tower.problems and all(package.held for package in packages):
            yield tower.tower.peer_id
