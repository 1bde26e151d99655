"""Events arrive in order and once, also across connections; a gap is always told."""

from typing import Any

import trio
import trio.testing

from swapd.api import calls
from swapd.api.calls import BookEvent, SwapEvent, Topic
from swapd.api.events import EventLog, first_sequence
from swapd.control.client import open_client
from swapd.control.limits import Limits
from tests.control.conftest import House, Wire
from tests.fakes.operations import offer, summary

KEPT = 50
"""Events that the made-up daemon's logs remember."""


def publish(house: House, count: int = 1) -> None:
    for _ in range(count):
        house.operations.logs[Topic.BOOK].publish(BookEvent(what="added", offer=offer()))


async def sequences(wire: Wire, count: int) -> list[int]:
    found = []
    for _ in range(count):
        notice = await wire.receive()
        assert notice["method"] == "event", notice
        assert "id" not in notice
        found.append(notice["params"]["sequence"])
    return found


async def test_events_follow_the_reply_with_growing_numbers(house: House, wire: Wire) -> None:
    publish(house)
    reply = await wire.result("subscribe", {"topic": "book"})
    assert reply == {"subscription": 1, "sequence": 1001, "resync": False}
    publish(house, 2)
    notice = await wire.receive()
    assert notice["params"]["subscription"] == 1
    assert notice["params"]["event"]["topic"] == "book"
    assert notice["params"]["event"]["offer"]["price"]["decimal"] == "80"
    assert [notice["params"]["sequence"], *await sequences(wire, 1)] == [1002, 1003]


async def test_topics_are_apart(house: House, wire: Wire) -> None:
    await wire.result("subscribe", {"topic": "swaps"})
    publish(house)
    house.operations.logs[Topic.SWAPS].publish(SwapEvent(what="locked", swap=summary()))
    notice = await wire.receive()
    assert notice["params"]["event"]["topic"] == "swaps"
    assert notice["params"]["event"]["swap"]["phase"] == "locking"


async def test_a_new_connection_resumes_without_a_gap(house: House) -> None:
    await house.open()
    first, second = await house.connect(), await house.connect()
    await first.result("subscribe", {"topic": "book"})
    await second.result("subscribe", {"topic": "book"})
    publish(house, 3)
    seen = await sequences(first, 2)  # the third is on its way when the connection breaks
    await first.stream.aclose()
    publish(house, 4)
    again = await house.connect()
    reply = await again.result("subscribe", {"topic": "book", "after_sequence": seen[-1]})
    assert reply["resync"] is False
    publish(house, 2)
    assert seen + await sequences(again, 7) == list(range(1001, 1010))
    assert await sequences(second, 9) == list(range(1001, 1010))


async def test_a_snapshot_and_its_subscription_fit_together(house: House, wire: Wire) -> None:
    publish(house, 2)
    snapshot = await wire.result("book.get", {"pair": "BTC/LTC"})
    publish(house)  # between the two calls
    await wire.result("subscribe", {"topic": "book", "after_sequence": snapshot["sequence"]})
    assert await sequences(wire, 1) == [1003]


async def test_resuming_too_late_says_so(house: House, wire: Wire) -> None:
    publish(house, KEPT + 2)
    too_late = await wire.result("subscribe", {"topic": "book", "after_sequence": 1001})
    assert too_late == {"subscription": 1, "sequence": 1052, "resync": True}
    just = await wire.result("subscribe", {"topic": "book", "after_sequence": 1002})
    assert just["resync"] is False
    assert await sequences(wire, KEPT) == list(range(1003, 1053))


async def test_a_number_of_another_run_or_of_the_future_says_so(house: House, wire: Wire) -> None:
    for number in (0, 5, 2**40):
        reply = await wire.result("subscribe", {"topic": "book", "after_sequence": number})
        assert reply["resync"] is True
        assert reply["sequence"] == 1000


async def test_a_client_that_falls_behind_is_told_and_goes_on(house: House) -> None:
    await house.open(Limits(out_high_water=500, stall_seconds=60))
    wire = await house.connect()
    await wire.result("subscribe", {"topic": "book"})
    # More than the kernel's buffers hold, published while the client does not read.
    for _ in range(60):
        publish(house, 40)
        await trio.testing.wait_all_tasks_blocked()
    messages: list[Any] = []
    while not messages or messages[-1]["params"]["sequence"] < 1000 + 60 * 40:
        messages.append(await wire.receive())
    expected = 1001
    for message in messages:
        found = message["params"]["sequence"]
        if message["method"] == "resync":
            assert message["params"]["topic"] == "book"
            assert found >= expected
        else:
            assert found == expected
        expected = found + 1
    assert any(m["method"] == "resync" for m in messages)


async def test_nothing_comes_after_unsubscribing(house: House, wire: Wire) -> None:
    await wire.result("subscribe", {"topic": "book"})
    assert await wire.result("unsubscribe", {"subscription": 1}) == {"unsubscribed": True}
    publish(house)
    assert "result" in await wire.ask("getinfo")


async def test_ending_an_unknown_subscription_is_refused(wire: Wire) -> None:
    error = await wire.error("unsubscribe", {"subscription": 1})
    assert error["data"]["name"] == "unknown_subscription"


async def test_the_trio_client_gives_notices_in_order(house: House) -> None:
    await house.open()
    async with open_client(house.path) as client:
        await client.subscribe(Topic.BOOK)
        publish(house, 3)
        found = [await client.notices.receive() for _ in range(3)]
    assert [n.sequence for n in found] == [1001, 1002, 1003]
    assert isinstance(found[0], calls.EventNotice)


async def test_a_log_keeps_the_newest_and_wakes_who_waits() -> None:
    log = EventLog(first_sequence(3), keep=2)
    assert log.sequence == 3 * 2**32
    woken = []

    async def wait() -> None:
        await log.wait_beyond(3 * 2**32)
        woken.append(log.sequence)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        numbers = [log.publish(BookEvent(what="added", offer=offer(i))) for i in range(3)]
    assert woken == [numbers[2]]
    assert log.since(numbers[0] - 1, 10) is None
    assert log.since(numbers[2] + 1, 10) is None
    assert [n for n, _ in log.since(numbers[0], 10) or ()] == numbers[1:]
    assert [n for n, _ in log.since(numbers[0], 1) or ()] == [numbers[1]]
    assert log.since(numbers[2], 10) == ()
