"""A node connection that fails in every way a node can: the Chain port in front of a FakeChain.

Owns: the faults of one daemon's node, the clock against its median time. Must not know: what is
asked, why; it tells the referee what is broadcast before the chain hears of it.

A fault is: no answer at once, no answer for long (then none), an error, an answer that comes late
and is old by then, a node that is cut off and does not know; and the worst: the call works, and its
answer gets lost.
"""

import enum
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import TypeVar

import trio

from protocol.bitcoin.htlc import Htlc
from protocol.swap.facts import ChainView, LockSeen
from protocol.terms import LegTerms, PinnedBlock
from swapd.ports import (
    BroadcastResult,
    ChainError,
    ChainStatus,
    Clock,
    Coin,
    FundsProof,
    LegWatch,
    NodeUnreachable,
    SignDigest,
    SignedLock,
    SignedTx,
    WalletBalance,
)
from tests.fakes.chain import FEE_NEXT, FakeChain
from tests.simulation.mempool import SimTx

T = TypeVar("T")
TIMEOUT = 5.0
"""Seconds after which a connection gives a call up."""


class Mood(enum.StrEnum):
    """How a node is."""

    WELL = "well"
    DOWN = "down"
    STALLED = "stalled"
    CONFUSED = "confused"
    SLOW = "slow"
    FORGETFUL = "forgetful"
    CUT_OFF = "cut off"


class SimNode:
    """`before_broadcast(raw)` is told of each transaction; `died()` raises once the process that
    uses this connection is dead."""

    def __init__(
        self,
        inner: FakeChain,
        clock: Clock,
        rng: Random,
        *,
        before_broadcast: Callable[[bytes], None],
        died: Callable[[], None],
    ) -> None:
        self.inner = inner
        self.chain, self.asset = inner.chain, inner.asset
        self.ticker, self.decimals = inner.ticker, inner.decimals
        self.mood = Mood.WELL
        self.slips = 0.0
        """How likely a single call fails in a node that is well."""
        self._clock = clock
        self._rng = rng
        self._before_broadcast = before_broadcast
        self._died = died
        self._well = trio.Event()
        self._watched: dict[str, tuple[bytes, tuple[str, ...]]] = {}
        self._count = 0
        self._changed = trio.Event()

    def become(self, mood: Mood) -> None:
        """The node's mood changes."""
        self.mood = mood
        self.inner.stalled = mood is Mood.CUT_OFF
        if mood is Mood.WELL:
            self._well.set()
            self._well = trio.Event()

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        self._died()
        mood = self.mood
        if mood is Mood.WELL and self.slips and self._rng.random() < self.slips:
            mood = self._rng.choice((Mood.DOWN, Mood.CONFUSED, Mood.SLOW, Mood.FORGETFUL))
        if mood in (Mood.DOWN, Mood.CONFUSED, Mood.STALLED):
            await self._fail(mood)
        self._examine()
        answer = await call()
        self._died()
        if mood is Mood.SLOW:
            await trio.sleep(self._rng.choice((0.5, 3.0)))
            self._died()
        if mood is Mood.FORGETFUL:
            raise NodeUnreachable("the connection broke before the answer came")
        return answer

    def _examine(self) -> None:
        """What a real connection would say of its node and its machine's clock."""
        problems = []
        if int(self._clock.now()) < self.inner.ledger.median_time:
            problems.append("this machine's clock is behind: set it")
        if self.inner.stalled:
            problems.append("the node has no peers")
        self.inner.problems = tuple(problems)
        self.inner.fee_next = max(FEE_NEXT, self.inner.ledger.chain.next_block_rate)

    async def _fail(self, mood: Mood) -> None:
        if mood is Mood.STALLED:
            with trio.move_on_after(TIMEOUT):
                await self._well.wait()
            raise NodeUnreachable("no answer in time")
        await trio.lowlevel.checkpoint()
        if mood is Mood.CONFUSED:
            raise ChainError("error -28: something odd")
        raise NodeUnreachable("connection refused")

    # --- the port ---

    async def check(self) -> None:
        await self._ask(self.inner.check)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """As the adapter does: tells of blocks, and of mempool events that concern a watch."""
        task_status.started()
        seen, before = self.inner.change_count(), self._picture()
        while True:
            seen = await self.inner.wait_change(seen)
            if self.mood is not Mood.WELL:
                await self._well.wait()
            picture = self._picture()
            if picture != before:
                before = picture
                self._bump()

    def _bump(self) -> None:
        self._count += 1
        self._changed.set()
        self._changed = trio.Event()

    def _picture(self) -> tuple[object, ...]:
        """What the watches can see: it differs when one of them has something new."""
        chain = self.inner.ledger.chain
        found: list[object] = [chain.tip_id]
        for script, inputs in self._watched.values():
            found.extend((p.ref, _txid(chain.spender(p.ref))) for p in chain.paying(script))
            found.extend(_txid(chain.spender(ref)) for ref in inputs)
        return tuple(found)

    def change_count(self) -> int:
        return self._count

    async def wait_change(self, seen: int) -> int:
        await trio.lowlevel.checkpoint()
        while self._count == seen:
            await self._changed.wait()
        return self._count

    async def status(self) -> ChainStatus:
        return await self._ask(self.inner.status)

    def watch(self, watch: LegWatch) -> None:
        self.inner.watch(watch)
        leg = watch.leg
        script = Htlc(leg.claim_key, leg.refund_key, watch.hashlock, leg.expiry).script_pubkey()
        self._watched[watch.watch_id] = (script, watch.own_inputs)

    def unwatch(self, watch_id: str) -> None:
        self._watched.pop(watch_id, None)
        self.inner.unwatch(watch_id)

    async def view(self, watch_id: str) -> ChainView:
        return await self._ask(lambda: self.inner.view(watch_id))

    async def pinned(self) -> PinnedBlock:
        return await self._ask(self.inner.pinned)

    async def has_block(self, pinned: PinnedBlock) -> bool:
        return await self._ask(lambda: self.inner.has_block(pinned))

    async def fund(
        self,
        leg: LegTerms,
        hashlock: bytes,
        fee_rate: int,
        replaces: SignedLock | None = None,
        *,
        deadline: int,
    ) -> SignedLock:
        if replaces is None:
            return await self._ask(
                lambda: self.inner.fund(leg, hashlock, fee_rate, deadline=deadline)
            )
        return await self._ask(
            lambda: self.inner.fund(leg, hashlock, fee_rate, replaces, deadline=deadline)
        )

    async def sent_lock(
        self, leg: LegTerms, hashlock: bytes, since_height: int
    ) -> SignedLock | None:
        return await self._ask(lambda: self.inner.sent_lock(leg, hashlock, since_height))

    async def build_kill(self, lock: SignedLock, fee_rate: int) -> SignedTx:
        return await self._ask(lambda: self.inner.build_kill(lock, fee_rate))

    async def build_claim(
        self,
        leg: LegTerms,
        hashlock: bytes,
        lock: LockSeen,
        destination: str,
        fee_rate: int,
        sign: SignDigest,
        preimage: bytes,
    ) -> SignedTx:
        self._died()
        return await self.inner.build_claim(
            leg, hashlock, lock, destination, fee_rate, sign, preimage
        )

    async def build_refund(
        self,
        leg: LegTerms,
        hashlock: bytes,
        lock: LockSeen,
        destination: str,
        fee_rate: int,
        sign: SignDigest,
    ) -> SignedTx:
        self._died()
        return await self.inner.build_refund(leg, hashlock, lock, destination, fee_rate, sign)

    async def broadcast(self, raw: bytes) -> BroadcastResult:
        self._died()
        self._before_broadcast(raw)
        return await self._ask(lambda: self.inner.broadcast(raw))

    async def set_reserved(self, refs: frozenset[str]) -> None:
        self._died()
        await self.inner.set_reserved(refs)

    async def reserved_units(self, units: int, fee_rate: int) -> int:
        return await self._ask(lambda: self.inner.reserved_units(units, fee_rate))

    async def prove_funds(self, challenge: bytes, units: int) -> FundsProof:
        return await self._ask(lambda: self.inner.prove_funds(challenge, units))

    async def check_funds(self, proof: FundsProof, challenge: bytes, units: int) -> None:
        await self._ask(lambda: self.inner.check_funds(proof, challenge, units))

    async def balance(self) -> WalletBalance:
        return await self._ask(self.inner.balance)

    def check_address(self, address: str) -> bytes:
        return self.inner.check_address(address)

    def address_of(self, public_key: bytes) -> str:
        return self.inner.address_of(public_key)

    async def search(self, addresses: Sequence[str]) -> tuple[Coin, ...]:
        return await self._ask(lambda: self.inner.search(addresses))

    async def unspent(self, addresses: Sequence[str], refs: Sequence[str]) -> tuple[Coin, ...]:
        return await self._ask(lambda: self.inner.unspent(addresses, refs))

    async def build_sweep(
        self,
        coins: Sequence[Coin],
        signers: Sequence[tuple[bytes, SignDigest]],
        destination: str,
        fee_rate: int,
    ) -> SignedTx:
        return await self.inner.build_sweep(coins, signers, destination, fee_rate)

    async def build_split(self, count: int, units: int, fee_rate: int) -> SignedTx:
        return await self._ask(lambda: self.inner.build_split(count, units, fee_rate))

    async def claim_party(self, htlc_key: bytes, destination: str | None) -> bytes:
        return await self._ask(lambda: self.inner.claim_party(htlc_key, destination))

    async def refund_party(self, htlc_key: bytes) -> bytes:
        return await self._ask(lambda: self.inner.refund_party(htlc_key))

    def fixed_address(self, *, refund: bool) -> str | None:
        return self.inner.fixed_address(refund=refund)

    async def wallet_address(self) -> str:
        return await self._ask(self.inner.wallet_address)


def _txid(spender: tuple[SimTx, int] | None) -> str:
    return "" if spender is None else spender[0].txid
