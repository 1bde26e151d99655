"""Mutants of what a swap may still do in another life: restored, or put back.

Owns: the list. Must not know: how a mutant is applied or judged.
"""

from tests.simulation.mutants.mutant import MACHINE, PENDING, RUNNER, Mutant

_RESTORING = "protocol/swap/restoring.py"
_RESTORED_TESTS = ("tests/protocol/swap/test_restored.py",)
_LOSSES = ("tests/engine/swaps/test_recovery.py",)

MUTANTS = (
    Mutant(
        "restored swap locks",
        "2",
        "a swap taken over from a recovery file goes on as if nothing was forgotten",
        _RESTORING,
        "own=own, restored=True)",
        "own=own, restored=False)",
        tiers=("pure", "tests"),
        tests=_RESTORED_TESTS,
    ),
    Mutant(
        "held lock never sent",
        "1",
        "a restored lock that was only held is taken for one that never left",
        _RESTORING,
        "Released(state.own.lock) if isinstance(state.own, Held) else state.own",
        "state.own",
        tiers=("pure", "tests"),
        tests=_RESTORED_TESTS,
    ),
    Mutant(
        "restored lock left hanging",
        "1",
        "the unconfirmed lock of a restored swap is not killed",
        MACHINE,
        "if state.cancelled or state.restored or state.now >= reading.lock_gate(state):",
        "if state.cancelled or state.now >= reading.lock_gate(state):",
        tiers=("tests",),
        tests=_RESTORED_TESTS,
    ),
    Mutant(
        "chain's memory ignored",
        "2",
        "a restored swap does not know its own lock on the chain",
        MACHINE,
        "found = reading.unknown_own_lock(state) if state.restored else None",
        "found = None",
        tiers=("pure", "tests"),
        tests=_RESTORED_TESTS,
    ),
    Mutant(
        "gift taken for our lock",
        "2",
        "an output that a stranger paid to our script is taken for our lock in any life",
        MACHINE,
        "found = reading.unknown_own_lock(state) if state.restored else None",
        "found = reading.unknown_own_lock(state)",
        tiers=("pure", "tests"),
        tests=_RESTORED_TESTS,
    ),
    Mutant(
        "reveal of another life forgotten",
        "9",
        "an initiator whose preimage is public obeys the reveal gate",
        MACHINE,
        "    if reading.is_preimage_public(state):\n",
        "    if False and reading.is_preimage_public(state):\n",
        tiers=("pure", "tests"),
        tests=_RESTORED_TESTS,
    ),
    Mutant(
        "second lock over the first",
        "2",
        "a lock is built although the agreed amount lies at our script already",
        PENDING,
        "or state.restored or reading.unknown_own_lock(state) is not None:",
        "or state.restored:",
        tiers=("tests",),
        tests=_RESTORED_TESTS,
    ),
    Mutant(
        "lock before the recovery file",
        "24",
        "a lock leaves although no recovery file holds it",
        RUNNER,
        "if isinstance(effect, BroadcastLock) and self._secured != effect.txid:",
        "if False and self._secured != effect.txid:",
        tiers=("tests",),
        tests=_LOSSES,
    ),
    Mutant(
        "gate not judged again",
        "9",
        "a lock that waited for the recovery file leaves on the facts from before",
        RUNNER,
        "            self._secured = effect.txid\n            return True\n",
        "            self._secured = effect.txid\n",
        tiers=("tests",),
        tests=_LOSSES,
    ),
    Mutant(
        "foreign recovery file overwritten",
        "24",
        "what lies where the recovery file goes is replaced, whosever it is",
        "swapd/recovery/keeper.py",
        "            await self._check(path, known)\n",
        "",
        tiers=("tests",),
        tests=("tests/recovery/test_keeper.py",),
    ),
    Mutant(
        "older recovery file believed",
        "24",
        "a file that is older than the journal takes its swaps back",
        "swapd/recovery/takeover.py",
        "newer = content.generation > await store.counter(GENERATION)",
        "newer = True",
        tiers=("tests",),
        tests=("tests/recovery/test_takeover.py",),
    ),
)
