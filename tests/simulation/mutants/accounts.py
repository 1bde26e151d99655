"""Mutants of legs on chains with accounts: their clocks, fees, parties, slots and deadlines.

Owns: the list. Must not know: how a mutant is applied or judged.
"""

from tests.simulation.mutants.mutant import CHECKS, FEES, MACHINE, READING, TIMELOCKS, Mutant

KINDS = "protocol/kinds.py"
SLOTS = "protocol/evm/slots.py"
ADDRESS = "protocol/evm/address.py"
DEADLINES = "protocol/swap/deadlines.py"
PENDING = "protocol/swap/pending.py"
PAIRS = ("tests/protocol/negotiation/test_pairs.py",)
DOORS = ("tests/protocol/timelocks/test_schedules.py",)
LEGS = ("tests/protocol/swap/test_account_legs.py",)
ENCODINGS = ("tests/protocol/evm/test_evm_encodings.py", "tests/protocol/evm/test_legs.py")

MUTANTS = (
    # --- clocks (rules 10, 11, 27) ---
    Mutant(
        "claims trust an early clock",
        "27",
        "the other side refunds while our claim is on its way: its chain's clock ran ahead",
        TIMELOCKS,
        "        return self.pace.early + self.pace.outage + self._harden(blocks, risk)\n",
        "        return self.pace.outage + self._harden(blocks, risk)\n",
        tiers=("mixed",),
    ),
    Mutant(
        "claims without the outage",
        "27",
        "a sequencer is out while our claim must be mined",
        TIMELOCKS,
        "        return self.pace.early + self.pace.outage + self._harden(blocks, risk)\n",
        "        return self.pace.early + self._harden(blocks, risk)\n",
        tiers=("mixed",),
    ),
    Mutant(
        "refunds without the outage",
        "27",
        "the maker's refund comes late and the taker claims both",
        TIMELOCKS,
        "        return self.pace.outage + self._harden(depth - 1, risk)\n",
        "        return self._harden(depth - 1, risk)\n",
        tiers=("mixed",),
    ),
    Mutant(
        "finality taken for depth",
        "11",
        "a swap is given less time than a chain needs to call a block final",
        TIMELOCKS,
        "            self.pace.finality, self.wait(blocks, risk)\n",
        "            0, self.wait(blocks, risk)\n",
        tiers=("tests",),
        tests=DOORS,
    ),
    Mutant(
        "a chain that nobody described",
        "27",
        "a chain behind a sequencer is swapped on as if it were Ethereum",
        TIMELOCKS,
        "    return stated if stated is not None else evm_params(chain).pace\n",
        "    return stated if stated is not None else evm_params(chain).pace or Pace(12, 1200)\n",
        tiers=("tests",),
        tests=(*DOORS, *PAIRS),
    ),
    Mutant(
        "the faster of two paces",
        "27",
        "who says that a chain is fast makes the other side's margins short",
        TIMELOCKS,
        "        outage=max(one.outage, other.outage),\n",
        "        outage=min(one.outage, other.outage),\n",
        tiers=("tests",),
        tests=(*DOORS, *PAIRS),
    ),
    Mutant(
        "a maker's pace is not looked at",
        "27",
        "a maker answers with a faster pace, and expiries are too early",
        CHECKS,
        "            slower(ours, theirs) == theirs and (ours is None) == (theirs is None),\n",
        "            (ours is None) == (theirs is None),\n",
        tiers=("tests",),
        tests=PAIRS,
    ),
    Mutant(
        "an early clock closes the gates",
        "10",
        "a chain whose clock runs ahead makes every swap on it lapse",
        READING,
        "    return view.median_time - (leg.pace.early if leg.pace is not None else 0)\n",
        "    return view.median_time\n",
        tiers=("tests",),
        tests=LEGS,
    ),
    # --- fees from an account (rules 9, 13) ---
    Mutant(
        "replacements by a unit",
        "13",
        "nodes refuse every dearer version: a claim stays at the fee it was born with",
        FEES,
        "    step = -(-previous.fee_rate * view.fee_step_percent // 100)\n",
        "    step = 0\n",
        tiers=("tests",),
        tests=LEGS,
    ),
    Mutant(
        "the purse is not looked at",
        "13",
        "a version that the account can't pay reaches no node at the deadline",
        FEES,
        "    if view.fee_budget is not None:\n        return max(0",
        "    if view.fee_budget is not None and view.fee_budget < 0:\n        return max(0",
        tiers=("tests",),
        tests=LEGS,
    ),
    Mutant(
        "a lock with an empty purse",
        "14",
        "coins are locked that the account can neither take back nor kill",
        DEADLINES,
        "    whole = view.fee_budget * 1000 // (sizes.lock + sizes.refund + sizes.kill)\n",
        "    whole = view.fee_budget * 1000 // sizes.lock\n",
        tiers=("tests",),
        tests=LEGS,
    ),
    # --- one entry, many versions (rules 1, 2, 9) ---
    Mutant(
        "a lock without its deadline",
        "9",
        "a lock that hung is mined long after its gate",
        "swapd/engine/effects.py",
        "deadline=lock_gate(state),\n",
        "deadline=2**31,\n",
        tiers=("tests",),
        tests=("tests/engine/swaps/test_whole_swaps.py",),
    ),
    Mutant(
        "versions told apart by their entry",
        "1",
        "a dearer version of a lock is never sent, because the entry is the same",
        PENDING,
        "reading.txid_of(seen) != lock.tx.txid and replaceable",
        "seen.ref != lock.tx.ref and replaceable",
        tiers=("tests",),
        tests=LEGS,
    ),
    Mutant(
        "a conflict is no end",
        "1",
        "a lock that can't be mined any more is waited for until for ever",
        MACHINE,
        "    return view.conflict.depth >= state.agreement.own.depth\n",
        "    return view.conflict.txid != '' and view.conflict.depth > 1\n",
        tiers=("tests",),
        tests=LEGS,
    ),
    # --- parties and slots (rules 16, 26) ---
    Mutant(
        "one account on both sides",
        "16",
        "the claimer is the locker: what was paid is taken back",
        KINDS,
        '    _refuse_unless(not set(maker) & set(taker), "one of the parties is the other one")\n',
        "",
        tiers=("tests",),
        tests=PAIRS,
    ),
    Mutant(
        "a slot that forgets",
        "26",
        "the preimage of a claim is cleared with the slot, and never found after a downtime",
        KINDS,
        "    good = good and all(slot < KEEP_SLOTS for slot in party[ADDRESS_SIZE:])\n",
        "",
        tiers=("tests",),
        tests=PAIRS,
    ),
    Mutant(
        "half of the preimages",
        "7",
        "a preimage whose top bit was set is not read from the slot: both legs are lost",
        SLOTS,
        "    for candidate in (value, _with_top(value)):\n",
        "    for candidate in (value,):\n",
        tiers=("tests",),
        tests=ENCODINGS,
    ),
    Mutant(
        "another amount in the slot",
        "26",
        "a lock of other terms is taken for the agreed one",
        SLOTS,
        '    committed = terms.hashlock + terms.payee + terms.expiry.to_bytes(32, "big")\n',
        '    committed = terms.hashlock + terms.receiver + terms.expiry.to_bytes(32, "big")\n',
        tiers=("tests",),
        tests=ENCODINGS,
    ),
)
