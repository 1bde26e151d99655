"""Swap states as the values of the control API.

Owns: that translation. Must not know: sockets, formatting for terminals, how swaps run.
"""

from typing import assert_never

from protocol.amounts import Price
from protocol.assets import AssetId
from protocol.kinds import fee_asset_of
from protocol.swap import explain, reading
from protocol.swap.facts import LockSeen, SpendKind
from protocol.swap.lifting import is_of_claim
from protocol.swap.machine import material
from protocol.swap.places import place_of
from protocol.swap.rescue import likely_from
from protocol.swap.states import (
    Dead,
    Held,
    Killing,
    Learned,
    Released,
    Revealed,
    SwapState,
    Tx,
    Unfunded,
)
from protocol.terms import LegName, LegTerms, Role, own_leg, terms_hash
from swapd.api.amounts import AssetTable
from swapd.api.values import (
    Actor,
    Deadline,
    FeeLine,
    LegStatus,
    PriceView,
    SwapDetail,
    SwapLegView,
    SwapPhase,
    SwapSummary,
    TxView,
)

_STATUS_OF_SPEND = {
    SpendKind.CLAIM: LegStatus.CLAIMED,
    SpendKind.REFUND: LegStatus.REFUNDED,
    SpendKind.UNKNOWN: LegStatus.LOST,
}

_MEANING = {
    "lock_gate_i": "after this the taker's lock is not worth sending: one in the air is killed",
    "lock_gate_p": "after this the maker does not lock: a lock of his in the air is killed",
    "reveal_gate": "after this the taker does not claim any more; both legs are refunded",
    "expiry_p": "the maker's refund becomes possible about {wait_p} after this",
    "claim_deadline": "by this the maker has sent his claim of the taker's leg",
    "expiry_i": "the taker's refund becomes possible about {wait_i} after this",
}


def deadlines(state: SwapState) -> tuple[Deadline, ...]:
    """Every moment that matters in a swap, in order."""
    times, terms = reading.schedule(state), state.agreement.terms
    waits = {
        f"wait_{leg.value}": in_words(likely_from(state, leg) - terms.leg(leg).expiry)
        for leg in LegName
    }
    found = [
        Deadline(name=name, at=getattr(times, name), meaning=meaning.format(**waits))
        for name, meaning in _MEANING.items()
    ]
    return tuple(sorted(found, key=lambda deadline: deadline.at))


def in_words(seconds: int) -> str:
    """A wait, in the largest unit that it has two of."""
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{seconds} seconds"


class SwapViews:
    """Makes views with the tickers of `assets`."""

    def __init__(self, assets: AssetTable) -> None:
        self._assets = assets

    def summary(self, state: SwapState, sequence: int, updated_at: int) -> SwapSummary:
        """One row of a list."""
        agreement = state.agreement
        said = explain.summarise(state)
        other = agreement.terms.maker
        if agreement.role is Role.PARTICIPANT:
            other = agreement.terms.taker
        return SwapSummary(
            swap_id=agreement.swap_id.hex(),
            role=agreement.role.value,
            phase=SwapPhase(said.phase.value),
            pay=self._assets.view(agreement.own.amount),
            receive=self._assets.view(agreement.theirs.amount),
            offer_id=agreement.terms.offer_id.hex(),
            counterparty=other.hex(),
            created_at=agreement.agreed_at,
            updated_at=updated_at,
            sequence=sequence,
            explanation=said.next_action,
            reason=state.outcome.reason if state.outcome else "",
        )

    def detail(
        self, state: SwapState, sequence: int, updated_at: int, *, now: int, trouble: str
    ) -> SwapDetail:
        """Everything about one swap."""
        agreement = state.agreement
        said = explain.summarise(state)
        own = own_leg(agreement.role)
        legs = (own, LegName.P if own is LegName.I else LegName.I)
        moments = deadlines(state)
        upcoming = [d.at for d in moments if d.at > now]
        ended = state.outcome is not None
        return SwapDetail(
            summary=self.summary(state, sequence, updated_at),
            now=now,
            price=self._price(state),
            hashlock=agreement.terms.hashlock.hex(),
            preimage_public=isinstance(state.secret, Revealed | Learned),
            terms_hash=terms_hash(agreement.terms).hex(),
            legs=tuple(self._leg(state, leg) for leg in legs),
            destination=agreement.destination,
            refund_destination=agreement.refund_destination,
            next_actor=Actor(said.who.value),
            next_action=said.next_action,
            next_deadline=None if ended else min(upcoming, default=None),
            deadlines=moments,
            safe_unattended_until=said.safe_until,
            fees=self._fees(state),
            warnings=(*said.warnings, *((trouble,) if trouble else ())),
        )

    def _price(self, state: SwapState) -> PriceView:
        terms = state.agreement.terms
        price = Price.of(int(terms.leg_i.amount.units), int(terms.leg_p.amount.units))
        sold, bought = terms.leg_p.amount.asset, terms.leg_i.amount.asset
        return self._assets.price_view(price.numerator, price.denominator, sold, bought)

    def _leg(self, state: SwapState, name: LegName) -> SwapLegView:
        leg = state.agreement.terms.leg(name)
        ours = name is own_leg(state.agreement.role)
        lock = reading.own_lock(state) if ours else reading.their_lock(state)
        place = place_of(leg, state.agreement.terms.hashlock)
        ticker = self._assets.find(leg.amount.asset).ticker
        return SwapLegView(
            name=name.value,
            ours=ours,
            chain=leg.chain,
            ticker=ticker,
            amount=self._assets.view(leg.amount),
            status=_status(lock, leg),
            script_address=place.address,
            script=place.script,
            outpoint=lock.ref if lock else None,
            depth=lock.depth if lock else 0,
            final_depth=leg.depth,
            expiry=leg.expiry,
            transactions=self._transactions(state, name, lock, ticker),
        )

    def _transactions(
        self, state: SwapState, name: LegName, lock: LockSeen | None, ticker: str
    ) -> tuple[TxView, ...]:
        leg = state.agreement.terms.leg(name)
        ours = name is own_leg(state.agreement.role)
        known = _own_transactions(state, ours=ours)
        paid_in = fee_asset_of(leg.amount.asset)

        def view(what: str, txid: str, depth: int | None) -> TxView:
            tx = known.get(txid)
            return TxView(
                what=what,
                chain=leg.chain,
                ticker=ticker,
                txid=txid,
                ours=tx is not None,
                depth=depth,
                final_depth=leg.depth,
                fee=self._assets.view_units(paid_in, tx.fee) if tx else None,
                raw=tx.raw.hex() if tx else None,
            )

        found: list[TxView] = []
        if lock is not None:
            if reading.txid_of(lock):
                found.append(view("lock", reading.txid_of(lock), lock.depth))
            if lock.spend is not None:
                found.append(view(lock.spend.kind.value, lock.spend.txid, lock.spend.depth))
        conflict = (state.view_i if name is LegName.I else state.view_p) if ours else None
        if conflict is not None and conflict.conflict is not None and conflict.conflict.txid:
            found.append(view("kill", conflict.conflict.txid, conflict.conflict.depth))
        shown = {tx.txid for tx in found}
        for txid, what in _unseen(state, ours=ours):
            if txid not in shown:
                found.append(view(what, txid, None))
        return tuple(found)

    def _fees(self, state: SwapState) -> tuple[FeeLine, ...]:
        """What we paid, or will pay, in network fees."""
        lines = []
        for what, tx, asset in _paid(state):
            lines.append(
                FeeLine(
                    what=what,
                    amount=self._assets.view_units(fee_asset_of(asset), tx.fee),
                    vbytes=-(-tx.fee * 1000 // max(1, tx.fee_rate)),
                    fee_rate=tx.fee_rate,
                    when="signed",
                )
            )
        return tuple(lines)


def _status(lock: LockSeen | None, leg: LegTerms) -> LegStatus:
    if lock is None:
        return LegStatus.UNSEEN
    if lock.spend is not None:
        return _STATUS_OF_SPEND[lock.spend.kind]
    if lock.depth == 0:
        return LegStatus.UNCONFIRMED
    return LegStatus.FINAL if lock.depth >= leg.depth else LegStatus.CONFIRMED


def _own_transactions(state: SwapState, *, ours: bool) -> dict[str, Tx]:
    found = {tx.txid: tx for tx in (*state.replaced, *state.children)}
    if not ours:
        return found | ({state.claim.txid: state.claim} if state.claim else {})
    found |= {tx.txid: tx for tx in state.refunds}
    lock, kill = _signed(state)
    if lock is not None:
        found[lock.txid] = lock
    if kill is not None:
        found[kill.txid] = kill
    return found


def _signed(state: SwapState) -> tuple[Tx | None, Tx | None]:
    """Our lock and our kill, where they were signed."""
    own = state.own
    match own:
        case Unfunded():
            return None, None
        case Held() | Released():
            return own.lock.tx, None
        case Killing():
            return own.lock.tx, own.kill
        case Dead():
            return (own.lock.tx if own.lock else None), own.kill
        case _:
            assert_never(own)


def _unseen(state: SwapState, *, ours: bool) -> tuple[tuple[str, str], ...]:
    """Our signed transactions of one leg: (txid, what)."""
    if not ours:
        return ((state.claim.txid, "claim"),) if state.claim else ()
    found = []
    lock, kill = _signed(state)
    view = reading.own_view(state)
    if lock is not None and reading.own_lock(state) is None:
        found.append((lock.txid, "lock"))
    if kill is not None and (view is None or view.conflict is None):
        found.append((kill.txid, "kill"))
    found += [(tx.txid, "refund") for tx in state.refunds]
    return tuple(found)


def _paid(state: SwapState) -> tuple[tuple[str, Tx, AssetId], ...]:
    own, theirs = state.agreement.own.amount.asset, state.agreement.theirs.amount.asset
    found: list[tuple[str, Tx, AssetId]] = []
    lock, kill = _signed(state)
    if lock is not None:
        found.append(("lock", lock, own))
    if kill is not None:
        found.append(("kill", kill, own))
    if state.claim is not None:
        found.append(("claim", state.claim, theirs))
    found += [("refund", tx, own) for tx in state.refunds]
    found += [("child", tx, theirs if is_of_claim(state, tx.ref) else own) for tx in state.children]
    return tuple((what, _as_seen(state, tx), asset) for what, tx, asset in found)


def _as_seen(state: SwapState, newest: Tx) -> Tx:
    """The version of `newest` that the chain shows, where that is an older one of ours."""
    locks = [lock for lock in (reading.own_lock(state), reading.their_lock(state)) if lock]
    seen = {reading.txid_of(lock) for lock in locks}
    seen |= {lock.spend.txid for lock in locks if lock.spend is not None}
    view = reading.own_view(state)
    if view is not None and view.conflict is not None:
        seen.add(view.conflict.txid)
    for tx in state.replaced:
        versions = tx.ref == newest.ref or (_is_lock(tx) and _is_lock(newest))
        if versions and tx.txid in seen:
            return tx
    return newest


def _is_lock(tx: Tx) -> bool:
    """A lock is named by the output it makes, all others by the one they spend."""
    return tx.ref.partition(":")[0] == tx.txid


def changed_in_words(before: SwapState | None, after: SwapState) -> str:
    """What happened between two states of one swap, for the event stream."""
    if before is None:
        return "the swap was agreed"
    if after.outcome is not None and before.outcome is None:
        return f"the swap ended: {after.outcome.end.value}"
    if material(before) == material(after):
        return "nothing changed"
    return explain.summarise(after).next_action
