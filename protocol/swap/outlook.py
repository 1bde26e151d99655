"""What happens next in a swap: who can act until when, what it costs now, what being away risks.

Owns: `Outlook` and how it follows from a state. Must not know: formatting, what went wrong around
the swap (`advice`). Derived from the state alone; nothing decides. Times are unix seconds.
"""

import enum

from msgspec import Struct

from protocol.kinds import sizes_of
from protocol.limits import (
    FIRST_CONFIRMATION_SECONDS,
    RELEASE_SECONDS,
)
from protocol.swap import fees, reading
from protocol.swap.explain import Phase, Summary, Who, summarise
from protocol.swap.facts import SpendKind
from protocol.swap.rescue import likely_from
from protocol.swap.states import Dead, Held, Hidden, Learned, Revealed, SwapState, Unfunded
from protocol.terms import LegName, Role, other_leg, own_leg


class Risk(enum.StrEnum):
    """What can be lost by being away."""

    NOTHING = "nothing"
    TIME = "time"
    COINS = "coins"


class Act(Struct, frozen=True):
    """`who` can do `what` from `since` (0: at once) until `until` (0: without an end)."""

    who: Who
    what: str
    since: int = 0
    until: int = 0


class Cost(Struct, frozen=True):
    """A transaction of ours on `leg` would cost `units` at what the next block costs now; `when`
    says in which case it is made."""

    what: str
    leg: LegName
    size: int
    fee_rate: int
    when: str

    @property
    def units(self) -> int:
        """Base units of what fees on its chain are paid in."""
        return -(-self.size * self.fee_rate // 1000)


class Outlook(Struct, frozen=True):
    """`away_until`: until then nothing bad happens if we are off; 0 means stay on. `at_stake` base
    units of our own leg that may be lost (only with Risk.COINS)."""

    summary: Summary
    acts: tuple[Act, ...]
    costs: tuple[Cost, ...]
    risk: Risk
    at_stake: int
    away_until: int
    if_away: str


def outlook(state: SwapState) -> Outlook:
    """The outlook of a swap on the facts in `state`."""
    said = summarise(state)
    risk = risk_of(state)
    return Outlook(
        summary=said,
        acts=tuple(_acts(state, said.phase)),
        costs=tuple(_costs(state, said.phase)),
        risk=risk,
        at_stake=int(state.agreement.own.amount.units) if risk is Risk.COINS else 0,
        away_until=said.safe_until,
        if_away=_if_away(state, said, risk),
    )


def risk_of(state: SwapState) -> Risk:
    """What being away for long could cost (safety.md, "online"). The initiator's coins are safe
    until the reveal: nobody else has the preimage. The participant's are in play from his lock."""
    if state.outcome is not None or isinstance(state.own, Unfunded | Held | Dead):
        return Risk.NOTHING
    if isinstance(state.secret, Hidden):
        return Risk.TIME
    return Risk.COINS


def is_stuck_before_expiry(state: SwapState) -> bool:
    """Our expiry has come, but median time past is not beyond it yet."""
    return state.now >= state.agreement.own.expiry and not reading.own_expiry_passed(state)


# --- Who can act ------------------------------------------------------------------------------


def _acts(state: SwapState, phase: Phase) -> list[Act]:
    if state.outcome is not None:
        return []
    if state.agreement.role is Role.INITIATOR:
        return _initiator_acts(state, phase)
    return _participant_acts(state, phase)


def _initiator_acts(state: SwapState, phase: Phase) -> list[Act]:
    times, theirs = reading.schedule(state), reading.their_lock(state)
    if isinstance(state.secret, Revealed):
        return [
            Act(Who.US, "have our claim in a block", until=times.expiry_p),
            Act(Who.COUNTERPARTY, "claim our coins", until=times.expiry_i),
            Act(Who.COUNTERPARTY, "take its own coins back", since=times.expiry_p),
        ]
    if phase is Phase.AGREED:
        until = min(times.lock_gate_i, state.agreement.agreed_at + RELEASE_SECONDS)
        return [Act(Who.US, "lock our coins, or the swap is given up", until=until)]
    found = []
    if phase is Phase.KILLING:
        found.append(Act(Who.US, "pay the coins of our lock back to us"))
    elif phase is Phase.LOCKING:
        found.append(Act(Who.CHAIN, "confirm our lock", until=times.lock_gate_i))
    if not reading.is_confirmed(theirs) and phase is not Phase.KILLING:
        found.append(Act(Who.COUNTERPARTY, "lock its coins", until=times.lock_gate_p))
    if phase in {Phase.LOCKING, Phase.LOCKED}:
        found.append(Act(Who.US, "claim, which shows the preimage", until=times.reveal_gate))
    return [*found, _refund(state)]


def _participant_acts(state: SwapState, phase: Phase) -> list[Act]:
    times, theirs = reading.schedule(state), reading.their_lock(state)
    if isinstance(state.secret, Learned):
        return [
            Act(Who.US, "claim, in time to be final", until=times.claim_deadline),
            Act(Who.COUNTERPARTY, "take its own coins back", since=times.expiry_i),
        ]
    if phase is Phase.AGREED:
        agreed = state.agreement.agreed_at
        unseen = reading.seen_within(state.agreement.theirs)
        patience = unseen if theirs is None else FIRST_CONFIRMATION_SECONDS
        found = []
        if not reading.is_confirmed(theirs):
            who = Who.COUNTERPARTY if theirs is None else Who.CHAIN
            found.append(Act(who, "lock first, or the swap is given up", until=agreed + patience))
        return [*found, Act(Who.US, "lock our coins in answer", until=times.lock_gate_p)]
    if phase is Phase.KILLING:
        return [Act(Who.US, "pay the coins of our lock back to us", until=times.kill_deadline)]
    return [
        Act(Who.COUNTERPARTY, "claim our coins, which shows us the preimage"),
        Act(Who.US, "claim once the preimage was shown", until=times.claim_deadline),
        _refund(state),
    ]


def _refund(state: SwapState) -> Act:
    times = reading.schedule(state)
    participant = state.agreement.role is Role.PARTICIPANT
    until = times.kill_deadline if participant else 0
    return Act(
        Who.US,
        "take our coins back with the refund",
        since=likely_from(state, own_leg(state.agreement.role)),
        until=until,
    )


# --- What it costs ----------------------------------------------------------------------------


def _costs(state: SwapState, phase: Phase) -> list[Cost]:
    if state.outcome is not None:
        return []
    own, theirs = own_leg(state.agreement.role), other_leg(state.agreement.role)
    sizes = sizes_of(state.agreement.own.amount.asset)
    found = []
    lock = reading.own_lock(state)
    if phase is Phase.AGREED:
        found.append((own, "lock", sizes.lock, "if the swap goes on"))
    if phase is Phase.KILLING:
        signed = reading.signed_lock(state)
        coins = len(signed.coins) if signed else 1
        found.append((own, "kill", sizes.kill * coins, "now"))
    if not _is_claimed(state):
        claim = sizes_of(state.agreement.theirs.amount.asset).claim
        found.append((theirs, "claim", claim, "when the swap completes"))
    if lock is None or lock.spend is None or lock.spend.kind is SpendKind.REFUND:
        found.append((own, "refund", sizes.refund, "only if it fails"))
    costs = []
    for leg, what, size, when in found:
        view = reading.view_of(state, leg)
        if view is not None:
            costs.append(Cost(what, leg, size, fees.first_rate(view), when))
    return costs


def _is_claimed(state: SwapState) -> bool:
    theirs = reading.their_lock(state)
    return theirs is not None and theirs.spend is not None and theirs.spend.depth > 0


# --- Being away -------------------------------------------------------------------------------


def _if_away(state: SwapState, said: Summary, risk: Risk) -> str:
    if state.outcome is not None:
        return "Nothing: the swap has ended."
    if risk is Risk.NOTHING:
        return "Nothing of ours is locked: if we are away, the swap is given up and costs nothing."
    if risk is Risk.TIME:
        return (
            "No coins can be lost: only we know the preimage. If we are away, the swap fails and "
            "our coins stay frozen until we are back after our expiry and take them back."
        )
    if isinstance(state.secret, Revealed):
        return (
            "Our coins are at stake: the preimage is out, so the other side can claim them, and "
            "our claim must be in a block before the other side's expiry. Stay on till it is final."
        )
    if isinstance(state.secret, Learned):
        return (
            "The other side's coins, which pay for ours: our claim must be sent before the last "
            "moment to be final before the other side can take them back."
        )
    if said.safe_until == 0 or said.safe_until <= state.now:
        return (
            "Our coins are at stake: the other side can claim them, and we must then claim in "
            "time; or we must take them back. Stay on until one of the two is final."
        )
    return (
        "Nothing until then. From then on our refund must be sent, or the other side may claim "
        "late while we do not look: be back by then."
    )
