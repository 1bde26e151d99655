"""What brings a swap's coins home without swapd: which spends of which outputs, valid from when.

Owns: `plan`, the list of spends worth signing on the facts in a state. Must not know: keys, fee
rates, how anything is shown. Nothing here waits for a gate: a refund is worthless before its expiry
by itself, and a claim is planned only once the secret is out (rule 7).
"""

import enum

from msgspec import Struct

from protocol.evm.transactions import txid as txid_of_account
from protocol.swap import reading
from protocol.swap.facts import LockSeen, SpendKind
from protocol.swap.states import Dead, Held, Hidden, Killing, Learned, Revealed, SwapState
from protocol.swap.timelocks import leg_timing
from protocol.terms import Kind, LegName, Role, other_leg, own_leg

MEDIAN_BLOCKS = 6
"""Blocks with a time beyond an expiry before median time past is beyond it too."""


class What(enum.StrEnum):
    """What a spend is. An open claim lacks the preimage, which no signature covers."""

    REFUND = "refund"
    CLAIM = "claim"
    OPEN_CLAIM = "claim_without_preimage"
    KILL = "kill"
    THEIR_LOCK = "their_lock"


class Way(Struct, frozen=True):
    """One spend to sign: output `ref` of `units` on `leg`, to `destination`. Valid once median time
    past is beyond `valid_from` (unix seconds, 0 at once), which is likely at `likely_from`;
    `useful_until`: later the other side may be faster (0: never)."""

    what: What
    leg: LegName
    ref: str
    units: int
    destination: str
    valid_from: int = 0
    likely_from: int = 0
    useful_until: int = 0


class Ready(Struct, frozen=True):
    """A transaction whose bytes are known already."""

    what: What
    leg: LegName
    txid: str
    raw: bytes
    fee: int = 0
    fee_rate: int = 0


class Plan(Struct, frozen=True):
    """The ways home, best first, and what to know about them."""

    ways: tuple[Way, ...]
    ready: tuple[Ready, ...]
    notes: tuple[str, ...]


def plan(state: SwapState) -> Plan:
    """All that can be done for a swap by hand on the facts in `state`."""
    claims, refunds = _claims(state), _refunds(state)
    return Plan((*claims, *refunds), _ready(state), tuple(_notes(state, claims, refunds)))


def likely_from(state: SwapState, leg: LegName) -> int:
    """When a refund of `leg` is likely to be minable, at usual block times."""
    terms = state.agreement.terms
    lag = leg_timing(terms.leg(leg), terms.timing).refund_lag(MEDIAN_BLOCKS)
    return terms.leg(leg).expiry + lag


def _claims(state: SwapState) -> tuple[Way, ...]:
    agreement, theirs = state.agreement, reading.their_lock(state)
    if state.outcome is not None or theirs is None or isinstance(state.secret, Hidden):
        return ()
    spend = theirs.spend
    if spend is not None and spend.depth > 0:
        return ()
    is_out = isinstance(state.secret, Revealed | Learned)
    if not is_out and not reading.own_refs(state):
        return ()
    times = reading.schedule(state)
    initiator = agreement.role is Role.INITIATOR
    return (
        Way(
            What.CLAIM if is_out else What.OPEN_CLAIM,
            other_leg(agreement.role),
            theirs.ref,
            int(theirs.units),
            agreement.destination,
            useful_until=times.expiry_p if initiator else times.claim_deadline,
        ),
    )


def _refunds(state: SwapState) -> tuple[Way, ...]:
    outputs = {lock.ref: lock.units for lock in reading.extra_locks(state) if _is_open(lock)}
    if state.outcome is None and not isinstance(state.own, Held):
        outputs = _own_outputs(state) | outputs
    leg, times = own_leg(state.agreement.role), reading.schedule(state)
    participant = state.agreement.role is Role.PARTICIPANT
    return tuple(
        Way(
            What.REFUND,
            leg,
            ref,
            units,
            state.agreement.refund_destination,
            valid_from=state.agreement.own.expiry,
            likely_from=likely_from(state, leg),
            useful_until=times.kill_deadline if participant else 0,
        )
        for ref, units in outputs.items()
    )


def _own_outputs(state: SwapState) -> dict[str, int]:
    """The outputs that are, or may still become, our lock. A version that is in a block leaves no
    room for the others, until a reorganisation."""
    lock = reading.own_lock(state)
    units = int(state.agreement.own.amount.units)
    if lock is None:
        return dict.fromkeys(reading.own_refs(state), units)
    if not _is_open(lock):
        return {}
    if lock.depth >= state.agreement.own.depth:
        return {lock.ref: units}
    return dict.fromkeys((lock.ref, *reading.own_refs(state)), units)


def _is_open(lock: LockSeen) -> bool:
    return lock.spend is None or lock.spend.depth == 0


def _ready(state: SwapState) -> tuple[Ready, ...]:
    if state.outcome is not None:
        return ()
    found: list[Ready] = []
    own = state.own
    if isinstance(own, Killing) and own.kill is not None:
        if not reading.is_confirmed(reading.own_lock(state)):
            kill, leg = own.kill, own_leg(state.agreement.role)
            found.append(Ready(What.KILL, leg, kill.txid, kill.raw, kill.fee, kill.fee_rate))
    theirs = reading.their_lock(state)
    if state.their_raw and state.bound and (theirs is None or theirs.depth == 0):
        leg = other_leg(state.agreement.role)
        # An entry has the same name whichever transaction made it.
        on_accounts = state.agreement.theirs.kind is Kind.EVM
        named = txid_of_account(state.their_raw) if on_accounts else state.bound
        txid = named.partition(":")[0]
        found.append(Ready(What.THEIR_LOCK, leg, txid, state.their_raw))
    return tuple(found)


def _notes(state: SwapState, claims: tuple[Way, ...], refunds: tuple[Way, ...]) -> list[str]:
    if state.outcome is not None:
        ended = f"This swap has ended ({state.outcome.end.value}): {state.outcome.reason}."
        return [ended, *(["Others paid to our script; that can be taken back."] if refunds else [])]
    notes = []
    if isinstance(state.own, Held):
        notes.append("Our lock is signed but has never left: nothing of ours is locked.")
    if isinstance(state.own, Dead) or (not refunds and not reading.own_refs(state)):
        notes.append("Nothing of ours is locked, so there is nothing to take back.")
    if len(refunds) > 1:
        notes.append(
            "The lock went out in several versions, of which one at most can be in a block: a node "
            "takes the refund of that one only."
        )
    own = reading.own_lock(state)
    if own is not None and own.spend is not None and own.spend.kind is not SpendKind.REFUND:
        notes.append(f"Our lock is being spent by {own.spend.txid} ({own.spend.kind.value}).")
    return notes + _secret_notes(state, claims)


def _secret_notes(state: SwapState, claims: tuple[Way, ...]) -> list[str]:
    match state.secret:
        case Hidden():
            return [_HIDDEN]
        case Learned():
            return [_LEARNED]
        case Revealed():
            return [_REVEALED]
        case _:
            return [_UNKNOWN] if claims else []


_HIDDEN = """\
The preimage has never left the key store, and is not shown here: without it nobody can take our \
coins, and they come back by the refund."""

_LEARNED = """\
The preimage is public: take the other side's coins with the claim. The refund is for the case \
that their lock is gone, and may come too late."""

_REVEALED = """\
The preimage is revealed: our claim must be in a block before the other side's expiry, with a fee \
that miners want. The other side can take our coins."""

_UNKNOWN = """\
If the other side claims our lock, its transaction shows the preimage: the first item (64 digits) \
of the witness of its input. Put it in place of <PREIMAGE> in a claim, and send that, before its \
last moment. If it does not, the refund is ours."""
