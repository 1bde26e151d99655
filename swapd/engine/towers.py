"""Our watchtowers: each holds the current packages of our swaps, and we see that it does.

Owns: which tower gets what, leaving packages again when they change, asking for proofs, what is
told to the operator, and holding a lock or a reveal back until towers have what they need for it.
Must not know: how a package is made (protocol.tower.plan), adapters.

A tower is never needed for a swap to go on, unless the operator says so (`required`): then a lock
waits. Otherwise it waits PATIENCE_SECONDS for the towers to answer, so that packages are there
before the lock leaves (rule 22) whenever a tower is.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog
import trio
from msgspec import Struct

from protocol.errors import Refusal, RemoteProtocolError
from protocol.negotiation.messages import readable
from protocol.swap.events import Observed
from protocol.swap.machine import step
from protocol.swap.states import Held, Hidden, Released, Revealed, SwapState
from protocol.terms import LegName
from protocol.tower.messages import Holding, Stage, Tip, ticket
from protocol.tower.package import Act, Package, is_relayed
from protocol.tower.plan import Draft, drafts
from swapd.engine.packing import packed
from swapd.engine.swaps import Swaps
from swapd.engine.tower_talk import Report, Talk, TowerAddress, TowerRefused, talk_to
from swapd.engine.world import World
from swapd.ports import ChainError, PeerError, StoreError

log = structlog.get_logger(__name__)

ASK_SECONDS: Final = 60.0
"""Between two proofs."""

RETRY_SECONDS: Final = 2.0
"""After a tower failed; twice as long after each failure in a row, up to ASK_SECONDS."""

PATIENCE_SECONDS: Final = 10.0
"""How long a lock or a reveal waits for towers that are not required."""

BEHIND_BLOCKS: Final = 6
"""A tower whose chain is so far behind ours is told of."""

STATUS_SECONDS: Final = 10.0

Name = tuple[bytes, LegName, Act]
"""A package by its swap, the leg that it spends, and how."""


class TowerSettings(Struct, frozen=True):
    """Who gets our claims and refunds, and on which conditions."""

    claims: tuple[TowerAddress, ...] = ()
    refunds: tuple[TowerAddress, ...] = ()
    required: bool = False
    max_fee_percent: int = 10

    def towers(self) -> dict[TowerAddress, frozenset[Act]]:
        """Each tower once, with what it gets."""
        pairs = ((self.claims, Act.CLAIM), (self.refunds, Act.REFUND))
        found: dict[TowerAddress, frozenset[Act]] = {}
        for towers, act in pairs:
            for tower in towers:
                found[tower] = found.get(tower, frozenset()) | {act}
        return found


class PackageStatus(Struct, frozen=True):
    """One package at one tower. `held`: proven at the last question, and current."""

    swap_id: bytes
    leg: LegName
    act: Act
    held: bool
    stage: Stage
    txid: str


class TowerStatus(Struct, frozen=True):
    """One tower. `heard_at`: unix seconds of its last good answer, 0 never; `trouble`: why it can't
    be talked to now, or empty; `faults`: what is wrong with what it says."""

    tower: TowerAddress
    acts: frozenset[Act]
    heard_at: int
    trouble: str
    faults: tuple[str, ...]
    packages: tuple[PackageStatus, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """All that is wrong with it now."""
        return (self.trouble, *self.faults) if self.trouble else self.faults


@dataclass
class _Left:
    """A package that a tower should hold: its subject, itself, and the tower's word."""

    subject: tuple[object, ...]
    package: Package
    held: bool = False
    holding: Holding | None = None


@dataclass
class _Tower:
    """One tower as we know it. `left` by name of the package; `accounts`: whom it wants to be paid
    on chains with accounts."""

    address: TowerAddress
    acts: frozenset[Act]
    left: dict[Name, _Left] = field(default_factory=dict)
    heard_at: int = 0
    trouble: str = ""
    tip_problems: tuple[str, ...] = ()
    accounts: dict[str, bytes] = field(default_factory=dict)
    wake: trio.Event = field(default_factory=trio.Event)

    def ticket(self, state: SwapState, name: Name) -> bytes:
        return ticket(state.agreement.salt, self.address.peer_id, name[1], name[2])


class Towers:
    """All towers of this daemon. `follow` is told of every change of a swap; `run` must run."""

    def __init__(self, world: World, settings: TowerSettings, swaps: Swaps) -> None:
        self._world, self._settings, self._swaps = world, settings, swaps
        self._towers = [_Tower(a, acts) for a, acts in settings.towers().items()]
        self._waits: dict[bytes, float] = {}
        self._states: dict[bytes, SwapState] = {}

    # --- For swaps ----------------------------------------------------------------------------

    def follow(self, state: SwapState, sequence: int) -> None:  # noqa: ARG002 - a listener's shape
        """A swap changed."""
        if not self._towers:
            return
        self._states[state.agreement.swap_id] = state
        for tower in self._towers:
            tower.wake.set()

    def hold_back(self, state: SwapState, looked: Observed) -> str:
        """Why neither our lock nor our preimage may leave by what was just seen. Our lock waits for
        every package that can be left before it, the reveal for our claim."""
        if not self._towers:
            return ""
        swap_id = state.agreement.swap_id
        missing = self._missing(state, step(state, looked))
        if missing is None:
            self._waits.pop(swap_id, None)
            return ""
        since = self._waits.setdefault(swap_id, trio.current_time())
        if self._settings.required or trio.current_time() < since + PATIENCE_SECONDS:
            return f"no tower holds our {missing[2].value} of leg {missing[1].value.upper()} yet"
        return ""

    def _missing(self, before: SwapState, after: SwapState) -> Name | None:
        """A package that no tower holds although something of ours would leave now."""
        releases = isinstance(before.own, Held) and isinstance(after.own, Released)
        reveals = isinstance(before.secret, Hidden) and isinstance(after.secret, Revealed)
        if not (releases or reveals):
            return None
        for draft in self._drafts(after):
            name = _name(after, draft)
            if not self._covered(name, draft):
                return name
        return None

    def _drafts(self, state: SwapState, preimage: bytes = b"") -> tuple[Draft, ...]:
        percent = self._settings.max_fee_percent
        return drafts(state, max_fee_percent=percent, preimage=preimage)

    # --- For the operator ---------------------------------------------------------------------

    @property
    def required(self) -> bool:
        """Whether locks wait for towers."""
        return self._settings.required

    def status(self) -> tuple[TowerStatus, ...]:
        """Every tower, in the order of the configuration."""
        return tuple(self._status(tower) for tower in self._towers)

    def _status(self, tower: _Tower) -> TowerStatus:
        packages = []
        for name, left in tower.left.items():
            holding = left.holding
            packages.append(
                PackageStatus(
                    *name,
                    held=left.held,
                    stage=holding.stage if holding is not None else Stage.WAITING,
                    txid=holding.txid if holding is not None else "",
                )
            )
        lost = [
            f"it does not hold our {name[2].value} of leg {name[1].value.upper()}"
            for name, left in tower.left.items()
            if left.holding is not None and not left.held
        ]
        return TowerStatus(
            tower.address,
            tower.acts,
            tower.heard_at,
            tower.trouble,
            (*tower.tip_problems, *lost),
            tuple(packages),
        )

    def uncovered(self) -> tuple[tuple[bytes, str], ...]:
        """Open swaps with a package that none of its towers holds, and which."""
        found = []
        for state in self._swaps.open():
            for draft in self._drafts(state, self._preimage(state)):
                if not self._covered(_name(state, draft), draft):
                    what = f"{draft.bare.act.value} of leg {draft.leg.value.upper()}"
                    found.append((state.agreement.swap_id, what))
        return tuple(found)

    def _covered(self, name: Name, draft: Draft) -> bool:
        """Some tower holds it, or none is there for such."""
        takers = [tower for tower in self._towers if draft.bare.act in tower.acts]
        return not takers or any(_holds(tower, name, draft) for tower in takers)

    # --- The loop -----------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Attends every tower until cancelled."""
        self._states |= {state.agreement.swap_id: state for state in self._swaps.open()}
        await self._world.peers.wait_ready()
        async with trio.open_nursery() as nursery:
            for tower in self._towers:
                nursery.start_soon(self._attend, tower)
            nursery.start_soon(self._end_patience)
            task_status.started()

    async def _end_patience(self) -> None:
        """Swaps that waited long enough look again."""
        while self._towers:
            await trio.sleep(1.0)
            for swap_id, since in tuple(self._waits.items()):
                if self._swaps.live(swap_id) is None:
                    del self._waits[swap_id]
                elif trio.current_time() >= since + PATIENCE_SECONDS and not self.required:
                    self._swaps.poke(swap_id)

    async def _attend(self, tower: _Tower) -> None:
        pause, asked = RETRY_SECONDS, -ASK_SECONDS
        while True:
            tower.wake = trio.Event()
            due = trio.current_time() >= asked + ASK_SECONDS
            try:
                await self._visit(tower, ask=due)
            except (PeerError, RemoteProtocolError, ChainError, StoreError) as error:
                self._complain(tower, str(error))
            except Exception:
                self._complain(tower, "an internal error; see the log")
                log.exception("towers.failed", tower=tower.address.peer_id)
            else:
                self._complain(tower, "")
                pause, asked = RETRY_SECONDS, trio.current_time() if due else asked
                with trio.move_on_after(max(0.0, asked + ASK_SECONDS - trio.current_time())):
                    await tower.wake.wait()
                continue
            await trio.sleep(pause)
            pause = min(2 * pause, ASK_SECONDS)

    def _complain(self, tower: _Tower, trouble: str) -> None:
        if trouble and trouble != tower.trouble:
            log.warning("towers.trouble", tower=tower.address.peer_id, reason=trouble)
        tower.trouble = trouble

    async def _visit(self, tower: _Tower, *, ask: bool) -> None:
        """Leaves what changed, takes back what ended, and asks what is held."""
        todo = list(self._todo(tower))
        ended = [name for name in tower.left if self._is_over(name[0])]
        if not (todo or ended or ask):
            return
        async with talk_to(self._world, tower.address) as talk:
            if any(is_relayed(draft.bare) for _, draft in todo):
                await self._ask(tower, talk)  # whose account its fees are for
            refused = await self._leave_all(tower, talk, todo)
            for name in ended:
                await talk.drop(tower.ticket(self._states[name[0]], name))
                del tower.left[name]
            await self._ask(tower, talk)
        tower.heard_at = self._world.clock.now()
        for state, _ in todo:
            self._swaps.poke(state.agreement.swap_id)
        self._forget()
        if refused:
            raise refused[0]
        if lost := [name for name, left in tower.left.items() if not left.held]:
            message = f"it can't prove that it holds {len(lost)} of our packages"
            raise RemoteProtocolError(Refusal.WRONG_TERMS, message)

    async def _leave_all(
        self, tower: _Tower, talk: Talk, todo: Sequence[tuple[SwapState, Draft]]
    ) -> list[TowerRefused]:
        """One that is refused keeps no other from being left."""
        refused = []
        for state, draft in todo:
            try:
                await self._leave(tower, talk, state, draft)
            except TowerRefused as error:
                refused.append(error)
        return refused

    def _todo(self, tower: _Tower) -> Iterator[tuple[SwapState, Draft]]:
        for swap_id in tuple(self._states):
            state = self._swaps.live(swap_id) or self._states[swap_id]
            for draft in self._drafts(state, self._preimage(state)):
                name = _name(state, draft)
                if draft.bare.act in tower.acts and not _holds(tower, name, draft):
                    yield state, draft

    def _preimage(self, state: SwapState) -> bytes:
        """Rule 7: the runner's state is the journal's, so a reveal that it knows is journalled."""
        if not isinstance(state.secret, Revealed):
            return b""
        return self._world.signer.preimage(state.agreement.salt, state.agreement.swap_id)

    async def _leave(self, tower: _Tower, talk: Talk, state: SwapState, draft: Draft) -> None:
        package = await self._signed(tower, state, draft)
        name = _name(state, draft)
        await talk.put(tower.ticket(state, name), package)
        tower.left[name] = _Left(draft.subject, package)
        log.info("towers.left", tower=tower.address.peer_id, act=name[2].value, leg=name[1].value)

    async def _signed(self, tower: _Tower, state: SwapState, draft: Draft) -> Package:
        # Never a smaller one than before, also after a restore from an older backup.
        at_least = self._world.clock.now_ms()
        sequence = await self._world.store.next_counter("tower-sequence", at_least)
        relayer = tower.accounts.get(draft.bare.watched.leg.chain, b"")
        return await packed(self._world.signer, state, draft, sequence, relayer)

    async def _ask(self, tower: _Tower, talk: Talk) -> None:
        names = {tower.ticket(self._states[n[0]], n): n for n in tower.left}
        wanted = {ticket_: tower.left[name].package for ticket_, name in names.items()}
        report = await talk.report(wanted)
        self._judge(tower, names, report)
        tower.tip_problems = await self._behind(report.tips)
        tower.accounts = {tip.chain: tip.account for tip in report.tips if tip.account}

    def _judge(self, tower: _Tower, names: Mapping[bytes, Name], report: Report) -> None:
        for ticket_, name in names.items():
            left = tower.left.get(name)
            if left is None:
                continue
            left.holding = report.holdings[ticket_]
            left.held = ticket_ in report.proven
            if not left.held:
                log.warning("towers.stale", tower=tower.address.peer_id, act=name[2].value)

    async def _behind(self, tips: tuple[Tip, ...]) -> tuple[str, ...]:
        """What is wrong with a tower's chains, measured by our own nodes."""
        found = []
        by_chain = {tip.chain: tip for tip in tips}
        for chain in self._world.chains.values():
            tip = by_chain.get(chain.chain)
            if tip is None:
                found.append(f"it has no {chain.ticker} node")
                continue
            if tip.problem:
                found.append(f"its {chain.ticker} node: {readable(tip.problem)}")
                continue
            with trio.move_on_after(STATUS_SECONDS), suppress(ChainError):
                height = (await chain.status()).height
                if tip.height + BEHIND_BLOCKS < height:
                    found.append(f"its {chain.ticker} node is {height - tip.height} blocks behind")
        return tuple(dict.fromkeys(found))

    def _is_over(self, swap_id: bytes) -> bool:
        state = self._swaps.live(swap_id) or self._states.get(swap_id)
        return state is None or state.outcome is not None

    def _forget(self) -> None:
        """States of swaps that ended and are with no tower any more."""
        used = {name[0] for tower in self._towers for name in tower.left}
        for swap_id in [s for s in self._states if s not in used and self._is_over(s)]:
            del self._states[swap_id]


def _name(state: SwapState, draft: Draft) -> Name:
    return state.agreement.swap_id, draft.leg, draft.bare.act


def _holds(tower: _Tower, name: Name, draft: Draft) -> bool:
    """The package is there, proven or fresh, and its subject has not changed."""
    left = tower.left.get(name)
    return left is not None and left.held and left.subject == draft.subject
