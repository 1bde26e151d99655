"""Mutants of towers on chains with accounts: what they accept, when they send, and for how much.

Owns: the list. Must not know: how a mutant is applied or judged. By tests: no world of the
simulation has a tower with an account.
"""

from tests.simulation.mutants.mutant import of_tower

PACKAGE = "protocol/tower/package.py"
RELAYED = "protocol/tower/relayed.py"
RELAYING = "protocol/tower/relaying.py"
QUOTAS = "swapd/tower/quotas.py"
CHECKS = ("tests/protocol/tower/test_account_packages.py",)
LOOKS = ("tests/protocol/tower/test_account_decisions.py",)
SERVED = ("tests/tower/test_tower_on_accounts.py",)


MUTANTS = (
    # --- what a tower accepts ---
    of_tower(
        "fees that nobody signed",
        "a tower relies on a fee that the contract refuses, and its claim fails",
        PACKAGE,
        "        if not act.is_signed(variant.fee, variant.not_before, variant.signature):\n",
        "        if not variant.signature:\n",
        CHECKS,
    ),
    of_tower(
        "fees signed by anybody",
        "the other side signs what the client pays",
        RELAYED,
        "            return recovered(signature, digest) == self.payee\n",
        "            return bool(recovered(signature, digest))\n",
        CHECKS,
    ),
    of_tower(
        "signatures in either form",
        "the contract refuses a high s: the tower holds what it can't send",
        RELAYED,
        "        if len(signature) != 65 or signature[64] > 1 or signature[32] >= 0x80:\n",
        "        if len(signature) != 65 or signature[64] > 1:\n",
        CHECKS,
    ),
    of_tower(
        "a destination of its own",
        "a package says that it pays another account than the terms do",
        PACKAGE,
        "    if package.ways or package.destination != act.payee:\n",
        "    if package.ways:\n",
        CHECKS,
    ),
    of_tower(
        "a fee of all the coins",
        "a claim brings its client nothing",
        PACKAGE,
        "    if package.max_fee >= package.watched.leg.amount.units:\n",
        "    if package.max_fee > 2**255:\n",
        CHECKS,
    ),
    of_tower(
        "fees for nobody",
        "a fee without an account goes to whoever copies the call",
        PACKAGE,
        "or bool(package.fees) != bool(package.relayer):\n",
        "or False:\n",
        CHECKS,
    ),
    of_tower(
        "who claims may be who locks",
        "one key signs away both ends of a lock",
        PACKAGE,
        "    if terms.locker == terms.receiver or not",
        "    if not",
        CHECKS,
    ),
    of_tower(
        "claims that burn",
        "the contract itself is paid",
        PACKAGE,
        "        check_payee(leg.amount.asset, leg.claim_key)\n",
        "",
        CHECKS,
    ),
    of_tower(
        "a stranger's gas for nothing",
        "anybody empties a tower's account with claims of his own",
        QUOTAS,
        "    if most < price:\n",
        "    if most < 0:\n",
        SERVED,
    ),
    of_tower(
        "gas for one is enough for all",
        "a tower holds ten packages and can pay for one",
        "swapd/tower/keeper.py",
        "                problem = await relay.problem(others + 1)\n",
        "                problem = await relay.problem()\n",
        SERVED,
    ),
    # --- when it sends, and for how much ---
    of_tower(
        "fees before their time",
        "the contract refuses the call, and the gas is gone",
        RELAYING,
        "    variants = [v for v in package.fees if v.not_before <= view.median_time]\n",
        "    variants = list(package.fees)\n",
        LOOKS,
    ),
    of_tower(
        "always the dearest fee",
        "a client pays the most for a claim on a quiet day",
        RELAYING,
        "        number = next((n for n, v in enumerate(variants) if v.fee >= cost), "
        "len(variants) - 1)\n",
        "        number = len(variants) - 1\n",
        LOOKS,
    ),
    of_tower(
        "more gas than it gets",
        "a stranger's claim is sent at any price",
        RELAYING,
        "    cap = min(max(worth, allowance) * 1000 // gas, ",
        "    cap = min(10**30, ",
        LOOKS,
    ),
    of_tower(
        "no more than it has, forgotten",
        "a transaction that the account can't pay is never mined",
        RELAYING,
        "fees.affordable_rate(view, worth, gas))\n",
        "10**30)\n",
        LOOKS,
    ),
    of_tower(
        "a stuck relay stays stuck",
        "a version that miners leave out is never replaced",
        RELAYING,
        "    return view.tip_height >= progress.sent_height + view.patience\n",
        "    return False\n",
        LOOKS,
    ),
    of_tower(
        "replacements too cheap",
        "nodes refuse them, and the first version hangs",
        RELAYING,
        "        rate = max(rate, progress.rate + max(step, view.fee_increment))\n",
        "        rate = max(rate, progress.rate + 1)\n",
        LOOKS,
    ),
    of_tower(
        "relayer in its client's way",
        "each claim is sent twice, and one of both is paid for nothing",
        RELAYING,
        "    if progress.others and view.tip_height - progress.others < PATIENCE_BLOCKS:\n",
        "    if progress.others < 0:\n",
        LOOKS,
    ),
)
