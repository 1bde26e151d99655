"""What a swap owes to the world. A closed union, derived from the state alone.

Owns: the effects. Must not know: how they are performed.

Failure and persistence, for all: every effect is idempotent and owed again at the next look until
the facts say it is done; recovery is loading the state and performing what `pending` says. A crash
before, during or after an effect changes nothing.
"""

from msgspec import Struct

from protocol.swap.facts import LockSeen
from protocol.swap.states import SignedLock


class SeekLock(Struct, frozen=True, tag="seek_lock"):
    """Ask the wallet for an unconfirmed lock of this leg that an earlier life sent and this state
    does not know; answer with LockFound if there is one."""


class BuildLock(Struct, frozen=True, tag="build_lock"):
    """Have the wallet sign our lock at `fee_rate`; answer with LockBuilt, or with LockFound where
    it has sent one of which an older journal does not tell. `replaces` is the version that hangs:
    the new one must spend all of its coins (rule 2)."""

    fee_rate: int
    replaces: SignedLock | None = None


class BroadcastLock(Struct, frozen=True, tag="broadcast_lock"):
    """Send our lock. Only owed while its gate is open on the facts just observed (rule 9)."""

    raw: bytes
    txid: str


class BuildKill(Struct, frozen=True, tag="build_kill"):
    """Sign a payment of the lock's coins to ourselves at `fee_rate`; answer with KillBuilt."""

    fee_rate: int


class BroadcastKill(Struct, frozen=True, tag="broadcast_kill"):
    """Send the kill."""

    raw: bytes
    txid: str


class BuildClaim(Struct, frozen=True, tag="build_claim"):
    """Sign the claim of `lock`; answer with ClaimBuilt. `preimage` is None for the initiator,
    whose key store may hand it out now: the reveal is journalled."""

    lock: LockSeen
    fee_rate: int
    preimage: bytes | None


class BroadcastClaim(Struct, frozen=True, tag="broadcast_claim"):
    """Send the claim. No gate stops it."""

    raw: bytes
    txid: str


class BuildRefund(Struct, frozen=True, tag="build_refund"):
    """Sign the refund of `lock`, whose expiry has passed; answer with RefundBuilt."""

    lock: LockSeen
    fee_rate: int


class BroadcastRefund(Struct, frozen=True, tag="broadcast_refund"):
    """Send the refund."""

    raw: bytes
    txid: str


class BuildChild(Struct, frozen=True, tag="build_child"):
    """Sign a spend of `parent`, the one output of an unconfirmed claim or refund of ours of `units`
    base units, back to the same address with a fee of `fee`; answer with ChildBuilt."""

    parent: str
    units: int
    fee: int


class BroadcastChild(Struct, frozen=True, tag="broadcast_child"):
    """Send a child; its chain is that of its parent."""

    raw: bytes
    txid: str
    parent: str


class ResendTheirLock(Struct, frozen=True, tag="resend_their_lock"):
    """The counterparty's lock fell out of its chain while ours is in: send it again (rule 4)."""

    raw: bytes


Effect = (
    SeekLock
    | BuildLock
    | BroadcastLock
    | BuildKill
    | BroadcastKill
    | BuildClaim
    | BroadcastClaim
    | BuildRefund
    | BroadcastRefund
    | BuildChild
    | BroadcastChild
    | ResendTheirLock
)
