"""Mutants of a daemon that nobody attends: alarms, locked and watch-only modes, payouts searched.

Owns: the list. Must not know: how a mutant is applied or judged. By tests: an alarm that does not
sound harms nobody in a world whose operators sleep anyway.
"""

from tests.simulation.mutants.mutant import by_tests

SOURCES = ("tests/alarms/test_sources.py",)
DAMPING = ("tests/alarms/test_damping.py",)
LOCKED = ("tests/engine/locked/test_locked.py",)
WATCHING = ("tests/engine/swaps/test_watch_only.py",)
PAYOUTS = ("tests/engine/swaps/test_payouts.py",)
_CHAINS = "swapd/alarms/sources/chains.py"
_SWAPS = "swapd/alarms/sources/swaps.py"
_HOST = "swapd/alarms/sources/host.py"
_LOCKED = "swapd/engine/locked_swaps.py"


MUTANTS = (
    by_tests(
        "a node that is away stays a warning",
        "24",
        "nobody is woken while a swap can't be looked after",
        _CHAINS,
        "grave = bool(swaps) and away >= LONG_DOWN_SECONDS",
        "grave = False",
        SOURCES,
    ),
    by_tests(
        "a node behind is no alarm",
        "10",
        "gates stay shut and nobody is told why",
        _CHAINS,
        "        if not status.synced:\n",
        "        if False and not status.synced:\n",
        SOURCES,
    ),
    by_tests(
        "low reserves forget the fees",
        "5",
        "a lock is promised that its kill can't be paid after",
        _CHAINS,
        "if free < promised + fees:",
        "if free < promised:",
        SOURCES,
    ),
    by_tests(
        "a clock behind the chain is no alarm",
        "10",
        "every deadline is read from it",
        _CHAINS,
        "            if behind > 0:\n",
        "            if behind > AHEAD_SECONDS:\n",
        SOURCES,
    ),
    by_tests(
        "a deadline warns late",
        "13",
        "half of the margin is gone before anybody hears of it",
        _SWAPS,
        "owed.eaten(now) >= WARN_EATEN:",
        "owed.eaten(now) >= CRITICAL_EATEN:",
        SOURCES,
    ),
    by_tests(
        "a deadline never is critical",
        "13",
        "the hook that wakes people waits for that word",
        _SWAPS,
        '"critical" if owed.eaten(now) >= CRITICAL_EATEN else "warning"',
        '"warning"',
        SOURCES,
    ),
    by_tests(
        "a swap that nobody looks after is silent",
        "24",
        "its coins are given up without a word",
        _SWAPS,
        "for swap_id, reason in self._swaps.unattended().items():",
        "for swap_id, reason in dict[bytes, str]().items():",
        SOURCES,
    ),
    by_tests(
        "a disk that takes no write is not tried",
        "24",
        "a quota shows nowhere else",
        _HOST,
        "        await self._probe()\n",
        "",
        SOURCES,
    ),
    by_tests(
        "a locked daemon is no alarm",
        "24",
        "the operator believes it is looking after the swaps",
        _HOST,
        "        if self._mode.locked:\n",
        "        if False and self._mode.locked:\n",
        SOURCES,
    ),
    by_tests(
        "an alarm flaps",
        "24",
        "who is woken at each flap switches the hook off",
        "swapd/alarms/damping.py",
        "return CLEAR_SECONDS * 2.0 ** max(0, min(again, MOST_DOUBLINGS))",
        "return 0.0",
        DAMPING,
    ),
    by_tests(
        "a locked daemon forgets what it saw",
        "8",
        "a preimage seen once in a mempool is lost with the next crash",
        _LOCKED,
        "                await self._world.store.put(PROGRESS, key, encode(decision.progress))\n",
        "                pass\n",
        LOCKED,
    ),
    by_tests(
        "a locked daemon sends nothing of its journal",
        "22",
        "a claim that was signed waits for the passphrase",
        _LOCKED,
        "        for effect in sendable(state):\n",
        "        for effect in sendable(state)[:0]:\n",
        LOCKED,
    ),
    by_tests(
        "watch-only locks",
        "2",
        "two daemons of one seed lock the same coins",
        "swapd/engine/mode.py",
        'return self.may_begin() if self.locked or self.watch_only else ""',
        'return ""',
        WATCHING,
    ),
    by_tests(
        "payouts of a life before are not searched again",
        "24",
        "what its claim's child brought is not counted",
        "swapd/engine/payouts.py",
        "        if state.restored and is_closed(state):\n            self._poked.set()",
        "        if state.restored and not is_closed(state):\n            self._poked.set()",
        PAYOUTS,
    ),
)
