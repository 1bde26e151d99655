"""Owns what waits for a block: families, replacement, eviction, the rolling minimum, block space.

The rules are those of Bitcoin Core and Litecoin Core (BIP125, `CTxMemPool::TrimToSize`,
`BlockAssembler`). Must not know: blocks, confirmed outputs, lock times; `ledger` asks and decides.

Nothing here depends on the order of a set; whatever is equal is taken in the order of arrival.
"""

from collections.abc import Collection, Hashable, Iterable
from copy import copy
from typing import Final, NamedTuple

MAX_FAMILY: Final = 25
"""Ancestors, or descendants, of one transaction, itself included."""

MAX_FAMILY_VSIZE: Final = 101_000
_CARVE_OUT_VSIZE: Final = 10_000
_MAX_REPLACED: Final = 100
_HALF_LIFE: Final = 12 * 3600
_AGES_EACH: Final = 10
_MILLION: Final = 1_000_000


class SimTx(NamedTuple):
    """A transaction as far as a chain cares. `spends` are refs `<txid>:<index>`, `outputs` pairs of
    script and units; `raw` is for whoever made it. Units and fee are base units, `vsize` vbytes.

    `lock_time` is a unix time: the median time past must be greater.
    """

    txid: str
    spends: tuple[str, ...]
    outputs: tuple[tuple[Hashable, int], ...]
    fee: int
    vsize: int
    lock_time: int = 0
    raw: object = None


def fee_at(rate: int, vsize: int) -> int:
    """Base units for `vsize` vbytes at `rate` per 1000, rounded up."""
    return -(-rate * vsize // 1000)


def parent_of(ref: str) -> str:
    """The txid in a ref."""
    return ref[: ref.rindex(":")]


class Mempool:
    """The transactions of one node. `spending` tells which of them spends a ref.

    `limit` in vbytes, None for no limit. Miners take what pays `block_rate` per 1000 vbytes. Order
    in `txs`: parents before children. `others` are the (rate, vbytes) of other people's
    transactions, dearest first.
    """

    def __init__(self, *, increment: int, limit: int | None, block_rate: int) -> None:
        self.txs: dict[str, SimTx] = {}
        self.spending: dict[str, str] = {}
        self.outputs: dict[str, tuple[Hashable, int]] = {}
        self.by_script: dict[Hashable, dict[str, int]] = {}
        self.increment = increment
        self.limit = limit
        self.block_rate = block_rate
        self.vsize = 0
        self._rolling = 0  # in millionths: it falls by little at a time
        self.others: list[tuple[int, int]] = []
        self._block_since_bump = False
        self._aged_at = 0

    # --- what is in it ---

    def add(self, tx: SimTx) -> None:
        """Its parents are in the chain or here already."""
        txid = tx.txid
        self.txs[txid] = tx
        self.vsize += tx.vsize
        spending = self.spending
        for ref in tx.spends:
            spending[ref] = txid
        for index, output in enumerate(tx.outputs):
            ref = f"{txid}:{index}"
            self.outputs[ref] = output
            self.by_script.setdefault(output[0], {})[ref] = output[1]

    def remove(self, txid: str) -> SimTx:
        """This one alone: its children stay (it was mined) or go as well (`remove_family`)."""
        tx = self.txs.pop(txid)
        self.vsize -= tx.vsize
        for ref in tx.spends:
            del self.spending[ref]
        for index, (script, _) in enumerate(tx.outputs):
            ref = f"{txid}:{index}"
            del self.outputs[ref]
            paid = self.by_script[script]
            del paid[ref]
            if not paid:
                del self.by_script[script]
        return tx

    def remove_family(self, txid: str) -> tuple[str, ...]:
        """With all that depends on it; returns the txids, this one first."""
        gone = tuple(self.descendants((txid,)))
        for each in gone:
            self.remove(each)
        return gone

    def clear(self) -> list[SimTx]:
        """Takes everything out, in order; the minimum and the crowd stay."""
        before = list(self.txs.values())
        self.txs.clear()
        self.spending.clear()
        self.outputs.clear()
        self.by_script.clear()
        self.vsize = 0
        return before

    def copy(self) -> "Mempool":
        """Another one with the same content."""
        twin = copy(self)
        twin.txs = dict(self.txs)
        twin.spending = dict(self.spending)
        twin.outputs = dict(self.outputs)
        twin.by_script = {script: dict(paid) for script, paid in self.by_script.items()}
        twin.others = list(self.others)
        return twin

    def parents(self, tx: SimTx) -> list[str]:
        """Txids here that it spends from, each once."""
        txs = self.txs
        return list(dict.fromkeys(p for ref in tx.spends if (p := parent_of(ref)) in txs))

    def ancestors(self, tx: SimTx) -> dict[str, None]:
        """Txids here that it needs, itself not included."""
        found: dict[str, None] = {}
        todo = self.parents(tx)
        while todo:
            txid = todo.pop()
            if txid not in found:
                found[txid] = None
                todo.extend(self.parents(self.txs[txid]))
        return found

    def descendants(self, txids: Iterable[str]) -> dict[str, None]:
        """These and all that depends on them."""
        found: dict[str, None] = {}
        todo = list(txids)
        while todo:
            txid = todo.pop()
            if txid in found:
                continue
            found[txid] = None
            for index in range(len(self.txs[txid].outputs)):
                child = self.spending.get(f"{txid}:{index}")
                if child is not None:
                    todo.append(child)
        return found

    def rivals(self, tx: SimTx) -> list[str]:
        """Txids here that spend what `tx` spends, each once."""
        spending = self.spending
        return list(dict.fromkeys(spending[ref] for ref in tx.spends if ref in spending))

    # --- may it come in? ---

    def why_no_room_in_family(self, tx: SimTx, leaving: Collection[str]) -> str:
        """The limits of ancestors and descendants; "" when they are kept."""
        ancestors = self.ancestors(tx)
        if not ancestors:
            return ""
        most, most_vsize = MAX_FAMILY, MAX_FAMILY_VSIZE
        if len(ancestors) == 1 and tx.vsize <= _CARVE_OUT_VSIZE:
            most, most_vsize = MAX_FAMILY + 1, MAX_FAMILY_VSIZE + _CARVE_OUT_VSIZE
        too_long = len(ancestors) + 1 > MAX_FAMILY
        too_long = too_long or tx.vsize + self._vsize_of(ancestors) > MAX_FAMILY_VSIZE
        for ancestor in ancestors:
            family = [d for d in self.descendants((ancestor,)) if d not in leaving]
            too_long = too_long or len(family) + 1 > most
            too_long = too_long or self._vsize_of(family) + tx.vsize > most_vsize
        return "too-long-mempool-chain" if too_long else ""

    def why_not_replaced(self, tx: SimTx, rivals: list[str], leaving: Collection[str]) -> str:
        """BIP125's rules 2 to 5 and the rule of the higher rate; "" when `tx` may replace."""
        if any(parent in leaving for parent in self.parents(tx)):
            return "bad-txns-spends-conflicting-tx"
        if len(leaving) > _MAX_REPLACED:
            return "too many potential replacements"
        replaced = 0
        for txid in leaving:
            replaced += self.txs[txid].fee
        for txid in rivals:
            old = self.txs[txid]
            if tx.fee * old.vsize <= old.fee * tx.vsize:
                return "insufficient fee"
        known = {parent_of(ref) for txid in rivals for ref in self.txs[txid].spends}
        if any(parent not in known for parent in self.parents(tx)):
            return "replacement-adds-unconfirmed"
        if tx.fee < replaced + fee_at(self.increment, tx.vsize):
            return "insufficient fee"
        return ""

    def _vsize_of(self, txids: Iterable[str]) -> int:
        return sum(self.txs[txid].vsize for txid in txids)

    # --- full ---

    def crowd(self, rate: int, vsize: int) -> None:
        """Other people's transactions: so many vbytes at so much per 1000."""
        self.others.append((rate, vsize))
        self.others.sort(key=lambda chunk: -chunk[0])

    @property
    def crowd_vsize(self) -> int:
        """Vbytes of other people's transactions."""
        return sum(vsize for _, vsize in self.others)

    def trim(self) -> None:
        """Evicts the cheapest families until the rest fits, of equals the newest; the minimum rises
        above them."""
        while self.limit is not None:
            excess = self.vsize + self.crowd_vsize - self.limit
            if excess <= 0:
                return
            cheapest = min(
                ((self._descendant_rate(txid), txid) for txid in reversed(self.txs)),
                key=lambda pair: pair[0],
                default=None,
            )
            if self.others and (cheapest is None or self.others[-1][0] <= cheapest[0]):
                rate, vsize = self.others.pop()
                if vsize > excess:
                    self.others.append((rate, vsize - excess))
                self._bump(rate)
            elif cheapest is not None:
                family = self.descendants((cheapest[1],))
                fee = sum(self.txs[txid].fee for txid in family)
                self._bump(fee * 1000 // self._vsize_of(family))
                for txid in family:
                    self.remove(txid)

    def _descendant_rate(self, txid: str) -> int:
        tx = self.txs[txid]
        family = self.descendants((txid,))
        fee = sum(self.txs[other].fee for other in family)
        return max(tx.fee * 1000 // tx.vsize, fee * 1000 // self._vsize_of(family))

    def _bump(self, evicted: int) -> None:
        risen = (evicted + self.increment) * _MILLION
        if risen > self._rolling:
            self._rolling = risen
            self._block_since_bump = False

    def minimum(self, relay_rate: int) -> int:
        """What a newcomer pays per 1000 vbytes at least."""
        if not self._rolling:
            return relay_rate
        return max(relay_rate, self._rolling // _MILLION, self.increment)

    def block_came(self, time: int) -> None:
        """The minimum may fall from here on."""
        if self._rolling:
            self.age(time)
            self._block_since_bump = True
            self._aged_at = max(time, self._aged_at)

    def age(self, now: int) -> None:
        """The minimum falls by half in 12 h, faster where there is room, once a block came."""
        seconds = now - self._aged_at
        if not self._rolling or not self._block_since_bump or seconds < _AGES_EACH:
            return
        half_life, usage, limit = _HALF_LIFE, self.vsize + self.crowd_vsize, self.limit or 0
        if usage < limit // 4:
            half_life //= 4
        elif usage < limit // 2:
            half_life //= 2
        self._aged_at = now
        self._rolling = _halved(self._rolling, seconds, half_life)
        if self._rolling < self.increment * _MILLION // 2:
            self._rolling = 0

    # --- a miner's choice ---

    def pick(
        self, space: int, only: Collection[str] | None, exclude: Collection[str]
    ) -> list[SimTx]:
        """By the fee rate of each with its ancestors; other people's transactions take their share
        of the space and leave with the block."""
        if only is None and not exclude and not self.others and self.vsize <= space:
            everything = list(self.txs.values())
            if all(tx.fee * 1000 >= self.block_rate * tx.vsize for tx in everything):
                return everything
        rates = self._eligible(only, exclude)
        chosen: dict[str, None] = {}
        while rates:
            best = max(rates, key=rates.__getitem__)
            if self.others and self.others[0][0] * 1000 >= rates[best]:
                space = self._serve_crowd(space)
                if space > 0:
                    continue
                break
            if rates[best] < self.block_rate * 1000:
                break
            package = [t for t in self.ancestors(self.txs[best]) if t not in chosen]
            package.append(best)
            vsize = self._vsize_of(package)
            if vsize > space:
                del rates[best]
                continue
            space -= vsize
            chosen.update(dict.fromkeys(package))
            for txid in self.descendants(package):
                rates.pop(txid, None)
                if txid not in chosen and self._may(txid, only, exclude):
                    rates[txid] = self._ancestor_rate(txid, chosen)
        while space > 0 and self.others and only is None:
            space = self._serve_crowd(space)
        return [tx for txid, tx in self.txs.items() if txid in chosen]

    def _eligible(self, only: Collection[str] | None, exclude: Collection[str]) -> dict[str, int]:
        return {
            txid: self._ancestor_rate(txid, {})
            for txid in self.txs
            if self._may(txid, only, exclude)
        }

    def _may(self, txid: str, only: Collection[str] | None, exclude: Collection[str]) -> bool:
        if only is None and not exclude:
            return True
        needed = (txid, *self.ancestors(self.txs[txid]))
        return all(each not in exclude and (only is None or each in only) for each in needed)

    def _ancestor_rate(self, txid: str, chosen: dict[str, None]) -> int:
        """Base units per million vbytes, of the package or of itself, whichever is less."""
        tx = self.txs[txid]
        fee, vsize = tx.fee, tx.vsize
        for other in self.ancestors(tx):
            if other not in chosen:
                fee += self.txs[other].fee
                vsize += self.txs[other].vsize
        return min(fee * _MILLION // vsize, tx.fee * _MILLION // tx.vsize)

    def _serve_crowd(self, space: int) -> int:
        rate, vsize = self.others.pop(0)
        if vsize > space:
            self.others.insert(0, (rate, vsize - space))
        return max(0, space - vsize)

    def price_of(self, space: int) -> int:
        """The rate per 1000 vbytes that just misses the next `space` vbytes; 0 when all fits."""
        waiting = [*self.others]
        waiting += [(tx.fee * 1000 // tx.vsize, tx.vsize) for tx in self.txs.values()]
        waiting.sort(reverse=True)
        for rate, vsize in waiting:
            space -= vsize
            if space < 0:
                return rate
        return 0


def _halved(rate: int, seconds: int, half_life: int) -> int:
    """`rate * 2 ** -(seconds / half_life)` in whole numbers, the same on every machine."""
    whole, rest = divmod(seconds, half_life)
    if whole > 60:
        return 0
    x = rest * _MILLION // half_life
    factor = _MILLION
    for coefficient in _HALVING:
        factor += coefficient * x // _MILLION
        x = x * rest // half_life
    return (rate >> whole) * factor // _MILLION


_HALVING: Final = (-693_147, 240_227, -55_504, 9_618, -1_333, 154)
"""The series of 2 ** -x, in millionths."""
