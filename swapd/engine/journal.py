"""A swap's journal: event and state to rows and back.

Owns: the persisted form. Must not know: SQLite, what events mean.
"""

from protocol.codec import decode, encode
from protocol.errors import DecodeError
from protocol.swap.events import Event
from protocol.swap.machine import is_closed, material, step
from protocol.swap.states import SwapState
from swapd.engine import hooks
from swapd.ports import JournalRecord, Store, StoreError

MAX_STATE = 4 * 1024 * 1024
"""Bytes of one state; two raw lock transactions and a few spends are far below."""


def load_state(record: JournalRecord) -> SwapState:
    """The state in a row. Raises StoreError when it can't be read."""
    try:
        return decode(SwapState, record.state, max_size=MAX_STATE)
    except DecodeError as error:
        message = f"swap {record.swap_id.hex()}: row {record.sequence} is damaged ({error})"
        raise StoreError(message) from error


def load_event(record: JournalRecord) -> Event | None:
    """The event in a row, None for the first row. Raises StoreError when it can't be read."""
    if not record.event:
        return None
    try:
        return decode(Event, record.event, max_size=MAX_STATE)  # type: ignore[arg-type] # a union
    except DecodeError as error:
        message = f"swap {record.swap_id.hex()}: row {record.sequence} is damaged ({error})"
        raise StoreError(message) from error


def replay(records: tuple[JournalRecord, ...]) -> SwapState:
    """Folds the events of a whole history; what the rows say must come out, but for time.

    Raises StoreError where the fold and a stored state differ materially.
    """
    state = load_state(records[0])
    for record in records[1:]:
        event = load_event(record)
        stored = load_state(record)
        if event is None and stored.restored:
            # Another life's row: what came before it has nothing to say about it.
            state = stored
            continue
        if event is None or material(step(state, event)) != material(stored):
            message = f"swap {record.swap_id.hex()}: row {record.sequence} does not follow"
            raise StoreError(message)
        state = stored
    return state


async def write(
    store: Store, state: SwapState, event: Event | None, *, sequence: int, at: int
) -> None:
    """Appends a row; returns when it is on disk. Raises StoreError."""
    begun = "Restored" if state.restored else "Agreed"
    name = type(event).__name__ if event is not None else begun
    record = JournalRecord(
        swap_id=state.agreement.swap_id,
        sequence=sequence,
        at=at,
        event=encode(event) if event is not None else b"",
        state=encode(state),
    )
    if load_state(record) != state:
        message = "a state did not survive being encoded: nothing was written"
        raise StoreError(message)
    hooks.point(f"journal:before:{name}")
    await store.append(record, open_swap=not is_closed(state))
    hooks.point(f"journal:after:{name}")
