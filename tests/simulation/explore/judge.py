"""What must hold, judged from the chains and from plain figures.

Owns: the rules, with figures of its own. Imports nothing of the protocol and trusts no reading of
it: a state is looked at by the names of its parts only. Must not know: how a move is made.

Figures of the regtest timing, in seconds after the agreement, as the safety rules state them.
"""

from typing import Any

from tests.simulation.explore import chain as chains
from tests.simulation.explore.chain import Chain, Tx

DEPTH = (2, 3)
UNITS = (100_000, 700_000)
LOCK_GATE = (40, 70)
REVEAL_GATE = 120
EXPIRY = (370, 165)
"""T_I, T_P: by leg."""

RELEASED, RESERVED = 30, 60
"""So late a taker that was away still locks; so long a maker waits for the other lock."""

Both = tuple[Chain, Chain]


def leg_of(role: str) -> int:
    """0 for the initiator's own leg, 1 for the participant's."""
    return 0 if role == "initiator" else 1


def locks(chain: Chain, leg: int, by: str) -> list[Tx]:
    """Outputs of the agreed amount to the script of the leg that can be spent in time."""
    return [
        tx
        for tx in chain.txs
        if tx.kind == "lock" and tx.by == by and tx.units == UNITS[leg] and not tx.mark
    ]


def _fate(chain: Chain, lock: Tx, kind: str) -> int:
    """How deep a spend of that kind is; -1 without one."""
    by = chains.spender(chain, lock.name)
    return by.depth if by is not None and by.kind == kind else -1


def is_answerable(at: Both, leg: int, but_by: str = "") -> bool:
    """The lock of `leg` is exact, final and unspent, `but_by` this party."""
    spends = [(lock, chains.spender(at[leg], lock.name)) for lock in locks(at[leg], leg, "ip"[leg])]
    return any(
        lock.depth >= DEPTH[leg] and (spend is None or spend.by == but_by) for lock, spend in spends
    )


def is_robbed(at: Both, leg: int) -> bool:
    """The own leg `leg` was claimed for good, and the other one can not be ours any more."""
    own, theirs = "ip"[leg], "ip"[1 - leg]
    claimed = any(_fate(at[leg], lock, "claim") >= DEPTH[leg] for lock in locks(at[leg], leg, own))
    return claimed and not can_be_ours(at, 1 - leg, theirs)


def can_be_ours(at: Both, leg: int, by: str) -> bool:
    """Some lock of `leg` exists that nothing but our claim has spent for good."""
    return any(_fate(at[leg], lock, "refund") < DEPTH[leg] for lock in locks(at[leg], leg, by))


def standing(at: Both, honest: str) -> list[str]:
    """What is wrong with the chains as they are, whoever is to blame."""
    faults = []
    for letter in honest:
        leg = "ip".index(letter)
        confirmed = [lock for lock in locks(at[leg], leg, letter) if lock.depth]
        if len(confirmed) > 1:
            faults.append(f"{letter} has locked its leg twice")
        for lock in confirmed:
            spends = [tx for tx in at[leg].txs if lock.name in tx.spends]
            if len(spends) > 1:
                faults.append(f"{lock.name} is spent twice")
    return faults


class Rules:
    """The judge of single steps."""

    def stepped(self, before: Any, after: Any, at: Both, now: int, healthy: bool) -> list[str]:
        """Faults of a step that was journalled; `healthy` by what our own nodes say."""
        faults = []
        leg = leg_of(after.agreement.role.value)
        was, is_now = type(before.own).__name__, type(after.own).__name__
        if is_now == "Released" and was != "Released":
            faults += self._lock_gate(leg, at, now, healthy)
        learned = type(after.secret).__name__ == "Learned"
        # Who knows the secret claims: his own lock would only be a gift.
        if is_now != was and is_now in {"Killing", "Dead"} and not (after.cancelled or learned):
            faults += self._given_up(was, is_now, leg, at, now)
        knew, knows = type(before.secret).__name__, type(after.secret).__name__
        if knows == "Revealed" and knew != "Revealed":
            faults += self._reveal_gate(at, now)
            faults += [] if healthy else ["the preimage leaves while a node is not healthy"]
        if knows == "Learned" and knew != "Learned":
            shown = any(tx.kind == "claim" for tx in at[1].txs)
            faults += [] if shown else ["a preimage is learned that nobody has shown"]
        if knew == "Learned" and knows != "Learned":
            faults.append("a preimage that was learned is forgotten")
        if after.claim is not None and knows not in {"Revealed", "Learned"}:
            faults.append("a claim was signed while the secret is not out")
        if is_now == "Killing" and was == "Released" and knows == "Revealed":
            faults.append("our lock is killed after the reveal")
        if before.outcome is not None and after.outcome != before.outcome:
            faults.append("an end has changed")
        if before.outcome is None and after.outcome is not None:
            faults += self._end(after.outcome.end.value, leg, at)
        return faults

    def sends(self, what: str, state: Any, at: Both, now: int, healthy: bool) -> list[str]:
        """Faults of sending our lock, kill, claim or refund now."""
        knows = type(state.secret).__name__
        leg = leg_of(state.agreement.role.value)
        if what == "refund":
            ripe = at[leg].ripe >= chains.RIPE
            return [] if ripe else ["a refund is sent that no block can hold yet"]
        if what == "claim":
            return (
                [] if knows in {"Revealed", "Learned"} else ["a claim left before the secret may"]
            )
        if what == "kill":
            return ["a kill left after the reveal"] if knows == "Revealed" else []
        if type(state.own).__name__ != "Released":
            return ["a lock left that was not released"]
        return [] if knows == "Revealed" else self._lock_gate(leg, at, now, healthy)

    def rests(self, state: Any, at: Both, now: int) -> list[str]:
        """Faults of a state that a party is in when it has just looked, and waits."""
        if state.outcome is not None:
            return []
        leg = leg_of(state.agreement.role.value)
        own, knows = type(state.own).__name__, type(state.secret).__name__
        mine = locks(at[leg], leg, "ip"[leg])
        faults = []
        if own == "Released" and knows != "Revealed" and not any(lock.depth for lock in mine):
            if now >= LOCK_GATE[leg]:
                faults.append("a lock may be in the air beyond its gate and is not killed")
            if leg == 1 and not is_answerable(at, 0):
                faults.append(
                    "a lock hangs although what it answers is not final, and is not killed"
                )
        if knows == "Unknown" and any(_fate(at[leg], lock, "claim") >= 0 for lock in mine):
            faults.append("a preimage that is shown is not learned")
        return faults

    @staticmethod
    def _given_up(was: str, is_now: str, leg: int, at: Both, now: int) -> list[str]:
        """Nobody gives up a swap that can still go well: only its gate, or the other lock, may be
        the reason, or somebody who spends the coins."""
        if now >= LOCK_GATE[leg] or was == "Killing" or (was, is_now) == ("Released", "Dead"):
            return []
        if leg == 0 and was != "Released" and now >= RELEASED:
            return []
        waits = 0 if was == "Released" else RESERVED
        if leg == 1 and now >= waits and not is_answerable(at, 0):
            return []
        return [f"a swap is given up at {now} s for no reason"]

    @staticmethod
    def _lock_gate(leg: int, at: Both, now: int, healthy: bool) -> list[str]:
        if locks(at[leg], leg, "ip"[leg]):
            return []  # it is out already
        faults = [] if healthy else ["a lock leaves while a node is not healthy"]
        if now >= LOCK_GATE[leg]:
            faults.append(f"a lock leaves at {now} s, its gate closed at {LOCK_GATE[leg]} s")
        if leg == 1 and not is_answerable(at, 0, "p"):
            faults.append("a lock leaves although the one it answers is not exact, final, unspent")
        return faults

    @staticmethod
    def _reveal_gate(at: Both, now: int) -> list[str]:
        faults = []
        if now >= REVEAL_GATE:
            faults.append(f"the preimage leaves at {now} s, its gate closed at {REVEAL_GATE} s")
        if not is_answerable(at, 1):
            faults.append("the preimage leaves although their lock is not exact, final, unspent")
        ours = [lock for lock in locks(at[0], 0, "i") if lock.depth]
        if not any(chains.spender(at[0], lock.name) is None for lock in ours):
            faults.append("the preimage leaves although our own lock does not stand")
        return faults

    @staticmethod
    def _end(end: str, leg: int, at: Both) -> list[str]:
        own, theirs = "ip"[leg], "ip"[1 - leg]
        other = 1 - leg
        if end == "completed":
            true = any(
                tx.kind == "claim" and tx.by == own and tx.depth >= DEPTH[other]
                for lock in locks(at[other], other, theirs)
                for tx in at[other].txs
                if lock.name in tx.spends
            )
        elif end == "refunded":
            mine = locks(at[leg], leg, own)
            true = any(_fate(at[leg], lock, "refund") >= DEPTH[leg] for lock in mine) and not any(
                _fate(at[leg], lock, "claim") >= 0 for lock in mine
            )
        elif end == "never_funded":
            true = not locks(at[leg], leg, own) and not Rules._live_cheques(at[leg], leg, own)
        else:
            true = is_robbed(at, leg)
        return [] if true else [f"{own} ends {end}, which is not true"]

    @staticmethod
    def _live_cheques(chain: Chain, leg: int, by: str) -> list[str]:
        """Locks that left their daemon and could still confirm."""
        dead = {ref for tx in chain.txs if tx.depth >= DEPTH[leg] for ref in tx.spends}
        return [tx.name for tx in chain.aired if tx.by == by and not dead & set(tx.spends)]
