"""Two daemons' swap engines on shared fake chains: the real `Swaps` and `Runner`, no network.

Owns: setting them up, crashing and restarting them, letting time pass. Coins and signatures are
checked by the fake ledger as a node would.
"""

import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio
import trio.testing

from protocol.amounts import Amount, Units
from protocol.bitcoin.address import hash160, p2wpkh_script
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.signing import PublicKey, Signature
from protocol.swap.agreement import Agreement
from protocol.swap.states import End, SwapState
from protocol.swap.timelocks import Schedule, schedule, schedule_of
from protocol.terms import (
    Exposure,
    Kind,
    LegName,
    LegTerms,
    PinnedBlock,
    Role,
    Terms,
    Timing,
)
from swapd.engine import hooks, journal
from swapd.engine.swaps import Swaps
from swapd.engine.world import NothingKept, World
from swapd.policy import Policy
from swapd.ports import Recovery
from tests.fakes.chain import FakeChain
from tests.fakes.clock import FakeClock, FakeEntropy
from tests.fakes.ledger import FakeLedger
from tests.fakes.peers import FakeNetwork
from tests.fakes.signer import FakeSigner
from tests.fakes.store import FakeDisk, FakeStore

BTC, LTC = BITCOIN_REGTEST.asset_id, LITECOIN_REGTEST.asset_id
PAY, GET = 1_000_000, 80_000_000
"""The taker's bitcoin for the maker's litecoin."""

COIN = 100_000_000
EXPOSURE = Exposure(30, 6)
WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="")


class Crashed(BaseException):
    """The process ended here. No `except Exception` may see it."""


@dataclass
class Party:
    """One daemon, which can be killed and started again on the same disk."""

    name: str
    role: Role
    stage: "Stage"
    disk: FakeDisk = field(default_factory=FakeDisk)
    crashes: int = 0
    restarting: bool = False
    loses_disk: bool = False
    recovery: Recovery = field(default_factory=NothingKept)
    reborn: Callable[[], Awaitable[None]] | None = None
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def __post_init__(self) -> None:
        self.signer = FakeSigner(self.name)
        self.peers = self.stage.network.join(self.name)
        self.build()

    def build(self) -> None:
        """Everything that a process has in memory, new."""
        self.btc = FakeChain(self.stage.btc, self.name)
        self.ltc = FakeChain(self.stage.ltc, self.name)
        self.store = FakeStore(self.disk)
        self.world = World(
            chains={LTC: self.ltc, BTC: self.btc},
            peers=self.peers,
            store=self.store,
            signer=self.signer,
            clock=self.stage.clock,
            entropy=FakeEntropy(self.name),
            policy=Policy(timing=Timing.REGTEST, exposure=EXPOSURE),
            recovery=self.recovery,
        )
        self.swaps = Swaps(self.world)

    def chain(self, leg: LegName) -> FakeChain:
        """This party's node of a leg."""
        return self.btc if leg is LegName.I else self.ltc

    async def run(self) -> None:
        """As a supervisor would: after each crash the daemon is started again."""
        WHO.set(self.name)
        while True:
            try:
                async with trio.open_nursery() as nursery:
                    self.scope = nursery.cancel_scope
                    await nursery.start(self.swaps.run)
                    await self.swaps.resume()
                if not self.restarting:
                    return
            except BaseExceptionGroup as group:
                crashed, other = group.split(Crashed)
                if crashed is None or other is not None:
                    raise
                self.crashes += 1
            self.restarting = False
            if self.loses_disk:
                self.disk = FakeDisk()
            self.build()
            if self.reborn is not None:
                await self.reborn()

    async def restart(self) -> None:
        """kill -9, and the daemon is started again."""
        self.restarting = True
        self.scope.cancel()
        await trio.testing.wait_all_tasks_blocked()

    async def start(self, agreement: Agreement) -> None:
        """Begins a swap, as the negotiation does. A crash before the row is written leaves this
        party without the swap."""
        token = WHO.set(self.name)
        try:
            await self.swaps.start(agreement)
        except Crashed:
            self.crashes += 1
            await self.restart()
        finally:
            WHO.reset(token)

    def state(self, swap_id: bytes) -> SwapState:
        """The newest state, from the running swap or from the disk."""
        live = self.swaps.live(swap_id)
        return live or journal.load_state(self.disk.journal[swap_id][-1])

    def end(self, agreement: Agreement) -> End | None:
        """How a swap ended here."""
        outcome = self.state(agreement.swap_id).outcome
        return outcome.end if outcome else None

    def payout(self, leg: LegName) -> int:
        """Units that this party's claims and refunds brought on the chain of `leg`."""
        script = p2wpkh_script(hash160(self.signer.wallet_key(BTC if leg is LegName.I else LTC, 1)))
        unspent = self.chain(leg).ledger.unspent(mempool=False).values()
        return sum(s.output.amount for s in unspent if s.output.script_pubkey == script)

    async def wallet(self, leg: LegName) -> int:
        """Confirmed units in the node's wallet."""
        return sum(coin.units for coin in self.chain(leg)._owned())


class Stage:
    """Both chains, both parties, one clock."""

    def __init__(self, mock: trio.testing.MockClock, *, coins: int = 1) -> None:
        self.mock = mock
        self.clock = FakeClock()
        self.network = FakeNetwork()
        self.btc = FakeLedger(BITCOIN_REGTEST, self.clock)
        self.ltc = FakeLedger(LITECOIN_REGTEST, self.clock)
        for ledger in (self.btc, self.ltc):
            ledger.mine(12)
        self.taker = Party("taker", Role.INITIATOR, self)
        self.maker = Party("maker", Role.PARTICIPANT, self)
        self.taker.btc.grant(COIN, coins)
        self.maker.ltc.grant(COIN, coins)
        self.number = 0
        self.points: dict[str, list[str]] = {"taker": [], "maker": []}
        self.crash_at: tuple[str, str, int] | None = None
        self.idle: set[LegName] = set()
        """Chains whose miners leave their blocks empty."""

    def parties(self) -> tuple[Party, Party]:
        return self.taker, self.maker

    def ledger(self, leg: LegName) -> FakeLedger:
        """The chain of a leg."""
        return self.btc if leg is LegName.I else self.ltc

    def _point(self, name: str) -> None:
        who = WHO.get()
        self.points[who].append(name)
        if self.crash_at == (who, name, self.points[who].count(name)):
            raise Crashed(name)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Both daemons run while the block does."""
        hooks.observe(self._point)
        try:
            async with trio.open_nursery() as nursery:
                for party in self.parties():
                    nursery.start_soon(party.run)
                await self.settle()
                yield
                nursery.cancel_scope.cancel()
        finally:
            hooks.observe(None)

    async def settle(self, seconds: float = 0) -> None:
        """Everybody does what can be done now; then `seconds` of patience pass."""
        await trio.testing.wait_all_tasks_blocked()
        if seconds:
            self.mock.jump(seconds)
            await trio.testing.wait_all_tasks_blocked()

    async def block(self, *legs: LegName) -> None:
        """Ten seconds pass, the chains of `legs` (default both) find a block, everybody looks."""
        self.clock.advance(10)
        for leg in legs or tuple(LegName):
            self.ledger(leg).mine(only=() if leg in self.idle else None)
        await self.settle()
        await self.settle(31)

    async def blocks(self, most: int, *swaps: Agreement) -> None:
        """So many blocks, or until both parties are done with all of `swaps`."""
        for _ in range(most):
            if swaps and all(
                party.swaps.live(swap.swap_id) is None for swap in swaps for party in self.parties()
            ):
                return
            await self.block()

    def agreement(self) -> tuple[Agreement, Agreement]:
        """One more swap as the taker and as the maker journal it."""
        self.number += 1
        swap_id, salt = bytes([self.number]) * 32, bytes([self.number + 100]) * 32
        terms = self._terms(swap_id, salt)
        found = []
        for party in self.parties():
            addresses = [
                party.world.chains[asset].address_of(party.signer.wallet_key(asset, 1))
                for asset in (BTC, LTC)
            ]
            for asset, address in zip((BTC, LTC), addresses, strict=True):
                party.disk.values["address", f"{asset}|{address}"] = b"1"
            own, theirs = addresses if party.role is Role.INITIATOR else reversed(addresses)
            found.append(
                Agreement(
                    terms=terms,
                    role=party.role,
                    maker_signature=Signature(bytes(64)),
                    taker_signature=Signature(bytes(64)),
                    salt=salt,
                    destination=theirs,
                    refund_destination=own,
                    since_i=self.btc.height,
                    since_p=self.ltc.height,
                    peer_id="other",
                    agreed_at=self.clock.now(),
                )
            )
        return found[0], found[1]

    def _terms(self, swap_id: bytes, salt: bytes) -> Terms:
        times = self._schedule()
        keys = {
            (party.role, leg): party.signer.htlc_key(salt, party.role, swap_id, leg)
            for party in self.parties()
            for leg in LegName
        }
        initiator, participant = Role.INITIATOR, Role.PARTICIPANT
        pinned = PinnedBlock(0, bytes(32))
        return Terms(
            version=1,
            swap_id=swap_id,
            offer_id=bytes(32),
            maker=PublicKey(bytes([3]) * 32),
            taker=PublicKey(bytes([4]) * 32),
            hashlock=self.taker.signer.hashlock(salt, swap_id),
            t0=times.t0,
            timing=Timing.REGTEST,
            exposure_i=EXPOSURE,
            exposure_p=EXPOSURE,
            leg_i=LegTerms(
                Kind.P2WSH,
                Amount(BTC, Units(PAY)),
                keys[participant, LegName.I],
                keys[initiator, LegName.I],
                times.expiry_i,
                2,
                pinned,
            ),
            leg_p=LegTerms(
                Kind.P2WSH,
                Amount(LTC, Units(GET)),
                keys[initiator, LegName.P],
                keys[participant, LegName.P],
                times.expiry_p,
                3,
                pinned,
            ),
            min_fee_rate_i=1_000,
        )

    def _schedule(self) -> Schedule:
        return schedule(
            t0=self.clock.now(),
            timing=Timing.REGTEST,
            chain_i=BITCOIN_REGTEST.chain_id,
            chain_p=LITECOIN_REGTEST.chain_id,
            depth_i=2,
            depth_p=3,
            exposure_i=EXPOSURE,
            exposure_p=EXPOSURE,
        )

    async def agree(self) -> Agreement:
        """Both parties journal and run one more swap; returns the taker's agreement."""
        taken, made = self.agreement()
        await self.maker.start(made)
        await self.taker.start(taken)
        await self.settle()
        return taken


def times_of(agreement: Agreement) -> Schedule:
    """Every door of a swap."""
    return schedule_of(agreement.terms)
