"""The mutants: each breaks one safety rule in the real code, and the world must notice.

Owns: the list. Written before the checkers, so that those are not made to fit. Must not know: how a
mutant is applied or judged.

`rule` names the rule of the safety rules, or the class of bug that has cost users of other systems
money. `what` says what an attacker or bad luck could do with it.
"""

from tests.simulation.mutants import (
    accounts,
    doors_and_locks,
    lives,
    relayers,
    secrets_and_ends,
    trouble,
    unattended,
    watchtowers,
)
from tests.simulation.mutants.mutant import Mutant

CATALOGUE: tuple[Mutant, ...] = (
    *doors_and_locks.MUTANTS,
    *secrets_and_ends.MUTANTS,
    *lives.MUTANTS,
    *watchtowers.MUTANTS,
    *relayers.MUTANTS,
    *trouble.MUTANTS,
    *unattended.MUTANTS,
    *accounts.MUTANTS,
)
