"""Seeds that once found something: kept for ever, though later changes of the world change them.

Owns: the list, each with what it found.
"""

from typing import Final

REGRESSIONS: Final[dict[int, str]] = {
    1: "a journal did not fold to its own rows after the wall clock was set back",
    23: "the first kill after its deadline paid all that was at stake",
    820: "offers posted while the clock was hours ahead: invisible to all others",
    672990362: "the world ended while a take was being talked about: its promise was no leak",
    3000053: "a full disk past a deadline: the daemon looked again and again, without a pause",
    3000039: "the world ended before the last change of an offer had reached the other books",
    5006: "a reorganisation deeper than the depth put a lock below where its owner looked for it",
}
