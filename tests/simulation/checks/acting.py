"""Whether a party may do what it is about to do, judged at that moment by the ledgers themselves.

Owns: no unsafe lock, no early reveal, no claim before the reveal. Must not know: the code under
test; what the party believes. Everything is read from the chain and from the plain terms.
"""

from collections.abc import Hashable, Sequence
from typing import NamedTuple, Protocol

from tests.simulation.checks.coins import Tx, witness_of
from tests.simulation.checks.doors import SLACK, doors
from tests.simulation.checks.records import Diary, Leg


class Paid(Protocol):
    """An output to a script."""

    @property
    def ref(self) -> str: ...
    @property
    def units(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def is_coinbase(self) -> bool: ...


class Chain(Protocol):
    """What is asked of a ledger."""

    def paying(self, script: Hashable) -> Sequence[Paid]: ...
    def spender(self, ref: str) -> tuple[Tx, int] | None: ...

    @property
    def height(self) -> int: ...


def is_final(chain: Chain, leg: Leg, depth: int) -> bool:
    """By depth, or in a block that the chain itself calls final."""
    if not leg.finality:
        return depth >= leg.depth
    return depth > 0 and chain.height - depth + 1 <= int(getattr(chain, "final_height", -1))


class Truth(NamedTuple):
    """The two chains, by the leg that lies on them."""

    own: Chain
    theirs: Chain


def _final_lock(chain: Chain, leg: Leg) -> str:
    """Empty when a lock of the leg is as agreed, final and unspent; else what is wrong."""
    found = chain.paying(leg.script)
    if not found:
        return "there is no lock"
    best = "no lock is exact"
    for paid in found:
        if paid.units != leg.units or paid.is_coinbase:
            continue
        if not is_final(chain, leg, paid.depth):
            best = f"the lock is {paid.depth} deep, and that is not final"
        elif chain.spender(paid.ref) is not None:
            best = "the lock is being spent"
        else:
            return ""
    return best


def judge_lock(diary: Diary, truth: Truth, now: int) -> None:
    """Our lock is about to leave for the first time, or again."""
    found = doors(diary.deal)
    gate = found.lock_i if diary.role == "initiator" else found.lock_p
    if diary.revealed_at is not None:
        return  # the other side is owed the lock
    if now > gate + found.skew + SLACK:
        diary.faults.append(f"sent its lock {now - gate} s after the lock gate")
    if diary.role == "participant":
        why = _final_lock(truth.theirs, diary.theirs)
        if why:
            diary.faults.append(f"answered with its lock although {why}")


def judge_health(diary: Diary, troubles: Sequence[str]) -> None:
    """Our lock leaves although a node has told of trouble."""
    if troubles and diary.revealed_at is None:
        diary.faults.append(f"sent its lock while nodes had trouble: {', '.join(troubles)}")


def judge_reveal(diary: Diary, truth: Truth, now: int) -> None:
    """The initiator just decided to show the preimage: for the first time, or in a life that had
    forgotten it, where nothing is left to be hidden."""
    if diary.revealed_at is not None:
        return
    found = doors(diary.deal)
    diary.revealed_at = now
    if now > found.reveal + found.skew + SLACK:
        diary.faults.append(f"revealed {now - found.reveal} s after the reveal gate")
    why = _final_lock(truth.theirs, diary.theirs)
    if why:
        diary.faults.append(f"revealed although {why}")
    if not any(p.depth and p.units == diary.own.units for p in truth.own.paying(diary.own.script)):
        diary.faults.append("revealed while its own lock was not in the chain")


def judge_claim(diary: Diary) -> None:
    """A claim is built or sent."""
    if diary.role == "initiator" and diary.revealed_at is None:
        diary.faults.append("made a claim before the reveal was written down")


def judge_end(diary: Diary, truth: Truth, end: str) -> None:
    """The party says that it is over: what it says must be true, and final, at that moment."""
    if end == "completed" and _deepest(truth.theirs, diary.theirs, "claim", diary) is None:
        diary.faults.append("says completed before its claim is final")
    if end == "refunded" and _deepest(truth.own, diary.own, "refund", diary) is None:
        diary.faults.append("says refunded before its refund is final")
    if end == "never_funded":
        found = truth.own.paying(diary.own.script)
        if any(p.depth and diary.is_own_lock(p.ref) for p in found):
            diary.faults.append("says never funded while a lock of its own is in the chain")


def _deepest(chain: Chain, leg: Leg, kind: str, diary: Diary) -> int | None:
    """The depth of a final spend of that kind that pays this party; None when there is none. Of
    its own leg only what it locked itself counts."""
    for paid in chain.paying(leg.script):
        spent = chain.spender(paid.ref)
        if spent is None or not is_final(chain, leg, spent[1]):
            continue
        if witness_of(spent[0])[0] != kind:
            continue
        if kind == "refund" and not diary.is_own_lock(paid.ref):
            continue
        if diary.is_paid(leg, spent[0].outputs):
            return spent[1]
    return None
