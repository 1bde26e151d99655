"""What a tower does with a package: views in, transactions to send out.

Owns: when to act and with which variant. Must not know: nodes, storage, the network.

The client goes first: where it acts itself nothing is sent, so a tower costs nothing while all is
well. Where nobody spends the leg although it is due, the tower does, with the cheapest variant that
the next block takes; each block that comes without it calls for a dearer one, as far as their lock
times allow (a new txid each time: nodes do not announce again what their peers have known). Another
party's spend in a mempool is outbid at once, except that a refund lets a claim go first until
`yield_until`. A preimage seen for any time on either leg is kept and used (safety rule 8).
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from protocol.bitcoin.spends import (
    FinishedSpend,
    UnsignedClaim,
    claim_vsize,
    fee_for,
    refund_vsize,
)
from protocol.swap.facts import ChainView, LockSeen, Spend, SpendKind
from protocol.swap.fees import first_rate
from protocol.tower.package import Act, Package, Way, htlc_of, unsigned

PATIENCE_BLOCKS = 3
"""So many blocks may pass without the client's own spend before the tower outbids it."""

MAX_RAW = 64 * 1024
"""Bytes of the other side's lock that are kept, to send it again after a reorganisation."""


class Progress(Struct, frozen=True, forbid_unknown_fields=True):
    """What a tower remembers of a package. `preimage`: seen, or empty. `lock_raw`: the other side's
    lock, once it was in a block. `due_since`: unix seconds, 0 while nothing is due. `sent`: number
    of the dearest variant sent, -1 none, at tip `sent_height` for output `sent_ref`; `txid` its
    name. `others`: tip at which a spend by the client itself was first seen in the mempool, 0 none.
    `final`: the leg is spent for good."""

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


class Decision(Struct, frozen=True):
    """`progress` to be written down before any of `send` leaves, in this order. `why` is for the
    log, empty when nothing is sent."""

    progress: Progress
    send: tuple[bytes, ...] = ()
    why: str = ""


def decide(
    package: Package,
    progress: Progress,
    view: ChainView,
    shown: ChainView | None,
    now: int,
    *,
    grace: int,
) -> Decision:
    """One look. `view` is of `package.watched`, `shown` of `package.shows`; `now` unix seconds;
    `grace` is how long the client has to act by itself."""
    progress = _learned(package, progress, view, shown)
    lock = _lock(package, view)
    if lock is None:
        return _resend(package, progress, view, now, grace)
    if lock.depth > 0:
        keep = package.act is Act.CLAIM and len(lock.raw) <= MAX_RAW
        raw = (lock.raw or progress.lock_raw) if keep else b""
        progress = replace(progress, seen=True, lock_raw=raw)
    spend = lock.spend
    if spend is not None and spend.depth > 0:
        depth = package.watched.leg.depth
        return Decision(replace(progress, due_since=0, final=spend.depth >= depth))
    way = next(way for way in package.ways if way.ref == lock.ref)
    if not _is_due(package, progress, view, spend, now):
        return Decision(replace(progress, due_since=0, others=0))
    progress = replace(progress, due_since=progress.due_since or now)
    waited = now - progress.due_since >= grace
    return _act(package, progress, view, way, spend, waited=waited)


def _learned(
    package: Package, progress: Progress, view: ChainView, shown: ChainView | None
) -> Progress:
    if progress.preimage or package.act is not Act.CLAIM:
        return progress
    if package.preimage:
        return replace(progress, preimage=package.preimage)
    htlc = htlc_of(package, package.watched.leg)
    for preimage in _preimages(view, shown):
        if htlc.is_preimage(preimage):
            return replace(progress, preimage=preimage)
    return progress


def _preimages(*views: ChainView | None) -> Iterator[bytes]:
    for view in views:
        for lock in view.locks if view is not None else ():
            if lock.spend is not None and lock.spend.preimage is not None:
                yield lock.spend.preimage


def _lock(package: Package, view: ChainView) -> LockSeen | None:
    """The output that the package spends, as the chain shows it: the deepest one."""
    refs, units = {way.ref for way in package.ways}, package.watched.leg.amount.units
    named = [lock for lock in view.locks if lock.ref in refs and lock.units == units]
    return max(named, key=lambda lock: lock.depth, default=None)


def _is_due(
    package: Package, progress: Progress, view: ChainView, spend: Spend | None, now: int
) -> bool:
    if package.act is Act.CLAIM:
        return bool(progress.preimage)
    if view.median_time <= package.watched.leg.expiry:
        return False
    claimed = spend is not None and spend.kind is SpendKind.CLAIM
    return not claimed or max(now, view.median_time) >= package.yield_until


def _act(
    package: Package,
    progress: Progress,
    view: ChainView,
    way: Way,
    spend: Spend | None,
    *,
    waited: bool,
) -> Decision:
    """It is due and not mined: whether to send, and what."""
    if spend is None:
        return _send(package, progress, view, way, None) if waited else Decision(progress)
    if progress.sent_ref == way.ref and spend.txid in _own_txids(package, way):
        if not view.replaces or view.tip_height <= progress.sent_height:
            return Decision(replace(progress, others=0))
        return _send(package, replace(progress, others=0), view, way, spend)
    if spend.kind.value == package.act.value:
        # Only the client can have signed it, and it was not us who sent it: it is looking after
        # itself, for now. Its spend may be one of our variants, to the byte.
        progress = replace(progress, others=progress.others or view.tip_height)
        if view.tip_height - progress.others < PATIENCE_BLOCKS:
            return Decision(progress)
    if not view.replaces:
        return Decision(progress)
    return _send(package, progress, view, way, spend)


def _send(
    package: Package, progress: Progress, view: ChainView, way: Way, rival: Spend | None
) -> Decision:
    number = _choose(package, progress, view, way, rival)
    if number is None:
        return Decision(progress)
    done = finish(package, way, number, progress.preimage)
    if rival is not None and rival.txid == done.txid.hex():
        return Decision(progress)
    progress = replace(
        progress,
        sent=number,
        sent_height=view.tip_height,
        sent_ref=way.ref,
        txid=done.txid.hex(),
    )
    why = f"{package.act.value} {way.ref} with a fee of {done.fee}"
    return Decision(progress, (done.raw,), why)


def _choose(
    package: Package, progress: Progress, view: ChainView, way: Way, rival: Spend | None
) -> int | None:
    """The number of the variant to send now: of those that a block may hold, the cheapest that the
    next one takes and that outbids `rival`, and not one that was tried in vain."""
    mature = sum(variant.not_before < view.median_time for variant in way.variants)
    if mature == 0:
        return None
    claim = package.act is Act.CLAIM
    vbytes = (claim_vsize if claim else refund_vsize)(package.destination)
    least = fee_for(vbytes, first_rate(view))
    if rival is not None:
        least = max(least, rival.to_beat + fee_for(vbytes, view.fee_increment))
    fees = [variant.fee for variant in way.variants[:mature]]
    number = next((n for n, fee in enumerate(fees) if fee >= least), mature - 1)
    if progress.sent_ref == way.ref:
        number = max(number, progress.sent + (view.tip_height > progress.sent_height))
    return min(number, mature - 1)


def finish(package: Package, way: Way, number: int, preimage: bytes) -> FinishedSpend:
    """The transaction of a variant, complete. Raises BitcoinError when a claim lacks its preimage
    or the signature is not good."""
    variant = way.variants[number]
    spend = unsigned(package, way, variant.fee, variant.not_before)
    if isinstance(spend, UnsignedClaim):
        return spend.finish(variant.signature, preimage)
    return spend.finish(variant.signature)


def _own_txids(package: Package, way: Way) -> frozenset[str]:
    """A witness is no part of a txid: a claim has its name before its preimage."""
    spends = (unsigned(package, way, v.fee, v.not_before) for v in way.variants)
    return frozenset(spend.tx.txid().hex() for spend in spends)


def _resend(
    package: Package, progress: Progress, view: ChainView, now: int, grace: int
) -> Decision:
    """The lock is nowhere: after a reorganisation the other side's goes out again, together with
    the claim. Never our client's own: he may be killing it."""
    if not (progress.lock_raw and progress.preimage and package.act is Act.CLAIM):
        return Decision(replace(progress, due_since=0))
    progress = replace(progress, due_since=progress.due_since or now)
    way = next((way for way in package.ways if way.ref == progress.sent_ref), package.ways[-1])
    waited = now - progress.due_since >= grace
    decision = _act(package, progress, view, way, None, waited=waited)
    if not decision.send:
        return decision
    return replace(decision, send=(progress.lock_raw, *decision.send))
