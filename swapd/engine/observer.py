"""Looks at both chains of a swap: ports in, one `Observed` event out.

Owns: watching, combining views, what to believe while a node does not answer.
Must not know: what is decided from a view.
"""

import msgspec
import structlog
import trio

from protocol.swap import troubles
from protocol.swap.events import Observed
from protocol.swap.facts import ChainView
from protocol.swap.reading import lock_gate, signed_lock, view_of
from protocol.swap.states import SwapState, Unknown
from protocol.swap.trimming import trimmed, with_shown
from protocol.terms import LegName, own_leg
from swapd.engine.world import World
from swapd.ports import Chain, ChainError, LegWatch

log = structlog.get_logger(__name__)

VIEW_SECONDS = 120
"""A node that has not answered for so long is treated as unreachable."""

STALE_SECONDS = 30
"""Views that took longer to get are too old to lock or reveal by: one chain may have moved while
the other one was asked (rule 9)."""

MAX_PROBLEM = 300
"""Characters of a node's own words."""

_NOTHING = ChainView(0, "", 0, 0, 0, 0)


def watch_id(state: SwapState, leg: LegName) -> str:
    """The name under which a chain watches one leg of one swap."""
    return f"{state.agreement.swap_id.hex()}:{leg.value}"


class Observer:
    """The eyes of one swap."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._seen: dict[LegName, ChainView] = {}

    def chain(self, state: SwapState, leg: LegName) -> Chain:
        """The chain of a leg."""
        return self._world.chains[state.agreement.terms.leg(leg).amount.asset]

    def watch(self, state: SwapState) -> None:
        """Tells both chains what to look for; repeat after our lock was signed."""
        for leg in LegName:
            lock = signed_lock(state) if leg is own_leg(state.agreement.role) else None
            self.chain(state, leg).watch(
                LegWatch(
                    watch_id=watch_id(state, leg),
                    leg=state.agreement.terms.leg(leg),
                    hashlock=state.agreement.terms.hashlock,
                    since_height=state.agreement.since(leg),
                    own_inputs=tuple(coin.ref for coin in lock.coins) if lock else (),
                    deadline=lock_gate(state) if lock else 0,
                )
            )

    def unwatch(self, state: SwapState) -> None:
        """The swap is closed."""
        for leg in LegName:
            self.chain(state, leg).unwatch(watch_id(state, leg))

    async def look(self, state: SwapState) -> Observed:
        """Fresh facts of both legs. Never raises ChainError: a chain that can't be asked keeps its
        last view with that as a problem, which closes every gate but stops no claim or refund."""
        views: dict[LegName, ChainView] = {}

        async def one(leg: LegName) -> None:
            views[leg] = await self._view(state, leg)

        started = trio.current_time()
        async with trio.open_nursery() as nursery:
            for leg in LegName:
                nursery.start_soon(one, leg)
        took = trio.current_time() - started
        if took > STALE_SECONDS:
            problem = f"a node took {took:.0f} s to answer: {troubles.TOO_SLOW}"
            views = {leg: _with_problem(view, problem) for leg, view in views.items()}
        now = self._world.clock.now()
        looked = Observed(now, views[LegName.I], views[LegName.P], before=state.now)
        return self._held_back(state, looked)

    def _held_back(self, state: SwapState, looked: Observed) -> Observed:
        """Until a watchtower has what it needs, no lock and no secret of ours leaves: that closes
        the gates like any other problem of our own chain."""
        reason = self._world.towers.hold_back(state, looked)
        if not reason:
            return looked
        if own_leg(state.agreement.role) is LegName.I:
            return msgspec.structs.replace(looked, view_i=_with_problem(looked.view_i, reason))
        return msgspec.structs.replace(looked, view_p=_with_problem(looked.view_p, reason))

    async def _view(self, state: SwapState, leg: LegName) -> ChainView:
        chain = self.chain(state, leg)
        try:
            with trio.fail_after(VIEW_SECONDS):
                view = await chain.view(watch_id(state, leg))
        except (ChainError, trio.TooSlowError) as error:
            reason = str(error) or "no answer"
            log.warning("swap.node_unreachable", chain=chain.ticker, reason=reason)
        except Exception as error:
            # A bug in reading one chain must not keep us from acting on the other one.
            reason = repr(error)
            log.exception("swap.view_failed", chain=chain.ticker)
        else:
            return self._remembered(state, leg, view)
        last = self._seen.get(leg) or view_of(state, leg) or _NOTHING
        problem = f"the {chain.ticker} node {troubles.CANT_BE_ASKED}: {reason[:MAX_PROBLEM]}"
        return msgspec.structs.replace(last, problems=(problem,))

    def _remembered(self, state: SwapState, leg: LegName, view: ChainView) -> ChainView:
        """The part of `view` that this swap keeps. The node may show a claim only once: until the
        swap has written its preimage down, it is shown to it at every look."""
        if isinstance(state.secret, Unknown) and leg is own_leg(state.agreement.role):
            view = with_shown(view, self._seen.get(leg))
        self._seen[leg] = trimmed(view, state, leg)
        return self._seen[leg]


def _with_problem(view: ChainView, problem: str) -> ChainView:
    return msgspec.structs.replace(view, problems=(*view.problems, problem))
