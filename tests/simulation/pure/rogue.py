"""The counterparty that wants both legs: every move that the chains let it try.

Owns: `Rogue`: a plan drawn from the seed, carried out with full knowledge of both chains, help of
miners within what the rules assume, and no scruples. Must not know: the machine it plays against,
whose state it never reads.

A rogue only makes transactions that the scripts allow: a claim needs the preimage, a refund its
expiry. The checkers recount that from the blocks.
"""

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.accounts.ledger import ClaimCall, LockCall, RefundCall
from tests.simulation.checks.doors import Doors
from tests.simulation.ledger import SimTx
from tests.simulation.pure.chain import SimChain

if TYPE_CHECKING:
    from tests.simulation.pure.world import Swap, World

_LOCKS = (
    "good", "short", "over", "other script", "coinbase", "two", "none", "late", "cheap", "shy",
)  # fmt: skip
_LOCK_WEIGHTS = (46, 7, 4, 6, 7, 6, 3, 9, 7, 5)
_CLAIMS = ("prompt", "last", "never", "flash", "direct", "hasty", "cheap")
_CLAIM_WEIGHTS = (22, 28, 12, 14, 10, 6, 8)
_MOST_MOVES = 40
_MOST_CYCLES = 200
_MOST_PUSHES = 4
_CALL_GAS = 65_000
_SCHEMES = ("hang", "cycle", "undo", "late")
"""hang: the other lock is kept out of blocks until its owner can't be paid any more. cycle: a spend
is shown at the last moment and withdrawn. undo: our lock is double-spent in a reorganisation. late:
the claim goes to a friendly miner when the other leg expires."""


class Rogue:
    """One dishonest side of one swap."""

    def __init__(
        self, world: "World", swap: "Swap", role: str, doors: Doors, coins: dict[str, list[str]]
    ) -> None:
        rng = Random(f"rogue {world.setting.seed} {swap.name}")
        self.world, self.swap, self.role, self.doors, self.coins = world, swap, role, doors, coins
        is_initiator = role == "initiator"
        self.own_leg = swap.deal.leg_i if is_initiator else swap.deal.leg_p
        self.their_leg = swap.deal.leg_p if is_initiator else swap.deal.leg_i
        self.own: SimChain = world.chains[self.own_leg.family]
        self.theirs: SimChain = world.chains[self.their_leg.family]
        self.lock_plan = rng.choices(_LOCKS, _LOCK_WEIGHTS)[0]
        self.claim_plan = rng.choices(_CLAIMS, _CLAIM_WEIGHTS)[0]
        self.cycles = rng.random() < 0.35
        self.revives = rng.random() < 0.35
        self.undoes = rng.random() < 0.3
        self.gives_up = rng.random() < 0.15
        self.smothers = rng.random() < 0.08
        self.scheme = rng.choice(("", "", "", "cycle", *_SCHEMES))
        if self.scheme:
            self._follow(self.scheme)
        if len(swap.preimage) != 32:
            self.claim_plan = "never"
            self.lock_plan, self.scheme, self.smothers, self.revives = "good", "", False, False
        self.locks: list[SimTx] = []
        self._rng = rng
        self._wallet = ("wallet", f"rogue {swap.name}")
        self._moves = 0
        self._due = False
        self._claim_at = 0
        self._lock_times: list[int] = []
        tallies = world.tallies
        tallies[f"rogue {role}"] += 1
        tallies[f"rogue lock: {self.lock_plan}"] += 1
        tallies[f"rogue claim: {self.claim_plan}"] += 1
        self._pushes = 0
        self._calls: dict[str, str] = {}
        self._start()

    def _follow(self, scheme: str) -> None:
        """Moves that only hurt together."""
        self.lock_plan, self.gives_up = "good", False
        self.smothers = scheme == "hang"
        self.revives = scheme == "hang"
        self.cycles = scheme == "cycle"
        self.undoes = scheme == "undo"
        if scheme in {"hang", "late"}:
            self.claim_plan = "direct"
        elif scheme == "cycle":
            self.claim_plan = "last"

    def _start(self) -> None:
        work, rng, deal = self.world.work, self._rng, self.swap.deal
        unit = self.world.unit
        if self.role == "initiator":
            first = deal.t0 + rng.randint(0, 40)
            if self.lock_plan == "late":
                first = rng.choice(
                    (deal.t0 + rng.randint(40, 2400), self.doors.lock_i + rng.randint(-unit, unit),
                     self.doors.lock_p + rng.randint(-unit, unit))
                )  # fmt: skip
            self._plan_lock(first)
        span = deal.leg_i.expiry - deal.t0
        self._claim_at = deal.leg_p.expiry + rng.randint(-unit * 6, unit * 14)
        if self.role == "participant":
            self._claim_at = deal.leg_i.expiry + rng.randint(-unit * 6, unit * 3)
        for moment in (self._claim_at, deal.leg_p.expiry, deal.leg_i.expiry):
            work.at(moment, self.poke)
        for _ in range(2):
            work.at(deal.t0 + rng.randint(0, span), self.poke)
        if rng.random() < 0.4:
            work.at(deal.t0 + rng.randint(0, span), self._censor)
        if self.smothers:
            self.theirs.smothered[self.swap.name] = None
        if rng.random() < 0.12:
            work.at(deal.t0 + rng.randint(0, span // 2), self._litter)
        if self.revives or self.smothers:
            late = rng.choice((deal.leg_p.expiry, deal.leg_i.expiry, deal.leg_i.expiry))
            late += rng.randint(-unit, unit * 20)
            if self.scheme == "hang":
                work.at(late, self._revive)
                return
            for moment in (late, deal.t0 + rng.randint(0, span), deal.t0 + rng.randint(0, span)):
                work.at(moment, self._revive)

    def _plan_lock(self, moment: int) -> None:
        self._lock_times.append(moment)
        self.world.work.at(moment, self._lock)
        if self.lock_plan == "two":
            self.world.work.at(moment + self._rng.randint(1, self.world.unit * 3), self._lock)

    def poke(self) -> None:
        """Something happened: perhaps there is something to take."""
        if not self._due:
            self._due = True
            self.world.work.after(0, self._look)

    # --- moves ---

    def _look(self) -> None:
        self._due = False
        if self._moves > (_MOST_CYCLES if self.scheme == "cycle" else _MOST_MOVES):
            return
        if self.role == "participant" and not self._lock_times:
            self._answer()
        if self.smothers:
            self._smother()
        self._claim()
        if not self.gives_up:
            self._refund()

    def _smother(self) -> None:
        """The other side's lock is pushed out of mempools, to come back when it hurts."""
        for chain in (self.own, self.theirs):
            for txid in tuple(chain.ledger.mempool):
                name, who, purpose = chain.origin.get(txid, ("", "", ""))
                hurts = name == self.swap.name and who == "honest" and purpose != "kill"
                if hurts and purpose != "lock" and self._pushes < _MOST_PUSHES:
                    self._pushes += 1
                    self.world.tell(f"{self.label} pushes {txid} out of mempools")
                    chain.evict(txid)
        for tx in tuple(self.swap.locks_seen[self.theirs.family].values()):
            if self._pushes >= _MOST_PUSHES or self._is_mine(tx):
                continue
            if self.theirs.ledger.depth(tx.txid) == 0:
                self._pushes += 1
                self.world.tallies["rogue smothers"] += 1
                self.world.tell(f"{self.label} pushes {tx.txid} out of mempools")
                self.theirs.evict(tx.txid)

    def _answer(self) -> None:
        """A participant: locks when the other lock is there, or when it pleases."""
        found = self.theirs.ledger.paying(self.their_leg.script)
        if not found:
            return
        now, rng = self.world.work.now, self._rng
        moment = now + rng.randint(0, self.world.unit * 4)
        if self.lock_plan == "late":
            near = rng.choice((self.doors.lock_p, self.doors.reveal, self.swap.deal.leg_p.expiry))
            moment = near + rng.randint(-self.world.unit, self.world.unit)
        self._plan_lock(max(now, moment))

    def _lock(self) -> None:
        plan, leg, chain = self.lock_plan, self.own_leg, self.own
        if plan == "none":
            return
        units, script = leg.units, leg.script
        if plan == "short":
            units -= self._rng.choice((1, leg.units // 2))
        elif plan == "over":
            units += 1
        elif plan == "other script":
            script = ("other", self.swap.name, self._rng.choice(("keys", "expiry", "size")))
        elif plan == "coinbase" and chain.accounts is None:
            chain.coinbases.append((script, units))
            return
        rate = 1_000 if plan == "cheap" else chain.fee_next * self._rng.choice((1, 2))
        tx = self._pay(chain, "lock", ((script, units),), rate)
        if tx is None:
            return
        if chain.accounts is not None and script == leg.script:
            # Its own deadline: far off, or past before the call is mined.
            late = self._rng.choice((1 << 39, self.world.work.now + self._rng.randint(0, 600)))
            tx = tx._replace(raw=LockCall(script, late))
        self.locks.append(tx)
        if plan == "shy":
            chain.private.append(tx)
            self.swap.archive(chain, tx)
            return
        self._submit(chain, tx)

    def _claim(self) -> None:
        plan, chain = self.claim_plan, self.theirs
        preimage = self._preimage()
        if preimage is None or plan == "never":
            return
        now = self.world.work.now
        if plan in {"last", "flash", "direct", "cheap"} and now < self._claim_at:
            return
        for paid in chain.ledger.paying(self.their_leg.script):
            if paid.depth == 0 and plan not in {"hasty", "last", "flash"}:
                continue
            if self.role == "initiator" and plan == "prompt" and paid.depth < self.their_leg.depth:
                continue
            self._spend(chain, paid.ref, paid.units, ("claim", preimage), 0)

    def _preimage(self) -> bytes | None:
        """What this side may know: its own, or one that was shown; only if the script takes it."""
        if len(self.swap.preimage) != 32:
            return None
        if self.role == "initiator":
            return self.swap.preimage
        return self.swap.preimage if self.swap.is_public else None

    def _refund(self) -> None:
        chain, leg = self.own, self.own_leg
        if chain.ledger.median_time <= leg.expiry:
            return
        for paid in chain.ledger.paying(leg.script):
            if paid.depth and not paid.is_coinbase:
                self._spend(chain, paid.ref, paid.units, ("refund",), leg.expiry)

    def _spend(
        self, chain: SimChain, ref: str, units: int, witness: tuple[object, ...], lock_time: int
    ) -> None:
        """Claims or refunds one output, outbidding whoever spends it in the mempool."""
        if chain.accounts is not None:
            leg = self.their_leg if witness[0] == "claim" else self.own_leg
            preimage = witness[1] if len(witness) > 1 else b""
            assert isinstance(preimage, bytes)
            claims = witness[0] == "claim"
            self._call(chain, ClaimCall(leg.script, preimage) if claims else RefundCall(leg.script))
            return
        spender = chain.ledger.spender(ref)
        if spender is not None and (spender[1] > 0 or self._is_mine(spender[0])):
            return
        if spender is not None and not chain.ledger.replaces:
            return
        rng = self._rng
        cheap = self.claim_plan == "cheap" and spender is None
        rate = 1_100 if cheap else chain.fee_next * rng.choice((1, 1, 2, 5))
        vsize = 139
        least = 0
        if spender is not None:
            pool = chain.ledger.pool
            family = pool.descendants((spender[0].txid,))
            least = sum(pool.txs[t].fee for t in family) + 400
            least = max(least, spender[0].fee * vsize // spender[0].vsize + 400)
        fee = max(rate * vsize // 1000, least)
        plan = self.claim_plan
        if fee > units - 1000:
            return
        spends: tuple[str, ...] = (ref,)
        extra = 0
        if self.cycles and (spender is not None or plan == "flash"):
            coin = self._coin(chain)
            if coin:
                extra = chain.units_of(coin)
                spends = (ref, coin)
        tx = SimTx(
            chain.name(f"rogue-{witness[0]}"), spends,
            ((self._wallet, units + extra - fee),), fee, vsize, lock_time, witness,
        )  # fmt: skip
        if plan == "direct" and witness[0] == "claim" and chain.weather.colluding:
            chain.private.append(tx)
            self.swap.archive(chain, tx)
            self._moves += 4
            return
        if self._submit(chain, tx) and (len(spends) == 2 or plan == "flash"):
            self.world.tallies["rogue shows a spend to withdraw it"] += 1
            quick = self.scheme == "cycle" or rng.random() < 0.5
            delay = rng.randint(1, 2) if quick else rng.randint(1, self.world.unit)
            self.world.work.after(delay, lambda: self._withdraw(chain, tx))

    def _call(self, chain: SimChain, call: ClaimCall | RefundCall) -> None:
        """On a chain with accounts nobody outbids another account: the first in a block has it."""
        what, rng = type(call).__name__, self._rng
        coin, rate = self._coin(chain), chain.fee_next * rng.choice((1, 1, 2, 5))
        if self._calls.get(what) in chain.ledger.mempool or not coin:
            return
        fee = rate * _CALL_GAS // 1000 + 1
        rest = chain.units_of(coin) - fee
        if rest < 0:
            return
        out = ((self._wallet, rest),)
        tx = SimTx(chain.name(f"rogue-{what}"), (coin,), out, fee, _CALL_GAS, 0, call)
        self._calls[what] = tx.txid
        if self.claim_plan == "direct" and what == "ClaimCall" and chain.weather.colluding:
            chain.private.append(tx)
            self.swap.archive(chain, tx)
            self._moves += 4
            return
        shows = self._submit(chain, tx) and (self.cycles or self.claim_plan == "flash")
        if shows and isinstance(call, ClaimCall):
            self.world.tallies["rogue shows a spend to withdraw it"] += 1
            delay = rng.randint(1, 2) if rng.random() < 0.5 else rng.randint(1, self.world.unit)
            self.world.work.after(delay, lambda: self._withdraw(chain, tx))

    def _is_mine(self, tx: SimTx) -> bool:
        return any(script == self._wallet for script, _ in tx.outputs)

    def _withdraw(self, chain: SimChain, tx: SimTx) -> None:
        """Replacement cycling: the other input goes elsewhere, and the spend is gone."""
        if tx.txid not in chain.ledger.mempool:
            return
        if chain.accounts is not None:
            away = tx._replace(txid=chain.name("rogue-away"), raw=None)
            more = tx.fee
            units = tx.outputs[0][1] - more
            if units > 0:
                away = away._replace(outputs=((self._wallet, units),), fee=tx.fee + more)
                self._submit(chain, away)
            return
        if len(tx.spends) == 2 and chain.ledger.replaces:
            units = chain.units_of(tx.spends[1])
            fee = tx.fee * 2 + 1000
            if fee < units:
                out = ((self._wallet, units - fee),)
                away = SimTx(chain.name("rogue-away"), tx.spends[1:], out, fee, 110)
                if self._submit(chain, away):
                    self.coins[chain.family].append(f"{away.txid}:0")
        elif self._rng.random() < 0.5:
            chain.evict(tx.txid)

    def _revive(self) -> None:
        """Old locks of the other side go out again, with a claim as a child where there is one:
        by mempools, or straight to friendly miners."""
        chain = self.theirs
        chain.smothered.pop(self.swap.name, None)
        for tx in tuple(self.swap.locks_seen[chain.family].values()):
            if chain.ledger.depth(tx.txid) or self._is_mine(tx):
                continue
            self.world.tallies["rogue revives"] += 1
            self.smothers = False
            preimage = self._preimage() if self.claim_plan != "never" else None
            if chain.weather.colluding and (self.scheme or self._rng.random() < 0.5):
                self.world.tell(f"{self.label} hands the old lock {tx.txid} to a miner")
                chain.private.append(tx)
                if preimage is not None and chain.accounts is not None:
                    self._call(chain, ClaimCall(self.their_leg.script, preimage))
                elif preimage is not None:
                    fee, units = 1000, self.their_leg.units
                    out = ((self._wallet, units - fee),)
                    witness = ("claim", preimage)
                    child = SimTx(
                        chain.name("rogue-claim"), (f"{tx.txid}:0",), out, fee, 139, 0, witness
                    )
                    chain.private.append(child)
                continue
            why = chain.submit(tx)
            self.world.tell(f"{self.label} sends the old lock {tx.txid} again: {why or 'taken'}")
            if not why and preimage is not None:
                ref = f"{tx.txid}:0"
                self._spend(chain, ref, self.their_leg.units, ("claim", preimage), 0)

    def _litter(self) -> None:
        """Coins for the other side's script: the agreed amount, or another."""
        chain, leg = self.theirs, self.their_leg
        if chain.accounts is not None:
            return  # nobody but the locker writes into his slots
        units = self._rng.choice((leg.units, leg.units // 2, 1_500))
        coin = self._coin(chain)
        fee = 2_000
        rest = chain.units_of(coin) - units - fee if coin else -1
        if rest < 0:
            return
        out = ((leg.script, units), (self._wallet, rest))
        self.world.tallies["rogue litters"] += 1
        self._submit(chain, SimTx(chain.name("rogue-litter"), (coin,), out, fee, 153))

    def _censor(self) -> None:
        self.world.tallies["rogue censors"] += 1
        for chain in (self.own, self.theirs):
            chain.censoring[self.swap.name] = None

    def double_spends(self, chain: SimChain, since: int) -> list[SimTx]:
        """For a reorganisation: what takes back locks of ours mined above height `since`, and the
        other side's old locks."""
        found = []
        if chain is self.own:
            for lock in self.locks:
                depth = chain.ledger.depth(lock.txid)
                if depth and chain.ledger.height - depth >= since:
                    fee = 5_000 if chain.accounts is None else 5_000_000
                    out = ((self._wallet, sum(u for _, u in lock.outputs) + lock.fee - fee),)
                    found.append(SimTx(chain.name("rogue-undo"), lock.spends, out, fee, 110))
        if chain is self.theirs:
            # What was killed, or never mined, comes in instead of whatever killed it.
            known = self.swap.locks_seen[chain.family].values()
            old = [lock for lock in known if chain.ledger.depth(lock.txid) is None]
            found += [lock for lock in old if not self._is_mine(lock)]
        for tx in found:
            self.world.tallies["rogue double-spends by reorg"] += 1
            self.swap.archive(chain, tx)
        return found

    # --- making transactions ---

    @property
    def label(self) -> str:
        """For stories."""
        return f"{self.swap.name} rogue {self.role}"

    def _coin(self, chain: SimChain) -> str:
        for ref in self.coins[chain.family]:
            if chain.ledger.spender(ref) is None:
                return ref
        if chain.accounts is not None:
            for paid in chain.ledger.unspent(self._wallet):
                if paid.depth and paid.units < self.own_leg.units + self.their_leg.units:
                    return paid.ref
        return ""

    def _pay(
        self, chain: SimChain, what: str, outputs: Sequence[tuple[object, int]], rate: int
    ) -> SimTx | None:
        coin = self._coin(chain)
        if not coin:
            return None
        size = 153 if chain.accounts is None else _CALL_GAS
        fee = rate * size // 1000 + 1
        rest = chain.units_of(coin) - fee - sum(units for _, units in outputs)
        if rest < 0:
            return None
        out = (*outputs, (self._wallet, rest))
        return SimTx(chain.name(f"rogue-{what}"), (coin,), out, fee, size)

    def _submit(self, chain: SimChain, tx: SimTx) -> bool:
        self._moves += 1
        self.swap.archive(chain, tx)
        why = chain.submit(tx)
        self.world.tell(f"{self.label} sends {tx.txid}, fee {tx.fee}: {why or 'taken'}")
        if not why:
            self.swap.seen(chain, tx)
        return not why
