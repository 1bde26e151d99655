"""A toy pair of chains and two parties around the real swap machine: no nodes, keys or sockets.

Transactions are names; a chain mines everything in its mempool that is valid. It shares no code
with the machine but the values that cross between them.
"""

import hashlib
from dataclasses import dataclass, field

import msgspec

from protocol.amounts import Amount, Units
from protocol.bitcoin.params import params_for
from protocol.signing import PublicKey, Signature
from protocol.swap.agreement import Agreement
from protocol.swap.effects import (
    BroadcastChild,
    BroadcastClaim,
    BroadcastKill,
    BroadcastLock,
    BroadcastRefund,
    BuildChild,
    BuildClaim,
    BuildKill,
    BuildLock,
    BuildRefund,
    Effect,
    ResendTheirLock,
    SeekLock,
)
from protocol.swap.events import (
    ChildBuilt,
    ClaimBuilt,
    Event,
    KillBuilt,
    LockBuilt,
    Observed,
    RefundBuilt,
)
from protocol.swap.facts import ChainView, Conflict, LockSeen, Restriction, Spend, SpendKind
from protocol.swap.machine import begin, is_closed, step
from protocol.swap.pending import pending
from protocol.swap.states import LockCoin, SignedLock, SwapState, Tx
from protocol.swap.timelocks import schedule
from protocol.terms import (
    Exposure,
    Kind,
    LegName,
    LegTerms,
    PinnedBlock,
    Role,
    Terms,
    Timing,
    other_leg,
    own_leg,
)

T0 = 1_800_000_000
PREIMAGE = b"\x07" * 32
HASHLOCK = hashlib.sha256(PREIMAGE).digest()
BTC = params_for("bitcoin", "regtest")
LTC = params_for("litecoin", "regtest")


def terms() -> Terms:
    """BTC (leg I) for LTC (leg P) on the regtest timing."""
    exposure = Exposure(30, 6)
    times = schedule(
        t0=T0,
        timing=Timing.REGTEST,
        chain_i=BTC.chain_id,
        chain_p=LTC.chain_id,
        depth_i=2,
        depth_p=3,
        exposure_i=exposure,
        exposure_p=exposure,
    )
    pinned = PinnedBlock(0, bytes(32))

    def leg(asset: str, units: int, expiry: int, depth: int, tag: int) -> LegTerms:
        keys = bytes([2]) + bytes([tag]) * 32, bytes([2]) + bytes([tag + 1]) * 32
        amount = Amount(asset, Units(units))  # type: ignore[arg-type] # a plain string will do
        return LegTerms(Kind.P2WSH, amount, keys[0], keys[1], expiry, depth, pinned)

    return Terms(
        version=1,
        swap_id=b"\x01" * 32,
        offer_id=b"\x02" * 32,
        maker=PublicKey(b"\x03" * 32),
        taker=PublicKey(b"\x04" * 32),
        hashlock=HASHLOCK,
        t0=T0,
        timing=Timing.REGTEST,
        exposure_i=exposure,
        exposure_p=exposure,
        leg_i=leg(BTC.asset_id, 100_000, times.expiry_i, 2, 11),
        leg_p=leg(LTC.asset_id, 700_000, times.expiry_p, 3, 21),
        min_fee_rate_i=1000,
    )


@dataclass
class ToyTx:
    """`pays`: units to the leg's script, 0 for none. `spends`: what it can't share."""

    txid: str
    spends: frozenset[str]
    pays: int = 0
    kind: SpendKind | None = None
    not_before: int = 0
    height: int | None = None
    restriction: Restriction = Restriction.NONE


@dataclass
class ToyChain:
    """One chain with one leg on it."""

    leg: LegTerms
    height: int = 1000
    times: list[int] = field(default_factory=lambda: [T0 - 10 * n for n in range(20, 0, -1)])
    txs: dict[str, ToyTx] = field(default_factory=dict)
    deaf: bool = False  # mines empty blocks
    problems: tuple[str, ...] = ()

    @property
    def median(self) -> int:
        return sorted(self.times[-11:])[5]

    def send(self, tx: ToyTx) -> bool:
        """Into the mempool, replacing what conflicts there; refused when a block has a conflict."""
        if tx.txid in self.txs:
            return True
        rivals = [t for t in self.txs.values() if t.spends & tx.spends]
        if any(t.height is not None for t in rivals) or tx.not_before >= self.median:
            return False
        if tx.kind is not None and not self._funded(tx):
            return False
        for rival in rivals:
            self.drop(rival.txid)
        self.txs[tx.txid] = tx
        return True

    def _funded(self, tx: ToyTx) -> bool:
        return any(f"{t.txid}:0" in tx.spends for t in self.txs.values() if t.pays)

    def drop(self, txid: str) -> None:
        """Evicts a transaction and what hangs on it."""
        gone = self.txs.pop(txid, None)
        if gone is not None:
            for child in [t for t in self.txs.values() if f"{txid}:0" in t.spends]:
                self.drop(child.txid)

    def mine(self, time: int) -> None:
        self.height += 1
        self.times.append(max(time, self.median + 1))
        if self.deaf:
            return
        for tx in self.txs.values():
            if tx.height is None:
                tx.height = self.height

    def reorg(self, blocks: int) -> None:
        """The last `blocks` blocks never happened; their transactions are in the mempool again."""
        self.height -= blocks
        del self.times[-blocks:]
        for tx in self.txs.values():
            if tx.height is not None and tx.height > self.height:
                tx.height = None

    def _depth(self, tx: ToyTx) -> int:
        return 0 if tx.height is None else self.height - tx.height + 1

    def view(self, own_inputs: frozenset[str]) -> ChainView:
        locks = []
        for tx in self.txs.values():
            if not tx.pays:
                continue
            spender = next((t for t in self.txs.values() if f"{tx.txid}:0" in t.spends), None)
            spend = None
            if spender is not None and spender.kind is not None:
                shown = PREIMAGE if spender.kind is SpendKind.CLAIM else None
                spend = Spend(spender.kind, spender.txid, self._depth(spender), shown)
            locks.append(
                LockSeen(
                    f"{tx.txid}:0",
                    tx.pays,
                    self._depth(tx),
                    tx.restriction,
                    spend,
                    b"raw",
                    bool(tx.spends & own_inputs),
                )
            )
        rival = next((t for t in self.txs.values() if t.spends & own_inputs and not t.pays), None)
        conflict = Conflict(rival.txid, self._depth(rival)) if rival else None
        return ChainView(
            tip_height=self.height,
            tip_hash=f"{self.height:064x}",
            tip_time=self.times[-1],
            median_time=self.median,
            fee_next=2000,
            fee_floor=1000,
            problems=self.problems,
            locks=tuple(locks),
            conflict=conflict,
        )


@dataclass
class Party:
    """One side: the real machine, and effects performed on the toy chains."""

    role: Role
    state: SwapState
    story: list[str] = field(default_factory=list)
    online: bool = True
    builds: int = 0

    @property
    def name(self) -> str:
        return self.role.value[0]

    def inputs(self) -> frozenset[str]:
        return frozenset({f"coin-{self.name}"})


@dataclass
class World:
    """Both chains, both parties, one clock."""

    chains: dict[LegName, ToyChain]
    initiator: Party
    participant: Party
    now: int = T0

    def parties(self) -> tuple[Party, Party]:
        return self.initiator, self.participant

    def block(self, *legs: LegName) -> None:
        """Ten seconds pass and the chains of `legs` (default both) find a block; all act."""
        self.now += 10
        for leg in legs or tuple(LegName):
            self.chains[leg].mine(self.now)
        self.act()

    def act(self) -> None:
        """Everybody who is online looks and does what is owed, twice, so that both see both."""
        for _ in range(2):
            for party in self.parties():
                if party.online:
                    self.turn(party)

    def turn(self, party: Party) -> None:
        for _ in range(12):
            self.apply(party, self.look(party))
            if not any(self.perform(party, effect) for effect in pending(party.state)):
                return

    def look(self, party: Party) -> Observed:
        own = own_leg(party.role)
        views = {
            leg: chain.view(party.inputs() if leg is own else frozenset())
            for leg, chain in self.chains.items()
        }
        return Observed(self.now, views[LegName.I], views[LegName.P])

    def apply(self, party: Party, event: Event) -> None:
        party.state = step(party.state, event)

    def perform(self, party: Party, effect: Effect) -> bool:
        """True when a Build made an event (look again)."""
        party.story.append(type(effect).__name__)
        own = self.chains[own_leg(party.role)]
        theirs = self.chains[other_leg(party.role)]
        party.builds += 1
        name = f"{party.name}{party.builds}"
        match effect:
            case SeekLock():
                return False  # the toy's parties forget nothing
            case BuildLock():
                ref, coin = f"lock-{name}:0", LockCoin(f"coin-{party.name}", 10**6, b"")
                tx = Tx(b"raw", f"lock-{name}", 200, effect.fee_rate, own.height, ref)
                self.apply(party, LockBuilt(SignedLock(tx, (coin,))))
            case BuildKill():
                ref = f"coin-{party.name}"
                self.apply(party, KillBuilt(self._tx(f"kill-{name}", effect, own, ref)))
            case BuildClaim():
                self.apply(
                    party, ClaimBuilt(self._tx(f"claim-{name}", effect, theirs, effect.lock.ref))
                )
            case BuildRefund():
                self.apply(
                    party, RefundBuilt(self._tx(f"refund-{name}", effect, own, effect.lock.ref))
                )
            case BroadcastLock():
                own.send(ToyTx(effect.txid, party.inputs(), pays=int(own.leg.amount.units)))
                return False
            case BroadcastKill():
                own.send(ToyTx(effect.txid, party.inputs()))
                return False
            case BroadcastClaim():
                ref = party.state.claim.ref if party.state.claim else ""
                theirs.send(ToyTx(effect.txid, frozenset({ref}), kind=SpendKind.CLAIM))
                return False
            case BroadcastRefund():
                ref = next(t.ref for t in party.state.refunds if t.txid == effect.txid)
                spend = ToyTx(effect.txid, frozenset({ref}), kind=SpendKind.REFUND)
                spend.not_before = own.leg.expiry
                own.send(spend)
                return False
            case BuildChild():
                child = Tx(b"raw", f"child-{name}", effect.fee, 1, own.height, effect.parent)
                self.apply(party, ChildBuilt(child))
            case ResendTheirLock() | BroadcastChild():
                return False
        return True

    @staticmethod
    def _tx(
        name: str, effect: BuildKill | BuildClaim | BuildRefund, chain: ToyChain, ref: str
    ) -> Tx:
        return Tx(b"raw", name, 200, effect.fee_rate, chain.height, ref)

    def run(self, blocks: int) -> None:
        """That many blocks on both chains, or until both parties are done."""
        for _ in range(blocks):
            if all(is_closed(party.state) for party in self.parties()):
                return
            self.block()


def world() -> World:
    """Freshly agreed, nothing locked."""
    agreed = terms()

    def party(role: Role) -> Party:
        agreement = Agreement(
            terms=agreed,
            role=role,
            maker_signature=Signature(bytes(64)),
            taker_signature=Signature(bytes(64)),
            salt=bytes(32),
            destination="destination",
            refund_destination="refund",
            since_i=900,
            since_p=900,
            peer_id="peer",
            agreed_at=T0,
        )
        return Party(role, begin(agreement))

    chains = {LegName.I: ToyChain(agreed.leg_i), LegName.P: ToyChain(agreed.leg_p)}
    return World(chains, party(Role.INITIATOR), party(Role.PARTICIPANT))


def with_problems(view: ChainView, *problems: str) -> ChainView:
    """The same view of a node that is not healthy."""
    return msgspec.structs.replace(view, problems=problems)
