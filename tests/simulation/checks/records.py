"""What a simulation writes down for the checkers: plain values, no behaviour.

Owns: `Leg`, `Deal`, `Diary`. Must not know: the code under test, which the checkers share nothing
with; how a simulation runs.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Leg(NamedTuple):
    """One leg of a deal. `family` names its chain; `script` as its ledger knows it. `pace`, on a
    chain with accounts: seconds a block takes under stress, of an early clock, of an outage.
    `finality`: seconds within which the chain calls a block final, where its word decides;
    `token`: fees are paid in another coin than the leg."""

    family: str
    script: Hashable
    units: int
    expiry: int
    depth: int
    pace: tuple[int, int, int] | None = None
    finality: int = 0
    token: bool = False


class Deal(NamedTuple):
    """What two parties agreed, in plain numbers. `timing` is "standard", "fast" or "regtest";
    `away_*` seconds each may be absent; `risk`: a loss once in 10 ** risk is accepted."""

    name: str
    hashlock: bytes
    timing: str
    t0: int
    leg_i: Leg
    leg_p: Leg
    away_i: int
    away_p: int
    risk: int


@dataclass
class Diary:
    """What one honest party of a deal did and said. `sent` holds (time, purpose, txid, fee) of each
    of its transactions that a node took, `ends` (time, end), `pays` the scripts that are its own,
    `claims_pay` where its claims go. `forgot_at`: how many it had sent when it went on from a row
    in which it had no lock, so that it may only watch. `adopted`: outputs of its script that it
    takes for its lock. Times are true unix seconds, whatever its clock shows."""

    deal: Deal
    role: str
    pays: frozenset[Hashable]
    sent: list[tuple[int, str, str, int]] = field(default_factory=list)
    ends: list[tuple[int, str]] = field(default_factory=list)
    revealed_at: int | None = None
    closed: bool = False
    forgot_at: int | None = None
    adopted: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def is_own_lock(self, ref: str) -> bool:
        """Whether an output of its own script is its lock: of a transaction that it sent, or one
        that it takes for its own because it may have forgotten."""
        return ref in self.adopted or self.has_locked(ref)

    def has_locked(self, ref: str) -> bool:
        """Whether an output is of a lock that it sent, in whichever life."""
        sent = {txid for _, purpose, txid, _ in self.sent if purpose == "lock"}
        return ref.rpartition(":")[0] in sent

    def is_paid(self, leg: Leg, outputs: Sequence[tuple[Hashable, int]]) -> bool:
        """Whether the outputs of a spend of a leg pay this party. A contract pays its due, whoever
        sent the call and gets the change of the gas."""
        if leg.pace is None:
            return all(script in self.pays for script, _ in outputs)
        return any(script in self.pays and units == leg.units for script, units in outputs)

    @property
    def own(self) -> Leg:
        """The leg this party locks."""
        return self.deal.leg_i if self.role == "initiator" else self.deal.leg_p

    @property
    def theirs(self) -> Leg:
        """The leg this party claims."""
        return self.deal.leg_p if self.role == "initiator" else self.deal.leg_i
