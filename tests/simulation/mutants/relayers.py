"""Mutants of towers on chains with accounts: what they accept, when they send, and for how much.

Owns: the list. Must not know: how a mutant is applied or judged. By tests: no world of the
simulation has a tower with an account.
"""

from tests.simulation.mutants.mutant import Mutant

PACKAGE = "protocol/tower/package.py"
RELAYED = "protocol/tower/relayed.py"
RELAYING = "protocol/tower/relaying.py"
QUOTAS = "swapd/tower/quotas.py"
CHECKS = ("tests/protocol/tower/test_account_packages.py",)
LOOKS = ("tests/protocol/tower/test_account_decisions.py",)
SERVED = ("tests/tower/test_tower_on_accounts.py",)


def _mutant(name: str, what: str, path: str, old: str, new: str, tests: tuple[str, ...]) -> Mutant:
    return Mutant(name, "22", what, path, old, new, tiers=("tests",), tests=tests)


MUTANTS = (
    # --- what a tower accepts ---
    _mutant(
        "fees that nobody signed",
        "a tower relies on a fee that the contract refuses, and its claim fails",
        PACKAGE,
        "        if not act.is_signed(variant.fee, variant.not_before, variant.signature):\n",
        "        if not variant.signature:\n",
        CHECKS,
    ),
    _mutant(
        "fees signed by anybody",
        "the other side signs what the client pays",
        RELAYED,
        "            return recovered(signature, digest) == self.payee\n",
        "            return bool(recovered(signature, digest))\n",
        CHECKS,
    ),
    _mutant(
        "signatures in either form",
        "the contract refuses a high s: the tower holds what it can't send",
        RELAYED,
        "        if len(signature) != 65 or signature[64] > 1 or signature[32] >= 0x80:\n",
        "        if len(signature) != 65 or signature[64] > 1:\n",
        CHECKS,
    ),
    _mutant(
        "a destination of its own",
        "a package says that it pays another account than the terms do",
        PACKAGE,
        "    if package.ways or package.destination != act.payee:\n",
        "    if package.ways:\n",
        CHECKS,
    ),
    _mutant(
        "a fee of all the coins",
        "a claim brings its client nothing",
        PACKAGE,
        "    if package.max_fee >= package.watched.leg.amount.units:\n",
        "    if package.max_fee > 2**255:\n",
        CHECKS,
    ),
    _mutant(
        "fees for nobody",
        "a fee without an account goes to whoever copies the call",
        PACKAGE,
        "or bool(package.fees) != bool(package.relayer):\n",
        "or False:\n",
        CHECKS,
    ),
    _mutant(
        "who claims may be who locks",
        "one key signs away both ends of a lock",
        PACKAGE,
        "    if terms.locker == terms.receiver or not",
        "    if not",
        CHECKS,
    ),
    _mutant(
        "claims that burn",
        "the contract itself is paid",
        PACKAGE,
        "        check_payee(leg.amount.asset, leg.claim_key)\n",
        "",
        CHECKS,
    ),
    _mutant(
        "a stranger's gas for nothing",
        "anybody empties a tower's account with claims of his own",
        QUOTAS,
        "    if most < price:\n",
        "    if most < 0:\n",
        SERVED,
    ),
    _mutant(
        "gas for one is enough for all",
        "a tower holds ten packages and can pay for one",
        "swapd/tower/keeper.py",
        "                problem = await relay.problem(others + 1)\n",
        "                problem = await relay.problem()\n",
        SERVED,
    ),
    # --- when it sends, and for how much ---
    _mutant(
        "fees before their time",
        "the contract refuses the call, and the gas is gone",
        RELAYING,
        "    variants = [v for v in package.fees if v.not_before <= view.median_time]\n",
        "    variants = list(package.fees)\n",
        LOOKS,
    ),
    _mutant(
        "always the dearest fee",
        "a client pays the most for a claim on a quiet day",
        RELAYING,
        "        number = next((n for n, v in enumerate(variants) if v.fee >= cost), "
        "len(variants) - 1)\n",
        "        number = len(variants) - 1\n",
        LOOKS,
    ),
    _mutant(
        "more gas than it gets",
        "a stranger's claim is sent at any price",
        RELAYING,
        "    cap = min(max(worth, allowance) * 1000 // gas, ",
        "    cap = min(10**30, ",
        LOOKS,
    ),
    _mutant(
        "no more than it has, forgotten",
        "a transaction that the account can't pay is never mined",
        RELAYING,
        "fees.affordable_rate(view, worth, gas))\n",
        "10**30)\n",
        LOOKS,
    ),
    _mutant(
        "a stuck relay stays stuck",
        "a version that miners leave out is never replaced",
        RELAYING,
        "    return view.tip_height >= progress.sent_height + view.patience\n",
        "    return False\n",
        LOOKS,
    ),
    _mutant(
        "replacements too cheap",
        "nodes refuse them, and the first version hangs",
        RELAYING,
        "        rate = max(rate, progress.rate + max(step, view.fee_increment))\n",
        "        rate = max(rate, progress.rate + 1)\n",
        LOOKS,
    ),
    _mutant(
        "relayer in its client's way",
        "each claim is sent twice, and one of both is paid for nothing",
        RELAYING,
        "    if progress.others and view.tip_height - progress.others < PATIENCE_BLOCKS:\n",
        "    if progress.others < 0:\n",
        LOOKS,
    ),
)
