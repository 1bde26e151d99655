"""The mutants: each breaks one safety rule in the real code, and the world must notice.

Owns: the list. Written before the checkers, so that those are not made to fit. Must not know: how a
mutant is applied or judged.

`rule` names the rule of the safety rules, or the class of bug that has cost users of other systems
money. `what` says what an attacker or bad luck could do with it.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One broken rule."""

    name: str
    rule: str
    what: str


CATALOGUE = (
    # --- expiries and gates ---
    Mutant("no reveal gate", "gates", "the preimage goes out when no claim can be final in time"),
    Mutant("no lock gate", "gates", "the participant locks when nobody can act in time any more"),
    Mutant("expiry order wrong", "expiries", "the initiator's leg expires first"),
    Mutant("refund_P forgotten", "expiries", "T_I ignores that the final refund ends the claim"),
    Mutant("claim time forgotten", "expiries", "the reveal gate is T_P itself"),
    Mutant("absence forgotten", "expiries", "an operator who is away as agreed loses"),
    Mutant("wall clock alone", "10", "a slow wall clock opens gates that median time has closed"),
    Mutant("bad timestamp believed", "10", "one block far ahead closes the gates for ever"),
    Mutant("problems ignored", "10", "a lagging or lying node opens gates"),
    Mutant("claims gated", "9", "a closed gate stops a claim after the preimage is public"),
    # --- what counts as the other lock ---
    Mutant("amount unchecked", "C2 amount", "a lock of one unit less is taken for the leg"),
    Mutant("script unchecked", "C2 script", "an output to another script is taken for the leg"),
    Mutant("preimage size unchecked", "C2 size", "a preimage that opens one leg only is believed"),
    Mutant("coinbase lock accepted", "3", "a lock that can't be spent in time is answered"),
    Mutant("depth one short", "4", "a lock is answered or revealed on one block too early"),
    Mutant("mempool lock answered", "4", "an unconfirmed lock is answered"),
    Mutant("depth not read again", "4", "a lock that left its depth is still answered"),
    Mutant("spent lock answered", "4", "a lock with a refund in the mempool is answered"),
    # --- our own lock ---
    Mutant("journal after act", "journal", "a crash between the two loses the lock's memory"),
    Mutant("stale lock sent", "9", "yesterday's lock goes out after a restart"),
    Mutant("unconfirmed lock forgotten", "1", "a lock that never confirmed ends the swap"),
    Mutant("kill taken for final", "1", "one confirmation of a kill frees the coins"),
    Mutant("no kill", "1", "a lock that hangs at its gate stays in the air"),
    Mutant("killed lock dead for good", "1", "a lock that confirms after all is not refunded"),
    Mutant("two locks", "2", "after a crash the leg is locked again with other coins"),
    Mutant("kill after the reveal", "1", "the other side is robbed of its lock by a reorg"),
    Mutant("answer not withdrawn", "1", "our lock hangs although the one it answers is gone"),
    Mutant("stranger's output is ours", "2", "anybody's output hides that our lock hangs"),
    # --- secrets ---
    Mutant("preimage by counter", "6", "an old backup gives out a public preimage again"),
    Mutant("hashlock reused", "6", "a hashlock that was seen before is agreed to"),
    Mutant("reveal before the journal", "7", "the claim exists before the reveal is written"),
    Mutant("mempool preimage ignored", "8", "a preimage shown and withdrawn is forgotten"),
    Mutant("preimage forgotten", "8", "replacement cycling hides the preimage again"),
    # --- claims, refunds, fees ---
    Mutant("fee frozen", "13", "a claim stays at the fee it was born with"),
    Mutant("below the mempool minimum", "13", "a dearer mempool refuses every version"),
    Mutant("claim given up at expiry", "13", "no claim is made once the refund is possible"),
    Mutant("claim sent once", "8", "a claim that fell out of mempools is not sent again"),
    Mutant("refund sent once", "8", "a refund undone by a reorg is not sent again"),
    Mutant("refund before median time", "refund", "refunds wait for the wall clock only"),
    Mutant("no refund once learned", "refund", "the leg is not taken back when theirs is gone"),
    Mutant("refund to the wrong leg", "refund", "the refund of an extra output counts as ours"),
    # --- the end ---
    Mutant("claim seen is completed", "11", "an unconfirmed claim ends the swap"),
    Mutant("refund seen is refunded", "11", "an unconfirmed refund ends the swap"),
    Mutant("lost called refunded", "end", "the operator is told a friendlier story"),
    # --- peers ---
    Mutant("terms unchecked", "16", "the other side's figures are signed as they come"),
    Mutant("replay accepted", "C2 replay", "an old message changes a later negotiation"),
    Mutant("stale offer accepted", "19", "a cancelled offer comes back by a relay"),
    Mutant("maker's signature unchecked", "16", "anybody answers for the maker"),
    # --- the store ---
    Mutant("full disk ignored", "journal", "acting goes on although nothing can be written"),
    Mutant("coins not reserved", "5", "two swaps promise one coin"),
)
