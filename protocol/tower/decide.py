"""What a tower does with a package: views in, transactions to send out.

Owns: when to act and with which variant, on chains with outputs. Must not know: nodes, storage, the
network, accounts (`relaying`).

The client goes first: where it acts itself nothing is sent, so a tower costs nothing while all is
well. Where nobody spends the leg although it is due, the tower does, with the cheapest variant that
the next block takes; each block that comes without it calls for a dearer one, as far as their lock
times allow (a new txid each time: nodes do not announce again what their peers have known). Another
party's spend in a mempool is outbid at once, except that a refund lets a claim go first until
`yield_until`. A preimage seen for any time on either leg is kept and used (safety rule 8).
"""

from msgspec.structs import replace

from protocol.bitcoin.spends import (
    FinishedSpend,
    UnsignedClaim,
    claim_vsize,
    fee_for,
    refund_vsize,
)
from protocol.swap.facts import ChainView, LockSeen, Spend
from protocol.swap.fees import first_rate
from protocol.tower.package import Act, Package, Way, is_relayed, unsigned
from protocol.tower.progress import (
    MAX_RAW,
    PATIENCE_BLOCKS,
    Decision,
    Progress,
    is_due,
    learned,
    whole,
)
from protocol.tower.relaying import relay


def decide(
    package: Package,
    progress: Progress,
    view: ChainView,
    shown: ChainView | None,
    now: int,
    *,
    grace: int,
    allowance: int = 0,
) -> Decision:
    """One look. `view` is of `package.watched`, `shown` of `package.shows`; `now` unix seconds;
    `grace` is how long the client has to act by itself; `allowance` what may be spent for nothing
    where an account of ours pays (`relaying`)."""
    progress = learned(package, progress, view, shown)
    if is_relayed(package):
        return relay(package, progress, view, now, grace=grace, allowance=allowance)
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
    if not is_due(package, progress, view, spend, now):
        return Decision(replace(progress, due_since=0, others=0))
    progress = replace(progress, due_since=progress.due_since or now)
    waited = now - progress.due_since >= grace
    return _act(package, progress, view, way, spend, waited=waited)


def _lock(package: Package, view: ChainView) -> LockSeen | None:
    """The output that the package spends, as the chain shows it: the deepest one."""
    refs = {way.ref for way in package.ways}
    named = [lock for lock in whole(package, view) if lock.ref in refs]
    return max(named, key=lambda lock: lock.depth, default=None)


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
