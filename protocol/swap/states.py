"""The state of one swap: small joint machines, never one product enum.

Owns: the values. Must not know: transitions (machine), what is owed (pending), how it is stored.

Three things are remembered because we did or learned them and could not take it back: what became
of our own lock (`OwnLock`), what is known of the secret (`Secret`), and the last versions of the
transactions we signed. Everything else is in the chain views, which are facts and may go back.
"""

import enum

from msgspec import Struct

from protocol.amounts import WideInt
from protocol.swap.agreement import Agreement
from protocol.swap.facts import ChainView


class Tx(Struct, frozen=True):
    """A transaction of ours, signed. `fee_rate` per 1000 vbytes; `height` is the tip of its chain
    when it was built and `at` the swap's time then (unix seconds, 0 unknown); `ref` the output it
    spends or, for a lock, makes."""

    raw: bytes
    txid: str
    fee: WideInt
    fee_rate: WideInt
    height: int
    ref: str
    at: int = 0


class LockCoin(Struct, frozen=True):
    """A wallet coin that our lock spends: what a kill needs to know."""

    ref: str
    units: WideInt
    script_pubkey: bytes


class SignedLock(Struct, frozen=True):
    """Our lock, signed. `earlier` are the outputs of its cheaper versions that may have left the
    daemon: all versions share the coins, so at most one of them can ever confirm (rule 2)."""

    tx: Tx
    coins: tuple[LockCoin, ...]
    earlier: tuple[str, ...] = ()

    @property
    def refs(self) -> tuple[str, ...]:
        """The outputs that are our lock, the newest version first."""
        return (self.tx.ref, *self.earlier)


# --- Our own lock -----------------------------------------------------------------------------


class Unfunded(Struct, frozen=True, tag="unfunded"):
    """Nothing is signed."""


class Held(Struct, frozen=True, tag="held"):
    """Signed and journalled; it has never left the daemon."""

    lock: SignedLock


class Released(Struct, frozen=True, tag="released"):
    """It may have left the daemon: a bearer cheque until it, or a conflict, is final (rule 1)."""

    lock: SignedLock


class Killing(Struct, frozen=True, tag="killing"):
    """It must never confirm: its coins are being paid back to ourselves. `kill` is the newest
    version, None until the first is signed. Should the lock confirm after all, the swap lives."""

    lock: SignedLock
    kill: Tx | None = None


class Dead(Struct, frozen=True, tag="dead"):
    """No lock of ours can ever confirm: none left the daemon, or a conflict is final. What was
    signed is kept for the record."""

    lock: SignedLock | None = None
    kill: Tx | None = None


OwnLock = Unfunded | Held | Released | Killing | Dead


# --- The secret -------------------------------------------------------------------------------


class Hidden(Struct, frozen=True, tag="hidden"):
    """Initiator: the preimage has not left the key store."""


class Revealed(Struct, frozen=True, tag="revealed"):
    """Initiator: the reveal is journalled; from here no gate may stop the claim. Unix seconds."""

    at: int


class Unknown(Struct, frozen=True, tag="unknown"):
    """Participant: nobody has shown the preimage yet."""


class Learned(Struct, frozen=True, tag="learned"):
    """Participant: read from a transaction, seen anywhere for any time (rule 8); `at` unix seconds,
    when we saw it."""

    preimage: bytes
    txid: str
    at: int


Secret = Hidden | Revealed | Unknown | Learned


# --- The end ----------------------------------------------------------------------------------


class End(enum.StrEnum):
    """How a swap can end; there is nothing else."""

    COMPLETED = "completed"
    REFUNDED = "refunded"
    NEVER_FUNDED = "never_funded"
    LOST = "lost"


class Outcome(Struct, frozen=True):
    """The end and why, in one sentence; for `lost`, which assumption was violated."""

    end: End
    reason: str
    at: int


class SwapState(Struct, frozen=True, kw_only=True):
    """One swap. `now` is the swap's time (rule 10); `bound` the counterparty's output that we
    decided from and `their_raw` its transaction (kept to resend it after a reorg, rule 4); `claim`
    and `refunds` are the newest signed versions; `children` lift a claim or refund that can't be
    replaced, each spending the output that it names; `replaced` are older versions of all that we
    signed, without their bytes: any of them may be the one that is mined; `restored`: taken over
    from a recovery file or an older backup, so what we did last may be missing here. Such a swap
    claims, refunds and watches; it never locks (rule 2)."""

    agreement: Agreement
    own: OwnLock
    secret: Secret
    now: int
    view_i: ChainView | None = None
    view_p: ChainView | None = None
    bound: str = ""
    their_raw: bytes = b""
    claim: Tx | None = None
    refunds: tuple[Tx, ...] = ()
    children: tuple[Tx, ...] = ()
    replaced: tuple[Tx, ...] = ()
    cancelled: bool = False
    restored: bool = False
    outcome: Outcome | None = None
