"""One EVM chain for all assets on it: its head, its watches, our accounts, and the tasks that keep
them going.

Owns: `EvmNode`: the count of changes, looking at a watch, what is pending, gaps in nonces filled,
stuck transactions sent again. Must not know: the engine, which asset is asked for.
"""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final

import structlog
import trio

from protocol.swap.facts import Conflict, LockSeen, Spend, SpendKind
from swapd.chains.answers import BadAnswer, rows, table
from swapd.chains.changes import Changes
from swapd.chains.evm.accounts import CLAIMS, LOCKS, Account, AccountKey, Call
from swapd.chains.evm.answers import data, exactly, quantity
from swapd.chains.evm.blocks import Blocks
from swapd.chains.evm.config import EvmConfig
from swapd.chains.evm.contract import GAS_PLAIN, LockTerms, coin_of, parse_coin, shown_preimage
from swapd.chains.evm.health import Health, NodeInfo
from swapd.chains.evm.leg_watch import LegState, Pending, live_key
from swapd.chains.evm.nonces import Entry
from swapd.chains.evm.rpc import MAX_BLOCK, Endpoint, RpcError
from swapd.chains.evm.rpc import Call as RpcCall
from swapd.chains.evm.sources import Sources
from swapd.ports import (
    BroadcastResult,
    ChainError,
    Clock,
    LegWatch,
    Memory,
    NodeMisconfigured,
    NodeUnreachable,
    StoreError,
)

_ATTEMPTS: Final = 10
_LONGEST_PAUSE: Final = 5.0
_MAX_POOL_DATA: Final = 64 * 1024

_log = structlog.get_logger(__name__)


class EvmNode:
    """See the module. Without `keys` it only watches and broadcasts; with `relay` it also pays for
    claims and refunds of others."""

    def __init__(
        self,
        config: EvmConfig,
        clock: Clock,
        *,
        keys: tuple[AccountKey, AccountKey] | None = None,
        relay: AccountKey | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Raises NodeMisconfigured."""
        self.config = config
        endpoints = [
            Endpoint(each.url, own=each.own, timeout=config.timeout) for each in config.endpoints
        ]
        self.sources = Sources(endpoints, config.params.number)
        self.blocks = Blocks(self.sources)
        self.health = Health(self.sources, self.blocks, config, clock)
        self.accounts: tuple[Account, Account] | None = None
        self.relay: Account | None = None
        number = config.params.number
        if relay is not None and memory is not None:
            self.relay = Account(relay, number, memory, self._is_spend_held)
        if keys is not None and memory is not None:
            self.accounts = (
                Account(keys[LOCKS], number, memory, self._is_lock_held),
                Account(keys[CLAIMS], number, memory, self._is_spend_held),
            )
        self._memory = memory
        self._over: list[str] = []
        self._states: dict[str, LegState] = {}
        self._reserved: dict[str, frozenset[str]] = {}
        self._flashes: dict[str, Spend] = {}
        self._changes = Changes()
        self._watched = trio.Event()
        self._looking = trio.Lock()
        self._running = False
        self._told: tuple[bytes, tuple[str, ...]] = (b"", ())
        self.keepers: list[Callable[[NodeInfo], Awaitable[None]]] = []

    # --- changes ---

    def change_count(self) -> int:
        """Grows with each change."""
        return self._changes.count

    async def wait_change(self, seen: int) -> int:
        """Returns as soon as the count differs from `seen`."""
        return await self._changes.wait(seen)

    def bump(self) -> None:
        """Something that watchers should know of has changed."""
        self._changes.bump()

    def _note(self, head: bytes, problems: tuple[str, ...]) -> None:
        if (head, problems) != self._told:
            self._told = (head, problems)
            self.bump()

    # --- watches ---

    def watch(self, watch: LegWatch, terms: LockTerms) -> None:
        """Starts or replaces a watch; the same one again changes nothing. Raises ValueError."""
        for coin in watch.own_inputs:
            parse_coin(coin)
        known = self._states.get(watch.watch_id)
        if known is None or known.watch != watch:
            history = self.config.history
            self._states[watch.watch_id] = LegState(
                watch, terms, self.sources, self.blocks, history, self._memory
            )
        self._watched.set()

    def unwatch(self, watch_id: str) -> None:
        """Ends a watch; unknown ones are ignored."""
        state = self._states.pop(watch_id, None)
        if state is not None:
            self._over.append(live_key(state.terms.ref))
        self._flashes.pop(watch_id, None)
        if not self._states:
            self._watched = trio.Event()

    def watched_slots(self) -> frozenset[tuple[bytes, bytes]]:
        """Contract and storage key of everything that is watched."""
        return frozenset((s.terms.contract, s.terms.key) for s in self._states.values())

    async def look(
        self, watch_id: str
    ) -> tuple[NodeInfo, tuple[LockSeen, ...], Conflict | None, LegState]:
        """The facts of one watch, all of one head. Raises ChainError, StoreError."""
        for _ in range(_ATTEMPTS):
            state = self._states.get(watch_id)
            if state is None:
                raise ChainError(f"nothing is watched under the name {watch_id[:80]!r}")
            async with self._looking:
                info = await self.health.look()
                self._note(info.head.hash, info.problems)
                pending = await self._pending(state)
                locks, conflict = await state.look(info.head, info.final, pending)
                still = await self.blocks.is_still(info.head)
            if still:
                return info, locks, conflict, state
        raise NodeUnreachable(f"chain {self.config.params.number} moves faster than it can be read")

    async def see(self) -> NodeInfo:
        """The chain now. Raises ChainError."""
        async with self._looking:
            info = await self.health.look()
        self._note(info.head.hash, info.problems)
        return info

    async def _pending(self, state: LegState) -> Pending:
        """What our ledgers and the mempool know of a watch."""
        flash = self._flashes.get(state.watch.watch_id)
        lock: Entry | None = None
        spends: list[Entry | None] = []
        for account in self._paying:
            await account.nonces.load()
            for coin in state.watch.own_inputs:
                address, nonce = parse_coin(coin)
                lock = account.nonces.entry(nonce) if address == account.address else lock
            names = (f"{what}:{state.terms.ref}" for what in ("claim", "refund"))
            spends += [account.nonces.of(name) for name in names]
        return Pending(lock, [entry for entry in spends if entry is not None], flash)

    @property
    def _paying(self) -> tuple[Account, ...]:
        """Every account that we sign for here."""
        return (self.accounts or ()) + ((self.relay,) if self.relay is not None else ())

    # --- accounts ---

    def reserve(self, asset: str, coins: Iterable[str]) -> None:
        """The coins of locks that the journal of swaps holds."""
        self._reserved[asset] = frozenset(coins)

    def _is_lock_held(self, nonce: int, _entry: Entry | None) -> bool:
        if self.accounts is None or not self._reserved:
            return True  # nobody has told yet what the journal holds
        coin = coin_of(self.accounts[LOCKS].address, nonce)
        watched = any(coin in state.watch.own_inputs for state in self._states.values())
        return watched or any(coin in coins for coins in self._reserved.values())

    def _is_spend_held(self, _nonce: int, entry: Entry | None) -> bool:
        if not self._reserved:
            return True
        refs = {state.terms.ref for state in self._states.values()}
        return entry is not None and entry.purpose.partition(":")[2] in refs

    async def used(self, account: bytes) -> int:
        """How many nonces of an account the chain has used. Raises ChainError."""
        head = self.blocks.head or await self.blocks.follow()
        call = ("eth_getTransactionCount", ("0x" + account.hex(),))
        [answer] = await self.sources.at(head, [call])
        return quantity(answer)

    async def broadcast(self, raw: bytes, txid: str) -> BroadcastResult:
        """Marked as sent on disk, then sent."""
        for account in self._paying:
            await account.nonces.sent(txid)
        result = await self.sources.broadcast(raw)
        self.bump()
        return result

    # --- tasks ---

    async def run(self) -> None:
        """Follows the chain for ever; for all its assets at once, whichever starts it."""
        if self._running:
            await trio.sleep_forever()
        self._running = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._follow)
                nursery.start_soon(self._follow_pool)
        finally:
            self._running = False

    async def _follow(self) -> None:
        trouble, pause = "", self.config.poll
        kept = b""
        while True:
            try:
                info = await self.see()
                trouble, pause = "", self.config.poll
                if info.head.hash != kept:
                    await self._keep(info)
                    kept = info.head.hash
            except ChainError as error:
                if str(error) != trouble:
                    trouble = str(error)
                    _log.warning("node_trouble", chain=self.config.params.title, problem=trouble)
                if isinstance(error, NodeMisconfigured):
                    self.health.misconfigured = trouble
                self._note(b"", (trouble,))
                pause = min(2 * pause, _LONGEST_PAUSE)
            except StoreError as error:
                _log.critical("ledger_not_written", reason=str(error))
            except Exception:  # noqa: BLE001 - logged with its trace
                # A bug in reading one node must not end the swaps of the others.
                _log.exception("node_reading_failed", chain=self.config.params.title)
                self._note(b"", ("an internal error while reading the node; see the log",))
                pause = _LONGEST_PAUSE
            await trio.sleep(pause)

    async def _keep(self, info: NodeInfo) -> None:
        """Sees that neither account is held up: gaps are filled, what is stuck goes again."""
        while self._over and self._memory is not None:
            await self._memory.delete(self._over.pop())
        for account in self._paying:
            await account.nonces.load()
            used = await self.used(account.address)
            for nonce in account.nonces.gaps(used):
                call = Call(account.address, 0, b"", GAS_PLAIN, "fill")
                rate = info.price.next_rate
                async with account.nonces.giving:
                    if nonce not in account.nonces.gaps(used):
                        continue
                    account.nonces.renew(nonce)
                    built = await account.rebuild(call, "fill", nonce, rate=rate, price=info.price)
                _log.warning("nonce_gap_filled", nonce=nonce, txid=built.version.txid)
                await self._send_own(built.version.raw, built.version.txid)
            for entry in account.nonces.stuck(used):
                last = entry.versions[-1]
                account.nonces.renew(entry.nonce)
                if last.sent:
                    built = await account.again(last, entry.nonce, entry.purpose, info.price)
                    last = built.version
                await self._send_own(last.raw, last.txid)
            await account.nonces.forget(used)
        for keep in self.keepers:
            await keep(info)

    async def _send_own(self, raw: bytes, txid: str) -> None:
        result = await self.broadcast(raw, txid)
        _log.info(
            "own_transaction_sent", txid=txid, outcome=result.outcome.value, reason=result.reason
        )

    async def _follow_pool(self) -> None:
        """Looks for preimages in what waits for the next block (safety rule 8)."""
        while True:
            await self._watched.wait()
            with suppress(ChainError):
                await self._look_at_pool()
            await trio.sleep(max(self.config.poll, 0.1))

    async def _look_at_pool(self) -> None:
        found = False
        asked: RpcCall = ("eth_getBlockByNumber", ("pending", True))
        for [answer] in await self.sources.hints(asked, most=MAX_BLOCK):
            if answer is None or isinstance(answer, RpcError):
                continue
            for item in rows(table(answer).get("transactions")):
                found |= self._read_pool(item)
        if found:
            self.bump()

    def _read_pool(self, item: object) -> bool:
        """Whether a transaction that waits shows the preimage of a watched leg."""
        try:
            tx = table(item)
            sent, name = data(tx.get("input"), _MAX_POOL_DATA), exactly(tx.get("hash"), 32).hex()
            if self.relay is not None and exactly(tx.get("from"), 20) == self.relay.address:
                return False  # in our ledger
        except BadAnswer:
            return False
        found = False
        for watch_id, state in self._states.items():
            if self.accounts and state.terms.swap.receiver == self.accounts[CLAIMS].address:
                continue  # our own claims are in our ledger
            known = self._flashes.get(watch_id)
            if not _names(sent, state.terms) or (known is not None and known.txid == name):
                continue
            shown = shown_preimage(sent, state.watch.hashlock)
            if shown is not None:
                self._flashes[watch_id] = Spend(SpendKind.CLAIM, name, 0, shown)
                found = True
        return found


def _names(sent: bytes, terms: LockTerms) -> bool:
    """Whether calldata is about this swap: its entry names locker, slot and expiry."""
    return terms.swap.entry[:26] in sent
