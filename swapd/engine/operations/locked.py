"""A locked daemon for the operator: what it shows, and `unlock`.

Owns: which calls there are without a seed, and the refusal of all others. Must not know: how a seed
is opened (it is given a function), sockets.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import trio
from msgspec import Struct

from protocol.swap import explain
from protocol.swap.pending import next_deadline
from swapd.api import calls
from swapd.api.errors import ApiError, ErrorName
from swapd.api.table import API_VERSION, METHODS
from swapd.engine.mode import LOCKED
from swapd.engine.operations.alarms import severity_of, views
from swapd.engine.operations.all import EngineOperations
from swapd.engine.operations.context import Context
from swapd.engine.operations.node import chain_health, chain_problem, stop_swap

Opener = Callable[[str], Awaitable[bool]]
"""Tries a passphrase; False for a wrong one. After True the daemon is about to be a whole one."""

ALLOWED: Final = frozenset(
    {
        "getinfo", "health", "alarm_list", "swap_list", "swap_get", "swap_wait", "swap_explain",
        "stop", "unlock",
    }
)  # fmt: skip
"""The others need keys, the market, or would promise something."""

WHERE: Final = "daemon"


class LockedOperations(EngineOperations):
    """`context` has a locked world; its market, offers and taker are never used."""

    def __init__(self, context: Context, opener: Opener) -> None:
        super().__init__(context)
        self._opener = opener
        self._opening = trio.Lock()

    async def getinfo(self, params: calls.NoParams) -> calls.GetInfoResult:  # noqa: ARG002 - interface
        c = self._c
        return calls.GetInfoResult(
            version=c.version,
            api_version=API_VERSION,
            network=c.network,
            state=c.state(),
            now=c.world.clock.now(),
            started_at=c.started_at,
            maker_key="",
            peer_id="",
            listen=(),
            peers=0,
            assets=c.assets.assets,
            open_swaps=len(c.swaps.open()),
            own_offers=0,
            book_offers=0,
            warnings=(LOCKED,),
        )

    async def health(self, params: calls.NoParams) -> calls.HealthResult:  # noqa: ARG002 - interface
        c = self._c
        remedy = "`unlock` it before the deadlines of its swaps"
        problems = [calls.Problem(where=WHERE, what=LOCKED, remedy=remedy)]
        chains = [await chain_health(chain) for chain in c.world.chains.values()]
        problems += [chain_problem(health, what) for health in chains for what in health.problems]
        swaps = c.swaps.open()
        moments = [moment for state in swaps if (moment := next_deadline(state)) is not None]
        return calls.HealthResult(
            healthy=False,
            severity=severity_of(c.board, tuple(problems)),
            problems=tuple(problems),
            alarms=views(c.board.holding()),
            chains=tuple(chains),
            network_up=False,
            peers=0,
            open_swaps=len(swaps),
            next_deadline=min(moments, default=None),
            safe_unattended_until=min(
                (explain.summarise(state).safe_until for state in swaps), default=None
            ),
        )

    async def stop(self, params: calls.StopParams) -> calls.StopResult:  # noqa: ARG002 - interface
        swaps = tuple(stop_swap(state) for state in self._c.swaps.open())
        return calls.StopResult(offers_withdrawn=0, open_swaps=swaps)

    async def unlock(self, params: calls.UnlockParams) -> calls.UnlockResult:
        async with self._opening:
            if not await self._opener(params.passphrase):
                raise ApiError(ErrorName.WRONG_PASSPHRASE, "this is not the seed's passphrase")
        return calls.UnlockResult(was_locked=True)


async def _refuse(_self: LockedOperations, _params: Struct) -> Struct:
    raise ApiError(ErrorName.DAEMON_LOCKED, LOCKED)


for _method in METHODS.values():
    if not _method.local and _method.attribute not in ALLOWED:
        setattr(LockedOperations, _method.attribute, _refuse)
