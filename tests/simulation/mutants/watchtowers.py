"""Mutants of watchtowers: what a tower accepts, does and keeps, and what its client relies on.

Owns: the list. Must not know: how a mutant is applied or judged. Most by tests: what they break is
played there with real engines, towers and chains (tests/tower).
"""

from tests.simulation.mutants.mutant import Mutant, of_tower

PACKAGE = "protocol/tower/package.py"
PLAN = "protocol/tower/plan.py"
DECIDE = "protocol/tower/decide.py"
PROGRESS = "protocol/tower/progress.py"
KEEPER = "swapd/tower/keeper.py"
TOWERS = "swapd/engine/towers.py"
CHECKS = ("tests/protocol/tower/test_tower_packages.py",)
LADDERS = ("tests/protocol/tower/test_tower_plans.py",)
LOOKS = ("tests/protocol/tower/test_tower_decisions.py",)
SERVED = ("tests/tower/test_tower_server.py",)
CLIENT = ("tests/tower/test_towers_of_a_client.py",)


MUTANTS = (
    # --- what a tower accepts ---
    of_tower(
        "tower takes refunds that are early",
        "a package that says it is a refund, and is valid before the expiry",
        PACKAGE,
        "if package.act is Act.REFUND and time < package.watched.leg.expiry:",
        "if package.act is Act.REFUND and time < 0:",
        CHECKS,
    ),
    of_tower(
        "tower takes fees above the cap",
        "a tower may burn more than its client allowed",
        PACKAGE,
        "    if fee > package.max_fee:\n",
        "    if fee > 2**60:\n",
        CHECKS,
    ),
    of_tower(
        "tower takes any signature",
        "a client believes in packages that can't be used",
        PACKAGE,
        "        witness_signature(key, spend.sighash, variant.signature)\n",
        "        len(key) + len(spend.sighash)\n",
        CHECKS,
    ),
    of_tower(
        "tower reads chains from anywhere",
        "strangers make its nodes read years of blocks",
        "swapd/tower/quotas.py",
        "    if since < oldest:\n",
        "    if since < 0:\n",
        SERVED,
    ),
    of_tower(
        "strangers fill a tower",
        "fresh peer ids take all the room",
        "swapd/tower/quotas.py",
        ">= bounds.strangers:",
        "> len(rows):",
        SERVED,
    ),
    of_tower(
        "older package replaces a newer",
        "a package without the outpoint that confirmed",
        KEEPER,
        "if held.package != data and package.sequence <= older.sequence:",
        "if held.package != data and package.sequence < 0:",
        SERVED,
    ),
    of_tower(
        "tower on another fork",
        "a tower that watches coins of another chain than its client's",
        KEEPER,
        "            if not known:\n",
        "            if known is None:\n",
        SERVED,
    ),
    # --- what it does ---
    of_tower(
        "tower believes any preimage",
        "32 bytes that open nothing are taken for the secret",
        PROGRESS,
        "        if opens(package, preimage):\n",
        "        if preimage:\n",
        LOOKS,
    ),
    of_tower(
        "tower gives its client no time",
        "each claim is sent twice, and dearer",
        DECIDE,
        "return _send(package, progress, view, way, None) if waited else Decision(progress)",
        "return _send(package, progress, view, way, None)",
        LOOKS,
    ),
    of_tower(
        "tower outbids its own client",
        "the client's claim is taken for the tower's, and lifted each block",
        DECIDE,
        "if progress.sent_ref == way.ref and spend.txid in _own_txids(package, way):",
        "if spend.txid in _own_txids(package, way):",
        LOOKS,
    ),
    of_tower(
        "tower sends its client's lock",
        "a lock that is being killed comes back as a bearer cheque",
        DECIDE,
        "keep = package.act is Act.CLAIM and len(lock.raw) <= MAX_RAW",
        "keep = len(lock.raw) <= MAX_RAW",
        LOOKS,
    ),
    of_tower(
        "refund never yields",
        "the other side's claim is outbid although the agreed coins can be had",
        PROGRESS,
        "    return not claimed or max(now, view.median_time) >= package.yield_until\n",
        "    return claimed or not claimed\n",
        LOOKS,
    ),
    of_tower(
        "tower uses a preimage before it is on disk",
        "seen once in a mempool, lost by a crash",
        KEEPER,
        "        if decision.progress != row.progress:\n",
        "        if decision.progress.final != row.progress.final:\n",
        SERVED,
    ),
    Mutant(
        "tower never claims",
        "22",
        "the preimage is public, and the agreed coins are the other side's to take back",
        PROGRESS,
        "        return bool(progress.preimage)\n",
        "        return False\n",
        tiers=("towers",),
    ),
    Mutant(
        "tower never refunds",
        "22",
        "a client who is away gets nothing back",
        PROGRESS,
        "    if view.median_time <= package.watched.leg.expiry:\n",
        "    if view.median_time <= 2 * package.watched.leg.expiry:\n",
        tiers=("towers",),
    ),
    # --- what its client relies on ---
    of_tower(
        "preimage with a tower before the reveal",
        "a tower can reveal early",
        PLAN,
        '    known = preimage if isinstance(state.secret, Revealed) else b""\n',
        "    known = preimage\n",
        LADDERS,
    ),
    of_tower(
        "dear variants good at once",
        "a tower burns the most at the first moment",
        PLAN,
        "when = max(0, curve.start + passed - lag) if power >= FREE_RUNGS else 0",
        "when = 0",
        LADDERS,
    ),
    of_tower(
        "lock leaves before its packages",
        "off right after the lock, with nobody to claim",
        TOWERS,
        "releases = isinstance(before.own, Held) and isinstance(after.own, Released)",
        "releases = False",
        CLIENT,
    ),
    of_tower(
        "reveal before its package",
        "off right after the reveal, with nobody to claim",
        TOWERS,
        "reveals = isinstance(before.secret, Hidden) and isinstance(after.secret, Revealed)",
        "reveals = False",
        CLIENT,
    ),
    of_tower(
        "tower believed without proof",
        "a tower that lost everything counts as a tower",
        TOWERS,
        "            left.held = ticket_ in report.proven\n",
        "            left.held = True\n",
        CLIENT,
    ),
    of_tower(
        "proof without the nonce",
        "one proof, kept, stands for ever for a package that was thrown away",
        PACKAGE,
        "    return tagged_hash(Tag.TOWER_PROOF, nonce + data)\n",
        "    return tagged_hash(Tag.TOWER_PROOF, data)\n",
        (*CHECKS, *SERVED),
    ),
    of_tower(
        "tower may keep another package",
        "it says what it kept, and nobody reads it",
        "swapd/engine/tower_talk.py",
        "        if answer != Kept(ticket, digest(package)):\n",
        "        if answer.ticket != ticket:\n",
        SERVED,
    ),
)
