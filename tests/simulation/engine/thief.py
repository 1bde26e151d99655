"""A counterparty that agreed honestly and now takes what the chains let it take.

Owns: what a thief does on chain with the keys of one side, outside the engine. Must not know: what
the honest side will do. It never waits politely: it locks wrongly, late or twice, double-spends,
claims at the last moment, races refunds, hides what it showed, brings back locks that were killed.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING

import trio
from msgspec.structs import replace

from protocol.amounts import Units
from protocol.assets import AssetId
from protocol.swap.agreement import Agreement
from protocol.swap.facts import ChainView, LockSeen
from protocol.swap.states import SwapState
from protocol.swap.timelocks import schedule_of
from protocol.terms import LegName, LegTerms, Role, other_leg, own_leg
from swapd.engine.world import World
from swapd.ports import Broadcast, ChainError, LegWatch, SignDigest, SignedLock
from tests.fakes.chain import FakeChain
from tests.simulation.engine.daemon import Daemon
from tests.simulation.engine.plain import read_tx

if TYPE_CHECKING:
    from tests.simulation.engine.world import Scene

LOCKS = (
    "exact", "exact", "exact", "exact", "edge", "edge", "edge", "less", "more", "twice", "none",
    "late", "spent", "spent",
)  # fmt: skip
CLAIMS = ("soon", "gate", "late", "late", "never")
GREED = 60_000
"""Base units per 1000 vbytes: thieves pay well."""


class ThievesSwaps:
    """In place of the engine's swaps: it agrees, and the thief goes to work."""

    def __init__(self, den: "Den", world: World) -> None:
        self._den = den
        self._world = world

    def listen(self, _listener: Callable[[SwapState, int], None]) -> None:
        pass

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await trio.sleep_forever()

    async def resume(self) -> int:
        return 0

    def open(self) -> tuple[SwapState, ...]:
        return ()

    def locked(self, _asset: str) -> int:
        return 0

    async def get(self, _swap_id: bytes) -> tuple[SwapState, int, int] | None:
        await trio.lowlevel.checkpoint()
        return None

    async def start(self, agreement: Agreement) -> None:
        await trio.lowlevel.checkpoint()
        self._den.jobs.append(Thief(self._den, agreement))


class Den(Daemon):
    """A daemon of a thief: an honest market, and then this."""

    is_honest = False

    def __init__(
        self, scene: "Scene", name: str, rng: Random, *, coins: Mapping[AssetId, int]
    ) -> None:
        super().__init__(scene, name, rng, coins=coins)
        self.jobs: list[Thief] = []

    def make_swaps(self, world: World) -> ThievesSwaps:
        return ThievesSwaps(self, world)


class Thief:
    """One swap in the hands of a thief."""

    def __init__(self, den: Den, agreement: Agreement) -> None:
        self._scene = den.scene
        self._den = den
        self._agreement = agreement
        self._rng = den.rng
        self.own, self.other = own_leg(agreement.role), other_leg(agreement.role)
        self._lock_style = self._rng.choice(LOCKS)
        self._claim_style = self._rng.choice(CLAIMS)
        self._patience = self._rng.choice((0, 0, 10, 30, 60))
        self._begun = self._scene.timeline.now()
        self._edge = self._last_moment()
        self._lock: SignedLock | None = None
        self._respent = False
        self._preimage: bytes | None = None
        self._victims_locks: set[bytes] = set()
        self._mischief = self._rng.choice((0, 0, 1, 2))
        for leg in LegName:
            self._chain(leg).watch(self._watch(leg))
        self.busy = False

    # --- tools ---

    def _leg(self, leg: LegName) -> LegTerms:
        return self._agreement.terms.leg(leg)

    def _chain(self, leg: LegName) -> FakeChain:
        return self._den.wallets[self._leg(leg).amount.asset]

    def _watch(self, leg: LegName) -> LegWatch:
        since = self._agreement.since(leg)
        name = self._agreement.swap_id.hex() + leg.value
        return LegWatch(name, self._leg(leg), self._agreement.terms.hashlock, since)

    def _last_moment(self) -> float:
        """When a lock must leave to be final just about when the other side's gate closes."""
        times = schedule_of(self._agreement.terms)
        first = self._agreement.role is Role.INITIATOR
        gate = times.lock_gate_p if first else times.reveal_gate
        return gate - 10 * self._leg(self.own).depth + self._rng.randint(-15, 25)

    async def _view(self, leg: LegName) -> ChainView:
        chain = self._chain(leg)
        chain.watch(self._watch(leg))  # the daemon may have been started anew
        return await chain.view(self._agreement.swap_id.hex() + leg.value)

    def _sign(self, leg: LegName) -> SignDigest:
        agreement, signer = self._agreement, self._den.signer

        async def sign(digest: bytes) -> bytes:
            return await signer.sign_htlc(
                agreement.salt, agreement.role, agreement.swap_id, leg, digest
            )

        return sign

    def _say(self, what: str) -> None:
        name = f"{self._den.name}/{self._agreement.swap_id.hex()[:6]}"
        self._scene.referee.note(f"{name} (thief) {what}")
        self._scene.referee.tallies["thief " + what.partition(":")[0]] += 1

    def _send(self, leg: LegName, raw: bytes, what: str) -> bool:
        result = self._chain(leg).ledger.submit(raw)
        if result.outcome is Broadcast.ACCEPTED:
            self._say(f"{what}: {read_tx(raw).txid[:8]}")
        return result.outcome is not Broadcast.REJECTED

    # --- what it does after each block ---

    def is_over(self) -> bool:
        """Nothing more can be taken."""
        idle = self._lock is None and not self._victims_locks
        since = self._begun if idle else self._agreement.terms.leg_i.expiry
        return self._scene.timeline.now() > since + 150

    async def move(self) -> None:
        """Looks at both chains and does the worst."""
        if self.busy or self._scene.over:
            return
        self.busy = True
        try:
            own, other = await self._view(self.own), await self._view(self.other)
            for act in (self._lock_up, self._respend, self._claim, self._refund, self._haunt):
                await act(own, other)
        except ChainError as error:
            self._say(f"gives up: {error}")
        finally:
            self.busy = False

    async def _lock_up(self, _own: ChainView, other: ChainView) -> None:
        now = self._scene.timeline.now()
        if self._lock is not None or self._lock_style == "none":
            return
        if self._lock_style == "edge" and now < self._edge:
            return
        if self._lock_style == "late" and now < self._begun + 40 + self._patience:
            return
        if self._agreement.role is Role.PARTICIPANT and not any(
            lock.depth >= self._rng.choice((0, 1, self._leg(self.other).depth))
            for lock in other.locks
        ):
            return
        leg = self._leg(self.own)
        wrong = {"less": -1, "more": 1}.get(self._lock_style, 0)
        amount = replace(leg.amount, units=Units(int(leg.amount.units) + wrong))
        chain, hashlock = self._chain(self.own), self._agreement.terms.hashlock
        rate = self._rng.choice((1_000, 5_000, GREED))
        self._lock = await chain.fund(
            replace(leg, amount=amount), hashlock, rate, deadline=leg.expiry
        )
        self._send(self.own, self._lock.tx.raw, f"locks ({self._lock_style})")
        if self._lock_style == "twice":
            again = await chain.fund(leg, hashlock, rate, deadline=leg.expiry)
            self._send(self.own, again.tx.raw, "locks again")

    async def _respend(self, own: ChainView, _other: ChainView) -> None:
        """Takes back an unconfirmed lock."""
        if self._lock is None or self._lock_style != "spent" or self._respent:
            return
        mine = [lock for lock in own.locks if lock.ref == self._lock.ref]
        if not mine or mine[0].depth == 0:
            if self._rng.random() < 0.5:
                self.respend_now()
        await trio.lowlevel.checkpoint()

    def respend_now(self) -> None:
        """Pays the lock's coin to itself; also in the moment after a reorganisation."""
        if self._lock is None or self._lock_style != "spent" or self._respent:
            return
        chain, ref = self._chain(self.own), self._lock.coins[0].ref
        try:
            tx = chain.spend_coin(ref, chain.fresh_script(), 100_000)
        except ValueError:
            return  # the coin is spent in a block
        self._respent = self._send(self.own, tx.serialise(), "double-spends")

    async def _claim(self, own: ChainView, other: ChainView) -> None:
        role, now = self._agreement.role, self._scene.timeline.now()
        if role is Role.INITIATOR:
            self._preimage = self._den.signer._preimage(
                self._agreement.salt, self._agreement.swap_id
            )
        else:
            for lock in own.locks:
                if lock.spend is not None and lock.spend.preimage is not None:
                    self._preimage = lock.spend.preimage
        exact = int(self._leg(self.other).amount.units)
        theirs = [lock for lock in other.locks if lock.units == exact]
        if self._preimage is None or not theirs or not self._is_time_to_claim(now):
            return
        lock = theirs[0]
        if lock.spend is not None and lock.spend.kind.value == "claim":
            if lock.spend.depth == 0 and self._mischief and self._rng.random() < 0.3:
                self._mischief -= 1
                if self._chain(self.other).ledger.chain.evict(lock.spend.txid):
                    self._chain(self.other).ledger.notify()
                    self._say("hides its claim again")
            return
        if lock.spend is not None and lock.spend.depth > 0:
            return
        claim = await self._chain(self.other).build_claim(
            self._leg(self.other), self._agreement.terms.hashlock, lock,
            self._agreement.destination, self._rng.choice((2_000, 20_000, GREED)),
            self._sign(self.other), self._preimage,
        )  # fmt: skip
        if self._send(self.other, claim.raw, "claims"):
            script = read_tx(lock.raw).outputs[int(lock.ref[65:])][0]
            self._scene.duties.tell_shown(self._agreement.swap_id, script)

    def _is_time_to_claim(self, now: float) -> bool:
        expiry = self._leg(self.other).expiry
        match self._claim_style:
            case "soon":
                return now >= self._begun + self._patience
            case "gate":
                return now >= expiry - 60
            case "late":
                return now >= expiry - 10 + self._patience
            case _:
                return False

    async def _refund(self, own: ChainView, _other: ChainView) -> None:
        leg = self._leg(self.own)
        if own.median_time <= leg.expiry:
            return
        for lock in own.locks:
            if lock.depth > 0 and (lock.spend is None or self._may_race(lock)):
                refund = await self._chain(self.own).build_refund(
                    leg, self._agreement.terms.hashlock, lock, self._agreement.refund_destination,
                    GREED * self._rng.choice((1, 2)), self._sign(self.own),
                )  # fmt: skip
                self._send(self.own, refund.raw, "refunds")

    def _may_race(self, lock: LockSeen) -> bool:
        return lock.spend is not None and lock.spend.depth == 0 and lock.spend.kind.value == "claim"

    async def _haunt(self, _own: ChainView, other: ChainView) -> None:
        """Brings back a lock of the other side that was killed."""
        await trio.lowlevel.checkpoint()
        for lock in other.locks:
            if lock.depth == 0:
                self._victims_locks.add(lock.raw)
        if not self._mischief:
            return
        ledger, ours = self._chain(self.other).ledger, {lock.raw for lock in other.locks}
        for raw in sorted(self._victims_locks - ours):
            spends = set(read_tx(raw).spends)
            rivals = [
                txid for txid, tx in sorted(ledger.chain.mempool.items()) if spends & set(tx.spends)
            ]
            for txid in rivals:
                if txid in ledger.chain.mempool:
                    ledger.drop(txid)
            self._mischief -= 1
            if self._send(self.other, raw, "brings back a lock"):
                return
