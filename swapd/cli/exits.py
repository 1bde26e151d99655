"""How swap-cli ends. Scripts rely on these: never renumbered.

Owns: the exit codes and their words. Must not know: commands.
"""

from typing import Final

OK: Final = 0
ERROR_REPLY: Final = 1
CANNOT_CONNECT: Final = 2
USAGE: Final = 3
SWAP_FAILED: Final = 4
HEALTH_WARNING: Final = 5
HEALTH_CRITICAL: Final = 6
INTERRUPTED: Final = 130

WORDS: Final = {
    OK: "done",
    ERROR_REPLY: "the daemon answered with an error (its text says why and what to do)",
    CANNOT_CONNECT: "the daemon can't be reached",
    USAGE: "the command line is wrong",
    SWAP_FAILED: "the swap that was waited for did not complete (refunded, never funded, lost)",
    HEALTH_WARNING: "`health`: something needs attention",
    HEALTH_CRITICAL: "`health`, `doctor`: coins or deadlines are in danger",
    INTERRUPTED: "interrupted, or answered no to a confirmation",
}

EPILOG: Final = "Exit codes: " + "; ".join(f"{code} {text}" for code, text in WORDS.items()) + "."
