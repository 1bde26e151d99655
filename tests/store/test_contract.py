"""What every Store promises: one suite, run on the fake and on the real one."""

import pytest
import trio

from swapd.ports import SequenceConflict, StoreError
from tests.store.harness import Harness, record, swap_id

BIG = bytes(200_000)
"""More than the free pages of a small database can take."""


async def test_the_first_record_of_a_swap_has_sequence_1(harness: Harness) -> None:
    async with harness.opened() as store:
        with pytest.raises(SequenceConflict, match="next is 1"):
            await store.append(record(1, 0), open_swap=True)
        assert await store.swap(swap_id(1)) is None
        await store.append(record(1, 1), open_swap=True)
        assert await store.swap(swap_id(1)) == record(1, 1)


@pytest.mark.parametrize("sequence", [0, 1, 2, 4])
async def test_a_record_that_is_not_the_next_is_refused_and_changes_nothing(
    harness: Harness, sequence: int
) -> None:
    async with harness.opened() as store:
        await store.append(record(1, 1), open_swap=True)
        await store.append(record(1, 2), open_swap=True)
        with pytest.raises(SequenceConflict, match="next is 3"):
            await store.append(record(1, sequence, at=5), open_swap=False)
        assert await store.history(swap_id(1)) == (record(1, 1), record(1, 2))
        assert await store.open_swaps() == (record(1, 2),)


async def test_of_two_who_append_the_same_sequence_one_wins(harness: Harness) -> None:
    refused: list[int] = []
    async with harness.opened() as store:

        async def append(at: int) -> None:
            try:
                await store.append(record(1, 1, at=at), open_swap=True)
            except SequenceConflict:
                refused.append(at)

        async with trio.open_nursery() as nursery:
            for at in range(1, 9):
                nursery.start_soon(append, at)
        history = await store.history(swap_id(1))
    assert len(history) == 1
    assert sorted([*refused, history[0].at]) == list(range(1, 9))


async def test_history_is_in_order_and_belongs_to_one_swap(harness: Harness) -> None:
    async with harness.opened() as store:
        for sequence in range(1, 13):
            await store.append(record(1, sequence), open_swap=True)
            await store.append(record(2, sequence), open_swap=True)
        assert await store.history(swap_id(2)) == tuple(record(2, n) for n in range(1, 13))
        assert await store.history(swap_id(3)) == ()


async def test_open_swaps_are_those_whose_last_record_says_so(harness: Harness) -> None:
    async with harness.opened() as store:
        for swap in (1, 2, 3):
            await store.append(record(swap, 1), open_swap=True)
        await store.append(record(2, 2), open_swap=False)
        await store.append(record(3, 2), open_swap=False)
        await store.append(record(3, 3), open_swap=True)  # a reorg opened it again
        assert await store.open_swaps() == (record(1, 1), record(3, 3))


async def test_swaps_are_paged_from_the_newest_by_swap_id(harness: Harness) -> None:
    async with harness.opened() as store:
        for swap in range(5):
            await store.append(record(swap, 1), open_swap=True)
        await store.append(record(0, 2), open_swap=False)
        first = await store.swaps(after=None, limit=2)
        second = await store.swaps(after=first[-1].swap_id, limit=2)
        third = await store.swaps(after=second[-1].swap_id, limit=2)
        assert first == (record(4, 1), record(3, 1))
        assert second == (record(2, 1), record(1, 1))
        assert third == (record(0, 2),)
        assert await store.swaps(after=swap_id(0), limit=2) == ()
        assert await store.swaps(after=swap_id(9), limit=2) == ()
        assert await store.swaps(after=None, limit=0) == ()
        assert await store.swaps(after=None, limit=-1) == ()


async def test_a_hashlock_is_new_once(harness: Harness) -> None:
    async with harness.opened() as store:
        assert await store.remember_hashlock(b"h" * 32) is True
        assert await store.remember_hashlock(b"h" * 32) is False
        assert await store.remember_hashlock(b"i" * 32) is True
    async with harness.opened() as store:
        assert await store.remember_hashlock(b"i" * 32) is False


async def test_values_live_in_namespaces(harness: Harness) -> None:
    async with harness.opened() as store:
        await store.put("offer", "b", b"1")
        await store.put("offer", "a", b"2")
        await store.put("peer", "a", b"")
        await store.put("offer", "b", b"\x00\xff")
        assert await store.get("offer", "b") == b"\x00\xff"
        assert await store.get("peer", "a") == b""
        assert await store.get("peer", "b") is None
        assert await store.items("offer") == (("a", b"2"), ("b", b"\x00\xff"))
        assert await store.items("nothing") == ()
        await store.delete("offer", "b")
        await store.delete("offer", "b")
        assert await store.items("offer") == (("a", b"2"),)


async def test_put_new_writes_only_where_nothing_was(harness: Harness) -> None:
    async with harness.opened() as store:
        assert await store.put_new("idempotency", "k", b"first") is None
        assert await store.put_new("idempotency", "k", b"second") == b"first"
        assert await store.get("idempotency", "k") == b"first"


async def test_of_many_who_put_new_at_once_one_writes_and_all_learn_what(harness: Harness) -> None:
    answers: dict[bytes, bytes | None] = {}
    async with harness.opened() as store:

        async def claim(value: bytes) -> None:
            answers[value] = await store.put_new("reservation", "coin", value)

        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(claim, bytes([number]))
        written = await store.get("reservation", "coin")
    winners = [value for value, before in answers.items() if before is None]
    assert winners == [written]
    assert {before for before in answers.values() if before is not None} == {written}


async def test_counters_start_at_1_and_jump_but_never_go_back(harness: Harness) -> None:
    async with harness.opened() as store:
        assert await store.counter("heartbeat") == 0
        assert await store.next_counter("heartbeat", 0) == 1
        assert await store.counter("heartbeat") == 1
        assert await store.next_counter("heartbeat", 0) == 2
        assert await store.next_counter("heartbeat", 1_790_000_000_000) == 1_790_000_000_000
        assert await store.next_counter("heartbeat", 1_789_999_999_999) == 1_790_000_000_001
        assert await store.next_counter("wallet", 0) == 1
        assert await store.next_counter("epoch", 7) == 7
    async with harness.opened() as store:
        assert await store.next_counter("heartbeat", 5) == 1_790_000_000_002


async def test_everything_is_there_after_a_restart(harness: Harness) -> None:
    async with harness.opened() as store:
        await store.append(record(1, 1), open_swap=True)
        await store.append(record(2, 1), open_swap=False)
        await store.put("meta", "k", b"v")
    async with harness.opened() as store:
        assert await store.open_swaps() == (record(1, 1),)
        assert await store.swap(swap_id(2)) == record(2, 1)
        assert await store.get("meta", "k") == b"v"
        await store.append(record(1, 2), open_swap=False)
        assert await store.open_swaps() == ()


async def test_cancelled_means_that_nothing_was_written(harness: Harness) -> None:
    async with harness.opened() as store:
        with trio.CancelScope() as scope:
            scope.cancel()
            await store.append(record(1, 1), open_swap=True)
        assert scope.cancelled_caught
        with trio.CancelScope() as scope:
            scope.cancel()
            await store.put("meta", "k", b"v")
        assert scope.cancelled_caught
        assert await store.swap(swap_id(1)) is None
        assert await store.get("meta", "k") is None


async def test_a_full_disk_is_told_with_a_remedy_and_loses_nothing(harness: Harness) -> None:
    async with harness.opened() as store:
        await store.append(record(1, 1), open_swap=True)
        harness.set_full(store, full=True)
        with pytest.raises(StoreError, match=r"full.*free some space"):
            await store.put("meta", "big", BIG)
        assert await store.get("meta", "big") is None
        assert await store.history(swap_id(1)) == (record(1, 1),)
        harness.set_full(store, full=False)
        await store.put("meta", "big", BIG)
        await store.append(record(1, 2), open_swap=True)
    async with harness.opened() as store:
        assert await store.get("meta", "big") == BIG
        assert await store.history(swap_id(1)) == (record(1, 1), record(1, 2))


async def test_several_values_are_written_together(harness: Harness) -> None:
    async with harness.opened() as store:
        await store.put("s", "a", b"1")
        await store.put_all("s", {"a": b"2", "b": b"3"})
        assert await store.items("s") == (("a", b"2"), ("b", b"3"))
        await store.put_all("s", {})
    async with harness.opened() as store:
        assert await store.items("s") == (("a", b"2"), ("b", b"3"))


async def test_small_counters_are_moved_and_large_ones_are_not(harness: Harness) -> None:
    async with harness.opened() as store:
        for name, value in (("small", 7), ("time", 10**9)):
            await store.next_counter(name, value)
        await store.move_counters(1000, below=10**9)
    async with harness.opened() as store:
        assert [await store.counter(name) for name in ("small", "time")] == [1007, 10**9]
        assert await store.next_counter("small", 1) == 1008
