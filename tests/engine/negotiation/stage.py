"""A maker and takers on two shared chains and one network, all in memory.

Owns: setting them up. Chains, network, stores and signers are the working fakes; the offers and
the running swaps are the least that maker and taker need of them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import trio

from protocol.amounts import Price, Units
from protocol.assets import AssetId
from protocol.bitcoin.params import BITCOIN_REGTEST, LITECOIN_REGTEST
from protocol.codec import encode
from protocol.errors import Refusal, RemoteProtocolError
from protocol.offers import OFFER_VERSION, Offer, Signed, offer_id
from protocol.signing import Tag
from protocol.swap.agreement import Agreement
from protocol.swap.machine import begin
from protocol.swap.states import SwapState
from protocol.terms import Exposure, Timing
from swapd.engine import journal
from swapd.engine.maker import Maker
from swapd.engine.reservations import Reservations
from swapd.engine.taker import Taker
from swapd.engine.world import World
from swapd.policy import Policy
from tests.fakes.chain import FakeChain
from tests.fakes.clock import FakeClock, FakeEntropy
from tests.fakes.ledger import FakeLedger
from tests.fakes.peers import FakeNetwork, FakePeers
from tests.fakes.signer import FakeSigner
from tests.fakes.store import FakeStore

BTC, LTC = BITCOIN_REGTEST.asset_id, LITECOIN_REGTEST.asset_id
COIN = 100_000_000
DEEP = 105
"""Blocks that exist already, so that a block 100 deep is not the genesis block."""

POLICY = Policy(timing=Timing.REGTEST, exposure=Exposure(30, 6))


class RunningSwaps:
    """Journals what is agreed; nothing runs."""

    def __init__(self, store: FakeStore) -> None:
        self.agreements: list[Agreement] = []
        self._store = store

    def open(self) -> tuple[SwapState, ...]:
        return tuple(begin(agreement) for agreement in self.agreements)

    def locked(self, asset: AssetId) -> int:
        amounts = [agreement.own.amount for agreement in self.agreements]
        return sum(amount.units for amount in amounts if amount.asset == asset)

    async def start(self, agreement: Agreement) -> None:
        await journal.write(self._store, begin(agreement), None, sequence=1, at=0)
        self.agreements.append(agreement)


class Offers:
    """Offers of one maker with what is left of each."""

    def __init__(self) -> None:
        self.live: dict[bytes, Offer] = {}
        self.left: dict[bytes, int] = {}
        self._taken: dict[bytes, tuple[bytes, int]] = {}

    def get(self, name: bytes) -> Offer:
        if name not in self.live:
            raise RemoteProtocolError(Refusal.UNKNOWN_OFFER, "not an offer of ours")
        return self.live[name]

    def remaining(self, name: bytes) -> int:
        return self.left[name]

    def consume(self, name: bytes, swap_id: bytes, units: int) -> None:
        if units > self.left[name]:
            raise RemoteProtocolError(Refusal.AMOUNT_TAKEN, "somebody was faster")
        self.left[name] -= units
        self._taken[swap_id] = (name, units)

    def restore(self, swap_id: bytes) -> None:
        if swap_id in self._taken:
            name, units = self._taken.pop(swap_id)
            self.left[name] += units


@dataclass
class Party:
    """One daemon's engine, as far as negotiation goes."""

    name: str
    world: World
    btc: FakeChain
    ltc: FakeChain
    store: FakeStore
    clock: FakeClock
    peers: FakePeers
    ledger: Reservations
    swaps: RunningSwaps
    offers: Offers = field(default_factory=Offers)

    @property
    def maker(self) -> Maker:
        return Maker(self.world, self.offers, self.ledger, self.swaps)

    @property
    def taker(self) -> Taker:
        return Taker(self.world, self.ledger, self.swaps)

    @property
    def broadcasts(self) -> int:
        """Transactions this party ever sent."""
        return len(self.btc.broadcasts) + len(self.ltc.broadcasts)

    def is_idle(self) -> bool:
        """Nothing is promised and no swap exists."""
        held = self.ledger.held(BTC) + self.ledger.held(LTC)
        return held == 0 and not self.swaps.agreements


class Stage:
    """The chains and the network they share."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.network = FakeNetwork()
        self.btc = FakeLedger(BITCOIN_REGTEST, self.clock, self.clock.advance)
        self.ltc = FakeLedger(LITECOIN_REGTEST, self.clock, self.clock.advance)
        for chain in (self.btc, self.ltc):
            chain.mine(DEEP)

    def party(self, name: str, *, coins: int = 1, policy: Policy = POLICY) -> Party:
        """A party with `coins` plain confirmed coins of 10 on each chain."""
        btc, ltc = FakeChain(self.btc, name), FakeChain(self.ltc, name)
        for chain in (btc, ltc):
            if coins:
                chain.ledger.grant(chain.fresh_script(), 10 * COIN, coins)
        store, peers = FakeStore(), self.network.join(name)
        world = World(
            chains={BTC: btc, LTC: ltc},
            peers=peers,
            store=store,
            signer=FakeSigner(name),
            clock=self.clock,
            entropy=FakeEntropy(name),
            policy=policy,
        )
        swaps = RunningSwaps(store)
        return Party(name, world, btc, ltc, store, self.clock, peers, Reservations(), swaps)


async def post(party: Party, *, maximum: int = 10 * COIN, sequence: int = 1) -> Signed:
    """An offer of litecoin for bitcoin, one for 80, from 2 LTC on."""
    now = party.clock.now()
    offer = Offer(
        version=OFFER_VERSION,
        maker=party.world.signer.maker_key(),
        slot=sequence,
        sequence=sequence,
        number=sequence,
        sell=LTC,
        buy=BTC,
        price=Price(Units(1), Units(80)),
        minimum=Units(2 * COIN),
        maximum=Units(maximum),
        created=now,
        expires=now + 3600,
        kinds=("p2wsh",),
        timing=Timing.REGTEST,
        exposure=Exposure(30, 6),
        depth_sell=3,
        depth_buy=2,
        min_fee_rate=1_000,
    )
    payload = encode(offer)
    signed = Signed(payload, await party.world.signer.sign_maker(Tag.OFFER, payload))
    party.offers.live[offer_id(signed)] = offer
    party.offers.left[offer_id(signed)] = maximum
    return signed


@asynccontextmanager
async def serving(*makers: Party) -> AsyncIterator[None]:
    """Every maker answers while the block runs."""
    async with trio.open_nursery() as nursery:
        for party in makers:
            await nursery.start(party.maker.run)
        yield
        nursery.cancel_scope.cancel()


async def take(party: Party, signed: Signed, units: int, **more: str) -> Agreement:
    """`party` takes from the maker called "maker"."""
    peer_id = more.pop("peer_id", "maker")
    return await party.taker.take(
        signed, units, peer_id=peer_id, addresses=("/memory/maker",), **more
    )
