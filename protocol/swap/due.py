"""What must happen to a swap until when, or coins are at risk: the deadlines behind the alarms.

Owns: `Due` and how it follows from a state. Must not know: who is told, what is done about it
(`pending`), when a transaction gets dearer (`deadlines`).

| where the swap is | who | what | from | until |
|---|---|---|---|---|
| initiator has revealed | us | our claim is mined | reveal gate | T_P |
| participant knows the preimage | us | our claim is mined | C - O_P | T_I |
| participant's lock stands after T_P | us | our refund is mined | T_P | C |
| participant's lock is being killed | us | the kill is mined | its lock gate | C - O_P |

Until `begins` there is time enough by the swap's own schedule; between both the margin is eaten.
"""

from msgspec import Struct

from protocol.swap import reading
from protocol.swap.facts import LockSeen, SpendKind
from protocol.swap.states import Killing, Learned, Revealed, SwapState
from protocol.terms import Role


class Due(Struct, frozen=True):
    """`what` must have happened at `until`; from `begins` on it is late. Unix seconds."""

    what: str
    begins: int
    until: int

    def eaten(self, now: int) -> int:
        """Thousandths of the margin that are gone: below 0 in time, 1000 at the deadline."""
        return 1000 * (now - self.begins) // max(1, self.until - self.begins)


def due(state: SwapState) -> Due | None:
    """The deadline by which we must act or lose coins; None while there is none."""
    if state.outcome is not None:
        return None
    times = reading.schedule(state)
    participant = state.agreement.role is Role.PARTICIPANT
    if isinstance(state.secret, Revealed | Learned) and not _is_taken(state):
        if participant:
            return Due("our claim must be mined", times.kill_deadline, times.expiry_i)
        return Due("our claim must be mined", times.reveal_gate, times.expiry_p)
    if not participant or isinstance(state.secret, Learned):
        return None
    own = reading.own_lock(state)
    if isinstance(state.own, Killing) and not reading.is_confirmed(own):
        if _is_replaced(state):
            return None
        return Due("the kill of our lock must be mined", times.lock_gate_p, times.kill_deadline)
    if reading.is_confirmed(own) and not _is_mined(own, SpendKind.REFUND):
        return Due("our refund must be mined", times.expiry_p, times.claim_deadline)
    return None


def _is_taken(state: SwapState) -> bool:
    """Our claim is in a block."""
    return _is_mined(reading.their_lock(state), SpendKind.CLAIM)


def _is_replaced(state: SwapState) -> bool:
    view = reading.own_view(state)
    return view is not None and view.conflict is not None and view.conflict.depth > 0


def _is_mined(lock: LockSeen | None, kind: SpendKind) -> bool:
    return (
        lock is not None
        and lock.spend is not None
        and lock.spend.kind is kind
        and lock.spend.depth > 0
    )
