"""What the chains say, as values: recomputed from the node at every look, never remembered.

Owns: the views that the swap machine decides from.
Must not know: how a node was asked, what is decided.

A reorg is just a fact that went back. `ref` names a lock: an output as `<txid>:<index>` (txid as
nodes print it), or a slot of a contract and what is in it, which is the same for every version of
a lock. `depth` is confirmations, 0 while only in a mempool; where a chain says what is final, it
stays below the depth of the terms until then.
"""

import enum

from msgspec import Struct

from protocol.amounts import WideInt


class SpendKind(enum.StrEnum):
    """How a lock was spent. UNKNOWN is anything that is neither path of the script."""

    CLAIM = "claim"
    REFUND = "refund"
    UNKNOWN = "unknown"


class Restriction(enum.StrEnum):
    """Why an output can't be spent in time (safety rule 3)."""

    NONE = "none"
    COINBASE = "coinbase"
    HOGEX = "hogex"


class Spend(Struct, frozen=True):
    """The transaction that spends a lock. `preimage` is set for a claim, checked against the
    hashlock; `depth` 0 means mempool only, and then `to_beat` is what it and all that hangs on it
    pay, in base units: a replacement must pay more, and `since` the unix time at which it entered
    our mempool (each 0 where the node can't tell)."""

    kind: SpendKind
    txid: str
    depth: int
    preimage: bytes | None = None
    to_beat: int = 0
    since: int = 0


class LockSeen(Struct, frozen=True):
    """One output paying exactly the script of a leg, or its entry in a contract. `raw` is its whole
    transaction; `ours`: it spends a coin of our own signed lock, so that not both can confirm;
    `txid` made it, where `ref` does not tell (empty: not known)."""

    ref: str
    units: WideInt
    depth: int
    restriction: Restriction = Restriction.NONE
    spend: Spend | None = None
    raw: bytes = b""
    ours: bool = False
    txid: str = ""


class Conflict(Struct, frozen=True):
    """Another transaction spends an input of our signed lock (a kill of ours, or the operator), or
    a block came in which it could not be any more (`txid` empty)."""

    txid: str
    depth: int


class ChainView(Struct, frozen=True):
    """One chain and its leg at one moment.

    `tip_height` blocks; `tip_time`, `median_time` unix seconds; `problems` are the reasons not to
    lock or reveal now (empty = healthy); fee rates in base units of what fees are paid in, per 1000
    units of size (vbytes, gas): `fee_next` for the next block, `fee_floor` the least that is
    relayed, `fee_increment` what a replacement adds, and at least `fee_step_percent` of what it
    replaces. `fee_budget`: what one transaction of this leg can pay, in base units, where fees come
    from an account; None where they come out of the amount. `patience`: blocks that a version is
    given. `replaces` False: this node, or most of its chain's, keeps what it saw first. `locks` are
    all outputs seen to the leg's script, oldest first; `conflict` concerns our own lock here.
    """

    tip_height: int
    tip_hash: str
    tip_time: int
    median_time: int
    fee_next: int
    fee_floor: int
    fee_increment: int = 1000
    replaces: bool = True
    problems: tuple[str, ...] = ()
    locks: tuple[LockSeen, ...] = ()
    conflict: Conflict | None = None
    fee_step_percent: int = 0
    fee_budget: int | None = None
    patience: int = 1
