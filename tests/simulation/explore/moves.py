"""What miners, the network, the other side and operators can do to the chains.

Owns: the moves, as new chain values with what they cost. Must not know: the machine, when a move
is allowed, what is right.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tests.simulation.explore import chain as chains
from tests.simulation.explore.chain import VSIZE, Chain, Tx

RATE = 4000
"""What the adversary pays: twice the estimate; more where it must replace something."""


NONE = "no block is found"


class Move(NamedTuple):
    """`chain` is what that of `leg` becomes; `cost` in disturbances; `made` locks of his."""

    label: str
    leg: int
    chain: Chain
    cost: int = 0
    made: int = 0


class Block(NamedTuple):
    """`stalls`: somebody's transaction, or time, was passed over. `undone` blocks of a reorg."""

    label: str
    chain: Chain
    cost: int
    stalls: bool = False
    undone: int = 0


class Known(NamedTuple):
    """What the adversary knows: his letter, the terms, whether he has the preimage; `hides`: what
    it costs him to take a claim back that he has shown."""

    by: str
    units: tuple[int, int]
    preimage: bool
    made: int
    hides: int = 1

    @property
    def leg(self) -> int:
        """His own."""
        return "ip".index(self.by)


def _sent(label: str, leg: int, chain: Chain, tx: Tx, cost: int = 0, made: int = 0) -> list[Move]:
    """The move of sending `tx`; one more disturbance where it takes somebody's place."""
    if not chains.refusal(chain, tx):
        return [Move(label, leg, chains.submit(chain, tx), cost, made)]
    if chains.refusal(chain, tx, forced=True):
        return []
    forced = chains.submit(chain, tx, forced=True)
    return [Move(f"{label}, outbidding what is there", leg, forced, cost + 1, made)]


def adversary(at: tuple[Chain, Chain], known: Known) -> Iterator[Move]:
    """Everything that the other side can send."""
    yield from _locks(at[known.leg], known)
    yield from _spends(at, known)
    yield from gift(at[1 - known.leg], known)
    for leg in (0, 1):
        yield from _withdrawals(at[leg], leg, known)


def _locks(chain: Chain, known: Known) -> Iterator[Move]:
    leg, by = known.leg, known.by
    coin = f"{by}{known.made}"
    lock = Tx(f"lock {coin}", "lock", by, (coin,), RATE * VSIZE["lock"] // 1000, known.units[leg])
    if known.made == 0:
        yield from _sent(f"{by} locks", leg, chain, lock, 0, 1)
        short = lock._replace(units=lock.units - 1)
        yield from _sent(f"{by} locks one unit less", leg, chain, short, 1, 1)
        stuck = lock._replace(mark="coinbase")
        yield from _sent(f"{by} locks coins that can't be spent", leg, chain, stuck, 1, 1)
    elif known.made == 1:
        yield from _sent(f"{by} locks once more", leg, chain, lock, 1, 1)
    for tx in chain.txs:
        if tx.kind == "lock" and tx.by == by and not tx.depth:
            again = Tx(f"pay {tx.spends[0]}", "pay", by, tx.spends, 2 * tx.fee + 500)
            yield from _sent(f"{by} spends the coins of its own lock", leg, chain, again)


def _spends(at: tuple[Chain, Chain], known: Known) -> Iterator[Move]:
    leg, by = known.leg, known.by
    theirs = 1 - leg
    for tx in at[theirs].txs if known.preimage else ():
        if tx.kind == "lock" and tx.by != by:
            name = f"claim by {by} of {tx.name}"
            claim = Tx(name, "claim", by, (tx.name,), RATE * VSIZE["claim"] // 1000)
            yield from _sent(f"{by} claims", theirs, at[theirs], claim)
    for tx in at[leg].txs:
        if tx.kind == "lock" and tx.by == by:
            name = f"refund by {by} of {tx.name}"
            fee = RATE * VSIZE["refund"] // 1000
            refund = Tx(name, "refund", by, (tx.name,), fee)
            yield from _sent(f"{by} refunds", leg, at[leg], refund)


def _withdrawals(chain: Chain, leg: int, known: Known) -> Iterator[Move]:
    for tx in chain.txs:
        if tx.by == known.by and tx.kind == "claim" and not tx.depth:
            gone = chains.drop(chain, {tx.name})
            yield Move(f"{known.by}'s claim is gone from mempools", leg, gone, known.hides)


def gift(chain: Chain, known: Known) -> Iterator[Move]:
    """Somebody pays the agreed amount to the script of the honest side, whose own lock is in no
    block yet: later it could not be taken for it any more."""
    leg = 1 - known.leg
    if any(tx.kind == "lock" and tx.by != known.by and tx.depth for tx in chain.txs):
        return
    tx = Tx("a gift", "lock", "a stranger", ("s0",), RATE * VSIZE["lock"] // 1000, known.units[leg])
    yield from _sent("a stranger pays to the script", leg, chain, tx, 1)


def cheques(at: tuple[Chain, Chain], honest: str) -> Iterator[Move]:
    """A lock that left its daemon once is sent again by somebody else, past any kill."""
    for leg, chain in enumerate(at):
        for tx in chain.aired:
            if tx.by in honest:
                yield from _sent(f"somebody sends {tx.name} again", leg, chain, tx, 1)


def by_hand(chain: Chain, leg: int, by: str, coin: str, label: str) -> list[Move]:
    """The operator spends the coin of a lock that is not confirmed."""
    tx = Tx(f"pay {coin}", "pay", by, (coin,), 50 * VSIZE["pay"])
    if chains.refusal(chain, tx, forced=chain.replaces):
        return []
    return [Move(label, leg, chains.submit(chain, tx, forced=True), 1)]


def blocks(chain: Chain, honest: str, deepest: int, *, past: bool) -> list[Block]:
    """What the next five seconds bring to a chain whose block is due."""
    plain = chains.mine(chain, past=past)
    found = [Block("", plain, 0), Block(NONE, chain, 1, stalls=True)]
    seen: set[frozenset[str]] = set()
    for who in (*honest, honest):
        names = frozenset(chains.unconfirmed(chain, who))
        if names and names not in seen:
            seen.add(names)
            what = ", ".join(sorted(names))
            without = chains.mine(chain, past=past, without=names)
            found.append(Block(f"a block without {what}", without, 1, stalls=True))
            dropped = chains.mine(chains.drop(chain, set(names)), past=past)
            found.append(Block(f"{what} evicted before the block", dropped, 1, stalls=True))
    found.append(Block("two blocks", chains.mine(plain, past=past), 1))
    for undone in range(1, deepest + 1):
        if any(0 < tx.depth <= undone for tx in chain.txs):
            back = chains.reorg(chain, undone, past=past, lost=False)
            found.append(Block(f"a reorg of {undone}", back, 1, undone=undone))
            lost = chains.reorg(chain, undone, past=past, lost=True)
            label = f"a reorg of {undone}, its transactions forgotten"
            found.append(Block(label, lost, 1, undone=undone))
    return found
