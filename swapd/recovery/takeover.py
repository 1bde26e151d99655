"""Takes a recovery file's swaps over into a journal that knows less.

Owns: which of its rows are newer than the journal's, how they get in. Must not know: files, what
else follows for a journal that is older than what was done (whoever reads `PUT_BACK`).
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from protocol.assets import AssetId
from protocol.codec import decode, encode
from protocol.errors import DecodeError
from protocol.swap.machine import is_closed
from protocol.swap.restoring import restored
from protocol.swap.states import SwapState
from swapd.ports import PUT_BACK, JournalRecord, RecoveryError, Store
from swapd.recovery.content import Content, Saved
from swapd.recovery.keeper import GENERATION

MAX_STATE: Final = 4 * 1024 * 1024

AddressOf = Callable[[AssetId, int], str]
"""The payout address of an asset at an index."""


class Taken(Struct, frozen=True):
    """What a journal got: `swaps` (their ids) are restored now; `generation` of the file."""

    generation: int
    swaps: tuple[bytes, ...]


async def take_over(
    content: Content, store: Store, *, address_of: AddressOf, now: int, force: bool = False
) -> Taken | None:
    """Brings the journal up to `content` if that was written after it; None if it was not, or,
    with `force`, takes over swaps that the journal lacks in any case. Raises RecoveryError,
    StoreError."""
    newer = content.generation > await store.counter(GENERATION)
    if not newer and not force:
        return None
    if newer:
        # Before anything is taken over: cut off in between, it still holds. What is open here and
        # not in the newer file ended since.
        await store.put(*PUT_BACK, b"a recovery file is newer")
    swaps: list[bytes] = []
    for saved in content.swaps:
        swaps += await _take(saved, store, newer=newer, now=now)
    await _addresses(content, store, address_of)
    # Last: if this is cut off, the next start takes over the rest.
    await store.next_counter(GENERATION, content.generation)
    return Taken(content.generation, tuple(swaps))


async def _take(saved: Saved, store: Store, *, newer: bool, now: int) -> list[bytes]:
    """The swap's id where the row was news."""
    row = await store.swap(saved.swap_id)
    if row is not None and (not newer or row.sequence >= saved.sequence):
        return []
    state = restored(_read(saved.swap_id, saved.state))
    # A row without an event begins anew: what came before it is another life's history.
    sequence = 1 if row is None else row.sequence + 1
    record = JournalRecord(saved.swap_id, sequence, now, b"", encode(state))
    await store.append(record, open_swap=not is_closed(state))
    return [saved.swap_id]


async def _addresses(content: Content, store: Store, address_of: AddressOf) -> None:
    for entry in content.addresses:
        asset = AssetId(entry.asset)
        known = {int(v) for k, v in await store.items("address") if k.startswith(f"{asset}|")}
        for index in range(1, entry.last + 1):
            if index not in known:
                key = f"{asset}|{address_of(asset, index)}"
                await store.put("address", key, str(index).encode())
        await store.next_counter(f"address:{asset}", entry.last)


def _read(swap_id: bytes, data: bytes) -> SwapState:
    try:
        state = decode(SwapState, data, max_size=MAX_STATE)
    except DecodeError as error:
        raise RecoveryError(f"swap {swap_id.hex()} can't be read: {error}") from error
    if state.agreement.swap_id != swap_id:
        raise RecoveryError(f"swap {swap_id.hex()} is filed under another's name")
    return state
