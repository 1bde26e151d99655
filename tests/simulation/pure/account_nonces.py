"""The nonces of one account of a daemon: which swap has which, what fills a gap.

Owns: `Nonces`, as swapd keeps them. Must not know: what is owed, what a call does.

An account's calls are mined in the order of their nonces, so that one that hangs holds up all after
it, and one that nobody sends holds them up for ever.
"""

from collections.abc import Hashable
from typing import TYPE_CHECKING

from protocol.swap.reading import signed_lock
from tests.simulation.ledger import SimTx
from tests.simulation.pure.chain import SimChain
from tests.simulation.pure.daemon import NodeError

if TYPE_CHECKING:
    from tests.simulation.pure.daemon import Daemon
    from tests.simulation.pure.side import Side

LOCKS, CLAIMS = "locks", "claims"
FILL_GAS = 21_000


def account_of(daemon: str, which: str) -> Hashable:
    """The script of an account."""
    return ("gas", daemon, which)


class Nonces:
    """`refs` are the outputs that stand for the nonces, filled in by who grants them."""

    def __init__(self, daemon: "Daemon", chain: SimChain, which: str) -> None:
        self.account = account_of(daemon.name, which)
        self.refs: list[str] = []
        self._daemon = daemon
        self._chain = chain
        self._given: dict[int, tuple[Side, str]] = {}
        self._fills: set[str] = set()
        self._used = 0

    @property
    def used(self) -> int:
        """How many the chain has used."""
        spent = self._chain.ledger.spend_in_block
        while self._used < len(self.refs) and spent(self.refs[self._used]) is not None:
            self._used += 1
        while self._used > 0 and spent(self.refs[self._used - 1]) is None:
            self._used -= 1
        return self._used

    def give(self, side: "Side", what: str) -> str:
        """The nonce of a purpose: the one it has while that is not used, or the lowest free one.
        Raises NodeError when none is left."""
        used = self.used
        mine = [n for n, (who, why) in self._given.items() if who is side and why == what]
        if mine and max(mine) >= used:
            return self.refs[max(mine)]
        number = used
        while number in self._given and self._is_held(number):
            number += 1
        if number >= len(self.refs):
            raise NodeError("no nonces")
        self._given[number] = (side, what)
        return self.refs[number]

    def _is_held(self, number: int) -> bool:
        """Whether somebody still counts on it."""
        side, what = self._given[number]
        if side.is_closed:
            return False
        if what != "lock":
            return True
        lock = signed_lock(side.state)
        return lock is not None and self.refs[number] in {coin.ref for coin in lock.coins}

    def keep(self) -> None:
        """With each block: what nobody counts on is filled, and what fills is made dearer."""
        if not self._daemon.is_up or self._chain.family in self._daemon.trouble:
            return
        spending, used = self._chain.ledger.pool.spending, self.used
        last = max((n for n in self._given if self.refs[n] in spending), default=-1)
        for number in range(used, last):
            if number not in self._given or not self._is_held(number):
                self._fill(self.refs[number])

    def _fill(self, ref: str) -> None:
        ledger, gas = self._chain.ledger, FILL_GAS
        rival = ledger.mempool.get(ledger.pool.spending.get(ref, ""))
        rate = self._chain.fee_next
        if rival is not None:
            if rival.txid in self._fills and rival.fee * 1000 >= rate * rival.vsize:
                return
            rate = max(rate, rival.fee * 1130 // rival.vsize + 1)
        fee, units = -(-rate * gas // 1000), self._chain.units_of(ref)
        if fee <= units:
            name = self._chain.name("fill")
            self._fills.add(name)
            self._daemon.world.tallies["nonce filled"] += 1
            out = ((self.account, units - fee),)
            self._chain.submit(SimTx(name, (ref,), out, fee, gas), self)
