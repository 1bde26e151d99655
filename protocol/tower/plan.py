"""Which packages a swap leaves with its towers, and at which fees.

Owns: the drafts that follow from a swap's state, and the ladder of their variants. Must not know:
keys, which towers there are, how packages travel.

| role | package | from | what it can do |
|---|---|---|---|
| participant | refund of P | his lock is signed | nothing before T_P |
| participant | claim of I | his lock is signed | nothing until a claim of P shows the preimage |
| initiator | refund of I | his lock is signed | nothing before T_I |
| initiator | claim of P | leg P is locked | nothing until the preimage is in it, or shown |

The initiator's preimage goes into his claim only after the reveal is journalled (rule 7).

The ladder samples the client's own fee curve where it doubles: the first three rungs are good at
once, the others from when the curve reaches them, less what median time lags behind. So a tower
that burns fees can burn no more than the client would have paid by then.

On a chain with accounts the ladder is what the tower gets for the gas that it pays. In a token,
which has no price here, it doubles to the most that is allowed, from a sixteenth of it.
"""

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from protocol.bitcoin.address import script_of
from protocol.bitcoin.params import params_by_chain
from protocol.bitcoin.spends import claim_vsize, fee_for, refund_vsize
from protocol.bitcoin.tx import OutPoint
from protocol.kinds import pays_own_fees
from protocol.limits import MAX_EXPIRY, SKEW
from protocol.swap import fees, reading
from protocol.swap.facts import ChainView
from protocol.swap.fees import Curve
from protocol.swap.states import Learned, Revealed, SwapState
from protocol.swap.timelocks import leg_timing
from protocol.terms import LegName, Role, other_leg, own_leg
from protocol.tower.package import (
    MAX_VARIANTS,
    MAX_WAYS,
    PACKAGE_VERSION,
    Act,
    Package,
    Variant,
    Watched,
    Way,
    is_relayed,
    relayed,
    unsigned,
)

FREE_RUNGS: Final = 3
"""Rungs that are good at once: up to four times the estimate."""

MEDIAN_BLOCKS: Final = 6
"""Median time lags about so many blocks."""

DOUBLINGS: Final = 4
"""Of fees in a token."""

KEEP_SECONDS: Final = 14 * 86400
"""After the last expiry of the swap (rule 24 asks as much of nodes)."""


class Rung(Struct, frozen=True):
    """One fee and from when it may be paid."""

    fee: int
    not_before: int


class Draft(Struct, frozen=True):
    """A package that lacks its signatures: `bare` has neither ways nor fees. `leg` is the one that
    it spends; `rungs` are the variants of each way, or the fees."""

    leg: LegName
    bare: Package
    outpoints: tuple[OutPoint, ...]
    rungs: tuple[Rung, ...]

    @property
    def subject(self) -> tuple[object, ...]:
        """What must be registered again when it changes; fees drift by themselves."""
        bare = self.bare
        return bare.act, self.outpoints, bare.destination, bool(bare.preimage)


def drafts(state: SwapState, *, max_fee_percent: int, preimage: bytes = b"") -> tuple[Draft, ...]:
    """Every package that `state` can leave with a tower now. `preimage` is the initiator's, empty
    before his reveal is journalled; one given too early is not used."""
    if state.outcome is not None or reading.signed_lock(state) is None:
        return ()
    known = preimage if isinstance(state.secret, Revealed) else b""
    if isinstance(state.secret, Learned):
        known = state.secret.preimage
    found = (_refund(state, max_fee_percent), _claim(state, max_fee_percent, known))
    return tuple(draft for draft in found if draft is not None)


def digests(draft: Draft, relayer: bytes = b"") -> tuple[bytes, ...]:
    """What the client's key of the leg has to sign, way by way, rung by rung; on a chain with
    accounts what the account that is paid has to sign for `relayer`, nothing where that is empty.
    Raises DecodeError for an account that is none."""
    if is_relayed(draft.bare):
        act = relayed(replace(draft.bare, relayer=relayer))
        return tuple(act.digest(rung.fee, rung.not_before) for rung in draft.rungs if relayer)
    return tuple(
        unsigned(draft.bare, _bare_way(point), rung.fee, rung.not_before).sighash
        for point in draft.outpoints
        for rung in draft.rungs
    )


def seal(
    draft: Draft, signatures: tuple[bytes, ...], sequence: int, relayer: bytes = b""
) -> Package:
    """The package, complete; `signatures` in the order of `digests`."""
    bare = replace(draft.bare, sequence=sequence)
    if is_relayed(bare):
        return replace(bare, fees=_variants(draft, signatures) if relayer else (), relayer=relayer)
    each = len(draft.rungs)
    ways = tuple(
        Way(point.txid, point.vout, _variants(draft, signatures[n * each : (n + 1) * each]))
        for n, point in enumerate(draft.outpoints)
    )
    return replace(bare, ways=ways)


def _variants(draft: Draft, signatures: tuple[bytes, ...]) -> tuple[Variant, ...]:
    return tuple(
        Variant(rung.fee, rung.not_before, signature)
        for rung, signature in zip(draft.rungs, signatures, strict=True)
    )


def ladder(
    view: ChainView, curve: Curve, *, vbytes: int, max_fee: int, lag: int, least_time: int
) -> tuple[Rung, ...]:
    """Fees that double from the estimate of `view` to `max_fee` or the curve's cap, each with the
    time from which it is good. `lag` is how far median time is behind; none is good before
    `least_time`, and the first FREE_RUNGS are good from then on."""
    first = max(1, fees.first_rate(view))
    doublings = max(0, (curve.cap // first).bit_length() - 1)
    stride = -(-doublings // (MAX_VARIANTS - 2)) if doublings else 1
    rungs: list[Rung] = []
    for power in range(0, doublings + 1, stride):
        passed = (curve.end - curve.start) * power // max(1, doublings)
        when = max(0, curve.start + passed - lag) if power >= FREE_RUNGS else 0
        fee = min(fee_for(vbytes, first << power), max_fee)
        if not rungs or fee > rungs[-1].fee:
            rungs.append(Rung(fee, min(max(when, least_time), MAX_EXPIRY)))
    cap = min(fee_for(vbytes, curve.cap), max_fee)
    if cap > rungs[-1].fee:
        last = max(curve.end - lag, rungs[-1].not_before, least_time)
        rungs.append(Rung(cap, min(last, MAX_EXPIRY)))
    return tuple(rungs)


def doubling(curve: Curve, *, max_fee: int, least_time: int) -> tuple[Rung, ...]:
    """Fees in a coin that has no price here: doubling to `max_fee`, the first FREE_RUNGS good from
    `least_time` on, the others in equal steps until the curve's end."""
    fees_ = sorted({max_fee >> power for power in range(DOUBLINGS + 1)} - {0})
    rungs = []
    for number, fee in enumerate(fees_):
        passed = (curve.end - curve.start) * number // max(1, len(fees_) - 1)
        when = curve.start + passed if number >= FREE_RUNGS else 0
        rungs.append(Rung(fee, min(max(when, least_time), MAX_EXPIRY)))
    return tuple(rungs)


def _refund(state: SwapState, percent: int) -> Draft | None:
    view, times = reading.own_view(state), reading.schedule(state)
    if view is None:
        return None
    participant = state.agreement.role is Role.PARTICIPANT
    end = times.kill_deadline if participant else times.worst_freeze
    return _draft(
        state,
        own_leg(state.agreement.role),
        view,
        Act.REFUND,
        refs=reading.own_refs(state),
        span=(state.agreement.own.expiry, end),
        percent=percent,
        yield_until=times.claim_deadline if participant else 0,
    )


def _claim(state: SwapState, percent: int, preimage: bytes) -> Draft | None:
    view, times = reading.their_view(state), reading.schedule(state)
    if view is None or not state.bound:
        return None
    participant = state.agreement.role is Role.PARTICIPANT
    skew = SKEW[state.agreement.terms.timing]
    end = times.expiry_i - skew if participant else times.expiry_p
    return _draft(
        state,
        other_leg(state.agreement.role),
        view,
        Act.CLAIM,
        refs=(state.bound,),
        span=(state.agreement.agreed_at, end),
        percent=percent,
        preimage=preimage,
    )


def _draft(
    state: SwapState,
    name: LegName,
    view: ChainView,
    act: Act,
    *,
    refs: tuple[str, ...],
    span: tuple[int, int],
    percent: int,
    preimage: bytes = b"",
    yield_until: int = 0,
) -> Draft:
    agreement = state.agreement
    leg, own = agreement.terms.leg(name), own_leg(agreement.role)
    needs_showing = act is Act.CLAIM and agreement.role is Role.PARTICIPANT
    bare = Package(
        version=PACKAGE_VERSION,
        sequence=1,
        act=act,
        hashlock=agreement.terms.hashlock,
        watched=Watched(leg, agreement.since(name)),
        shows=Watched(agreement.own, agreement.since(own)) if needs_showing else None,
        ways=(),
        destination=b"",
        max_fee=max(1, leg.amount.units * percent // 100),
        preimage=preimage,
        yield_until=yield_until,
        keep_until=agreement.terms.leg_i.expiry + KEEP_SECONDS,
    )
    if is_relayed(bare):
        return _to_relay(name, bare, view, span)
    claim = act is Act.CLAIM
    address = agreement.destination if claim else agreement.refund_destination
    lag = leg_timing(leg, agreement.terms.timing).refund_lag(MEDIAN_BLOCKS)
    return _to_spend(
        name, bare, view, span, script_of(params_by_chain(leg.chain), address), refs, lag
    )


def _to_spend(
    name: LegName,
    bare: Package,
    view: ChainView,
    span: tuple[int, int],
    script: bytes,
    refs: tuple[str, ...],
    lag: int,
) -> Draft:
    """Of outputs."""
    leg = bare.watched.leg
    vbytes = (claim_vsize if bare.act is Act.CLAIM else refund_vsize)(script)
    dust = params_by_chain(leg.chain).dust_limit(script)
    max_fee = max(1, min(bare.max_fee, leg.amount.units - dust))
    rungs = ladder(
        view,
        Curve(*span, max_fee * 1000 // vbytes),
        vbytes=vbytes,
        max_fee=max_fee,
        lag=lag,
        least_time=_least_time(bare),
    )
    done = replace(bare, destination=script, max_fee=max_fee)
    return Draft(name, done, tuple(_outpoint(ref) for ref in refs[:MAX_WAYS]), rungs)


def _to_relay(name: LegName, bare: Package, view: ChainView, span: tuple[int, int]) -> Draft:
    """Of an entry in a contract."""
    act, max_fee, least_time = relayed(bare), bare.max_fee, _least_time(bare)
    curve = Curve(*span, max_fee * 1000 // act.gas)
    if pays_own_fees(bare.watched.leg.amount.asset):
        more = {"vbytes": act.gas, "max_fee": max_fee, "lag": 0, "least_time": least_time}
        rungs = ladder(view, curve, **more)
    else:
        rungs = doubling(curve, max_fee=max_fee, least_time=least_time)
    return Draft(name, replace(bare, destination=act.payee), (), rungs)


def _least_time(bare: Package) -> int:
    return bare.watched.leg.expiry if bare.act is Act.REFUND else 0


def _outpoint(ref: str) -> OutPoint:
    txid, _, index = ref.partition(":")
    return OutPoint.of(txid, int(index))


def _bare_way(point: OutPoint) -> Way:
    return Way(point.txid, point.vout, ())
