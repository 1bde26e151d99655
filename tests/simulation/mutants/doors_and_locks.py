"""Mutants of expiries, gates, the other side's lock and our own.

Owns: the list. Must not know: how a mutant is applied or judged.
"""

from tests.simulation.mutants.mutant import (
    MACHINE,
    PENDING,
    READING,
    RUNNER,
    SWAP_TESTS,
    TIMELOCKS,
    Mutant,
)

MUTANTS = (
    # --- expiries and gates ---
    Mutant(
        "no reveal gate",
        "gates",
        "the preimage goes out when no claim can be final in time",
        MACHINE,
        ("    if state.now >= reading.schedule(state).reveal_gate:\n        return state\n"),
        (""),
    ),
    Mutant(
        "no lock gate",
        "gates",
        "the participant locks when nobody can act in time any more",
        READING,
        ("return times.lock_gate_i if role(state) is Role.INITIATOR else times.lock_gate_p"),
        ("return times.expiry_p"),
    ),
    Mutant(
        "expiry order wrong",
        "expiries",
        "the initiator's leg expires first",
        TIMELOCKS,
        ("        expiry_p=expiry_p,\n        expiry_i=expiry_i,"),
        ("        expiry_p=expiry_i,\n        expiry_i=expiry_p,"),
    ),
    Mutant(
        "refund_P forgotten",
        "expiries",
        "T_I ignores that the final refund ends the claim",
        TIMELOCKS,
        ("kill_for = expiry_p + p.refund(depth_p, risk)"),
        ("kill_for = expiry_p"),
    ),
    Mutant(
        "claim time forgotten",
        "expiries",
        "the reveal gate is T_P itself",
        TIMELOCKS,
        ("reveal_gate = expiry_p - skew - claim_p"),
        ("reveal_gate = expiry_p - skew"),
    ),
    Mutant(
        "absence forgotten",
        "expiries",
        "an operator who is away as agreed loses",
        TIMELOCKS,
        ("absence = max(exposure_i.offline, exposure_p.offline)"),
        ("absence = 0"),
    ),
    Mutant(
        "wall clock alone",
        "10",
        "a slow wall clock opens gates that median time has closed",
        READING,
        ("return max(wall, *(t for t in known if t <= wall + CLOCK_TRUST_SECONDS), 0)"),
        ("return max(wall, 0)"),
        tiers=("explore",),
        only="taker honest, its clock stands still",
    ),
    Mutant(
        "bad timestamp believed",
        "10",
        "one block far ahead closes the gates for ever",
        READING,
        ("return max(wall, *(t for t in known if t <= wall + CLOCK_TRUST_SECONDS), 0)"),
        ("return max(wall, *known, 0)"),
        tiers=("explore",),
        only="both honest",
    ),
    Mutant(
        "problems ignored",
        "10",
        "a lagging or lying node opens gates",
        READING,
        ("return all(view is not None and not view.problems for view in views)"),
        ("return all(view is not None for view in views)"),
    ),
    Mutant(
        "claims gated",
        "9",
        "a closed gate stops a claim after the preimage is public",
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
            "    if state.now >= reading.schedule(state).reveal_gate:\n"
            "        return []\n"
            "    seen = spend is not None and spend.kind is SpendKind.CLAIM\n"
        ),
    ),
    # --- what counts as the other lock ---
    Mutant(
        "amount unchecked",
        "C2 amount",
        "a lock of one unit less is taken for the leg",
        READING,
        ("if lock.units == units and lock.restriction is free])"),
        ("if lock.restriction is free])"),
    ),
    Mutant(
        "script unchecked",
        "C2 script",
        # The simulated nodes find outputs by themselves, so that no world runs this line.
        "an output to another script is taken for the leg",
        "protocol/bitcoin/htlc.py",
        (
            "    return tuple(i for i, output in enumerate(tx.outputs) if "
            "output.script_pubkey == script)"
        ),
        (
            "    return tuple(i for i, output in enumerate(tx.outputs) if "
            "output.script_pubkey[:1] == script[:1])"
        ),
        tiers=("tests",),
        tests=("tests/protocol/bitcoin/test_seen.py", "tests/protocol/bitcoin/test_htlc.py"),
    ),
    Mutant(
        "preimage size unchecked",
        "C2 size",
        "a preimage that opens one leg only is believed",
        READING,
        ("return len(preimage) == 32 and hashlib"),
        ("return hashlib"),
    ),
    Mutant(
        "coinbase lock accepted",
        "3",
        "a lock that can't be spent in time is answered",
        READING,
        ("if lock.units == units and lock.restriction is free])"),
        ("if lock.units == units])"),
    ),
    Mutant(
        "depth one short",
        "4",
        "a lock is answered or revealed on one block too early",
        READING,
        ("lock.depth >= state.agreement.theirs.depth and lock.spend is None"),
        ("lock.depth >= state.agreement.theirs.depth - 1 and lock.spend is None"),
    ),
    Mutant(
        "mempool lock answered",
        "4",
        "an unconfirmed lock is answered",
        READING,
        (
            "return lock is not None and lock.depth >= state.agreement.theirs.depth and "
            "lock.spend is None"
        ),
        ("return lock is not None and lock.spend is None"),
    ),
    Mutant(
        "depth not read again",
        "4",
        # In a world `pending` asks the same before anything is sent.
        "a lock leaves although the one it answers left its depth after it was signed",
        MACHINE,
        ("    return reading.their_lock_is_final(state)\n"),
        ("    return reading.their_lock(state) is not None\n"),
        tiers=("tests",),
        tests=("tests/protocol/swap/test_gates.py",),
    ),
    Mutant(
        "spent lock answered",
        "4",
        # In a world every gate closes long before a refund can be in a mempool.
        "a lock with a refund in the mempool is answered",
        READING,
        ("lock.depth >= state.agreement.theirs.depth and lock.spend is None"),
        ("lock.depth >= state.agreement.theirs.depth"),
        tiers=("tests",),
        tests=SWAP_TESTS,
    ),
    # --- our own lock ---
    Mutant(
        "journal after act",
        "journal",
        "a crash between the two loses the lock's memory",
        RUNNER,
        ("        if lasting != self._material:\n            sequence"),
        (
            "        if lasting != self._material and not isinstance(event, Observed):\n"
            "            sequence"
        ),
        tiers=("engine", "tests"),
        tests=("tests/engine/swaps",),
    ),
    Mutant(
        "stale lock sent",
        "9",
        "yesterday's lock goes out after a restart",
        PENDING,
        ("    if not (gate_open and answered) or not _is_hanging(own.lock, seen):"),
        ("    if not _is_hanging(own.lock, seen):"),
    ),
    Mutant(
        "unconfirmed lock forgotten",
        "1",
        "a lock that never confirmed ends the swap",
        MACHINE,
        (
            "            if _must_kill(state):\n"
            "                return msgspec.structs.replace(state, own=Killing(own.lock))"
        ),
        ("            if _must_kill(state):\n                return _dead(state)"),
    ),
    Mutant(
        "kill taken for final",
        "1",
        "one confirmation of a kill frees the coins",
        MACHINE,
        ("    return view.conflict.depth >= state.agreement.own.depth\n"),
        ("    return view.conflict.depth >= 1\n"),
        tiers=("explore",),
        only="both honest",
    ),
    Mutant(
        "no kill",
        "1",
        "a lock that hangs at its gate stays in the air",
        MACHINE,
        (
            "    if state.cancelled or state.restored or state.now >= reading.lock_gate(state):\n"
            "        return True\n"
            "    if state.agreement.role is Role.INITIATOR:\n"
            "        return False\n"
            "    lock"
        ),
        ("    if state.agreement.role is Role.INITIATOR:\n        return False\n    lock"),
    ),
    Mutant(
        "killed lock dead for good",
        "1",
        "a lock that confirms after all is not refunded",
        MACHINE,
        (
            "        case Killing():\n"
            "            over = _conflict_is_final(state) or _is_forgotten(state)\n"
        ),
        ("        case Killing():\n            over = own.kill is not None\n"),
    ),
    Mutant(
        "two locks",
        "2",
        "after a crash the leg is locked again with other coins",
        MACHINE,
        ("    if not shares or lock.tx.txid in known:\n        return state\n"),
        (""),
        tiers=("pure", "tests"),
        tests=SWAP_TESTS,
    ),
    Mutant(
        "kill after the reveal",
        "1",
        "the other side is robbed of its lock by a reorg",
        MACHINE,
        (
            "    if reading.is_confirmed(reading.own_lock(state)) or "
            "isinstance(state.secret, Revealed):\n"
            "        return False\n"
            "    if state.cancelled"
        ),
        (
            "    if reading.is_confirmed(reading.own_lock(state)):\n"
            "        return False\n"
            "    if state.cancelled"
        ),
        tiers=("explore",),
        only="taker honest, beyond",
    ),
    Mutant(
        "answer not withdrawn",
        "1",
        "our lock hangs although the one it answers is gone",
        MACHINE,
        (
            "    lock = reading.their_lock(state)\n"
            "    return lock is None or lock.depth < state.agreement.theirs.depth or "
            "lock.spend is not None\n"
        ),
        ("    return False\n"),
        tiers=("explore",),
        only="maker honest",
    ),
    Mutant(
        "stranger's output is ours",
        "2",
        # A world needs two disturbances for it: ./dev explore DEPTH=2 finds it.
        "anybody's output hides that our lock hangs",
        READING,
        ("    ours = [lock for lock in exact if lock.ours or lock.ref in refs]\n"),
        ("    ours = list(exact)\n"),
        tiers=("tests",),
        tests=("tests/protocol/swap/test_hostile.py",),
    ),
)
