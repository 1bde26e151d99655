"""Swaps for the operator: list, get, wait, cancel.

Owns: those calls. Must not know: how a swap runs, sockets.
"""

import trio

from protocol.swap.explain import Phase, phase_of
from protocol.swap.states import SwapState
from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.api.paging import page as paged
from swapd.api.values import SwapDetail
from swapd.engine.operations.context import Context

CANCELLABLE = frozenset({Phase.AGREED, Phase.LOCKING})
"""While our own lock is not confirmed."""


class SwapOperations:
    """swap.*"""

    def __init__(self, context: Context) -> None:
        self._c = context

    async def swap_list(self, params: calls.SwapListParams) -> calls.SwapListResult:
        if params.open_only:
            return await self._list_open(params)
        after = _cursor(params.cursor)
        rows = await self._c.swaps.page(after=after, limit=params.limit + 1)
        page = rows[: params.limit]
        more = len(rows) > params.limit
        return calls.SwapListResult(
            swaps=tuple(self._c.views.summary(*row) for row in page),
            sequence=self._c.swap_events.sequence,
            next_cursor=page[-1][0].agreement.swap_id.hex() if more else None,
        )

    async def _list_open(self, params: calls.SwapListParams) -> calls.SwapListResult:
        states = [state for state in self._c.swaps.open() if state.outcome is None]
        newest_first = [state.agreement.swap_id for state in reversed(states)]
        sequence = self._c.swap_events.sequence
        shown, cursor = paged(newest_first, bytes.hex, params.cursor, params.limit)
        found = [await self._c.swaps.get(swap_id) for swap_id in shown]
        return calls.SwapListResult(
            swaps=tuple(self._c.views.summary(*row) for row in found if row is not None),
            sequence=sequence,
            next_cursor=cursor,
        )

    async def swap_get(self, params: calls.SwapGetParams) -> calls.SwapGetResult:
        return calls.SwapGetResult(swap=await self._detail(bytes.fromhex(params.swap_id)))

    async def swap_wait(self, params: calls.SwapWaitParams) -> calls.SwapWaitResult:
        swap_id = bytes.fromhex(params.swap_id)

        def is_reached(detail: SwapDetail) -> bool:
            if params.after_sequence is not None:
                return detail.summary.sequence > params.after_sequence
            return detail.summary.phase.ended

        with trio.move_on_after(params.timeout_seconds):
            while True:
                seen = self._c.swap_events.sequence
                detail = await self._detail(swap_id)
                if is_reached(detail):
                    return calls.SwapWaitResult(swap=detail, reached=True)
                await self._c.swap_events.wait_beyond(seen)
        return calls.SwapWaitResult(swap=await self._detail(swap_id), reached=False)

    async def swap_cancel(self, params: calls.SwapCancelParams) -> calls.SwapCancelResult:
        swap_id = bytes.fromhex(params.swap_id)
        state, sequence, at = await self._row(swap_id)
        if phase_of(state) not in CANCELLABLE:
            if state.outcome is not None:
                message, remedy = f"the swap has ended: {phase_of(state).value}", "see `swap.get`"
                raise ApiError(ErrorName.SWAP_NOT_CANCELLABLE, message, remedy=remedy)
            message = f"the swap is {phase_of(state).value}: it goes on by itself"
            raise ApiError(ErrorName.SWAP_NOT_CANCELLABLE, message)
        self._c.swaps.cancel(swap_id)
        with trio.move_on_after(10):
            while True:
                seen = self._c.swap_events.sequence
                state, sequence, at = await self._row(swap_id)
                if state.cancelled or phase_of(state) not in CANCELLABLE:
                    break
                await self._c.swap_events.wait_beyond(seen)
        return calls.SwapCancelResult(swap=self._c.views.summary(state, sequence, at))

    async def _row(self, swap_id: bytes) -> tuple[SwapState, int, int]:
        row = await self._c.swaps.get(swap_id)
        if row is None:
            raise ApiError(ErrorName.UNKNOWN_SWAP, f"no swap {swap_id.hex()} here")
        return row

    async def _detail(self, swap_id: bytes) -> SwapDetail:
        state, sequence, at = await self._row(swap_id)
        now = max(state.now, self._c.world.clock.now())
        trouble = self._c.swaps.trouble(swap_id)
        return self._c.views.detail(state, sequence, at, now=now, trouble=trouble)


def _cursor(cursor: str | None) -> bytes | None:
    if cursor is None:
        return None
    try:
        swap_id = bytes.fromhex(cursor)
    except ValueError:
        swap_id = b""
    if len(swap_id) != 32:
        raise ApiError(ErrorName.CURSOR_INVALID, f"{cursor[:80]!r} is not a cursor of swap.list")
    return swap_id
