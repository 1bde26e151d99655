"""A world from one seed: two chains, several daemons, honest and rogue, and many swaps.

Owns: `World`, `Swap`, `run`. Must not know: what the machine decides; what is right (`checks`).

Speed: a side looks when something that may matter to it changed: a transaction to or from its
scripts or coins, a depth that counts, an expiry in median time, its own deadlines, the end of a
trouble; and at every block while anything is owed or unconfirmed. `always` makes it look at every
block; a test shows that this changes nothing.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from random import Random

from protocol.limits import (
    FIRST_CONFIRMATION_SECONDS,
    RELEASE_SECONDS,
    SKEW,
)
from protocol.swap.facts import Spend, SpendKind
from protocol.swap.reading import seen_within
from protocol.terms import LegName, Role, Timing
from tests.simulation.accounts.ledger import ClaimCall, Slot
from tests.simulation.checks import coins, ends, tokens
from tests.simulation.checks.doors import FIGURES, Doors, doors, judge_terms, waiting
from tests.simulation.checks.records import Deal, Diary, Leg
from tests.simulation.ledger import SimTx
from tests.simulation.pure import account_eyes, deals
from tests.simulation.pure.account_nonces import CLAIMS, LOCKS, Nonces, account_of
from tests.simulation.pure.chain import SimChain
from tests.simulation.pure.clockwork import Clockwork
from tests.simulation.pure.daemon import Daemon
from tests.simulation.pure.market import Market
from tests.simulation.pure.rogue import Rogue
from tests.simulation.pure.setting import START, Setting, draw, draw_mixed
from tests.simulation.pure.side import Side, read_spend
from tests.simulation.pure.trouble import Trouble, by_hand
from tests.simulation.result import Result

_DAEMONS = 4
_TRIES = 12
"""How often a reorganisation beyond depth waits for a better moment."""


class Swap:
    """One swap of the world: `sides` are honest, `rogue` is not."""

    def __init__(self, world: "World", agreed: deals.Agreed) -> None:
        self.world = world
        self.deal: Deal = agreed.deal
        self.name = agreed.deal.name
        self.preimage = agreed.preimage
        self.terms = agreed.terms
        self.doors: Doors = doors(agreed.deal)
        self.sides: list[Side] = []
        self.rogue: Rogue | None = None
        self.is_public = False
        self.locks_seen: dict[str, dict[str, SimTx]] = {f: {} for f in world.setting.families}

    def leg(self, name: LegName) -> Leg:
        """In plain numbers."""
        return self.deal.leg_i if name is LegName.I else self.deal.leg_p

    def touch(self, sender: object) -> None:
        """Something on a chain may concern this swap; `sender` knows already."""
        for side in self.sides:
            if side is not sender or self.world.always:
                side.poke()
        if self.rogue is not None:
            self.rogue.poke()

    def archive(self, chain: SimChain, tx: SimTx) -> None:
        """So that whoever keeps its raw bytes can send it again."""
        self.world.archive[tx.txid] = tx

    def seen(self, chain: SimChain, tx: SimTx) -> None:
        """It is in the mempools: everybody may read and keep it."""
        for script, _ in tx.outputs:
            if script in {self.deal.leg_i.script, self.deal.leg_p.script}:
                self.locks_seen[chain.family][tx.txid] = tx
        if isinstance(tx.raw, ClaimCall):
            self._called(chain, tx, tx.raw)
        elif isinstance(tx.raw, tuple) and tx.raw and tx.raw[0] == "claim":
            self.is_public = True
            spend = read_spend(chain, tx, 0, self.deal.hashlock)
            for side in self.sides:
                if side.own is chain:
                    for ref in tx.spends:
                        side.flash(ref, spend)

    def _called(self, chain: SimChain, tx: SimTx, call: ClaimCall) -> None:
        """The same on a chain with accounts."""
        if hashlib.sha256(call.preimage).digest() != self.deal.hashlock:
            return
        self.is_public = True
        for side in self.sides:
            if side.own is chain:
                spend = Spend(SpendKind.CLAIM, tx.txid, 0, call.preimage)
                side.flash(account_eyes.ref_of(side, side.own_leg), spend)


class World:
    """`tell` writes the story; `tallies` count what happened."""

    def __init__(
        self, seed: int, *, tell: bool = False, always: bool = False, mixed: bool = False
    ) -> None:
        self.setting: Setting = draw_mixed(seed) if mixed else draw(seed)
        self.families = self.setting.families
        self.keeps_story = tell
        self.always = always
        self.careful = always or seed % 16 == 0
        self.story: list[str] = []
        self.tallies: Counter[str] = Counter()
        self.work = Clockwork(START)
        self.archive: dict[str, SimTx] = {}
        self.swaps: list[Swap] = []
        self.gas: dict[str, int] = {}
        self.violated: tuple[int, str] | None = None
        self._rng = Random(f"world {seed}")
        self._open = 0
        self._tries = 0
        self._market_faults: list[str] = []
        kind = self.setting.kind
        is_regtest = kind.timing is Timing.REGTEST
        self.unit = 10 if is_regtest else 600
        # S is between two honest clocks; ours errs by at most half of it either way.
        self.skew = SKEW[kind.timing] // 2
        never = 1 << 40
        intervals = {"bitcoin": 600, "litecoin": 150}
        self.stale_after = {
            family: never if is_regtest else max(1800, 9 * intervals.get(family, 60))
            for family in self.families
        }
        agreed = self._agree()
        self.chains: dict[str, SimChain] = {
            family: self._chain(family, [a.deal for a in agreed]) for family in self.families
        }
        self.daemons = [
            Daemon(
                self,
                f"d{n}",
                self._rng.randint(-self.skew, self.skew),
                0 if is_regtest else self._rng.choice((0, 1, 5)),
            )
            for n in range(_DAEMONS)
        ]
        self._people(agreed)
        self._plan()

    # --- setting up ---

    def _agree(self) -> list[deals.Agreed]:
        rng, setting = self._rng, self.setting
        spread = 60 if setting.kind.timing is Timing.REGTEST else 3600
        starts = sorted(START + 1 + rng.randint(0, spread) for _ in range(setting.swaps))
        found = [deals.agree(setting, n, t0) for n, t0 in enumerate(starts)]
        if rng.random() < 0.5 and not setting.paces:
            market = Market(setting, START)
            self.tallies.update(market.tallies)
            self._market_faults = market.faults
            for n, (terms, preimage) in enumerate(market.agreed[: len(found)]):
                deal = deals.plain(f"s{n}.", terms, market.families)
                found[n] = deals.Agreed(deal, preimage, terms)
        return found

    def _chain(self, family: str, all_deals: list[Deal]) -> SimChain:
        setting = self.setting
        limits: dict[tuple[int, int], None] = {}
        for deal in all_deals:
            for leg in (deal.leg_i, deal.leg_p):
                if leg.family == family:
                    limits.update(dict.fromkeys(_patience(deal, leg)))
        is_regtest = setting.kind.timing is Timing.REGTEST
        pace = setting.paces.get(family)
        early = 20 if is_regtest else 7200
        chain = SimChain(
            family,
            setting.weather[family],
            Random(f"chain {setting.seed} {family}"),
            self.work,
            patience=tuple(limits),
            early=early if pace is None else pace.early,
            is_regtest=is_regtest,
            pace=pace,
        )
        spike = 1 if setting.weather[family].peak else 0
        if pace is not None:
            chain.budget = 0 if is_regtest else 20
            return chain
        k = FIGURES[setting.kind.timing.value, family][1]
        chain.budget = max(0, k - 2 - spike)
        return chain

    def _people(self, agreed: list[deals.Agreed]) -> None:
        rng, setting = self._rng, self.setting
        families = self.families
        outputs: dict[str, list[tuple[object, int]]] = {family: [] for family in families}
        owners: dict[str, list[list[str]]] = {family: [] for family in families}

        def coin(family: str, script: object, units: int, owner: list[str]) -> None:
            outputs[family].append((script, units))
            owners[family].append(owner)

        for daemon in self.daemons:
            daemon.coins = {family: [] for family in families}
        for each in agreed:
            swap = Swap(self, each)
            self.swaps.append(swap)
            for family in families:
                leg = each.deal.leg_i if each.deal.leg_i.family == family else each.deal.leg_p
                self.chains[family].follow(swap.name, leg.script, leg.depth, leg.expiry)
            is_rogue = rng.randrange(100) < setting.rogues
            bad = rng.choice(tuple(Role)) if is_rogue else None
            if len(each.preimage) != 32:
                bad = Role.INITIATOR
            pair = rng.sample(self.daemons, 2)
            self._slots(swap, {r: d.seed for r, d in zip(Role, pair, strict=True) if r is not bad})
            for role, daemon in zip(Role, pair, strict=True):
                leg = each.deal.leg_i if role is Role.INITIATOR else each.deal.leg_p
                if role is bad:
                    purse: dict[str, list[str]] = {family: [] for family in families}
                    wallet = ("wallet", f"rogue {swap.name}")
                    for _ in range(4):
                        coin(leg.family, wallet, leg.units * 3 // 2 + 1_000_000, purse[leg.family])
                    other = families[1 - families.index(leg.family)]
                    for _ in range(3):
                        coin(other, wallet, setting.least(other) * 40, purse[other])
                    swap.rogue = Rogue(self, swap, role.value, swap.doors, purse)
                    continue
                enough = setting.least(leg.family) * 12 + 300_000
                coin(leg.family, daemon.wallet, enough, daemon.coins[leg.family])
                self._open += 1
                self.work.at(each.deal.t0, self._beginner(swap, role, daemon))
        self._grant_nonces(coin, len(agreed))
        for family in families:
            chain = self.chains[family]
            chain.touch = self._touch
            grant = SimTx(f"{family[0]}grant", (), tuple(outputs[family]), 0, 100)
            chain.ledger.issue(grant, START + 1)
            for index, owner in enumerate(owners[family]):
                owner.append(f"{grant.txid}:{index}")
            if chain.accounts is not None:
                for daemon in self.daemons:
                    for which in (LOCKS, CLAIMS):
                        nonces = daemon.nonces[family, which]
                        chain.accounts.order(nonces.account, nonces.refs)
            chain.start()
        self._by_name = {swap.name: swap for swap in self.swaps}

    def _grant_nonces(
        self, coin: Callable[[str, object, int, list[str]], None], swaps: int
    ) -> None:
        """Two accounts for each daemon, and what their calls are paid from."""
        rng = Random(f"gas {self.setting.seed}")
        for family in self.families:
            chain = self.chains[family]
            self.gas[family] = self.setting.least(family) * rng.choice((1, 4))
            for daemon in self.daemons if chain.accounts is not None else ():
                for which in (LOCKS, CLAIMS):
                    nonces = Nonces(daemon, chain, which)
                    daemon.nonces[family, which] = nonces
                    chain.keepers.append(nonces.keep)
                    for _ in range(3 * swaps):
                        coin(family, nonces.account, self.gas[family], nonces.refs)

    def _slots(self, swap: Swap, seeds: Mapping[Role, Hashable]) -> None:
        """What the contracts of both legs commit to; a rogue's coins go to its wallet."""
        rogue = ("wallet", f"rogue {swap.name}")
        for leg, locks in ((swap.deal.leg_i, Role.INITIATOR), (swap.deal.leg_p, Role.PARTICIPANT)):
            accounts = self.chains[leg.family].accounts
            if accounts is None:
                continue
            claims = Role.PARTICIPANT if locks is Role.INITIATOR else Role.INITIATOR
            accounts.slots[leg.script] = Slot(
                swap.deal.hashlock,
                leg.units,
                leg.expiry,
                seeds.get(claims, rogue),
                seeds.get(locks, rogue),
            )

    def _beginner(self, swap: Swap, role: Role, daemon: Daemon) -> Callable[[], None]:
        def begin() -> None:
            pays = {daemon.wallet, daemon.seed}
            if self.setting.paces:
                pays |= {account_of(daemon.name, which) for which in (LOCKS, CLAIMS)}
            diary = Diary(swap.deal, role.value, frozenset(pays))
            agreement = deals.agreement(swap.terms, role, daemon.wall)
            side = Side(daemon, swap, agreement, diary)
            swap.sides.append(side)
            side.poke()
            unseen = seen_within(agreement.theirs)
            waits = (RELEASE_SECONDS, unseen, FIRST_CONFIRMATION_SECONDS)
            for wait in waits:
                self.work.after(wait, side.poke)
                self.work.after(wait + 1, side.poke)
            rng = Random(f"hand {self.setting.seed} {swap.name} {role.value}")
            if rng.randrange(100) < self.setting.hands:
                self.work.after(rng.randint(1, 3 * self.unit), lambda: by_hand(side, rng))

        return begin

    def _plan(self) -> None:
        """Bad luck, spread over the time in which it can hurt."""
        rng, setting = self._rng, self.setting
        span = max(swap.deal.leg_i.expiry for swap in self.swaps) - START
        self._until = START + span + (1200 if self.unit == 10 else 30 * 3600)
        for daemon in self.daemons:
            Trouble(self, daemon, span)
        for family in self.families:
            chain, weather = self.chains[family], setting.weather[family]
            if weather.early > 50:  # sooner, no honest clock would be ahead of median time
                chain.early_since = START + rng.randint(span // 6, span)
            for _ in range(weather.reorgs):
                moment = rng.randint(0, span if rng.random() < 0.5 else span // 4)
                self.work.after(moment, self._reorganiser(chain))
            for _ in range(weather.evictions):
                self.work.after(rng.randint(0, span), self._evicter(chain))
        if setting.deep:
            self.work.after(rng.randint(0, span // 6), self._beyond)

    def _reorganiser(self, chain: SimChain) -> Callable[[], None]:
        def reorganise() -> None:
            count = self._rng.randint(1, self.setting.depths[chain.family] - 1)
            self._reorganise(chain, count)

        return reorganise

    def _reorganise(self, chain: SimChain, count: int) -> None:
        count = min(count, chain.ledger.height - 22)  # coins that were granted stay
        count = chain.undoable(count)
        if count < 1:
            return
        since = chain.ledger.height - count
        first: list[SimTx] = []
        for swap in self.swaps:
            if swap.rogue is not None and swap.rogue.undoes:
                first += swap.rogue.double_spends(chain, since)
        empty = self._rng.random() < 0.3
        self.tell(f"{chain.family}: {count} blocks are undone, {len(first)} double spends")
        self.tallies["reorg"] += 1
        chain.reorganise(count, first, empty=empty)

    def _evicter(self, chain: SimChain) -> Callable[[], None]:
        def evict() -> None:
            waiting = list(chain.ledger.mempool)
            if waiting:
                txid = self._rng.choice(waiting)
                self.tell(f"{chain.family}: {txid} is evicted")
                self.tallies["eviction"] += 1
                chain.evict(txid)

        return evict

    def _beyond(self) -> None:
        """The assumption that chains do not reorganise so deep is violated, on purpose."""
        for swap in self.swaps:
            rogue = swap.rogue
            lock = rogue.locks[0] if rogue is not None and rogue.locks else None
            if rogue is None or lock is None or rogue.role != "initiator":
                continue
            depth = rogue.own.ledger.depth(lock.txid)
            answered = any(p == "lock" for side in swap.sides for _, p, _, _ in side.diary.sent)
            if depth and answered and rogue.own_leg.depth <= depth < 3 * rogue.own_leg.depth:
                rogue.undoes = True
                rogue.claim_plan = "last"
                self.violated = self.work.now, "a reorganisation beyond depth"
                self.tallies["beyond depth, aimed"] += 1
                self._reorganise(rogue.own, depth)
                return
        if self._tries < _TRIES:
            self._tries += 1
            self.work.after(3 * self.unit, self._beyond)
            return
        family = self._rng.choice(self.families)
        chain = self.chains[family]
        self.violated = self.work.now, "a reorganisation beyond depth"
        self.tallies["beyond depth"] += 1
        most = min(chain.ledger.height - 25, 3 * self.setting.depths[family])
        if most > self.setting.depths[family]:
            self._reorganise(chain, self._rng.randint(self.setting.depths[family], most))

    # --- running ---

    def tell(self, what: str) -> None:
        """One line of the story."""
        if self.keeps_story:
            heights = "/".join(str(self.chains[f].ledger.height) for f in self.families)
            self.story.append(f"{self.work.now - START:>7} s {heights}  {what}")

    def short_absence(self) -> int:
        """Seconds that a crash may take at any moment."""
        return 1 if self.unit == 10 else 60

    def chain_i(self, side: Side) -> SimChain:
        """The chain of leg I of a side's swap."""
        return self.chains[side.swap.deal.leg_i.family]

    def closed(self, side: Side) -> None:
        """One side has nothing left to do."""
        self._open -= 1

    def _touch(self, name: str, sender: object) -> None:
        self._by_name[name].touch(sender)

    def run(self) -> None:
        """Until every honest side is done, or time is up."""
        self.work.run(self._until, lambda: self._open == 0)

    # --- judging ---

    def violations(self) -> Iterable[str]:
        """What went wrong, in words."""
        rules = {
            leg.script: coins.Rule(swap.deal.hashlock, leg.expiry)
            for swap in self.swaps
            for leg in (swap.deal.leg_i, swap.deal.leg_p)
        }
        books = {
            family: coins.Books(
                chain.ledger.blocks, rules, by_block_time=chain.accounts is not None
            )
            for family, chain in self.chains.items()
        }
        yield from (f"market: {fault}" for fault in self._market_faults)
        for family, book in books.items():
            for fault in book.faults:
                yield f"{family}: {fault}"
        gas = {account_of(d.name, which) for d in self.daemons for which in (LOCKS, CLAIMS)}
        for family in self.setting.tokens:
            diaries = [side.diary for swap in self.swaps for side in swap.sides]
            sent = {txid for diary in diaries for _, what, txid, _ in diary.sent if what != "kill"}
            yield from (f"{family}: {leak}" for leak in tokens.leaks(books[family], sent, gas))
        for swap in self.swaps:
            for wrong in judge_terms(swap.deal):
                yield f"{swap.name}: {wrong}"
            for side in swap.sides:
                why = ""
                if self.violated is not None:
                    at, what = self.violated
                    if side.diary.ends and side.diary.ends[-1][0] < at:
                        continue  # it spoke the truth when it spoke
                    why = what
                yield from ends.judge(side.diary, books, why)


def _patience(deal: Deal, leg: Leg) -> list[tuple[int, int]]:
    """How long so many blocks take at most, by the rules' own assumption (c), for one leg."""
    if deal.timing == "regtest":
        return []
    if leg.pace is not None and leg.finality:
        return [(n, waiting(n, leg.pace[0], deal.risk)) for n in (25, leg.depth - 1)]
    if leg.pace is not None:
        depths = 25 + 2 * leg.depth - 1, 25 + leg.depth - 1
        return [(n, waiting(n, leg.pace[0], deal.risk)) for n in depths]
    mean, k, _ = FIGURES[deal.timing, leg.family]
    counts = {max(1, k + 2 * leg.depth - 7): None, k + leg.depth - 1 + 9: None}
    return [(n, waiting(n, mean, deal.risk)) for n in counts]


def run(seed: int, *, tell: bool = False, always: bool = False, mixed: bool = False) -> Result:
    """The whole life of the world of `seed`, judged; `mixed`: with a chain that has accounts."""
    world = World(seed, tell=tell, always=always, mixed=mixed)
    world.run()
    world.tallies[f"timing {world.setting.kind.name}"] += world.setting.swaps
    for family, chain in world.chains.items():
        if chain.accounts is not None:
            world.tallies["blocks that a call waited behind another nonce"] += (
                chain.accounts.held_up
            )
            world.tallies["chains that say what is final"] += bool(chain.finality)
            world.tallies["tokens"] += family in world.setting.tokens
    return Result(
        seed, world.setting.swaps, tuple(world.violations()), tuple(world.story), world.tallies
    )
