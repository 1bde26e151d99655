"""Owns one blockchain in memory: blocks, the mempool, median time, reorgs; symbolic transactions.

Nothing is ever rescanned: what is asked about a ref, a script or a txid is an index, and a block
that is undone takes out of the indexes what it put in. Must not know: what scripts mean, who signs,
nodes, watches. Deterministic: same calls, same chain, on any machine and hash seed.
"""

from collections.abc import Callable, Collection, Hashable, Sequence
from copy import copy
from typing import Final, NamedTuple

from tests.simulation.mempool import Mempool, SimTx, fee_at

__all__ = ["COINBASE_MATURITY", "SUBSIDY", "Block", "Ledger", "Paid", "SimTx"]

SUBSIDY: Final = 5_000_000_000
COINBASE_MATURITY: Final = 100
_MEDIAN_OF: Final = 11

MISSING: Final = "bad-txns-inputs-missingorspent"


class Block(NamedTuple):
    """`txs` begin with the coinbase. `median_time` is that of this block and the ten before."""

    height: int
    block_id: str
    time: int
    median_time: int
    txs: tuple[SimTx, ...]


class Paid(NamedTuple):
    """An output, spent or not. `depth` 0 in the mempool, 1 in the newest block."""

    ref: str
    units: int
    depth: int
    is_coinbase: bool


def _plain_coinbase(name: str, script: Hashable, units: int) -> SimTx:
    return SimTx(name, (), ((script, units),), 0, 100)


class Ledger:
    """One chain as one perfectly connected node sees it.

    `start` is the unix time of the newest of `history` + 1 first blocks, `interval` seconds apart.
    Rates are base units per 1000 vbytes; blocks take nothing below `block_rate`. `replaces` False
    refuses every replacement, as Litecoin Core does. `mempool_limit` in vbytes. `subsidy` gives a
    height's; `mint` makes the coinbase from a unique name, script and units. Block ids begin with
    `prefix` and have 64 characters.
    """

    def __init__(
        self,
        *,
        start: int,
        interval: int,
        relay_rate: int = 1000,
        increment: int = 1000,
        replaces: bool = True,
        mempool_limit: int | None = None,
        block_vsize: int = 1_000_000,
        block_rate: int = 1000,
        history: int = 10,
        prefix: str = "",
        subsidy: Callable[[int], int] = lambda _: SUBSIDY,
        mint: Callable[[str, Hashable, int], SimTx] = _plain_coinbase,
    ) -> None:
        self.interval = interval
        self.relay_rate = relay_rate
        self.increment = increment
        self.replaces = replaces
        self.block_vsize = block_vsize
        self.subsidy = subsidy
        self.pool = Mempool(increment=increment, limit=mempool_limit, block_rate=block_rate)
        self.mempool = self.pool.txs
        self.changes = 0
        self.blocks: list[Block] = []
        self._mint = mint
        self._prefix = prefix
        self._made = 0
        self._mined: dict[str, tuple[SimTx, int, int]] = {}
        self._outputs: dict[str, tuple[Hashable, int]] = {}
        self._spent: dict[str, str] = {}
        self._by_script: dict[Hashable, dict[str, int]] = {}
        for age in range(history, -1, -1):
            self.connect(start - age * interval, ())

    # --- what everybody may ask ---

    @property
    def tip(self) -> Block:
        """The newest block."""
        return self.blocks[-1]

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    @property
    def median_time(self) -> int:
        """Of the last eleven blocks' times (BIP113)."""
        return self.blocks[-1].median_time

    @property
    def tip_time(self) -> int:
        return self.blocks[-1].time

    @property
    def tip_id(self) -> str:
        return self.blocks[-1].block_id

    @property
    def mempool_min_rate(self) -> int:
        """What the mempool asks of newcomers; the relay rate while it is not full."""
        return self.pool.minimum(self.relay_rate)

    @property
    def next_block_rate(self) -> int:
        """What it takes to be in the next block, as things are: at least the mempool's minimum."""
        return max(self.mempool_min_rate, self.pool.price_of(self.block_vsize) + 1)

    def depth(self, txid: str) -> int | None:
        """0 in the mempool, 1 in the newest block, None for a transaction that is in neither."""
        mined = self._mined.get(txid)
        if mined is not None:
            return len(self.blocks) - mined[1]
        return 0 if txid in self.mempool else None

    def transaction(self, txid: str) -> SimTx | None:
        """From the chain or the mempool."""
        mined = self._mined.get(txid)
        return self.mempool.get(txid) if mined is None else mined[0]

    def output(self, ref: str) -> tuple[Hashable, int] | None:
        """Script and units of an output in the chain or the mempool, spent or not."""
        return self._outputs.get(ref) or self.pool.outputs.get(ref)

    def spender(self, ref: str) -> tuple[SimTx, int] | None:
        """What spends this output, and its depth."""
        txid = self._spent.get(ref)
        if txid is not None:
            tx, height, _ = self._mined[txid]
            return tx, len(self.blocks) - height
        txid = self.pool.spending.get(ref)
        return None if txid is None else (self.mempool[txid], 0)

    def spend_in_block(self, ref: str) -> tuple[SimTx, int] | None:
        """What spends this output in the chain, and its height."""
        txid = self._spent.get(ref)
        return None if txid is None else self._mined[txid][:2]

    def paying(self, script: Hashable) -> list[Paid]:
        """Every output to `script` in the chain, oldest first, then in the mempool; spent ones too.

        Coinbases that pay nobody in particular (script None) are not listed.
        """
        found = []
        top = len(self.blocks)
        for ref, units in self._by_script.get(script, {}).items():
            _, height, index = self._mined[ref[: ref.rindex(":")]]
            found.append(Paid(ref, units, top - height, index == 0))
        found.extend(
            Paid(ref, units, 0, is_coinbase=False)
            for ref, units in self.pool.by_script.get(script, {}).items()
        )
        return found

    def unspent(self, script: Hashable, *, mempool: bool = True) -> list[Paid]:
        """Those of `paying` that nothing spends; with `mempool`, nothing there either."""
        spent, pending = self._spent, self.pool.spending if mempool else {}
        return [
            paid
            for paid in self.paying(script)
            if paid.ref not in spent and paid.ref not in pending and (mempool or paid.depth)
        ]

    def is_unspent(self, ref: str, *, mempool: bool = True) -> bool:
        """Whether this output is there and nothing spends it."""
        if ref in self._spent or (mempool and ref in self.pool.spending):
            return False
        return ref in self._outputs or (mempool and ref in self.pool.outputs)

    def copy(self) -> "Ledger":
        """What a node that is cut off keeps: the same chain, going its own way from here."""
        twin = copy(self)
        twin.blocks = list(self.blocks)
        twin.pool = self.pool.copy()
        twin.mempool = twin.pool.txs
        twin._mined = dict(self._mined)
        twin._outputs = dict(self._outputs)
        twin._spent = dict(self._spent)
        twin._by_script = {script: dict(paid) for script, paid in self._by_script.items()}
        return twin

    # --- the mempool ---

    def submit(self, tx: SimTx) -> str:
        """As `sendrawtransaction`: "" when accepted, "known", else the node's reason.

        Raises ValueError when `tx.fee` is not what goes in less what comes out.
        """
        why, leaving = self._judge(tx)
        if why:
            return why
        pool = self.pool
        for txid in leaving:
            pool.remove(txid)
        pool.add(tx)
        self.changes += 1
        if pool.limit is not None:
            pool.trim()
            if tx.txid not in self.mempool:
                return "mempool full"
        return ""

    def why_not(self, tx: SimTx) -> str:
        """What `submit` would answer, changing nothing, a full mempool aside."""
        return self._judge(tx)[0]

    def _judge(self, tx: SimTx) -> tuple[str, dict[str, None]]:
        """The reason, and the txids that leave the mempool for it."""
        pool = self.pool
        leaving: dict[str, None] = {}
        if tx.txid in self.mempool or self._is_unspent_in_chain(tx):
            return "known", leaving
        rivals = pool.rivals(tx)
        why = self._why_invalid(tx, rivals)
        if why:
            return why, leaving
        if tx.fee < fee_at(self.mempool_min_rate, tx.vsize):
            relayed = tx.fee >= fee_at(self.relay_rate, tx.vsize)
            return ("mempool min fee not met" if relayed else "min relay fee not met"), leaving
        if rivals:
            leaving = pool.descendants(rivals)
        why = pool.why_no_room_in_family(tx, leaving)
        if not why and rivals:
            why = pool.why_not_replaced(tx, rivals, leaving)
        return why, leaving

    def _is_unspent_in_chain(self, tx: SimTx) -> bool:
        """A node forgets a confirmed transaction whose outputs are all spent."""
        if tx.txid not in self._mined:
            return False
        return any(f"{tx.txid}:{index}" not in self._spent for index in range(len(tx.outputs)))

    def _why_invalid(self, tx: SimTx, rivals: Sequence[str]) -> str:
        if tx.lock_time and tx.lock_time >= self.blocks[-1].median_time:
            return "non-final"
        if rivals and not self.replaces:
            return "txn-mempool-conflict"
        return self._why_unspendable(tx)

    def _why_unspendable(self, tx: SimTx) -> str:
        """Whether its inputs are there, and suffice."""
        outputs, pending, spent = self._outputs, self.pool.outputs, self._spent
        total = 0
        for ref in tx.spends:
            output = outputs.get(ref)
            if output is None:
                output = pending.get(ref)
            elif ref in spent:
                return MISSING
            if output is None:
                return MISSING
            total += output[1]
            if self._is_immature(ref):
                return "bad-txns-premature-spend-of-coinbase"
        if len(tx.spends) > 1 and len(set(tx.spends)) < len(tx.spends):
            return "bad-txns-inputs-duplicate"
        for _, units in tx.outputs:
            total -= units
        if total < 0 or not tx.spends:
            return "bad-txns-in-belowout"
        if total != tx.fee:
            msg = f"{tx.txid} says that its fee is {tx.fee}; it is {total}"
            raise ValueError(msg)
        return ""

    def evict(self, txid: str) -> tuple[str, ...]:
        """It leaves the mempool with all that depends on it; returns the txids that left."""
        if txid not in self.mempool:
            return ()
        self.changes += 1
        return self.pool.remove_family(txid)

    def crowd(self, rate: int, vsize: int) -> None:
        """Other people want `vsize` vbytes at `rate`: they compete for blocks and, where there is a
        limit, for the mempool, whose minimum rises. They leave as blocks serve them."""
        self.pool.crowd(rate, vsize)
        self.pool.trim()
        self.changes += 1

    # --- blocks ---

    def mine(
        self,
        time: int,
        *,
        most_vsize: int | None = None,
        only: Collection[str] | None = None,
        exclude: Collection[str] = (),
        coinbase_to: Hashable = None,
    ) -> Block:
        """The next block, filled from the mempool by ancestor fee rate up to `most_vsize`. `only`
        and `exclude` are txids; what depends on one left out is left out too.
        Raises ValueError unless `time` is after the median time."""
        space = self.block_vsize if most_vsize is None else most_vsize
        chosen = self.pool.pick(space, only, exclude) if self.mempool or self.pool.others else ()
        return self._connect(time, chosen, coinbase_to)

    def connect(self, time: int, txs: Sequence[SimTx], coinbase_to: Hashable = None) -> Block:
        """A block of somebody else's choice: transactions that no mempool has seen, and such as the
        mempool would refuse. Raises ValueError for one that no node would accept in a block."""
        self._check_block(txs)
        return self._connect(time, txs, coinbase_to)

    def _check_block(self, txs: Sequence[SimTx]) -> None:
        made: dict[str, tuple[Hashable, int]] = {}
        used: set[str] = set()
        for tx in txs:
            why = "" if tx.txid not in self._mined else "mined already"
            if tx.lock_time and tx.lock_time >= self.median_time:
                why = "non-final"
            balance = -tx.fee - sum(units for _, units in tx.outputs)
            for ref in tx.spends:
                output = made.get(ref) or self._outputs.get(ref)
                if output is None or ref in used or ref in self._spent:
                    why = MISSING
                    break
                if self._is_immature(ref):
                    why = "bad-txns-premature-spend-of-coinbase"
                used.add(ref)
                balance += output[1]
            if why or balance or tx.fee < 0:
                msg = f"{tx.txid} can't be in a block: {why or 'its amounts do not add up'}"
                raise ValueError(msg)
            made.update({f"{tx.txid}:{index}": out for index, out in enumerate(tx.outputs)})

    def _is_immature(self, ref: str) -> bool:
        mined = self._mined.get(ref[: ref.rindex(":")])
        if mined is None or mined[2]:
            return False
        return len(self.blocks) - mined[1] < COINBASE_MATURITY

    def _connect(self, time: int, txs: Sequence[SimTx], coinbase_to: Hashable) -> Block:
        blocks, height = self.blocks, len(self.blocks)
        times = [block.time for block in blocks[1 - _MEDIAN_OF :]]
        if blocks and time <= blocks[-1].median_time:
            msg = f"a block of {time} is not after the median time {blocks[-1].median_time}"
            raise ValueError(msg)
        times.append(time)
        times.sort()
        self._made += 1
        reward = self.subsidy(height)
        for tx in txs:
            reward += tx.fee
        coinbase = self._mint(f"{self._prefix}coinbase{self._made}", coinbase_to, reward)
        block_id = self._prefix + f"{self._made:x}".rjust(64 - len(self._prefix), "0")
        block = Block(height, block_id, time, times[len(times) // 2], (coinbase, *txs))
        blocks.append(block)
        self._index(block)
        if txs:
            self._leave_mempool(txs)
        self.pool.block_came(time)
        self.changes += 1
        return block

    def _index(self, block: Block) -> None:
        for index, tx in enumerate(block.txs):
            txid = tx.txid
            self._mined[txid] = (tx, block.height, index)
            for ref in tx.spends:
                self._spent[ref] = txid
            for number, output in enumerate(tx.outputs):
                ref = f"{txid}:{number}"
                self._outputs[ref] = output
                if output[0] is not None:
                    self._by_script.setdefault(output[0], {})[ref] = output[1]

    def _leave_mempool(self, txs: Sequence[SimTx]) -> None:
        pool = self.pool
        for tx in txs:
            if tx.txid in pool.txs:
                pool.remove(tx.txid)
        for tx in txs:
            for ref in tx.spends:
                rival = pool.spending.get(ref)
                if rival is not None:
                    pool.remove_family(rival)

    def issue(self, tx: SimTx, time: int | None = None) -> Block:
        """Coins out of nothing, in a block of their own: how wallets get money here. `tx` spends
        nothing; `time` is one interval after the tip by default."""
        if tx.spends or tx.fee or tx.txid in self._mined:
            msg = f"{tx.txid} must be new and must not spend: it makes coins"
            raise ValueError(msg)
        return self._connect(self.tip_time + self.interval if time is None else time, (tx,), None)

    def grant(self, script: Hashable, units: int, count: int = 1) -> tuple[str, ...]:
        """`issue` of `count` equal outputs to `script`; returns their refs."""
        txid = f"{self._prefix}grant{self._made + 1}"
        self.issue(SimTx(txid, (), ((script, units),) * count, 0, 100))
        return tuple(f"{txid}:{index}" for index in range(count))

    # --- reorganisations ---

    def undo(self, count: int) -> list[Block]:
        """The newest blocks leave the chain; their transactions return to the mempool if they are
        still valid. Returns the blocks, oldest first. Granted coins are gone for good."""
        gone = self._disconnect(count)
        self._return_to_mempool(gone)
        return gone

    def fork(
        self,
        count: int,
        blocks: Sequence[tuple[int, Sequence[SimTx]]],
        coinbase_to: Hashable = None,
    ) -> list[Block]:
        """A reorganisation: the newest `count` blocks are replaced by others, each given by its
        time and transactions. Returns the blocks that left. Raises ValueError for a block that no
        node accepts; the chain then ends before it."""
        gone = self._disconnect(count)
        try:
            for time, txs in blocks:
                self.connect(time, txs, coinbase_to)
        finally:
            self._return_to_mempool(gone)
        return gone

    def _disconnect(self, count: int) -> list[Block]:
        if not 0 <= count < len(self.blocks):
            msg = f"{count} blocks can't be undone: the chain has {len(self.blocks)}"
            raise ValueError(msg)
        gone = []
        for _ in range(count):
            block = self.blocks.pop()
            gone.append(block)
            for tx in block.txs:
                del self._mined[tx.txid]
                for ref in tx.spends:
                    del self._spent[ref]
                for number, (script, _) in enumerate(tx.outputs):
                    ref = f"{tx.txid}:{number}"
                    del self._outputs[ref]
                    if script is not None:
                        del self._by_script[script][ref]
        gone.reverse()
        return gone

    def _return_to_mempool(self, gone: Sequence[Block]) -> None:
        """As nodes do it: without the rules on fees, what was mined first, then the rest again."""
        waiting = self.pool.clear()
        for tx in [*(tx for block in gone for tx in block.txs if tx.spends), *waiting]:
            if tx.txid in self._mined or tx.txid in self.mempool:
                continue
            rivals = self.pool.rivals(tx)
            if not rivals and not self._why_invalid(tx, rivals):
                self.pool.add(tx)
        self.pool.trim()
        self.changes += 1
