"""A swap's state taken over by another life of the daemon: from a recovery file or an old backup.

Owns: what such a state may still believe. Must not know: files, how states are kept.

What was signed last may be missing from it, so nothing in it proves that a lock never left us
(safety rules 2 and 24).
"""

import msgspec

from protocol.swap.states import Held, Released, SwapState


def restored(state: SwapState) -> SwapState:
    """`state` as it goes on elsewhere: it claims, refunds and watches, and never locks. A lock that
    was only held may have been sent since."""
    own = Released(state.own.lock) if isinstance(state.own, Held) else state.own
    return msgspec.structs.replace(state, own=own, restored=True)
