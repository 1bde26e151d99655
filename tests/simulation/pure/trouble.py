"""Bad luck of honest daemons: when they crash, are away, cannot write, or have sick nodes.

Owns: `Trouble`: which troubles come when, and how long each may last so that the safety rules'
"online" is kept. Must not know: what a swap decides; rogues.
"""

from collections.abc import Callable, Hashable
from random import Random
from typing import TYPE_CHECKING

from protocol.swap import reading
from protocol.swap.states import Dead, Held, Learned, Revealed, Unfunded
from protocol.terms import Role
from tests.simulation.ledger import SimTx
from tests.simulation.pure.daemon import LOST, OLD, Daemon

if TYPE_CHECKING:
    from tests.simulation.pure.side import Side
    from tests.simulation.pure.world import World

_KINDS = ("crash", "away", "problem", "stale", "lie", "error", "disk", "clock", "jump")
_FOREVER = 1 << 40


def patience(side: "Side", now: int) -> int:
    """For how many seconds this side may be blind or away from now on (safety rules, "online")."""
    if side.is_closed or side.state.outcome is not None:
        return _FOREVER
    state, deal = side.state, side.swap.deal
    own = reading.own_lock(state)
    if state.agreement.role is Role.INITIATOR:
        return 0 if isinstance(state.secret, Revealed) else _FOREVER
    if isinstance(state.own, Unfunded | Held):
        return deal.away_p
    if isinstance(state.secret, Learned):
        return deal.away_p // 2
    if isinstance(state.own, Dead):
        return _FOREVER
    unsettled = own is None or own.depth < deal.leg_p.depth
    if unsettled or now >= deal.leg_p.expiry - side.world.unit:
        return 0
    return min(deal.away_p, deal.leg_p.expiry - side.world.unit - now)


class Trouble:
    """All troubles of one daemon."""

    def __init__(self, world: "World", daemon: Daemon, span: int) -> None:
        self._world, self._daemon = world, daemon
        self._rng = Random(f"trouble {world.setting.seed} {daemon.name}")
        rng = self._rng
        self._back_at = 0
        for _ in range(rng.randint(0, world.setting.faults)):
            kind = rng.choice(_KINDS)
            moment = rng.randint(0, span if rng.random() < 0.5 else span // 5)
            world.work.at(world.work.now + moment, self._call(kind))
        # Drawn apart, so that the worlds of older seeds stay what they were.
        losses = Random(f"loss {world.setting.seed} {daemon.name}")
        if world.setting.faults and losses.random() < 0.25:
            moment = losses.randint(0, span if losses.random() < 0.5 else span // 5)
            world.work.at(world.work.now + moment, self._call("loss"))
        backups = Random(f"backup {world.setting.seed} {daemon.name}")
        if world.setting.faults and backups.random() < 0.15:
            moment = backups.randint(0, span if backups.random() < 0.5 else span // 5)
            world.work.at(world.work.now + moment, self._call("backup"))

    def _call(self, kind: str) -> Callable[[], None]:
        return lambda: self.happen(kind)

    def _allowed(self) -> int:
        """Seconds of absence that break no promise; the same trouble never follows at once."""
        now = self._world.work.now
        short = self._world.short_absence()
        world_unit = self._world.unit
        if now < self._back_at + world_unit // 2:
            return short
        most = min((patience(side, now) for side in self._daemon.sides), default=0)
        return max(short, min(most, self._rng.randint(0, 40 * world_unit)))

    def happen(self, kind: str) -> None:
        """One trouble, now."""
        daemon, world, rng = self._daemon, self._world, self._rng
        if not daemon.is_up:
            return
        seconds = self._allowed()
        if kind == "crash":
            daemon.arm(rng.randint(0, 6))
            world.work.after(world.unit, lambda: daemon.arm(-1))
            return
        if kind == "loss":
            daemon.forgets = LOST
            daemon.arm(daemon.losses.randint(0, 6))
            world.work.after(world.unit, self._keeps_machine)
            return
        if kind == "backup":
            daemon.forgets = OLD
            daemon.crash(seconds, "absence")
            return
        if kind in {"clock", "jump"}:
            self._clock(kind)
            return
        self._back_at = world.work.now + seconds
        if kind == "away":
            daemon.crash(seconds, "absence")
        elif kind == "disk":
            daemon.disk_full = True
            world.tell(f"{daemon.name} has a full disk for {seconds} s")
            world.tallies["full disk"] += 1
            world.work.after(seconds, self._disk_is_free)
        else:
            family = rng.choice(world.setting.families)
            daemon.trouble[family] = kind
            world.tell(f"{daemon.name}: its {family} node has {kind} for {seconds} s")
            world.tallies[f"node {kind}"] += 1
            daemon.poke_all()
            world.work.after(seconds, lambda: self._node_is_well(family))

    def _keeps_machine(self) -> None:
        if self._daemon.is_up:
            self._daemon.arm(-1)
            self._daemon.forgets = ""

    def _disk_is_free(self) -> None:
        self._daemon.disk_full = False
        self._daemon.poke_all()

    def _node_is_well(self, family: str) -> None:
        self._daemon.trouble.pop(family, None)
        self._daemon.poke_all()

    def _clock(self, kind: str) -> None:
        daemon, world, rng = self._daemon, self._world, self._rng
        before = daemon.offset
        skew = world.skew
        daemon.offset = rng.randint(-skew, skew)
        if kind == "jump":
            daemon.offset = rng.randint(0, 200 * world.unit)
            world.work.after(rng.randint(1, 4 * world.unit), self._clock_is_right(before))
        world.tell(f"{daemon.name}: its clock is {daemon.offset:+d} s wrong")
        world.tallies["clock"] += 1
        daemon.poke_all()

    def _clock_is_right(self, offset: int) -> Callable[[], None]:
        def right() -> None:
            self._daemon.offset = offset
            self._daemon.poke_all()

        return right


def by_hand(side: "Side", rng: Random) -> None:
    """The operator meddles with a lock that is not confirmed: bumps it, spends its coins, or gives
    the swap up."""
    what = rng.choice(("bump", "spend", "cancel"))
    if what == "bump" and side.own.accounts is not None:
        what = "spend"  # a wallet does not make another call to our contract
    if what == "cancel":
        side.cancel()
        side.world.tallies["cancelled by hand"] += 1
        return
    lock = reading.signed_lock(side.state)
    if lock is None:
        return
    ledger = side.own.ledger
    tx = ledger.mempool.get(lock.tx.txid)
    if tx is None or not ledger.replaces:
        return
    fee = tx.fee * 2 + 1000
    leg = side.swap.leg(side.own_leg)
    total = sum(units for _, units in tx.outputs) + tx.fee
    out: tuple[tuple[Hashable, int], ...]
    if what == "bump":
        out = ((leg.script, leg.units), (side.daemon.wallet, total - leg.units - fee))
    else:
        out = ((side.daemon.wallet, total - fee),)
    if out[-1][1] < 294:
        return
    new = SimTx(side.own.name(f"by-hand-{what}"), tx.spends, out, fee, tx.vsize)
    side.world.archive[new.txid] = new
    why = side.own.submit(new)
    side.world.tell(f"{side.label}: the operator does a {what} of {tx.txid}: {why or 'taken'}")
    if not why:
        side.world.tallies[f"{what} by hand"] += 1
        if what == "bump":
            side.diary.sent.append((side.world.work.now, "lock", new.txid, fee))
