"""What the negotiation hands to the swap machine, and what both sides journal before any lock.

Owns: `Agreement`. Must not know: how it came about, chains.
"""

from msgspec import Struct

from protocol.signing import Signature
from protocol.terms import LegName, LegTerms, Role, Terms


class Agreement(Struct, frozen=True):
    """A swap as one party sees it at its start. `salt` (32 bytes) with the seed gives our keys
    and, for the initiator, the preimage; `destination` is the address our claim pays,
    `refund_destination` the one our refund pays; `since_i`/`since_p` are the chain heights from
    which locks are looked for; `peer_id` is the counterparty's network identity."""

    terms: Terms
    role: Role
    maker_signature: Signature
    taker_signature: Signature
    salt: bytes
    destination: str
    refund_destination: str
    since_i: int
    since_p: int
    peer_id: str
    agreed_at: int

    @property
    def swap_id(self) -> bytes:
        """32 bytes."""
        return self.terms.swap_id

    @property
    def own(self) -> LegTerms:
        """The leg we fund."""
        return self.terms.leg_i if self.role is Role.INITIATOR else self.terms.leg_p

    @property
    def theirs(self) -> LegTerms:
        """The leg we claim."""
        return self.terms.leg_p if self.role is Role.INITIATOR else self.terms.leg_i

    def since(self, leg: LegName) -> int:
        """The height from which locks of `leg` are looked for."""
        return self.since_i if leg is LegName.I else self.since_p
