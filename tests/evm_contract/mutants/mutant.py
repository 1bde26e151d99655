"""A mutant of the contract as a value.

Owns: `Mutant`. Must not know: which mutants there are, how one is compiled or judged.
"""

from typing import NamedTuple

HTLC = "Htlc.sol"
NATIVE = "NativeHtlc.sol"
TOKEN = "TokenHtlc.sol"


class Mutant(NamedTuple):
    """In the source file `path` the text `old`, there exactly `times`, becomes `new`.

    `same` is the argument why no call can tell it from the contract that is shipped, for those of
    which that is so: they must survive, or the argument is wrong.
    """

    name: str
    path: str
    old: str
    new: str
    times: int = 1
    same: str = ""


def mutated(mutant: Mutant, text: str) -> str:
    """The source with that change. Raises ValueError unless it fits as often as it says."""
    if text.count(mutant.old) != mutant.times:
        msg = f"mutant {mutant.name!r} fits {text.count(mutant.old)} times, not {mutant.times}"
        raise ValueError(msg)
    return text.replace(mutant.old, mutant.new)
