"""Owns a blockchain of real bytes in memory: the simulated chain, and what unlocks each input.

The rules of blocks and mempools are `tests.simulation.ledger`'s; here every spend is also checked
as a node would: form, dust, signatures, the HTLC's two paths. Must not know: watches, wallets;
`tests.fakes.chain` puts the port on top.
"""

import hashlib
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass

import trio

from protocol.bitcoin.params import ChainParams
from protocol.bitcoin.tx import OutPoint, Transaction, TxInput, TxOutput
from swapd.ports import Broadcast, BroadcastResult, Clock
from tests.fakes.scripts import ReadTx, is_signed, read, read_from
from tests.simulation.ledger import Block, Ledger, SimTx

BLOCK_SECONDS = 10
RELAY_RATE = 1_000
INCREMENT = 1_000
NOBODY = b"\x51"
_COINBASE = TxInput(OutPoint(bytes(32), 0xFFFFFFFF), 0xFFFFFFFF)
_IN_FULL = {"insufficient fee": "insufficient fee, rejecting replacement"}
_BAD_SCRIPT = "mandatory-script-verify-flag-failed"


@dataclass(frozen=True)
class FakeBlock:
    """`txs` begin with the coinbase."""

    height: int
    name: str
    time: int
    txs: tuple[Transaction, ...]


@dataclass
class Spendable:
    """An output in the chain or the mempool; `height` is None there."""

    output: TxOutput
    height: int | None
    coinbase: bool = False


class FakeLedger:
    """One chain, shared by all `FakeChain`s on it: what one broadcasts, all see at once.

    `chain` is the simulated chain under it: time, fees, crowds, evictions. `censored` txids are in
    the mempool but never mined. `replaces` False makes it refuse replacements; by default it does
    what most nodes of that chain do. `mempool_limit` and `block_vsize` in vbytes, rates in base
    units per 1000 of them.
    """

    def __init__(
        self,
        params: ChainParams,
        clock: Clock,
        advance: Callable[[float], object] = lambda _: None,
        *,
        replaces: bool | None = None,
        mempool_limit: int | None = None,
        block_vsize: int = 1_000_000,
        relay_rate: int = RELAY_RATE,
        increment: int = INCREMENT,
        block_rate: int = RELAY_RATE,
    ) -> None:
        self.params = params
        self.clock = clock
        self.advance = advance
        self.censored: set[str] = set()
        self.changes = 0
        self.sightings: dict[str, list[tuple[int, SimTx]]] = {}
        """For each ref, what was ever seen in the mempool to spend it, and at which change."""
        self.wallets: dict[str, list[bytes]] = {}
        """By owner, what it ever sent: a wallet outlives the daemons that use it."""
        self._serial = 0
        self._changed = trio.Event()
        self._blocks: dict[str, FakeBlock] = {}
        self.chain = Ledger(
            start=clock.now(),
            interval=BLOCK_SECONDS,
            relay_rate=relay_rate,
            increment=increment,
            block_rate=block_rate,
            replaces=params.replaces if replaces is None else replaces,
            mempool_limit=mempool_limit,
            block_vsize=block_vsize,
            history=0,
            prefix=params.genesis[:48],
            subsidy=params.block_reward,
            mint=self._mint,
        )

    # --- what everybody may ask ---

    @property
    def height(self) -> int:
        return self.chain.height

    @property
    def median_time(self) -> int:
        """Median of the last eleven blocks' times (BIP113)."""
        return self.chain.median_time

    @property
    def replaces(self) -> bool:
        return self.chain.replaces

    @replaces.setter
    def replaces(self, does: bool) -> None:
        self.chain.replaces = does

    @property
    def mempool(self) -> dict[str, Transaction]:
        """By txid, parents before children."""
        return {txid: read_tx(tx).tx for txid, tx in self.chain.mempool.items()}

    @property
    def blocks(self) -> list[FakeBlock]:
        """All of them. Made from the chain at each look: for tests, not for nodes."""
        return [self._block(block) for block in self.chain.blocks]

    @property
    def aged(self) -> Ledger:
        """The simulated chain as the clock has it: a mempool's minimum falls between blocks."""
        return self.aged_of(self.chain)

    def aged_of(self, chain: Ledger) -> Ledger:
        """As `aged`, of a node that knows `chain`."""
        chain.pool.age(self.clock.now())
        return chain

    def name_of(self, block: Block) -> str:
        """A block's hash."""
        return block.block_id if block.height else self.params.genesis

    def _block(self, block: Block) -> FakeBlock:
        made = self._blocks.get(block.block_id)
        if made is None:
            first, *others = block.txs
            coinbase = first.raw.tx if isinstance(first.raw, ReadTx) else _to_nobody(block)
            txs = (coinbase, *(read_tx(tx).tx for tx in others))
            made = FakeBlock(block.height, self.name_of(block), block.time, txs)
            self._blocks[block.block_id] = made
        return made

    async def wait_change(self, seen: int) -> int:
        await trio.lowlevel.checkpoint()
        while self.changes == seen:
            await self._changed.wait()
        return self.changes

    def notify(self) -> None:
        """Wakes everybody who waits."""
        self.changes += 1
        self._changed.set()
        self._changed = trio.Event()

    def unspent(self, *, mempool: bool = True) -> dict[OutPoint, Spendable]:
        """Every output that nothing spends; with `mempool`, nothing there either. For tests: nodes
        ask by ref or script."""
        found: dict[OutPoint, Spendable] = {}
        confirmed = [(tx, block) for block in self.chain.blocks for tx in block.txs]
        waiting = [(tx, None) for tx in self.chain.mempool.values()] if mempool else []
        for tx, block in [*confirmed, *waiting]:
            for index, (script, units) in enumerate(tx.outputs):
                ref = f"{tx.txid}:{index}"
                if isinstance(script, bytes) and self.chain.is_unspent(ref, mempool=mempool):
                    found[OutPoint.of(tx.txid, index)] = Spendable(
                        TxOutput(script, units),
                        None if block is None else block.height,
                        coinbase=block is not None and tx is block.txs[0],
                    )
        return found

    def rivals(self, tx: Transaction, node: Ledger | None = None) -> list[str]:
        """Txids in the mempool that spend what `tx` spends, and all that depends on them."""
        pool = (node or self.chain).pool
        spends = [str(txin.outpoint) for txin in tx.inputs]
        direct = [pool.spending[ref] for ref in spends if ref in pool.spending]
        own = tx.txid().hex()
        return [txid for txid in pool.descendants(direct) if txid != own]

    def fee(self, tx: Transaction) -> int:
        """Base units, for a transaction whose inputs are in the chain or the mempool."""
        found = [self.chain.output(str(txin.outpoint)) for txin in tx.inputs]
        total = sum(output[1] for output in found if output is not None)
        return total - sum(output.amount for output in tx.outputs)

    # --- what changes it ---

    def mine(
        self,
        count: int = 1,
        *,
        script: bytes = NOBODY,
        only: Collection[str] | None = None,
        most_vsize: int | None = None,
    ) -> None:
        """Blocks from the mempool, or of `only` those txids; the coinbase pays `script`."""
        for _ in range(count):
            self.advance(BLOCK_SECONDS)
            self.chain.mine(
                self._next_time(),
                only=only,
                exclude=self.censored,
                most_vsize=most_vsize,
                coinbase_to=None if script == NOBODY else script,
            )
        self.notify()

    def _next_time(self) -> int:
        return max(self.clock.now(), self.chain.median_time + 1)

    def _mint(self, name: str, script: Hashable, units: int) -> SimTx:
        if not isinstance(script, bytes):
            return SimTx(name, (), ((None, units),), 0, 100)
        self._serial += 1
        return _made(Transaction(2, (_COINBASE,), (TxOutput(script, units),), self._serial))

    def undo(self, count: int) -> None:
        """The newest blocks leave the chain; what they held returns to the mempool if it can."""
        self.chain.undo(count)
        self.notify()

    def fork(self, count: int, blocks: Sequence[Sequence[bytes]]) -> None:
        """A reorganisation: the newest `count` blocks give way to others with these raw
        transactions, no mempool asked. Raises ValueError for what no node accepts in a block."""
        made: dict[str, tuple[Hashable, int]] = {}
        told: list[tuple[int, list[SimTx]]] = []
        for raws in blocks:
            txs = [self._in_block(raw, made) for raw in raws]
            self.advance(BLOCK_SECONDS)
            told.append((self._next_time() + len(told), txs))
        self.chain.fork(count, told)
        self.notify()

    def _in_block(self, raw: bytes, made: dict[str, tuple[Hashable, int]]) -> SimTx:
        known = read(raw)
        if known is None:
            raise ValueError("these bytes are no transaction")
        spent = [made.get(ref) or self.chain.output(ref) for ref in known.spends]
        outputs = [output for output in spent if output is not None]
        if not _is_signed(known, outputs):
            raise ValueError(f"{known.txid} is not signed for what it spends")
        made.update({f"{known.txid}:{index}": out for index, out in enumerate(known.outputs)})
        return _sim(known, outputs)

    def drop(self, txid: str) -> None:
        """A transaction leaves the mempool, with all that depends on it."""
        if not self.chain.evict(txid):
            raise KeyError(txid)
        self.notify()

    def grant(self, script: bytes, units: int, count: int = 1) -> None:
        """Coins out of nothing, in one block: how wallets get money here."""
        self._serial += 1
        source = OutPoint(hashlib.sha256(f"{self._serial}".encode()).digest(), 0)
        outputs = tuple(TxOutput(script, units) for _ in range(count))
        self.advance(BLOCK_SECONDS)
        self.chain.issue(
            _made(Transaction(2, (TxInput(source, 0),), outputs, 0)), self._next_time()
        )
        self.notify()

    def submit(self, raw: bytes) -> BroadcastResult:
        """As `sendrawtransaction`."""
        return self.offer(self.chain, raw)

    def offer(self, chain: Ledger, raw: bytes) -> BroadcastResult:
        """As `submit`, to a node that knows `chain`: one that is cut off keeps it to itself."""
        known = read(raw)
        chain = self.aged_of(chain)
        if known is None:
            return BroadcastResult(Broadcast.REJECTED, "TX decode failed")
        outputs = [output for ref in known.spends if (output := chain.output(ref)) is not None]
        tx = _sim(known, outputs)
        why = self._why_not(known, tx, outputs, chain)
        if why == "known":
            return BroadcastResult(Broadcast.ALREADY_KNOWN)
        if why:
            return BroadcastResult(Broadcast.REJECTED, _IN_FULL.get(why, why))
        for ref in known.spends if chain is self.chain else ():
            self.sightings.setdefault(ref, []).append((self.changes + 1, tx))
        self.notify()
        return BroadcastResult(Broadcast.ACCEPTED)

    def _why_not(
        self,
        known: ReadTx,
        tx: SimTx,
        outputs: Sequence[tuple[Hashable, int]],
        chain: Ledger,
    ) -> str:
        why = chain.why_not(tx)
        if why == "known":
            return why
        if any(o.amount < self.params.dust_limit(o.script_pubkey) for o in known.tx.outputs):
            return "dust"
        if why:
            return why
        return chain.submit(tx) if _is_signed(known, outputs) else _BAD_SCRIPT


def read_tx(tx: SimTx) -> ReadTx:
    """What was read of a transaction of this chain. Only coinbases to nobody have no bytes."""
    assert isinstance(tx.raw, ReadTx)
    return tx.raw


def _sim(known: ReadTx, outputs: Sequence[tuple[Hashable, int]]) -> SimTx:
    """`outputs` are those it spends, as far as they are known."""
    fee = 0
    if len(outputs) == len(known.spends):
        fee = sum(units for _, units in outputs) - sum(units for _, units in known.outputs)
    return SimTx(
        known.txid, known.spends, known.outputs, fee, known.vsize, known.lock_time, raw=known
    )


def _made(tx: Transaction) -> SimTx:
    known = read_from(tx)
    return SimTx(known.txid, (), known.outputs, 0, known.vsize, raw=known)


def _to_nobody(block: Block) -> Transaction:
    units = block.txs[0].outputs[0][1]
    return Transaction(2, (_COINBASE,), (TxOutput(NOBODY, units),), block.height)


def _is_signed(known: ReadTx, outputs: Sequence[tuple[Hashable, int]]) -> bool:
    spent = [TxOutput(script, units) for script, units in outputs if isinstance(script, bytes)]
    if len(spent) != len(known.spends):
        return False
    return all(is_signed(known.tx, index, output) for index, output in enumerate(spent))
