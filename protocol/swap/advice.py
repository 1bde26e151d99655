"""What is unusual about a swap, and what its operator should do: situations, each with a code.

Owns: the situations, how they are recognised in a state and its surroundings, their words. Must not
know: how anything is shown. Most need nothing: then the advice says so, and why.
"""

import enum

from msgspec import Struct

from protocol.swap import reading
from protocol.swap.explain import Phase, phase_of
from protocol.swap.facts import ChainView, SpendKind
from protocol.swap.outlook import is_stuck_before_expiry
from protocol.swap.remedies import remedy_of
from protocol.swap.states import (
    Dead,
    End,
    Learned,
    Released,
    Revealed,
    SwapState,
    Tx,
)
from protocol.swap.timelocks import leg_timing
from protocol.swap.troubles import Trouble, trouble_of
from protocol.terms import Kind, LegName, Role

MAX_HEIGHT = 2**31 - 1
"""No tip is so high: what was never built can't hang."""

CLOCK_AHEAD_SECONDS = 2 * 3600
"""A wall clock so far beyond the tips of both chains is taken to be wrong; on regtest a tenth."""


class Severity(enum.StrEnum):
    """How urgent."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Situation(enum.StrEnum):
    """Stable codes of what a state shows by itself."""

    LOCK_HANGS = "lock_hangs"
    LOCK_HANGS_FEES_ROSE = "lock_hangs_fees_rose"
    COUNTERPARTY_SILENT = "counterparty_silent"
    LOCK_GATE_PASSED = "lock_gate_passed"
    NOBODY_ANSWERS_ANY_MORE = "nobody_answers_any_more"
    REFUND_WAITS = "refund_waits_for_median_time"
    REFUND_HANGS = "refund_hangs"
    REFUND_OUTBID = "refund_outbid"
    CLAIM_HANGS = "claim_hangs"
    CLAIM_RIVALLED = "claim_rivalled"
    CLAIM_LATE = "claim_late"
    THEIR_LOCK_GONE = "their_lock_gone"
    KILL_PENDING = "kill_pending"
    KILL_BLOCKED = "kill_blocked"
    SPENT_ELSEWHERE = "spent_elsewhere"
    LOCK_TOO_LATE = "lock_too_late"
    CLOCK_AHEAD = "clock_ahead"
    UNATTENDED = "unattended"
    RESTORED = "restored"
    WATCH_ONLY = "watch_only"
    LOCKED = "locked"
    TOWER_STALE = "tower_stale"
    TOWER_STANDS_IN = "tower_stands_in"


class Around(Struct, frozen=True):
    """What is known beside the state: `wall` clock; `trouble` that failed last, why the swap is
    `unattended`, what is wrong with its `towers`, why the daemon is `watch_only`: empty when all is
    well. `locked`: it has no seed to sign with. `stand_in` are the towers that hold all that they
    need."""

    wall: int
    trouble: str = ""
    unattended: str = ""
    watch_only: str = ""
    locked: bool = False
    towers: tuple[str, ...] = ()
    stand_in: tuple[str, ...] = ()


class Advice(Struct, frozen=True):
    """`code` is a Situation or a Trouble; `what` is so; `remedy` is what to do about it."""

    code: str
    severity: Severity
    what: str
    remedy: str


def advise(state: SwapState, around: Around) -> tuple[Advice, ...]:
    """Everything that is unusual, most urgent first."""
    found = [*_surroundings(state, around), *_troubles(state, around)]
    if state.outcome is None:
        found += [*_clock(state, around), *_ours(state), *_theirs(state), *_claim(state)]
    else:
        found += _ended(state)
    order = list(Severity)
    unique = {advice.code: advice for advice in reversed(found)}.values()
    return tuple(sorted(unique, key=lambda advice: -order.index(advice.severity)))


_NOTHING = "nothing: it is done by itself while swapd runs"


def _info(code: Situation, what: str, remedy: str = _NOTHING) -> Advice:
    return Advice(code.value, Severity.INFO, what, remedy)


def _warn(code: Situation, what: str, remedy: str) -> Advice:
    return Advice(code.value, Severity.WARNING, what, remedy)


def _alarm(code: Situation, what: str, remedy: str) -> Advice:
    return Advice(code.value, Severity.CRITICAL, what, remedy)


# --- Around the swap --------------------------------------------------------------------------


def _surroundings(state: SwapState, around: Around) -> list[Advice]:
    found = []
    if around.unattended:
        found.append(
            _alarm(
                Situation.UNATTENDED,
                f"nobody looks after this swap: {around.unattended}",
                "mend that and start swapd again; else `swap-cli swap rescue` and do it by hand",
            )
        )
    if around.locked:
        found.append(
            _alarm(
                Situation.LOCKED,
                "this daemon is locked: of all that follows it does only what was signed before",
                "`swap-cli unlock` it before the time until which it is safe to be away",
            )
        )
    if around.watch_only:
        found.append(
            _warn(
                Situation.WATCH_ONLY,
                f"this daemon only watches, it begins nothing: {around.watch_only}",
                "claims and refunds go on; end the other daemon of this seed, or this one",
            )
        )
    if state.restored and state.outcome is None:
        found.append(
            _info(
                Situation.RESTORED,
                "restored from a recovery file: it claims, refunds and watches, and never locks",
                "keep swapd running until it has ended; never start the old machine again",
            )
        )
    if around.towers:
        found.append(
            _warn(
                Situation.TOWER_STALE,
                f"a tower does not hold what it needs to stand in: {'; '.join(around.towers)}",
                "do not rely on it: stay on as if there were none, or add another tower",
            )
        )
    if around.stand_in and state.outcome is None:
        found.append(
            _info(
                Situation.TOWER_STANDS_IN,
                f"towers that hold what it takes to claim or refund for us: {len(around.stand_in)}",
                "being away is safer with them, see docs/towers.md; a lock that hangs needs us",
            )
        )
    return found


_SEVERE = {
    Trouble.NODE_PRUNED: Severity.CRITICAL,
    Trouble.DISK_FULL: Severity.CRITICAL,
    Trouble.COINS_GONE: Severity.WARNING,
    Trouble.WALLET_LOCKED: Severity.WARNING,
    Trouble.WALLET_MISSING: Severity.WARNING,
    Trouble.CONTRACT_WRONG: Severity.CRITICAL,
    Trouble.TOKEN_REPLACED: Severity.CRITICAL,
}

_URGENT = frozenset(
    {
        Trouble.NODE_DOWN,
        Trouble.DISK_FULL,
        Trouble.WRONG_CHAIN,
        Trouble.ENDPOINTS_FEW,
        Trouble.ENDPOINTS_DIFFER,
        Trouble.NODE_LIMITS,
        Trouble.STATE_MISSING,
        Trouble.GAS_LOW,
        Trouble.TOKEN_PAUSED,
        Trouble.TOKEN_BARRED,
    }
)
"""What keeps a transaction of ours from its block."""


def _troubles(state: SwapState, around: Around) -> list[Advice]:
    """Problems of the nodes matter while the swap is open, and a node that is down most once coins
    of ours hang on it."""
    if state.outcome is not None:
        return []
    texts = [text for view in _views(state) for text in view.problems]
    texts += [around.trouble] if around.trouble else []
    found = []
    for text in texts:
        kind = trouble_of(text)
        severity = _SEVERE.get(kind, Severity.WARNING)
        if kind in _URGENT and _is_urgent(state):
            severity = Severity.CRITICAL
        found.append(Advice(kind.value, severity, text, remedy_of(kind)))
    return found


def _views(state: SwapState) -> tuple[ChainView, ...]:
    return tuple(view for view in (state.view_i, state.view_p) if view is not None)


def _is_urgent(state: SwapState) -> bool:
    """Something of ours must get into a block soon."""
    return phase_of(state) in {Phase.CLAIMING, Phase.REFUNDING, Phase.KILLING}


def _clock(state: SwapState, around: Around) -> list[Advice]:
    """A node that got no block for long has a problem of its own; when both chains seem to stand
    still, it is rather the clock that runs ahead."""
    views = _views(state)
    if len(views) < len(LegName):
        return []
    newest = max(max(view.tip_time, view.median_time) for view in views)
    slack = CLOCK_AHEAD_SECONDS if _usual(state, LegName.I) > 60 else CLOCK_AHEAD_SECONDS // 10
    if around.wall - newest < slack:
        return []
    return [
        _warn(
            Situation.CLOCK_AHEAD,
            "this machine's clock is far beyond the newest blocks of both chains",
            "set the clock (NTP): by a clock that is ahead swaps are given up too early",
        )
    ]


def _usual(state: SwapState, leg: LegName) -> int:
    terms = state.agreement.terms
    return leg_timing(terms.leg(leg), terms.timing).usual


# --- Our own leg ------------------------------------------------------------------------------


def _ours(state: SwapState) -> list[Advice]:
    phase, view, lock = phase_of(state), reading.own_view(state), reading.own_lock(state)
    found = []
    if phase is Phase.LOCKING and view is not None and isinstance(state.own, Released):
        found.append(_hanging(state, view))
    if phase is Phase.KILLING and view is not None:
        if not view.replaces and lock is not None:
            found.append(
                _warn(
                    Situation.KILL_BLOCKED,
                    "our lock hangs in a mempool that replaces nothing, so it can't be killed "
                    "while it is there",
                    "mempoolreplacement=1 in litecoin.conf helps; if it still hangs at its expiry "
                    "its refund, as a child, brings it in and takes it back",
                )
            )
        else:
            how = "its nonce is being used up" if _on_accounts(state) else "its coins are being"
            how += " by a payment of nothing" if _on_accounts(state) else " paid back to us"
            found.append(
                _info(Situation.KILL_PENDING, f"our lock was not confirmed in time: {how}")
            )
    if view is not None and view.conflict is not None:
        found += _conflicting(state, view.conflict.txid)
    return found + _refund(state)


def _on_accounts(state: SwapState) -> bool:
    """Our leg is on a chain with accounts."""
    return state.agreement.own.kind is Kind.EVM


def _conflicting(state: SwapState, txid: str) -> list[Advice]:
    """Something other than our lock has taken its place."""
    if txid in reading.own_kills(state):
        return []
    if not txid:
        what = "our lock's deadline passed in a block without it: it can do nothing any more"
        return [_info(Situation.LOCK_TOO_LATE, what)]
    spent, keys = "a coin of our lock is spent", "keys of your wallet"
    if _on_accounts(state):
        spent, keys = "the nonce of our lock was used", "seed"
    what = f"{spent} by {txid}, which is not ours to make"
    remedy = f"if that was you: nothing; else look who else has the {keys}"
    return [_warn(Situation.SPENT_ELSEWHERE, what, remedy)]


def _hanging(state: SwapState, view: ChainView) -> Advice:
    own = state.own
    rose = isinstance(own, Released) and view.fee_next > own.lock.tx.fee_rate
    if not rose:
        return _info(Situation.LOCK_HANGS, "our lock waits for its first confirmation")
    how = "it is bumped while there is time" if view.replaces else "it can't be bumped there"
    return _info(
        Situation.LOCK_HANGS_FEES_ROSE,
        "fees rose beyond what our lock pays, so it hangs",
        f"nothing: {how}, and at its gate it is killed and the coins come back",
    )


def _refund(state: SwapState) -> list[Advice]:
    lock, view = reading.own_lock(state), reading.own_view(state)
    if lock is None or view is None:
        return []
    spend = lock.spend
    if spend is None:
        waits = is_stuck_before_expiry(state) and reading.is_confirmed(lock)
        clock, blocks = "median time past is beyond it too", "about six more blocks"
        if _on_accounts(state):
            clock, blocks = "a block is younger than it", "a block or two"
        what = f"our expiry has come; the refund waits until {clock}"
        remedy = f"nothing: that takes {blocks}, and then it is sent"
        return [_info(Situation.REFUND_WAITS, what, remedy)] if waits else []
    if spend.depth > 0:
        return []
    if spend.kind is SpendKind.REFUND:
        if view.tip_height > _first_height(state, lock.ref, state.refunds):
            what = "our refund is in the mempool, and not yet in a block"
            return [_info(Situation.REFUND_HANGS, what)]
        return []
    if state.refunds and spend.kind is SpendKind.CLAIM:
        what = "the other side's claim stands in the mempool where our refund stood"
        remedy = "nothing: its claim shows the preimage, with which we claim the other side's coins"
        return [_warn(Situation.REFUND_OUTBID, what, f"{remedy}; keep swapd running")]
    return []


# --- Their leg --------------------------------------------------------------------------------


def _theirs(state: SwapState) -> list[Advice]:
    theirs, own = reading.their_lock(state), reading.own_lock(state)
    initiator = state.agreement.role is Role.INITIATOR
    if state.bound and not reading.is_confirmed(theirs):
        again = "" if initiator else "; it is sent again at each block"
        remedy = f"wait for it{again}"
        what = "the other side's lock fell out of its chain in a reorganisation"
        if isinstance(state.secret, Revealed | Learned):
            return [_alarm(Situation.THEIR_LOCK_GONE, what, f"{remedy}; keep swapd running")]
        return [_warn(Situation.THEIR_LOCK_GONE, what, remedy)]
    if isinstance(state.secret, Revealed | Learned) or phase_of(state) is Phase.REFUNDING:
        return []
    if not initiator:
        silent = theirs is None and phase_of(state) is Phase.AGREED
        what = "the taker has not locked yet; nothing of ours is locked"
        remedy = "nothing: if it does not, the swap is given up and costs nothing"
        return [_info(Situation.COUNTERPARTY_SILENT, what, remedy)] if silent else []
    if own is None or own.depth < state.agreement.own.depth:
        return []
    times = reading.schedule(state)
    late = state.now >= times.reveal_gate or (theirs is None and state.now >= times.lock_gate_p)
    remedy = "nothing: our coins come back after our expiry; be on then"
    if late:
        what = "it is too late for this swap: nobody answers our lock any more"
        return [_info(Situation.NOBODY_ANSWERS_ANY_MORE, what, remedy)]
    if theirs is None:
        what = "the maker has not answered our lock yet"
        return [_info(Situation.COUNTERPARTY_SILENT, what, remedy)]
    return []


def _claim(state: SwapState) -> list[Advice]:
    """From the reveal, or once the preimage was shown to us."""
    if not isinstance(state.secret, Revealed | Learned):
        return []
    theirs, view, times = reading.their_lock(state), reading.their_view(state), None
    times = reading.schedule(state)
    spend = theirs.spend if theirs is not None else None
    if theirs is None or view is None or (spend is not None and spend.depth > 0):
        return []
    found = []
    last = times.expiry_p if isinstance(state.secret, Revealed) else times.claim_deadline
    if spend is not None and spend.kind is not SpendKind.CLAIM:
        what = f"the other side's {spend.kind.value} competes with our claim in the mempool"
        remedy = "keep swapd running: our claim is made dearer, up to what is at stake"
        found.append(_alarm(Situation.CLAIM_RIVALLED, what, remedy))
    margin = times.reveal_gate if isinstance(state.secret, Revealed) else last
    if state.now >= margin:
        what = "our claim is not in a block, and little or no time is left"
        remedy = "keep swapd and its node running; `swap-cli swap rescue` has dearer claims"
        found.append(_alarm(Situation.CLAIM_LATE, what, remedy))
    if spend is not None and spend.kind is SpendKind.CLAIM and state.claim is not None:
        if view.tip_height > _first_height(state, theirs.ref, (state.claim,)):
            what = "our claim is in the mempool, and not yet in a block"
            remedy = "keep swapd running: it is made dearer at each block"
            found.append(_warn(Situation.CLAIM_HANGS, what, remedy))
    return found


def _first_height(state: SwapState, ref: str, newest: tuple[Tx, ...]) -> int:
    """The tip at which the first version of what spends `ref` was built."""
    heights = [tx.height for tx in (*newest, *state.replaced) if tx.ref == ref]
    return min(heights, default=MAX_HEIGHT)


def _ended(state: SwapState) -> list[Advice]:
    outcome = state.outcome
    if outcome is None or outcome.end is not End.NEVER_FUNDED or state.cancelled:
        return []
    if not isinstance(state.own, Dead) or outcome.at < reading.lock_gate(state):
        return []
    what = "the time to lock had passed before our lock could be in a block"
    return [_info(Situation.LOCK_GATE_PASSED, what, "nothing: nothing of ours is locked")]
