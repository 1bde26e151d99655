"""What a journal takes over from a recovery file, and what it never does."""

import msgspec
import pytest

from protocol.assets import AssetId
from protocol.codec import decode, encode
from protocol.swap.states import SwapState
from protocol.terms import Role
from swapd.ports import PUT_BACK, JournalRecord, RecoveryError
from swapd.recovery.content import Addresses, Content, Saved
from swapd.recovery.keeper import GENERATION
from swapd.recovery.takeover import take_over
from tests.fakes.store import FakeStore
from tests.protocol.swap.moments import begun, locked, released

ASSET = AssetId("bip122:0/slip44:1")
NOW = 1_790_000_500


def address(asset: AssetId, index: int) -> str:
    return f"{asset} number {index}"


def content(generation: int, *saved: tuple[int, SwapState]) -> Content:
    return Content(
        version=1,
        network="regtest",
        generation=generation,
        written_at=NOW - 100,
        epoch=1,
        swaps=tuple(
            Saved(state.agreement.swap_id, sequence, NOW - 100, encode(state))
            for sequence, state in saved
        ),
        addresses=(Addresses(ASSET, 3),),
    )


async def journalled(store: FakeStore, *states: SwapState) -> None:
    for sequence, state in enumerate(states, 1):
        record = JournalRecord(state.agreement.swap_id, sequence, NOW, b"", encode(state))
        await store.append(record, open_swap=True)


async def taken(store: FakeStore, file: Content, *, force: bool = False) -> list[SwapState]:
    await take_over(file, store, address_of=address, now=NOW, force=force)
    rows = await store.open_swaps()
    return [decode(SwapState, row.state, max_size=1 << 20) for row in rows]


async def test_an_empty_journal_gets_every_swap_as_a_restored_one() -> None:
    store = FakeStore()
    [state] = await taken(store, content(7, (5, locked(Role.INITIATOR))))
    assert state == msgspec.structs.replace(locked(Role.INITIATOR), restored=True)
    [row] = await store.open_swaps()
    assert (row.sequence, row.at, row.event) == (1, NOW, b"")
    assert await store.counter(GENERATION) == 7


async def test_a_journal_that_is_as_new_as_the_file_is_left_alone() -> None:
    store = FakeStore()
    await journalled(store, begun(Role.INITIATOR), released(Role.INITIATOR))
    await store.next_counter(GENERATION, 7)
    [state] = await taken(store, content(7, (1, begun(Role.INITIATOR))))
    assert state == released(Role.INITIATOR)


async def test_an_older_journal_is_brought_up_to_the_file() -> None:
    store = FakeStore()
    await journalled(store, begun(Role.INITIATOR))
    await store.next_counter(GENERATION, 3)
    [state] = await taken(store, content(7, (4, locked(Role.INITIATOR))))
    assert state == msgspec.structs.replace(locked(Role.INITIATOR), restored=True)
    assert len(await store.history(state.agreement.swap_id)) == 2


@pytest.mark.parametrize("force", [False, True])
async def test_an_old_file_never_takes_a_newer_swap_back(force: bool) -> None:
    store = FakeStore()
    await journalled(store, begun(Role.INITIATOR), locked(Role.INITIATOR))
    await store.next_counter(GENERATION, 9)
    [state] = await taken(store, content(7, (40, begun(Role.INITIATOR))), force=force)
    assert state == locked(Role.INITIATOR)


async def test_what_an_old_file_knows_and_the_journal_lacks_is_taken_when_asked_for() -> None:
    store = FakeStore()
    await store.next_counter(GENERATION, 9)
    assert await taken(store, content(7, (2, released(Role.PARTICIPANT)))) == []
    [state] = await taken(store, content(7, (2, released(Role.PARTICIPANT))), force=True)
    assert state.restored


@pytest.mark.parametrize(("generation", "says"), [(7, True), (3, False)])
async def test_a_newer_file_says_that_the_database_is_old(generation: int, says: bool) -> None:
    store = FakeStore()
    await store.next_counter(GENERATION, 3)
    await taken(store, content(generation), force=True)
    assert (await store.get(*PUT_BACK) is not None) is says


async def test_addresses_are_known_again_and_none_is_given_out_twice() -> None:
    store = FakeStore()
    await taken(store, content(7))
    known = dict(await store.items("address"))
    assert {key: int(value) for key, value in known.items()} == {
        f"{ASSET}|{ASSET} number {index}": index for index in (1, 2, 3)
    }
    assert await store.next_counter(f"address:{ASSET}", 1) > 3


async def test_a_take_over_that_was_cut_off_is_finished_by_the_next_one() -> None:
    store = FakeStore()
    file = content(7, (5, locked(Role.INITIATOR)))

    def address_that_fails(_asset: AssetId, _index: int) -> str:
        raise RecoveryError("cut off")

    with pytest.raises(RecoveryError, match="cut off"):
        await take_over(file, store, address_of=address_that_fails, now=NOW)
    assert await store.counter(GENERATION) == 0
    [state] = await taken(store, file)
    assert state.restored
    assert await store.items("address")


async def test_a_swap_filed_under_another_name_or_unreadable_is_refused() -> None:
    state = begun(Role.INITIATOR)
    for saved in (Saved(bytes(32), 1, NOW, encode(state)), Saved(bytes(32), 1, NOW, b"\x01")):
        file = msgspec.structs.replace(content(7), swaps=(saved,))
        with pytest.raises(RecoveryError, match="swap 0000"):
            await take_over(file, FakeStore(), address_of=address, now=NOW)
