"""A real swap machine between two chain values: look, step, journal, act, as a daemon does it.

Owns: views of a chain as the machine's facts, effects as transactions, crash points. Must not
know: which moves there are, what is right. States are numbered: two that differ only in time,
tips and views that the next look replaces are one number, so a turn is worked out once.
"""

from typing import Any, NamedTuple, Protocol

import msgspec

from protocol.codec import decode, encode
from protocol.swap import effects as fx
from protocol.swap.events import (
    CancelRequested,
    ChildBuilt,
    ClaimBuilt,
    Event,
    KillBuilt,
    LockBuilt,
    Observed,
    RefundBuilt,
)
from protocol.swap.facts import ChainView, Conflict, LockSeen, Restriction, Spend, SpendKind
from protocol.swap.machine import is_closed, material, step
from protocol.swap.pending import pending
from protocol.swap.states import LockCoin, SignedLock, SwapState
from protocol.swap.states import Tx as Signed
from protocol.terms import LegName, other_leg, own_leg
from tests.protocol.swap.toy import PREIMAGE, T0, world
from tests.simulation.explore import chain as chains
from tests.simulation.explore.chain import VSIZE, Chain, Table

TIP = 1000
"""The height of every tip: what was built before the last block is told as one lower."""

FEE_NEXT = 2000
LOOKS = 16
AHEAD = 3 * 3600
_LEGS = (LegName.I, LegName.P)
_LASTING = tuple(
    name
    for name in SwapState.__struct_fields__
    if name not in {"agreement", "now", "view_i", "view_p", "outcome"}
)


class Point(NamedTuple):
    """What is on disk and on the chains at some moment of a turn; `what` had just happened."""

    state: int
    chains: tuple[int, int]
    what: str


class Turn(NamedTuple):
    """What a party did at one look; it can crash at each of the `points`. `faults` are what the
    judge says of it."""

    points: tuple[Point, ...]
    state: int
    chains: tuple[int, int]
    faults: tuple[str, ...]


class Options(NamedTuple):
    """How a turn goes: `cancel` asked for by the operator, transactions `lost` on their way, a node
    that is not healthy, or one that tells of blocks hours `ahead` on the chain of their leg."""

    cancel: bool = False
    lost: bool = False
    blind: bool = False
    ahead: bool = False


NORMAL = Options()


class Judge(Protocol):
    """Says what is wrong with a decision or with what is about to leave a daemon."""

    def stepped(
        self, before: Any, after: Any, at: tuple[Chain, Chain], now: int, healthy: bool
    ) -> list[str]: ...

    def rests(self, state: Any, at: tuple[Chain, Chain], now: int) -> list[str]: ...

    def sends(
        self, what: str, state: Any, at: tuple[Chain, Chain], now: int, healthy: bool
    ) -> list[str]: ...


class Parties:
    """All states that either party was ever in, by number, and what each does at a look. `stopped`:
    what their clocks show all the time, in seconds after the agreement."""

    def __init__(self, judge: Judge, table: Table, stopped: int | None = None) -> None:
        begun = world()
        self.judge = judge
        self.table = table
        self.stopped = stopped
        self.states: list[SwapState] = []
        self.closed: list[bool] = []
        self._known: dict[tuple[Any, ...], int] = {}
        self._views: dict[tuple[int, int, tuple[str, ...], bool, int], ChainView] = {}
        self._aged: dict[tuple[int, int], int] = {}
        terms = begun.initiator.state.agreement.terms
        self.expiry = (terms.leg_i.expiry - T0, terms.leg_p.expiry - T0)
        self.units = (int(terms.leg_i.amount.units), int(terms.leg_p.amount.units))
        self.first = (self.number(begun.initiator.state), self.number(begun.participant.state))

    def number(self, state: SwapState) -> int:
        """The number of a state, as its journal keeps it, and of whether it is closed, which hangs
        on what is seen of the chains."""
        outcome = state.outcome and msgspec.structs.replace(state.outcome, at=0)
        lasting = tuple(getattr(state, name) for name in _LASTING)
        closed = is_closed(state)
        key = (state.agreement.role, outcome, closed, *lasting)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self.states)
            agreed = state.agreement.agreed_at
            kept = msgspec.structs.replace(
                state, outcome=outcome, view_i=None, view_p=None, now=agreed
            )
            again = decode(SwapState, encode(kept), max_size=1 << 20)
            assert again == kept, "a state survives its journal"
            self.states.append(again)
            self.closed.append(closed)
        return found

    def aged(self, number: int, leg: int) -> int:
        """The same state after a block on the chain of `leg`."""
        key = (number, leg)
        found = self._aged.get(key)
        if found is None:
            found = self._aged[key] = self.number(_aged(self.states[number], _LEGS[leg]))
        return found

    def turn(self, number: int, at: tuple[int, int], now: int, options: Options = NORMAL) -> Turn:
        """What the party in state `number` does at time `now`."""
        return _Acting(self, number, at, now, options).run()

    def view(
        self, leg: int, number: int, coins: tuple[str, ...], now: int, *, blind: bool
    ) -> ChainView:
        """What a node says of a leg; `coins` are those of our own lock on this chain."""
        stamped = 0 if self.stopped is None else now
        key = (leg, number, coins, blind, stamped)
        found = self._views.get(key)
        if found is None:
            problems = ("not healthy",) if blind else ()
            chain, expiry = self.table[number], self.expiry[leg]
            found = view_of(chain, expiry, frozenset(coins), problems, stamped)
            self._views[key] = found
        return found


def _older(tx: Signed) -> Signed:
    return msgspec.structs.replace(tx, height=TIP - 1) if tx.height == TIP else tx


def _aged(state: SwapState, leg: LegName) -> SwapState:
    """What was built for the chain of `leg` is a block old; when replaced versions were built does
    not matter to anybody."""
    is_theirs = leg is other_leg(state.agreement.role)
    children = tuple(
        _older(tx) if is_theirs == tx.ref.startswith(("claim", "child of claim")) else tx
        for tx in state.children
    )
    replaced = tuple(_older(tx) for tx in state.replaced)
    state = msgspec.structs.replace(state, children=children, replaced=replaced)
    if is_theirs:
        return msgspec.structs.replace(state, claim=state.claim and _older(state.claim))
    own: Any = state.own
    if getattr(own, "lock", None) is not None:
        lock = msgspec.structs.replace(own.lock, tx=_older(own.lock.tx))
        own = msgspec.structs.replace(own, lock=lock)
    if getattr(own, "kill", None) is not None:
        own = msgspec.structs.replace(own, kill=_older(own.kill))
    refunds = tuple(_older(tx) for tx in state.refunds)
    return msgspec.structs.replace(state, own=own, refunds=refunds)


def view_of(
    chain: Chain,
    expiry: int,
    coins: frozenset[str],
    problems: tuple[str, ...] = (),
    stamped: int = 0,
) -> ChainView:
    """The chain of a leg as the machine's facts; its blocks tell at least `stamped`, but nothing
    past the expiry before they may."""
    ripe = chain.ripe >= chains.RIPE
    median = T0 + (max(stamped, expiry + 1) if ripe else min(stamped, expiry))
    locks = []
    for tx in chain.txs:
        if tx.kind != "lock":
            continue
        by = chains.spender(chain, tx.name)
        spend = None
        if by is not None:
            kind = SpendKind.CLAIM if by.kind == "claim" else SpendKind.REFUND
            shown = PREIMAGE if by.kind == "claim" else None
            beat = 0 if by.depth else chains.to_beat(chain, by)
            spend = Spend(kind, by.name, by.depth, shown, beat)
        mark = Restriction.COINBASE if tx.mark == "coinbase" else Restriction.NONE
        ours = bool(coins & set(tx.spends))
        locks.append(LockSeen(tx.name, tx.units, tx.depth, mark, spend, b"raw", ours))
    rivals = [tx for tx in chain.txs if tx.kind == "pay" and coins & set(tx.spends)]
    return ChainView(
        tip_height=TIP,
        tip_hash="00" * 32,
        tip_time=median,
        median_time=median,
        fee_next=FEE_NEXT,
        fee_floor=chains.RELAY,
        fee_increment=chains.RELAY,
        replaces=chain.replaces,
        problems=problems,
        locks=tuple(locks),
        conflict=Conflict(rivals[0].name, rivals[0].depth) if rivals else None,
    )


class _Acting:
    """One turn of one party."""

    def __init__(
        self, parties: Parties, number: int, at: tuple[int, int], now: int, options: Options
    ) -> None:
        self.parties = parties
        self.state = parties.states[number]
        self.disk = number
        self.at = at
        self.now = now
        self.options = options
        self.own = _LEGS.index(own_leg(self.state.agreement.role))
        self.name = "ip"[self.own]
        self.points: list[Point] = []
        self.faults: list[str] = []

    def run(self) -> Turn:
        cancel = self.options.cancel
        for _ in range(LOOKS):
            self.apply(self.look(), "looked")
            if cancel:
                self.apply(CancelRequested(), "asked to stop")
                self.apply(self.look(), "looked")
                cancel = False
            seen = self.values()
            if not any(self.perform(effect) for effect in pending(self.state)):
                self.faults += self.parties.judge.rests(self.state, seen, self.now)
                break
        else:
            self.faults.append(f"{self.name} is owed something at each of {LOOKS} looks in a row")
        return Turn(tuple(self.points), self.disk, self.at, tuple(self.faults))

    def look(self) -> Observed:
        signed = getattr(self.state.own, "lock", None)
        coins = tuple(coin.ref for coin in signed.coins) if signed else ()
        blind = self.options.blind
        views = [
            self.parties.view(leg, number, coins if leg == self.own else (), self.now, blind=blind)
            for leg, number in enumerate(self.at)
        ]
        if self.options.ahead:
            far = T0 + self.now + AHEAD
            theirs = views[1 - self.own]
            views[1 - self.own] = msgspec.structs.replace(theirs, median_time=far)
        stopped = self.parties.stopped
        return Observed(T0 + (self.now if stopped is None else stopped), views[0], views[1])

    def values(self) -> tuple[Chain, Chain]:
        """Both chains."""
        return self.parties.table[self.at[0]], self.parties.table[self.at[1]]

    def apply(self, event: Event, what: str) -> None:
        """One step, journalled before it is true."""
        old, new = self.state, step(self.state, event)
        self.state = new
        if (
            new.outcome is old.outcome
            and all(getattr(new, name) is getattr(old, name) for name in _LASTING)
            and is_closed(new) == self.parties.closed[self.disk]
        ):
            return
        number = self.parties.number(new)
        if number == self.disk:
            return
        if material(new) == material(old):
            self.faults.append(f"a change is not journalled: {told(new)}")
            return
        healthy = not self.options.blind
        self.faults += self.parties.judge.stepped(old, new, self.values(), self.now, healthy)
        self.disk = number
        self.points.append(Point(number, self.at, f"{what}: {told(new)}"))

    def send(self, leg: int, tx: chains.Tx) -> None:
        chain = self.parties.table[self.at[leg]]
        if chains.find(chain, tx.name) is not None:
            return
        sent = chains.air(chain, tx) if self.options.lost else chains.submit(chain, tx)
        number = self.parties.table.number(sent)
        if number != self.at[leg]:
            self.at = (number, self.at[1]) if leg == 0 else (self.at[0], number)
            self.points.append(Point(self.disk, self.at, f"sent {tx.name}"))

    def judged(self, what: str) -> None:
        healthy, at = not self.options.blind, self.values()
        self.faults += self.parties.judge.sends(what, self.state, at, self.now, healthy)

    def perform(self, effect: fx.Effect) -> bool:
        """True when it made an event: look again."""
        built = self.built(effect)
        if built is not None:
            self.apply(built, type(built).__name__)
            return True
        own, theirs, state = self.own, 1 - self.own, self.state
        if isinstance(effect, fx.BroadcastLock):
            lock = getattr(state.own, "lock", None)
            assert lock is not None
            self.judged("lock")
            coins, units = tuple(c.ref for c in lock.coins), self.parties.units[own]
            self.send(own, chains.Tx(effect.txid, "lock", self.name, coins, lock.tx.fee, units))
        elif isinstance(effect, fx.BroadcastKill):
            lock, kill = getattr(state.own, "lock", None), getattr(state.own, "kill", None)
            assert lock is not None
            assert kill is not None
            self.judged("kill")
            coins = tuple(c.ref for c in lock.coins)
            self.send(own, chains.Tx(effect.txid, "pay", self.name, coins, kill.fee))
        elif isinstance(effect, fx.BroadcastClaim):
            claim = state.claim
            assert claim is not None
            self.judged("claim")
            self.send(theirs, chains.Tx(effect.txid, "claim", self.name, (claim.ref,), claim.fee))
        elif isinstance(effect, fx.BroadcastRefund):
            self.judged("refund")
            refund = next(tx for tx in state.refunds if tx.txid == effect.txid)
            self.send(own, chains.Tx(effect.txid, "refund", self.name, (refund.ref,), refund.fee))
        elif isinstance(effect, fx.ResendTheirLock):
            self.resend(theirs)
        return False

    def resend(self, leg: int) -> None:
        for tx in self.values()[leg].aired:
            if tx.name == self.state.bound:
                self.send(leg, tx)

    def built(self, effect: fx.Effect) -> Event | None:
        if isinstance(effect, fx.BuildLock):
            return LockBuilt(self.lock(effect))
        if isinstance(effect, fx.BuildKill):
            return KillBuilt(self.kill(effect))
        if isinstance(effect, fx.BuildClaim):
            tx = _signed("claim", self.name, effect.lock.ref, effect.fee_rate)
            return ClaimBuilt(tx)
        if isinstance(effect, fx.BuildRefund):
            tx = _signed("refund", self.name, effect.lock.ref, effect.fee_rate)
            return RefundBuilt(tx)
        if isinstance(effect, fx.BuildChild):
            name = f"child of {effect.parent}"
            return ChildBuilt(Signed(b"", name, effect.fee, effect.fee, TIP, effect.parent))
        return None

    def lock(self, effect: fx.BuildLock) -> SignedLock:
        """The wallet takes a coin that none of its transactions spends, or those of `replaces`."""
        chain = self.values()[self.own]
        spent = {ref for tx in (*chain.txs, *chain.aired) for ref in tx.spends}
        free = next(f"{self.name}{n}" for n in range(9) if f"{self.name}{n}" not in spent)
        coins = effect.replaces.coins if effect.replaces else (LockCoin(free, 10**6, b""),)
        fee = effect.fee_rate * VSIZE["lock"] // 1000
        name = f"lock {coins[0].ref}@{effect.fee_rate}"
        return SignedLock(Signed(b"", name, fee, effect.fee_rate, TIP, name), coins)

    def kill(self, effect: fx.BuildKill) -> Signed:
        """As the chain adapter does: never under what replaces all that is in the way."""
        signed: Any = self.state.own
        chain = self.values()[self.own]
        coins = {coin.ref for coin in signed.lock.coins}
        rivals = [tx for tx in chain.txs if not tx.depth and coins & set(tx.spends)]
        least = sum(chains.to_beat(chain, tx) for tx in rivals) + VSIZE["pay"]
        fee = max(effect.fee_rate * VSIZE["pay"] // 1000, least)
        name = f"kill {signed.lock.coins[0].ref}@{fee}"
        return Signed(b"", name, fee, fee * 1000 // VSIZE["pay"], TIP, signed.lock.tx.ref)


def _signed(kind: str, by: str, ref: str, rate: int) -> Signed:
    name = f"{kind} by {by} of {ref} @{rate}"
    return Signed(b"", name, rate * VSIZE[kind] // 1000, rate, TIP, ref)


def told(state: SwapState) -> str:
    """A state in a few words."""
    words = [type(state.own).__name__, type(state.secret).__name__]
    if state.cancelled:
        words.append("cancelled")
    if state.outcome is not None:
        words.append(f"{state.outcome.end.value} ({state.outcome.reason})")
    return ", ".join(words)
