"""Whether towers hold what they should before our lock or our preimage leaves.

Owns: the question, asked at each look at a swap. Must not know: towers; without any it never holds
anything back.
"""

from collections.abc import Callable

from protocol.swap.events import Observed
from protocol.swap.states import SwapState

Check = Callable[[SwapState, Observed], str]


class TowerGate:
    """Asks whoever guards it."""

    def __init__(self) -> None:
        self._check: Check | None = None

    def guard(self, check: Check) -> None:
        """From now on `check` decides."""
        self._check = check

    def hold_back(self, state: SwapState, looked: Observed) -> str:
        """Why nothing of ours may leave by what was just seen; empty when it may."""
        return "" if self._check is None else self._check(state, looked)
