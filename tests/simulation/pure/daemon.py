"""One daemon of the world: its clock, wallet, nodes and disk, and the troubles they have.

Owns: `Daemon`: when it is up, what its nodes are worth, which coins are promised, crashes at any
write or effect. Must not know: what a swap decides (`side`), chains' rules.
"""

from collections.abc import Hashable
from random import Random
from typing import TYPE_CHECKING

from protocol.swap.pending import holds_coins
from protocol.swap.reading import signed_lock

if TYPE_CHECKING:
    from tests.simulation.pure.account_nonces import Nonces
    from tests.simulation.pure.side import Side
    from tests.simulation.pure.world import World


class Crash(Exception):
    """The process ends here."""


class StoreFull(Exception):
    """Nothing can be written."""


class NodeError(Exception):
    """The node did not do what was asked."""


LOST, OLD = "on another machine", "from an old backup"


class Daemon:
    """`forgets` is what its next start goes on from: LOST, OLD, or empty: the newest journal.
    `offset` is its clock's error in seconds, `trouble` by family "problem", "stale" or "error"
    while a node has it, `latency` seconds from an event on a chain to a look at it."""

    def __init__(self, world: "World", name: str, offset: int, latency: int) -> None:
        self.world = world
        self.name = name
        self.offset = offset
        self.latency = latency
        self.sides: list[Side] = []
        self.coins: dict[str, list[str]] = {}
        self.nonces: dict[tuple[str, str], Nonces] = {}
        self.trouble: dict[str, str] = {}
        self.is_up = True
        self.disk_full = False
        self.forgets = ""
        self.losses = Random(f"losses {world.setting.seed} {name}")
        self._points_left = -1

    @property
    def wallet(self) -> Hashable:
        """The script of its node's wallet."""
        return ("wallet", self.name)

    @property
    def seed(self) -> Hashable:
        """The script that its claims and refunds pay."""
        return ("seed", self.name)

    @property
    def wall(self) -> int:
        """What its clock shows."""
        return self.world.work.now + self.offset

    def point(self) -> None:
        """A place where the process may die."""
        if self._points_left >= 0:
            self._points_left -= 1
            if self._points_left < 0:
                raise Crash

    def arm(self, points: int) -> None:
        """It dies after so many more points."""
        self._points_left = points

    def crash(self, seconds: int, why: str = "crash") -> None:
        """Down now; up again in so many seconds, from what is on disk."""
        if not self.is_up:
            return
        self._points_left = -1
        self.is_up = False
        self.world.tell(f"{self.name} is down ({why}) for {seconds} s")
        self.world.tallies[why] += 1
        self.world.work.after(seconds, self._restart)

    def _restart(self) -> None:
        self.is_up = True
        forgets, self.forgets = self.forgets, ""
        self.world.tell(f"{self.name} is up again{f', {forgets}' if forgets else ''}")
        if forgets:
            self.world.tallies[forgets] += 1
        for side in self.sides:
            if not side.is_closed:
                side.restore(forgets)

    def poke_all(self) -> None:
        """Each open swap looks."""
        for side in self.sides:
            side.poke()

    def free_coin(self, family: str, units: int) -> str:
        """A coin that covers `units` and is not promised. Raises NodeError when there is none."""
        ledger = self.world.chains[family].ledger
        promised: set[str] = set()
        for side in self.sides:
            if not side.is_closed:
                promised.update(holds_coins(side.state))
                lock = signed_lock(side.state)
                if lock is not None:  # a nonce stands for what is sent with it
                    promised.update(self.world.archive[lock.tx.txid].spends)
        for ref in self.coins[family]:
            output = ledger.output(ref)
            if ref in promised or output is None or output[1] < units or ledger.spender(ref):
                continue
            if ledger.depth(ref[: ref.rindex(":")]):
                return ref
        raise NodeError("no coins")
