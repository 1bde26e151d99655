"""Mutants of the help in trouble: what a rescue prints, what an explanation and the doctor say.

Owns: the list. Must not know: how a mutant is applied or judged. All by tests: no world asks for
help, but an operator who is told wrongly loses coins as surely as by a fault of the machine.
"""

from tests.simulation.mutants.mutant import by_tests

RESCUED = ("tests/engine/operations/test_rescue.py",)
EXPLAINED = ("tests/engine/operations/test_explained.py",)
EXAMINED = ("tests/doctor/test_findings.py",)


MUTANTS = (
    by_tests(
        "rescue plans claims before the reveal",
        "7",
        "who prints a rescue early builds a claim whose gate was never judged",
        "protocol/swap/rescue.py",
        "or theirs is None or isinstance(state.secret, Hidden):",
        "or theirs is None:",
        RESCUED,
    ),
    by_tests(
        "rescue shows the preimage early",
        "7",
        "the operator gives it away in a bug report",
        "swapd/engine/rescue.py",
        "        case _:\n            return None\n",
        "        case _:\n            return signer.preimage("
        "state.agreement.salt, state.agreement.swap_id)\n",
        RESCUED,
    ),
    by_tests(
        "rescue always shows keys",
        "23",
        "who shares what was printed gives the coins away",
        "swapd/engine/operations/rescuing.py",
        "keys=_keys(signer, state) if keys else (),",
        "keys=_keys(signer, state),",
        RESCUED,
    ),
    by_tests(
        "rescue forgets versions of a lock",
        "2",
        "no refund for the version that is mined",
        "protocol/swap/rescue.py",
        "return dict.fromkeys((lock.ref, *reading.own_refs(state)), units)",
        "return {lock.ref: units}",
        RESCUED,
    ),
    by_tests(
        "rescue promises refunds too early",
        "23",
        "an operator who gives up after the first `non-final`",
        "protocol/swap/rescue.py",
        "MEDIAN_BLOCKS = 6",
        "MEDIAN_BLOCKS = 1",
        RESCUED,
    ),
    by_tests(
        "a maker is told to leave early",
        "4",
        "their lock falls out of its chain while nobody sends it again",
        "protocol/swap/explain.py",
        "        return 0  # one may",
        "        return times.expiry_p  # one may",
        EXPLAINED,
    ),
    by_tests(
        "a late claim is no alarm",
        "13",
        "the operator switches off a swap that is about to be lost",
        "protocol/swap/advice.py",
        "    if state.now >= margin:\n",
        "    if state.now >= 2 * margin:\n",
        EXPLAINED,
    ),
    by_tests(
        "a pruned node is told as one that is down",
        "24",
        "the operator restarts it for ever",
        "protocol/swap/troubles.py",
        "    (PRUNED_AWAY, Trouble.NODE_PRUNED),\n",
        "",
        EXPLAINED,
    ),
    by_tests(
        "a seed that others read passes",
        "25",
        "everybody on the machine has the seed",
        "swapd/doctor/files.py",
        "if stat.S_IMODE(status.st_mode) & 0o077:",
        "if stat.S_IMODE(status.st_mode) & 0o007:",
        EXAMINED,
    ),
    by_tests(
        "too shallow pruning passes",
        "24",
        "after two weeks away the node can't show the swap any more",
        "swapd/doctor/nodes.py",
        "KEEP_SECONDS = MAX_SWAP_SECONDS + 14 * 86400",
        "KEEP_SECONDS = MAX_SWAP_SECONDS",
        EXAMINED,
    ),
)
