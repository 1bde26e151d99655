"""The world of one swap: whose turn it is, what may still happen, and every next state.

Owns: states of the whole world as small tuples of numbers, and their successors. Must not know:
the order of the search, what is right (judge).

A half tick is five seconds: chain I finds its block at even ones, chain P at odd ones. It goes
through three phases: before the block (what reaches that chain's miners unseen), after the block
(what is seen in mempools before anybody acts), then the honest parties look and act until nobody
has anything to do. What is not the usual course of things costs one disturbance.

Reductions, and why nothing is lost: what is sent to the other chain before a block commutes with
that block, so it is tried after it only; a crash before the first thing was journalled or sent is
an absence; a crash after the last one, back at once, repeats a look on the same facts; a block
"without" transactions that are not there is the plain block.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tests.simulation.explore import chain as chains
from tests.simulation.explore import judge, moves
from tests.simulation.explore.chain import Chain, Table
from tests.simulation.explore.moves import Block, Known, Move
from tests.simulation.explore.party import NORMAL, Options, Parties, Turn

HALF = 5
STALLS = (1, 2)
"""By chain, the blocks that may pass a transaction over while it counts: k - 1."""

SHORT = 5
"""Half ticks missed between two looks that are O = 30 s apart."""

LONG = -1
"""Away for as long as it takes, but back at `RETURN`."""

RETURN = 450
"""Seconds after the agreement: beyond T_I, and the headers that a refund waits for."""

ROUNDS = 8


class Scenario(NamedTuple):
    """`honest` are letters of parties that run the machine; the other side, if any, is played.
    `replaces` tells whether chain P replaces in its mempools. `start` seconds after the agreement.
    `early` seconds that miners stamp ahead. `within` the stated assumptions, else beyond them.
    `stopped`: the clocks of the honest stand still, and blocks tell the time. `fickle`: the
    adversary takes back claims that he has shown whenever he likes."""

    name: str
    honest: str
    replaces: bool = False
    start: int = 4
    early: int = 0
    within: bool = True
    stopped: bool = False
    fickle: bool = False


class Left(NamedTuple):
    """What may still happen: disturbances in all, one reorg a chain, blocks that may pass over a
    transaction that counts; `made` locks of the adversary; `out` the preimage has left; `broken`
    an assumption was violated."""

    all: int
    reorgs: tuple[int, int] = (1, 1)
    stalls: tuple[int, int] = STALLS
    made: int = 0
    out: bool = False
    broken: bool = False


class World(NamedTuple):
    """By number: both chains, the states of both parties (-1 for the adversary), the half ticks
    that they may still be away (LONG: without end), and what is left."""

    chain_i: int
    chain_p: int
    party_i: int
    party_p: int
    away_i: int
    away_p: int
    left: int


class Acted(NamedTuple):
    """One way in which one party's turn goes; `active` when it looks again at once; `did` when it
    wrote or sent anything."""

    label: str
    cost: int
    state: int
    chain_i: int
    chain_p: int
    away: int
    active: bool
    did: bool = True
    out: bool = False
    breaks: bool = False
    faults: tuple[str, ...] = ()


class Next(NamedTuple):
    """A step of the world."""

    label: str
    world: World
    faults: tuple[str, ...] = ()


class Game:
    """All moves of one scenario. `now` and `leg`, the chain whose block is next, are set by
    `advance`; what is remembered for speed holds for one half tick."""

    def __init__(self, scenario: Scenario, depth: int) -> None:
        self.scenario = scenario
        self.depth = depth
        self.rules = judge.Rules()
        self.table = Table()
        stopped = scenario.start if scenario.stopped else None
        self.parties = Parties(self.rules, self.table, stopped)
        self.now = scenario.start
        self.leg = 1
        self.adversary = next((x for x in "ip" if x not in scenario.honest), "")
        self._lefts: list[Left] = []
        self._left_numbers: dict[Left, int] = {}
        self._turns: dict[tuple[int, int, int, Options], Turn] = {}
        self._acted: dict[tuple[int, int, int, bool], tuple[Acted, ...]] = {}
        self._settled: dict[
            tuple[int, int, int, int, bool, bool],
            tuple[tuple[int, int, int, int], str, bool, tuple[str, ...]],
        ] = {}
        self._moves: dict[tuple[int, int, int, bool], list[Move]] = {}
        self._blocks: dict[int, list[Block]] = {}
        self._robbed: dict[tuple[int, int], tuple[str, ...]] = {}

    # --- numbers ---

    def number_left(self, value: Left) -> int:
        """The number of what is left."""
        most = value.all
        if max(*value.reorgs, *value.stalls) > most:  # more can't be used
            value = value._replace(
                reorgs=(min(value.reorgs[0], most), min(value.reorgs[1], most)),
                stalls=(min(value.stalls[0], most), min(value.stalls[1], most)),
            )
        number = self._left_numbers.setdefault(value, len(self._lefts))
        if number == len(self._lefts):
            self._lefts.append(value)
        return number

    def left(self, world: World) -> Left:
        """What may still happen."""
        return self._lefts[world.left]

    def at(self, world: World) -> tuple[Chain, Chain]:
        """Both chains."""
        return self.table[world.chain_i], self.table[world.chain_p]

    def begin(self) -> World:
        """Just agreed, nothing locked."""
        first, second = Chain(replaces=True), Chain(self.scenario.replaces)
        one, two = self.parties.first
        party_i = one if "i" in self.scenario.honest else -1
        party_p = two if "p" in self.scenario.honest else -1
        left = Left(self.depth, out=self.adversary == "i")
        numbers = self.table.number(first), self.table.number(second)
        return World(*numbers, party_i, party_p, 0, 0, self.number_left(left))

    def advance(self) -> None:
        """The next half tick begins."""
        self.now += HALF
        self.leg = 1 - self.leg
        self._acted.clear()
        self._turns.clear()
        self._settled.clear()
        self._moves.clear()
        self._blocks.clear()

    def is_over(self, world: World) -> bool:
        """Every honest party is done."""
        return all(n < 0 or self.parties.closed[n] for n in (world.party_i, world.party_p))

    # --- before and after the block ---

    def sends(self, world: World, *, unseen: bool) -> Iterator[Next]:
        """What others send: `unseen`, only to the miners of the next block."""
        left = self.left(world)
        for move in self._others(world, left):
            if (unseen and move.leg != self.leg) or move.cost > left.all:
                continue
            changed = left
            if move.cost or move.made:
                changed = left._replace(all=left.all - move.cost, made=left.made + move.made)
            yield Next(move.label, self._moved(world, move.leg, move.chain, changed))
        if left.all and not unseen:
            yield from self._by_hand(world, left)

    def _others(self, world: World, left: Left) -> list[Move]:
        key = (world.chain_i, world.chain_p, left.made, left.out)
        found = self._moves.get(key)
        if found is None:
            at = self.at(world)
            found = list(moves.cheques(at, self.scenario.honest))
            if self.adversary:
                hides = 0 if self.scenario.fickle else 1
                known = Known(self.adversary, self.parties.units, left.out, left.made, hides)
                found += moves.adversary(at, known)
            self._moves[key] = found
        return found

    def _by_hand(self, world: World, left: Left) -> Iterator[Next]:
        at = self.at(world)
        for leg, number in enumerate((world.party_i, world.party_p)):
            lock = getattr(self.parties.states[number].own, "lock", None) if number >= 0 else None
            if lock is None or self.parties.closed[number]:
                continue
            label = f"the operator of {'ip'[leg]} spends the lock's coin by hand"
            for move in moves.by_hand(at[leg], leg, "ip"[leg], lock.coins[0].ref, label):
                yield Next(
                    move.label,
                    self._moved(world, leg, move.chain, left._replace(all=left.all - 1)),
                )

    def _moved(self, world: World, leg: int, value: Chain, left: Left) -> World:
        number = self.table.number(value)
        if leg == 0:
            return world._replace(chain_i=number, left=self.number_left(left))
        return world._replace(chain_p=number, left=self.number_left(left))

    # --- the block ---

    def blocks(self, world: World) -> Iterator[Next]:
        """What the block of this half tick is; the time is already that of the block."""
        left = self.left(world)
        number = (world.chain_i, world.chain_p)[self.leg]
        found = self._blocks.get(number)
        if found is None:
            deepest = judge.DEPTH[self.leg] - 1 if self.scenario.within else 3
            past = self.now + self.scenario.early > self.parties.expiry[self.leg]
            value = self.table[number]
            found = moves.blocks(value, self.scenario.honest, deepest, past=past)
            self._blocks[number] = found
        for block in found:
            if block.cost > left.all:
                continue
            changed = self._paid(world, left, block) if block.cost else left
            if changed is not None:
                moved = self._moved(world, self.leg, block.chain, changed)
                yield Next(block.label, self._aged(moved) if block.label != moves.NONE else moved)

    def _paid(self, world: World, left: Left, block: Block) -> Left | None:
        """What is left after a block that is not plain; None where it may not be."""
        leg, broken = self.leg, left.broken
        reorgs, stalls = list(left.reorgs), list(left.stalls)
        if block.undone:
            if not reorgs[leg]:
                return None
            reorgs[leg] -= 1
            broken = broken or block.undone >= judge.DEPTH[leg]
        if block.stalls and self._counts(world, left):
            if stalls[leg]:
                stalls[leg] -= 1
            elif self.scenario.within:
                return None
            else:
                broken = True
        return left._replace(
            all=left.all - block.cost,
            reorgs=(reorgs[0], reorgs[1]),
            stalls=(stalls[0], stalls[1]),
            broken=broken,
        )

    def _counts(self, world: World, left: Left) -> bool:
        """From the moment that the secret is out, or T_P, margins are being used up."""
        if self.now >= judge.EXPIRY[1] or (left.out and self.adversary != "i"):
            return True
        return any(tx.kind == "claim" for tx in self.table[world.chain_p].txs)

    def _aged(self, world: World) -> World:
        states = [
            self.parties.aged(number, self.leg) if number >= 0 else -1
            for number in (world.party_i, world.party_p)
        ]
        return world._replace(party_i=states[0], party_p=states[1])

    # --- the parties ---

    def acts(self, world: World) -> Iterator[Next]:
        """Every way in which the honest parties look and act."""
        left = self.left(world)
        for one in self._options(world, 0, left.all):
            between = world._replace(
                chain_i=one.chain_i, chain_p=one.chain_p, party_i=one.state, away_i=one.away
            )
            for two in self._options(between, 1, left.all - one.cost):
                yield self._both(world, left, one, two)

    def _both(self, world: World, left: Left, one: Acted, two: Acted) -> Next:
        after = one.state, two.state, two.chain_i, two.chain_p
        told, out = "", False
        faults: tuple[str, ...] = ()
        if one.did or two.did:
            after, told, out, faults = self._settle(after, one.active, two.active)
        changed = left
        out = out or one.out or two.out
        cost, breaks = one.cost + two.cost, one.breaks or two.breaks
        if cost or (out and not left.out):
            changed = left._replace(
                all=left.all - cost, out=left.out or out, broken=left.broken or breaks
            )
        party_i, party_p, *at = after
        number = self.number_left(changed) if changed is not left else world.left
        new = World(at[0], at[1], party_i, party_p, one.away, two.away, number)
        label = "; ".join(text for text in (one.label, two.label, told) if text)
        faults = one.faults + two.faults + faults
        if not changed.broken:
            faults += self._thefts(new)
        return Next(label, new, faults)

    def _options(self, world: World, leg: int, most: int) -> list[Acted]:
        number = (world.party_i, world.party_p)[leg]
        away = (world.away_i, world.away_p)[leg]
        at = world.chain_i, world.chain_p
        if number < 0 or self.parties.closed[number]:
            return [Acted("", 0, number, *at, 0, active=False, did=False)]
        key = (number, *at, most > 0)
        found = self._acted.get(key)
        if found is None:
            found = self._acted[key] = tuple(self._ways(number, at, leg, rich=most > 0))
        if away:
            stays = Acted(
                "", 0, number, *at, away if away == LONG else away - 1, active=False, did=False
            )
            if away == LONG and self.now >= RETURN:
                return [found[0]]
            return [stays, found[0]]
        return [option for option in found if option.cost <= most]

    def _turn(self, number: int, at: tuple[int, int], options: Options = NORMAL) -> Turn:
        key = (number, *at, options)
        found = self._turns.get(key)
        if found is None:
            found = self._turns[key] = self.parties.turn(number, at, self.now, options)
        return found

    def _ways(self, number: int, at: tuple[int, int], leg: int, *, rich: bool) -> Iterator[Acted]:
        letter = "ip"[leg]
        usual = self._turn(number, at)
        yield self._whole(letter, usual, 0, "", active=True)
        if not rich:
            return
        yield from self._absences(
            Acted("", 1, number, *at, 0, active=False, did=False), leg, "is away"
        )
        state = self.parties.states[number]
        if not state.cancelled and state.outcome is None:
            turn = self._turn(number, at, Options(cancel=True))
            yield self._whole(letter, turn, 1, "is told to cancel", active=True)
        if not usual.points:
            return
        blind = self._turn(number, at, Options(blind=True))
        yield self._whole(letter, blind, 1, "has a node that is not healthy", active=False)
        ahead = self._turn(number, at, Options(ahead=True))
        yield self._whole(letter, ahead, 1, "hears of a block hours ahead", active=False)
        if any(point.what.startswith("sent") for point in usual.points):
            lost = self._turn(number, at, Options(lost=True))
            yield self._whole(letter, lost, 1, "sends in vain", active=False)
        yield from self._crashes(usual, leg)

    def _crashes(self, usual: Turn, leg: int) -> Iterator[Acted]:
        letter = "ip"[leg]
        for count, point in enumerate(usual.points, 1):
            done = ", ".join(p.what for p in usual.points[:count])
            crashed = Acted(
                f"{letter} acts: {done}, crashes",
                1,
                point.state,
                *point.chains,
                0,
                active=True,
                out=_lets_out(usual, letter, count),
                faults=usual.faults,
            )
            if count < len(usual.points):
                yield crashed
            yield from self._absences(crashed._replace(active=False), leg, "and is away")

    def _whole(self, letter: str, turn: Turn, cost: int, why: str, *, active: bool) -> Acted:
        done = ", ".join(point.what for point in turn.points)
        label = f"{letter} {why or 'acts'}: {done}" if done else f"{letter} {why}" if why else ""
        out = _lets_out(turn, letter, len(turn.points))
        return Acted(
            label,
            cost,
            turn.state,
            *turn.chains,
            0,
            active=active,
            did=bool(turn.points),
            out=out,
            faults=turn.faults,
        )

    def _absences(self, gone: Acted, leg: int, why: str) -> Iterator[Acted]:
        """Away for some time, this half tick included; for how long that is what the party was
        promised."""
        values = self.table[gone.chain_i], self.table[gone.chain_p]
        what = f"{'ip'[leg]} {why}" if not gone.label else f"{gone.label} {why}"
        allowed = self._may_miss(gone.state, values, leg)
        if allowed:
            yield gone._replace(label=what, away=allowed if allowed == LONG else allowed - 1)
        if allowed != LONG and not self.scenario.within:
            yield gone._replace(label=f"{what} for too long", away=LONG, breaks=True)

    def _may_miss(self, number: int, at: tuple[Chain, Chain], leg: int) -> int:
        """Half ticks, by the safety rules' "online": the initiator not from his reveal on; the
        participant not from his lock until it, or its kill, is final, nor from T_P until a claim
        has taken it; and in between once in every O."""
        state = self.parties.states[number]
        if leg == 0:
            return LONG if type(state.secret).__name__ == "Hidden" else 0
        if type(state.own).__name__ in {"Unfunded", "Held"}:
            return LONG
        mine = [tx for tx in at[1].txs if "p0" in tx.spends]
        if not mine or mine[0].depth < judge.DEPTH[1]:
            return 0
        taken = chains.spender(at[1], mine[0].name)
        if taken is not None and taken.kind == "claim":
            return SHORT
        return max(0, min(SHORT, (judge.EXPIRY[1] - self.now) // HALF))

    def _settle(
        self, after: tuple[int, int, int, int], one: bool, two: bool
    ) -> tuple[tuple[int, int, int, int], str, bool, tuple[str, ...]]:
        """Those who are active act in turns until nobody has anything to do."""
        key = (*after, one, two)
        found = self._settled.get(key)
        if found is None:
            found = self._settled[key] = self._worked_out(key)
        return found

    def _worked_out(
        self, key: tuple[int, int, int, int, bool, bool]
    ) -> tuple[tuple[int, int, int, int], str, bool, tuple[str, ...]]:
        states, at = [key[0], key[1]], (key[2], key[3])
        told: list[str] = []
        faults: tuple[str, ...] = ()
        out, quiet, leg = False, 0, 0
        for _ in range(2 * ROUNDS):
            if quiet == 2:
                break
            quiet += 1
            if (key[5] if leg else key[4]) and not self.parties.closed[states[leg]]:
                turn = self._turn(states[leg], at)
                faults += turn.faults
                if turn.points:
                    quiet = 0 if turn.chains != at else quiet
                    done = ", ".join(point.what for point in turn.points)
                    told.append(f"{'ip'[leg]} acts: {done}")
                    out = out or _lets_out(turn, "ip"[leg], len(turn.points))
                    states[leg], at = turn.state, turn.chains
            leg = 1 - leg
        else:
            faults += ("the parties never come to rest",)
        return (states[0], states[1], *at), "; ".join(told), out, faults

    def _thefts(self, world: World) -> tuple[str, ...]:
        key = (world.chain_i, world.chain_p)
        found = self._robbed.get(key)
        if found is None:
            at, honest = self.at(world), self.scenario.honest
            faults = judge.standing(at, honest)
            robbed = [x for x in honest if judge.is_robbed(at, "ip".index(x))]
            faults += [f"{letter} is robbed" for letter in robbed]
            found = self._robbed[key] = tuple(faults)
        return found


def _lets_out(turn: Turn, letter: str, count: int) -> bool:
    return letter == "i" and any(
        point.what.startswith("sent claim") for point in turn.points[:count]
    )
