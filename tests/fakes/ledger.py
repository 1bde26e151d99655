"""Owns a blockchain in memory: blocks, mempool, median time, replacement, reorgs, signatures.

Every spend is checked as a node would: amounts, signatures, the HTLC's two paths, lock times. Must
not know: watches, wallets' policies; `tests.fakes.chain` puts the port on top.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import trio
import wallycore

from protocol.bitcoin.address import ScriptKind, hash160, script_kind
from protocol.bitcoin.errors import BitcoinError
from protocol.bitcoin.htlc import parse_witness_script
from protocol.bitcoin.params import ChainParams
from protocol.bitcoin.signatures import is_valid_der
from protocol.bitcoin.tx import (
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    p2wpkh_script_code,
    parse_tx,
    sighash_v0,
)
from swapd.ports import Broadcast, BroadcastResult, Clock

BLOCK_SECONDS = 10
RELAY_RATE = 1_000
INCREMENT = 1_000
_MEDIAN_OF = 11
_NOWHERE = OutPoint(bytes(32), 0xFFFFFFFF)
_COINBASE = TxInput(_NOWHERE, 0xFFFFFFFF)


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


@dataclass
class FakeLedger:
    """One chain, shared by all `FakeChain`s on it: what one broadcasts, all see at once.

    `censored` txids are in the mempool but never mined. `replaces` False makes it refuse
    replacements, as litecoind does unless it is told otherwise.
    """

    params: ChainParams
    clock: Clock
    advance: Callable[[float], object] = lambda _: None
    replaces: bool = True
    blocks: list[FakeBlock] = field(default_factory=list)
    mempool: dict[str, Transaction] = field(default_factory=dict)
    censored: set[str] = field(default_factory=set)
    changes: int = 0

    def __post_init__(self) -> None:
        self._forks = 0
        self._changed = trio.Event()
        self.blocks.append(FakeBlock(0, self.params.genesis, self.clock.now(), ()))

    # --- what everybody may ask ---

    @property
    def height(self) -> int:
        return self.blocks[-1].height

    @property
    def median_time(self) -> int:
        """Median of the last eleven blocks' times (BIP113)."""
        times = sorted(block.time for block in self.blocks[-_MEDIAN_OF:])
        return times[len(times) // 2]

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
        """Every output that nothing spends; with `mempool`, nothing there either."""
        found: dict[OutPoint, Spendable] = {}
        for block in self.blocks:
            for index, tx in enumerate(block.txs):
                _apply(found, tx, block.height, coinbase=index == 0)
        if mempool:
            for tx in self.mempool.values():
                _apply(found, tx, None, coinbase=False)
        return found

    def rivals(self, tx: Transaction) -> set[str]:
        """Txids in the mempool that spend what `tx` spends, and all that depends on them."""
        inputs = {txin.outpoint for txin in tx.inputs}
        found: set[str] = set()
        for txid, other in self.mempool.items():
            spent = {txin.outpoint for txin in other.inputs}
            parents = {outpoint.txid.hex() for outpoint in spent}
            if (spent & inputs or parents & found) and other != tx:
                found.add(txid)
        return found

    def fee(self, tx: Transaction) -> int:
        """Base units, for a transaction whose inputs are in the chain or the mempool."""
        return sum(self._spent_by(tx).values()) - sum(output.amount for output in tx.outputs)

    def _spent_by(self, tx: Transaction) -> dict[OutPoint, int]:
        amounts = {}
        everywhere = [t for block in self.blocks for t in block.txs] + list(self.mempool.values())
        for parent in everywhere:
            txid = parent.txid()
            for txin in tx.inputs:
                if txin.outpoint.txid == txid and txin.outpoint.vout < len(parent.outputs):
                    amounts[txin.outpoint] = parent.outputs[txin.outpoint.vout].amount
        return amounts

    # --- what changes it ---

    def mine(
        self,
        count: int = 1,
        *,
        script: bytes = b"\x51",
        only: Collection[str] | None = None,
    ) -> None:
        """Blocks with the whole mempool, or with `only` those txids; the coinbase pays `script`."""
        for _ in range(count):
            self.advance(BLOCK_SECONDS)
            chosen = [
                (txid, tx)
                for txid, tx in self.mempool.items()
                if txid not in self.censored and (only is None or txid in only)
            ]
            fees = sum(self.fee(tx) for _, tx in chosen)
            for txid, _ in chosen:
                del self.mempool[txid]
            self._add([tx for _, tx in chosen], script, fees)
        self.notify()

    def _add(self, txs: Iterable[Transaction], script: bytes, fees: int) -> None:
        height = self.height + 1
        reward = self.params.block_reward(height) + fees
        coinbase = Transaction(2, (_COINBASE,), (TxOutput(script, reward),), height + self._forks)
        before = self.blocks[-1].name
        name = hashlib.sha256(f"{before}/{height}/{self._forks}".encode()).hexdigest()
        time = max(self.clock.now(), self.median_time + 1)
        self.blocks.append(FakeBlock(height, name, time, (coinbase, *txs)))

    def undo(self, count: int) -> None:
        """The newest blocks leave the chain; what they held returns to the mempool if it can."""
        gone = self.blocks[-count:]
        del self.blocks[-count:]
        self._forks += 1
        later = self.mempool
        self.mempool = {}
        for tx in [tx for block in gone for tx in block.txs[1:]] + list(later.values()):
            self.submit(tx.serialise())
        self.notify()

    def drop(self, txid: str) -> None:
        """A transaction leaves the mempool, with all that depends on it."""
        tx = self.mempool.pop(txid)
        for other in [t for t in self.mempool.values() if _spends_any(t, tx.txid())]:
            self.drop(other.txid().hex())
        self.notify()

    def grant(self, script: bytes, units: int, count: int = 1) -> None:
        """Coins out of nothing, in one block: how wallets get money here."""
        self._forks += 1
        marker = Transaction(
            2,
            (TxInput(OutPoint(hashlib.sha256(str(self._forks).encode()).digest(), 0), 0),),
            tuple(TxOutput(script, units) for _ in range(count)),
            0,
        )
        self.advance(BLOCK_SECONDS)
        self._add([marker], b"\x51", 0)
        self.notify()

    def submit(self, raw: bytes) -> BroadcastResult:
        """As `sendrawtransaction`."""
        try:
            tx = parse_tx(raw)
        except BitcoinError:
            return BroadcastResult(Broadcast.REJECTED, "TX decode failed")
        txid = tx.txid().hex()
        if txid in self.mempool or any(
            tx.txid() == other.txid() for block in self.blocks for other in block.txs
        ):
            return BroadcastResult(Broadcast.ALREADY_KNOWN)
        why = self._why_not(tx)
        if why:
            return BroadcastResult(Broadcast.REJECTED, why)
        for rival in self.rivals(tx):
            self.mempool.pop(rival, None)
        self.mempool[txid] = tx
        self.notify()
        return BroadcastResult(Broadcast.ACCEPTED)

    def _why_not(self, tx: Transaction) -> str | None:
        rivals = self.rivals(tx)
        known = self.unspent()
        mined = self.unspent(mempool=False)
        total = 0
        for index, txin in enumerate(tx.inputs):
            spent = known.get(txin.outpoint) or mined.get(txin.outpoint)
            if spent is None:
                return "bad-txns-inputs-missingorspent"
            if spent.coinbase and self.height + 1 - (spent.height or 0) < 100:
                return "bad-txns-premature-spend-of-coinbase"
            total += spent.output.amount
            if not _is_signed(tx, index, spent.output):
                return "mandatory-script-verify-flag-failed"
        if tx.lock_time and tx.lock_time >= self.median_time:
            return "non-final"
        fee = total - sum(output.amount for output in tx.outputs)
        if fee < tx.vsize() * RELAY_RATE // 1000:
            return "min relay fee not met"
        if any(o.amount < self.params.dust_limit(o.script_pubkey) for o in tx.outputs):
            return "dust"
        if not rivals:
            return None
        if not self.replaces:
            return "txn-mempool-conflict"
        replaced = sum(self.fee(self.mempool[rival]) for rival in rivals)
        if fee < replaced + tx.vsize() * INCREMENT // 1000:
            return "insufficient fee, rejecting replacement"
        return None


def _spends_any(tx: Transaction, txid: bytes) -> bool:
    return any(txin.outpoint.txid == txid for txin in tx.inputs)


def _apply(
    found: dict[OutPoint, Spendable], tx: Transaction, height: int | None, *, coinbase: bool
) -> None:
    for txin in tx.inputs:
        found.pop(txin.outpoint, None)
    txid = tx.txid()
    for index, output in enumerate(tx.outputs):
        found[OutPoint(txid, index)] = Spendable(output, height, coinbase)


def _is_signed(tx: Transaction, index: int, spent: TxOutput) -> bool:
    """Whether the script lets this input pass, lock time of the transaction aside."""
    witness = tx.inputs[index].witness
    kind = script_kind(spent.script_pubkey)
    if kind is ScriptKind.P2WPKH and len(witness) == 2:
        signature, key = witness
        digest = sighash_v0(tx, index, p2wpkh_script_code(spent.script_pubkey), spent.amount)
        return hash160(key) == spent.script_pubkey[2:] and is_valid_der(key, digest, signature[:-1])
    if kind is ScriptKind.P2WSH and len(witness) == 3:
        return _is_htlc_signed(tx, index, spent, witness)
    return False


def _is_htlc_signed(
    tx: Transaction, index: int, spent: TxOutput, witness: tuple[bytes, ...]
) -> bool:
    first, second, script = witness
    try:
        htlc = parse_witness_script(script)
    except BitcoinError:
        return False
    if htlc.script_pubkey() != spent.script_pubkey:
        return False
    digest = sighash_v0(tx, index, script, spent.amount)
    if second:
        return htlc.is_preimage(first) and is_valid_der(htlc.claim_key, digest, second[:-1])
    final = tx.inputs[index].sequence == 0xFFFFFFFF
    timely = tx.lock_time >= htlc.expiry and not final
    return timely and is_valid_der(htlc.refund_key, digest, first[:-1])


def sign_low_r(secret: bytes, digest: bytes) -> bytes:
    """DER, low R, low S, without a sighash byte."""
    flags = wallycore.EC_FLAG_ECDSA | wallycore.EC_FLAG_GRIND_R
    return bytes(wallycore.ec_sig_to_der(bytes(wallycore.ec_sig_from_bytes(secret, digest, flags))))
