"""One chain of the world: its blocks in time, its miners, its fee market, and who must be told.

Owns: `SimChain`: when blocks come, what miners stamp and leave out, reorganisations, evictions,
spikes, and which swaps are concerned by a change. Must not know: parties, what a swap does.
"""

import heapq
from collections.abc import Callable, Hashable, Sequence
from random import Random

from protocol.terms import Pace
from tests.simulation.accounts.ledger import AccountLedger
from tests.simulation.ledger import Block, Ledger, SimTx
from tests.simulation.pure.clockwork import Clockwork
from tests.simulation.pure.setting import Weather

STRANGER = ("wallet", "stranger")
_SUBSIDY = 5_000_000_000


def _mint(name: str, script: Hashable, units: int) -> SimTx:
    """A coinbase; one that pays a lock, ("split", script, units), keeps the rest."""
    if isinstance(script, tuple) and script[0] == "split":
        rest = units - script[2]
        return SimTx(name, (), ((script[1], script[2]), (None, rest)), 0, 150)
    return SimTx(name, (), ((script, units),), 0, 100)


def _accounts(family: str, weather: Weather, now: int, pace: Pace) -> AccountLedger:
    limit = 90_000_000 if weather.peak else None
    history = 64 if pace.finality else 20
    return AccountLedger(
        start=now, interval=weather.mean, prefix=family[0], limit=limit, history=history
    )


class SimChain:
    """`touch(name, sender)` is called for each swap that a change may concern; `sender` made it."""

    def __init__(
        self,
        family: str,
        weather: Weather,
        rng: Random,
        work: Clockwork,
        *,
        patience: Sequence[tuple[int, int]],
        early: int,
        is_regtest: bool,
        pace: Pace | None = None,
    ) -> None:
        """`patience`: (n, seconds): n blocks never take longer, as the safety rules assume.
        `early` seconds a block may be stamped ahead. `pace`: of a chain with accounts."""
        self.family = family
        self.weather = weather
        self.accounts = _accounts(family, weather, work.now, pace) if pace is not None else None
        self.ledger = self.accounts or Ledger(
            start=work.now,
            interval=weather.mean,
            replaces=weather.replaces,
            mempool_limit=3_000_000 if weather.peak else None,
            history=20,
            prefix=family[0],
            subsidy=lambda _: _SUBSIDY,
            mint=_mint,
        )
        self._outage = pace.outage if pace is not None else 0
        self.finality = pace.finality if pace is not None else 0
        self._arrivals: dict[int, int] = {}
        self._unfinal: list[tuple[int, str]] = []
        self._is_regtest = is_regtest
        self._demand = 1 if pace is None else 30
        self.touch: Callable[[str, object], None] = lambda _, __: None
        self.wants_blocks: dict[Callable[[], None], None] = {}
        self.moments: list[int] = []
        self.fork_top = -100
        self.early_since = 0
        self.private: list[SimTx] = []
        self.coinbases: list[tuple[Hashable, int]] = []
        self.censoring: dict[str, None] = {}
        self.smothered: dict[str, None] = {}
        self.budgets: dict[tuple[str, str], int] = {}
        self.payers: dict[str, str] = {}
        self.keepers: list[Callable[[], None]] = []
        self.budget = 0
        self.origin: dict[str, tuple[str, str, str]] = {}
        self._rng = rng
        self._work = work
        self._patience = patience
        self._early = early
        self._swap_of_script: dict[Hashable, tuple[str, int]] = {}
        self._swap_of_ref: dict[str, str] = {}
        self._depths: dict[str, int] = {}
        self._wakes: dict[int, list[str]] = {}
        self._expiries: list[tuple[int, str]] = []
        self._waiting: list[tuple[int, str]] = []
        self._slow_left = 0
        self._rate = 0
        self._estimate = (-1, (0, 0))
        self._made = 0

    # --- who is concerned ---

    def follow(self, name: str, script: Hashable, depth: int, expiry: int) -> None:
        """A swap has a leg here."""
        self._swap_of_script[script] = (name, depth)
        self._depths[name] = depth
        self._expiries.append((expiry, name))
        heapq.heappush(self._waiting, (expiry, name))

    def _concerned(self, tx: SimTx) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        for index, (script, _) in enumerate(tx.outputs):
            pair = self._swap_of_script.get(script)
            if pair is not None:
                found.append(pair)
                self._swap_of_ref[f"{tx.txid}:{index}"] = pair[0]
                for ref in tx.spends:
                    self._swap_of_ref.setdefault(ref, pair[0])
        for ref in tx.spends:
            name = self._swap_of_ref.get(ref)
            if name is not None and all(name != known for known, _ in found):
                found.append((name, self._depths[name]))
        called = self._swap_of_script.get(getattr(tx.raw, "slot", None))
        if called is not None and called not in found:
            found.append(called)
        return found

    def submit(self, tx: SimTx, sender: object = None) -> str:
        """To the mempool of every node: "" when taken, "known", or why not."""
        why = self.ledger.submit(tx)
        if not why:
            for name, _ in self._concerned(tx):
                self.touch(name, sender)
        return why

    def evict(self, txid: str) -> None:
        """It leaves every mempool, with its children."""
        tx = self.ledger.transaction(txid)
        if tx is not None and self.ledger.evict(txid):
            for name, _ in self._concerned(tx):
                self.touch(name, None)

    # --- fees ---

    @property
    def fees(self) -> tuple[int, int]:
        """What a node would estimate for the next block; the least that is relayed, with what a
        replacement adds."""
        changes = self.ledger.changes
        if self._estimate[0] != changes:
            floor = self.ledger.mempool_min_rate + self.ledger.increment
            crowded = self.ledger.pool.crowd_vsize > 0
            rate = self.ledger.next_block_rate if crowded else 0
            self._estimate = changes, (max(rate, floor), floor)
        return self._estimate[1]

    @property
    def fee_next(self) -> int:
        """What a node would estimate for the next block."""
        return self.fees[0]

    # --- blocks ---

    def start(self) -> None:
        """The first block is on its way."""
        self.moments.append(self._work.now)
        self._work.after(self._interval(), self._block)

    def _interval(self) -> int:
        """Seconds to the next block, never beyond what the rules assume of slow blocks."""
        rng, weather = self._rng, self.weather
        if self._is_regtest:  # a block per ten seconds at the latest
            return rng.randint(4, 10)
        seconds = 1 + int(rng.expovariate(1 / weather.mean))
        if self._slow_left:
            self._slow_left -= 1
            seconds *= 3
        elif weather.slow and rng.randrange(1000) < weather.slow:
            self._slow_left = rng.randint(4, 40)
        now = self._work.now
        if self._outage and rng.randrange(700) == 0:
            # Its sequencer is out: once, beside all that is assumed of its blocks.
            self.moments = [moment + self._outage for moment in self.moments]
            seconds, self._outage = self._outage, 0
            return seconds
        for blocks, most in self._patience:
            if blocks <= len(self.moments):
                seconds = min(seconds, self.moments[-blocks] + most - now)
        return max(1, seconds)

    def _stamp(self) -> int:
        rng, weather, now = self._rng, self.weather, self._work.now
        least = self.ledger.median_time + 1
        if weather.early and now >= self.early_since and rng.randrange(100) < weather.early:
            return max(least, now + self._early - 5)
        if weather.low and rng.randrange(100) < weather.low:
            return least
        return max(least, now)

    def _block(self) -> None:
        now = self._work.now
        self.moments.append(now)
        self._fees()
        exclude = self._left_out()
        weather = self.weather
        if weather.colluding and self._rng.randrange(100) < weather.colluding:
            self._mine_for_friends(exclude)
        else:
            self.announce(self.ledger.mine(self._stamp(), exclude=exclude))
        self._work.after(self._interval(), self._block)

    def _fees(self) -> None:
        """Other people's demand: quiet, or a spike that stays for a while."""
        weather, rng = self.weather, self._rng
        if not weather.peak:
            return
        if self._rate:
            if rng.randrange(40) == 0:
                self._rate = 0
            else:
                rate = self._rate + rng.randrange(self._rate // 20 + 1)
                self.ledger.crowd(rate, 1_000_000 * self._demand)
        elif rng.randrange(25) == 0:
            self._rate = max(2_000, weather.peak * rng.choice((1, 2, 10, 20)) // 20)
            self.ledger.crowd(self._rate, 1_500_000 * self._demand)

    def _left_out(self) -> list[str]:
        """Transactions that miners leave out of this block, within what the rules assume."""
        if not self.censoring and not self.smothered:
            return []
        found = []
        for txid in self.ledger.mempool:
            name, who, purpose = self.origin.get(txid, ("", "", ""))
            lifted = self.ledger.pool.spending.get(f"{txid}:0")
            if purpose == "lock" and name in self.smothered and lifted is None:
                found.append(txid)  # a lock may hang for as long as it pleases them: rule 1
            elif name in self.censoring and who == "honest":
                left = self.budgets.setdefault(self._budget_of(txid), self.budget)
                if left > 0:
                    found.append(txid)
        for key in {self._budget_of(txid): None for txid in found}:
            if key in self.budgets:
                self.budgets[key] -= 1
        return found

    def _budget_of(self, txid: str) -> tuple[str, str]:
        """Whose patience is used up: what holds up one call of an account holds up the others."""
        name, _, purpose = self.origin[txid]
        return (self.payers[txid], "account") if txid in self.payers else (name, purpose)

    def _mine_for_friends(self, exclude: Sequence[str]) -> None:
        """A block with what no mempool has seen, whatever it pays."""
        ledger = self.ledger
        used: dict[str, None] = {}
        chosen: list[SimTx] = []
        for tx in self.private:
            if self._is_minable(tx, chosen, used):
                chosen.append(tx)
                used.update(dict.fromkeys(tx.spends))
        gone: set[str] = set()
        names = {tx.txid for tx in chosen}
        for tx in ledger.pool.pick(ledger.block_vsize, None, exclude):
            lost = any(ref in used or ref[: ref.rindex(":")] in gone for ref in tx.spends)
            if lost or tx.txid in names:
                gone.add(tx.txid) if lost else None
                continue
            chosen.append(tx)
        self.private = [tx for tx in self.private if tx.txid not in names]
        pays: Hashable = None
        if self.coinbases:
            pays = ("split", *self.coinbases.pop(0))
        self.announce(ledger.connect(self._stamp(), chosen, pays))

    def _is_minable(self, tx: SimTx, chosen: list[SimTx], used: dict[str, None]) -> bool:
        ledger = self.ledger
        if ledger.depth(tx.txid) or (tx.lock_time and tx.lock_time >= ledger.median_time):
            return False
        made = {f"{t.txid}:{n}" for t in chosen for n in range(len(t.outputs))}
        for ref in tx.spends:
            if ref in used or ledger.spend_in_block(ref) is not None:
                return False
            if ref not in made and not ledger.depth(ref[: ref.rindex(":")]):
                return False
            if ref not in made and ledger._is_immature(ref):
                return False
        return True

    def announce(self, block: Block) -> None:
        """Whoever waits for this block, or for a depth or time it brings, is told."""
        height, touch = block.height, self.touch
        for tx in block.txs:
            if not tx.spends and tx.outputs[0][0] is None:
                continue
            for name, depth in self._concerned(tx):
                touch(name, None)
                if self.finality:
                    self._unfinal.append((height, name))
                if depth > 1:
                    self._wakes.setdefault(height + depth - 1, []).append(name)
        for name in self._wakes.pop(height, ()):
            touch(name, None)
        if self.finality:
            self._finalize(height)
        while self._waiting and block.median_time > self._waiting[0][0]:
            touch(heapq.heappop(self._waiting)[1], None)
        for keep in self.keepers:
            keep()
        for call in tuple(self.wants_blocks):
            call()

    def _finalize(self, height: int) -> None:
        """The chain's word on what is final moves on in steps: a block waits half to three quarters
        of the agreed time for it."""
        if self.accounts is None:
            return
        step = self.finality // 4
        self._arrivals[height] = self._work.now
        before = self._work.now // step * step - 2 * step
        final = self.accounts.final_height
        while final < height - 1 and self._arrivals.get(final + 1, 0) <= before:
            final += 1
        if final > self.accounts.final_height:
            self.accounts.final_height = final
            waiting, self._unfinal = self._unfinal, []
            for at, name in waiting:
                if at <= final:
                    self.touch(name, None)
                else:
                    self._unfinal.append((at, name))

    def undoable(self, count: int) -> int:
        """How many of so many blocks a reorganisation may take: none that is final."""
        if self.accounts is None or not self.finality:
            return count
        return min(count, self.ledger.height - self.accounts.final_height)

    # --- bad luck ---

    def reorganise(self, count: int, first: Sequence[SimTx] = (), *, empty: bool = False) -> None:
        """The newest `count` blocks give way to one more. `first` are mined before all else, if
        they can be; `empty`: the new blocks hold nothing else."""
        ledger = self.ledger
        top = ledger.height
        ledger.undo(count)
        self._waiting = sorted(e for e in self._expiries if e[0] >= ledger.median_time)
        for number in range(count + 1):
            used: dict[str, None] = {}
            chosen: list[SimTx] = []
            for tx in first if number == 0 else ():
                if self._is_minable(tx, chosen, used):
                    chosen.append(tx)
                    used.update(dict.fromkeys(tx.spends))
            stamp = max(ledger.median_time + 1, self._work.now - 60 * (count - number))
            alone = empty or chosen
            self.announce(ledger.connect(stamp, chosen) if alone else ledger.mine(stamp))
        names = [name for _, name in self._expiries]
        if count >= 2:
            self.fork_top = top
            self._wakes.setdefault(top + 6, []).extend(names)
        for name in names:
            self.touch(name, None)

    @property
    def has_rival(self) -> bool:
        """A branch competes with the best chain, or did until lately."""
        return self.fork_top > self.ledger.height - 6

    def units_of(self, ref: str) -> int:
        """What an output is worth; 0 for one that is not there."""
        found = self.ledger.output(ref)
        return 0 if found is None else found[1]

    def name(self, what: str) -> str:
        """A txid that nobody has used."""
        self._made += 1
        return f"{self.family[0]}{self._made}.{what}"
