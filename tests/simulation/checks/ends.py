"""How a deal ended for an honest party, by the blocks, against what that party says.

Owns: no theft, the right word for the end, nothing left behind, one lock per leg, bounded fees.
Must not know: the code under test, the simulators.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tests.simulation.checks.coins import Books, Output
from tests.simulation.checks.records import Diary, Leg

LEAST_EXTRA = 2_000
"""Base units of a stray output below which nobody need bring it back."""

GOOD_ENDS = ("completed", "refunded", "never_funded")


class Fate(NamedTuple):
    """What the chains say of one party's deal."""

    got: bool  # the other leg is ours
    taken: bool  # the other side claimed our leg
    fooled: bool  # it claimed a stranger's output, taken for our leg by a life that forgot
    back: bool  # our leg came back
    left: int  # units of ours that still lie in our script
    locked: int  # confirmed exact locks of ours


def fate_of(diary: Diary, books: Mapping[str, Books]) -> Fate:
    """Read from the blocks."""
    own, theirs = diary.own, diary.theirs
    locks = [
        output
        for output in books[own.family].by_script.get(own.script, [])
        if diary.is_own_lock(output.ref)
    ]
    got = any(
        _pays(books[theirs.family], output, diary, theirs) and output.units >= theirs.units
        for output in books[theirs.family].by_script.get(theirs.script, [])
        if books[theirs.family].kind_of_spend(output.ref) == "claim"
    )
    kinds = [books[own.family].kind_of_spend(output.ref) for output in locks]
    back = any(
        kind == "refund" and _pays(books[own.family], output, diary, own)
        for output, kind in zip(locks, kinds, strict=True)
    )
    claimed = [o for o, kind in zip(locks, kinds, strict=True) if kind == "claim"]
    taken = any(diary.has_locked(output.ref) for output in claimed)
    left = sum(o.units for o, kind in zip(locks, kinds, strict=True) if not kind)
    exact = sum(o.units == own.units for o in locks)
    return Fate(got, taken, bool(claimed) and not taken, back, left, exact)


def _pays(books: Books, output: Output, diary: Diary, leg: Leg) -> bool:
    return diary.is_paid(leg, books.spent[output.ref][0].outputs)


def judge(diary: Diary, books: Mapping[str, Books], violated: str = "") -> list[str]:
    """What is wrong with this end. `violated` names the assumption that was broken on purpose."""
    fate = fate_of(diary, books)
    end = diary.ends[-1][1] if diary.ends else ""
    wrong = list(diary.faults)
    if len(diary.ends) > 1:
        wrong.append(f"ended more than once: {diary.ends}")
    since = diary.sent[diary.forgot_at :] if diary.forgot_at is not None else []
    if any(purpose == "lock" for _, purpose, _, _ in since):
        wrong.append("it locked in a life that had forgotten what it did before")
    if not end and diary.forgot_at is None:
        wrong.append("no end, although the world was calm for long enough")
    robbed = fate.taken and not fate.got
    if robbed and not violated:
        wrong.append(f"THEFT: its leg was claimed, the other leg is not its own; it says {end!r}")
    elif robbed and end in GOOD_ENDS:
        wrong.append(f"it lost ({violated}) and says {end!r}")
    elif end == "lost" and not robbed and not (fate.fooled and not fate.got):
        wrong.append("it says lost, and is not")
    if end == "completed" and not fate.got:
        wrong.append("it says completed; the other leg is not its own")
    if end == "refunded" and not fate.back:
        wrong.append("it says refunded; its leg did not come back")
    if end == "never_funded" and fate.locked:
        wrong.append("it says never funded; a lock of its own is in the chain")
    if not violated:
        if fate.left >= LEAST_EXTRA and not fate.got:  # else it is the other side's to claim
            wrong.append(f"{fate.left} units of its own were left behind in its script")
        if fate.locked > 1:
            wrong.append(f"{fate.locked} locks of its own leg confirmed")
        wrong += _judge_fees(diary, books)
    return [f"{diary.deal.name} {diary.role}: {what}" for what in wrong]


def _judge_fees(diary: Diary, books: Mapping[str, Books]) -> list[str]:
    """No fee ever exceeds what was at stake."""
    wrong = []
    for _, purpose, txid, fee in diary.sent:
        leg = diary.theirs if purpose == "claim" else diary.own
        if leg.token:
            continue  # paid in another coin
        if txid in books[leg.family].heights and fee > leg.units:
            wrong.append(f"a {purpose} paid {fee} for a leg of {leg.units}")
    return wrong
