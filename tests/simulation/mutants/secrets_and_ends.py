"""Mutants of secrets, claims, refunds, fees, ends, peers and the store.

Owns: the list. Must not know: how a mutant is applied or judged.
"""

from tests.simulation.mutants.mutant import (
    BOOK,
    CHECKS,
    FEES,
    MACHINE,
    MAKER,
    PENDING,
    READING,
    RUNNER,
    SWAP_TESTS,
    TAKER,
    TIMELOCKS,
    Mutant,
)

MUTANTS = (
    # --- secrets ---
    Mutant(
        "preimage by counter",
        "6",
        # Every hashlock seen is refused, but for an old backup, which no world restores.
        "an old backup gives out a public preimage again",
        "swapd/keys/derive.py",
        ("    message = _salted(salt, Role.INITIATOR, swap_id)\n    return Secret(hmac"),
        (
            "    message = _salted(bytes(len(salt)), Role.INITIATOR, bytes(len(swap_id)))\n"
            "    return Secret(hmac"
        ),
        tiers=("tests",),
        tests=("tests/keys/test_derivation.py", "tests/keys/test_signer.py"),
    ),
    Mutant(
        "hashlock reused",
        "6",
        "a hashlock that was seen before is agreed to",
        MAKER,
        (
            "    if not is_hashlock_new:\n"
            '        raise RemoteProtocolError(Refusal.REUSED_HASHLOCK, "this hashlock '
            'was seen before")\n'
        ),
        (""),
    ),
    Mutant(
        "reveal before the journal",
        "7",
        "the claim exists before the reveal is written",
        PENDING,
        ("if view is None or lock is None or not isinstance(state.secret, Revealed | Learned):"),
        ("if view is None or lock is None:"),
    ),
    Mutant(
        "mempool preimage ignored",
        "8",
        "a preimage shown and withdrawn is forgotten",
        READING,
        ("        shown = lock.spend.preimage if lock.spend is not None else None\n"),
        (
            "        shown = lock.spend.preimage if lock.spend is not None and "
            "lock.spend.depth > 0 else None\n"
        ),
        tiers=("explore",),
        only="maker honest",
    ),
    Mutant(
        "preimage forgotten",
        "8",
        "replacement cycling hides the preimage again",
        MACHINE,
        (
            "    if not isinstance(state.secret, Unknown):\n"
            "        return state\n"
            "    found = reading.learned_preimage(state)\n"
            "    if found is None:\n"
            "        return state\n"
        ),
        (
            "    if not isinstance(state.secret, Unknown | Learned):\n"
            "        return state\n"
            "    found = reading.learned_preimage(state)\n"
            "    if found is None:\n"
            "        return msgspec.structs.replace(state, secret=Unknown())\n"
        ),
        tiers=("explore",),
        only="maker honest",
    ),
    # --- claims, refunds, fees ---
    Mutant(
        "fee frozen",
        "13",
        "a claim stays at the fee it was born with",
        FEES,
        (
            "    if view.tip_height >= previous.height + view.patience:\n"
            "        return True\n    return not seen"
        ),
        ("    return not seen"),
    ),
    Mutant(
        "below the mempool minimum",
        "13",
        "a dearer mempool refuses every version",
        FEES,
        ("    return max(view.fee_next, view.fee_floor)\n"),
        ("    return 1000\n"),
    ),
    Mutant(
        "claim given up at expiry",
        "13",
        "no claim is made once the refund is possible",
        PENDING,
        (
            "    spend = lock.spend\n"
            "    if spend is not None and spend.depth > 0:\n"
            "        return []\n"
            "    seen = spend is not None and spend.kind is SpendKind.CLAIM\n"
        ),
        (
            "    spend = lock.spend\n"
            "    if spend is not None and spend.depth > 0:\n"
            "        return []\n"
            "    if state.now >= state.agreement.theirs.expiry:\n"
            "        return []\n"
            "    seen = spend is not None and spend.kind is SpendKind.CLAIM\n"
        ),
        tiers=("explore",),
        only="taker honest, beyond",
    ),
    Mutant(
        "claim sent once",
        "8",
        "a claim that fell out of mempools is not sent again",
        PENDING,
        (
            "    if spend is not None and spend.depth > 0:\n"
            "        return []\n"
            "    seen = spend is not None and spend.kind is SpendKind.CLAIM\n"
            "    previous = state.claim"
        ),
        (
            "    if spend is not None and spend.depth > 0 or state.replaced:\n"
            "        return []\n"
            "    seen = spend is not None and spend.kind is SpendKind.CLAIM\n"
            "    previous = state.claim"
        ),
        tiers=("pure", "tests"),
        tests=SWAP_TESTS,
    ),
    Mutant(
        "refund sent once",
        "8",
        "a refund undone by a reorg is not sent again",
        PENDING,
        ("    previous = next((tx for tx in state.refunds if tx.ref == lock.ref), None)\n    seen"),
        (
            "    previous = next((tx for tx in state.refunds if tx.ref == lock.ref), "
            "None)\n"
            "    if previous is not None and view.tip_height > previous.height:\n"
            "        return []\n"
            "    seen"
        ),
    ),
    Mutant(
        "refund before median time",
        "refund",
        "refunds wait for the wall clock only",
        READING,
        ("return view is not None and view.median_time > state.agreement.own.expiry"),
        ("return view is not None and state.now > state.agreement.own.expiry"),
    ),
    Mutant(
        "no refund once learned",
        "refund",
        "the leg is not taken back when theirs is gone",
        PENDING,
        (
            "    if theirs is None:\n"
            "        return True\n"
            "    if theirs.spend is not None and theirs.spend.kind is SpendKind.REFUND:\n"
            "        return True\n"
            "    return state.now >= reading.schedule(state).claim_deadline\n"
        ),
        ("    return False\n"),
        tiers=("explore",),
        only="hidden",
    ),
    Mutant(
        "refund to the wrong leg",
        "refund",
        # A world would need a stranger's output and a refund left out at once.
        "the refund of an extra output counts as ours",
        MACHINE,
        ("    spend = own.spend if own else None\n    if"),
        (
            "    spend = next((k.spend for k in reading.extra_locks(state) if k.spend), "
            "own.spend if own else None)\n"
            "    if"
        ),
        tiers=("tests",),
        tests=("tests/simulation/pure/test_strays.py",),
    ),
    # --- the end ---
    Mutant(
        "claim seen is completed",
        "11",
        "an unconfirmed claim ends the swap",
        MACHINE,
        (
            "    if reading.spend_is_final(their_spend, SpendKind.CLAIM, their_depth):\n"
            "        return End.COMPLETED"
        ),
        (
            "    if reading.spend_is_final(their_spend, SpendKind.CLAIM, 0):\n"
            "        return End.COMPLETED"
        ),
    ),
    Mutant(
        "refund seen is refunded",
        "11",
        "an unconfirmed refund ends the swap",
        MACHINE,
        ("    if reading.spend_is_final(spend, SpendKind.REFUND, own_depth):"),
        ("    if reading.spend_is_final(spend, SpendKind.REFUND, 0):"),
    ),
    Mutant(
        "lost called refunded",
        "end",
        "the operator is told a friendlier story",
        MACHINE,
        ("        return End.LOST, _why_lost(state)"),
        ("        return End.REFUNDED, _why_lost(state)"),
        tiers=("explore",),
        only="both honest, beyond the assumptions",
    ),
    # --- peers ---
    Mutant(
        "terms unchecked",
        "16",
        "the other side's figures are signed as they come",
        MAKER,
        ("    check_same_terms(terms, expected)\n"),
        (""),
    ),
    Mutant(
        "replay accepted",
        "C2 replay",
        "an old message changes a later negotiation",
        CHECKS,
        (
            '    refuse_unless(reserve.swap_id == swap_id, Refusal.WRONG_SWAP, "an answer '
            'to another take")\n'
        ),
        (""),
    ),
    Mutant(
        "stale offer accepted",
        "19",
        "a cancelled offer comes back by a relay",
        BOOK,
        (
            "            offer.number <= shelf.floor\n"
            "            or offer.number <= shelf.settled.get(entry.pair, 0)\n"
            "            or (tomb is not None and offer.sequence < tomb.least)"
        ),
        ("            False"),
    ),
    Mutant(
        "maker's signature unchecked",
        "16",
        "anybody answers for the maker",
        TAKER,
        (
            "    check_signed(terms.maker, Tag.TERMS, encode(terms), message.signature)\n"
            "    return Agreed"
        ),
        ("    return Agreed"),
    ),
    # --- the store ---
    Mutant(
        "full disk ignored",
        "journal",
        "acting goes on although nothing can be written",
        RUNNER,
        (
            "                await journal.write(self._world.store, new, event, "
            "sequence=sequence, at=at)\n"
        ),
        (
            "                try:\n"
            "                    await journal.write(self._world.store, new, event, "
            "sequence=sequence, at=at)\n"
            "                except StoreError:\n"
            '                    log.warning("swap.not_written")\n'
        ),
        tiers=("engine", "tests"),
        tests=("tests/engine/swaps",),
    ),
    Mutant(
        "coins not reserved",
        "5",
        "two swaps promise one coin",
        PENDING,
        ("    if isinstance(own, Held | Released | Killing) and state.outcome is None:"),
        ("    if isinstance(own, Killing) and state.outcome is None:"),
    ),
    # --- written after the checkers ---
    Mutant(
        "settle time forgotten",
        "expiries",
        "the participant locks when his lock can't be final by the reveal gate",
        TIMELOCKS,
        ("lock_gate_p = reveal_gate - settle_p"),
        ("lock_gate_p = reveal_gate"),
    ),
    Mutant(
        "clock skew forgotten",
        "expiries",
        "two honest clocks apart, and a door is open on one side only",
        TIMELOCKS,
        ("skew, step = SKEW[timing], ROUNDING[timing]"),
        ("skew, step = 0, ROUNDING[timing]"),
    ),
    Mutant(
        "own lock not looked at",
        "gates",
        "the preimage goes out although our own lock fell out of the chain",
        MACHINE,
        (
            "    if own is None or not reading.is_confirmed(own) or own.spend is not "
            "None:\n"
            "        return state\n"
        ),
        (""),
    ),
    Mutant(
        "answered depths unchecked",
        "16",
        "the maker answers with less confirmations than the taker insists on",
        CHECKS,
        ("        reserve.depth_i >= least_i and reserve.depth_p >= least_p,"),
        ("        reserve.depth_i >= 1 and reserve.depth_p >= 1,"),
    ),
    Mutant(
        "cancellation ignored",
        "19",
        "an offer stays in books after its maker cancelled it",
        BOOK,
        (
            "        if there is not None and there.offer.sequence <= cancel.sequence:\n"
            "            self._remove(there, Why.CANCELLED)\n"
        ),
        (""),
    ),
    Mutant(
        "unsigned offer taken",
        "17",
        "a relay invents offers in the name of a maker",
        "protocol/offers.py",
        (
            "    check_signed(offer.maker, Tag.OFFER, signed.payload, signed.signature)\n"
            "    return offer"
        ),
        ("    return offer"),
    ),
    Mutant(
        "lease without end",
        "18",
        "the offers of a maker that is gone stay in books",
        "protocol/lease.py",
        ("ends = moment + 1000 * (LEASE - max(0, now - heartbeat.time))"),
        ("ends = moment + 5000 * LEASE"),
    ),
)
