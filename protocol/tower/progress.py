"""How far a tower got with a package, and what a look at the chains adds to that.

Owns: `Progress`, `Order`, `Decision`, learning a preimage, when something is due. Must not know:
what is sent then (`decide`, `relaying`).
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from protocol.amounts import WideInt
from protocol.swap.facts import ChainView, LockSeen, Spend, SpendKind
from protocol.tower.package import Act, Package, opens

PATIENCE_BLOCKS = 3
"""So many blocks may pass without the client's own spend before the tower outbids it."""

MAX_RAW = 64 * 1024
"""Bytes of the other side's lock that are kept, to send it again after a reorganisation."""


class Progress(Struct, frozen=True, forbid_unknown_fields=True):
    """What a tower remembers of a package. `preimage`: seen, or empty. `lock_raw`: the other side's
    lock, once it was in a block. `due_since`: unix seconds, 0 while nothing is due. `sent`: number
    of the dearest variant sent, -1 none, at tip `sent_height` for output `sent_ref`; `txid` its
    name, `rate` its fee rate where an account of the tower pays. `others`: tip at which a spend by
    the client itself was first seen in the mempool, 0 none. `final`: the leg is spent for good."""

    preimage: bytes = b""
    lock_raw: bytes = b""
    due_since: int = 0
    sent: int = -1
    sent_height: int = 0
    sent_ref: str = ""
    txid: str = ""
    others: int = 0
    seen: bool = False
    final: bool = False
    rate: WideInt = 0


class Order(Struct, frozen=True):
    """A call to be sent from an account of the tower's own: to `contract`, with `data`, for at most
    `rate` wei per 1000 gas. `ref` names the lock and `act` what is done with it: versions of the
    same order share a nonce."""

    act: str
    ref: str
    contract: bytes
    data: bytes
    rate: int


class Decision(Struct, frozen=True):
    """`progress` to be written down before any of `send` leaves, in this order. An `order` is made
    a transaction first (`built`). `why` is for the log, empty when nothing is sent."""

    progress: Progress
    send: tuple[bytes, ...] = ()
    why: str = ""
    order: Order | None = None


def built(decision: Decision, txid: str, raw: bytes) -> Decision:
    """The decision whose order has become this transaction."""
    progress = replace(decision.progress, txid=txid)
    return Decision(progress, (*decision.send, raw), decision.why)


def learned(
    package: Package, progress: Progress, view: ChainView, shown: ChainView | None
) -> Progress:
    """With the preimage, if it is here or to be seen anywhere."""
    if progress.preimage or package.act is not Act.CLAIM:
        return progress
    if package.preimage:
        return replace(progress, preimage=package.preimage)
    for preimage in _preimages(view, shown):
        if opens(package, preimage):
            return replace(progress, preimage=preimage)
    return progress


def _preimages(*views: ChainView | None) -> Iterator[bytes]:
    for view in views:
        for lock in view.locks if view is not None else ():
            if lock.spend is not None and lock.spend.preimage is not None:
                yield lock.spend.preimage


def is_due(
    package: Package, progress: Progress, view: ChainView, spend: Spend | None, now: int
) -> bool:
    """Whether a spend of the lock should be under way."""
    if package.act is Act.CLAIM:
        return bool(progress.preimage)
    if view.median_time <= package.watched.leg.expiry:
        return False
    claimed = spend is not None and spend.kind is SpendKind.CLAIM
    return not claimed or max(now, view.median_time) >= package.yield_until


def whole(package: Package, view: ChainView) -> tuple[LockSeen, ...]:
    """The locks of exactly the leg's amount."""
    units = package.watched.leg.amount.units
    return tuple(lock for lock in view.locks if lock.units == units)
