"""What one client may ask for, and what happens to the others meanwhile: nothing."""

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from swapd.control.limits import Limits, TokenBucket
from tests.control.conftest import House, request


def test_a_bucket_allows_its_burst_then_its_rate() -> None:
    bucket = TokenBucket(rate=10, burst=3, now=0.0)
    assert [bucket.take(0.0) == 0.0 for _ in range(4)] == [True, True, True, False]
    assert bucket.take(0.05) == pytest.approx(0.05)
    assert bucket.take(0.1) == 0.0
    assert bucket.take(0.1) > 0.0


@given(st.lists(st.floats(0, 5), max_size=60))
def test_a_bucket_never_allows_more_than_burst_and_rate(gaps: list[float]) -> None:
    bucket, now, allowed = TokenBucket(rate=2, burst=5, now=0.0), 0.0, 0
    for gap in gaps:
        now += gap
        allowed += bucket.take(now) == 0.0
    assert allowed <= 5 + 2 * now + 1e-6


async def test_a_flood_is_answered_with_when_to_come_back(house: House) -> None:
    await house.open(Limits(rate=1, burst=3))
    wire, other = await house.connect(), await house.connect()
    replies = [await wire.ask("getinfo") for _ in range(4)]
    assert ["result" in r for r in replies] == [True, True, True, False]
    error = replies[3]["error"]
    assert error["data"]["name"] == "rate_limited"
    assert error["data"]["retryable"] is True
    assert 0 < error["data"]["detail"]["retry_after_ms"] <= 1001
    assert await other.result("getinfo")


async def test_bad_lines_use_up_the_rate_too(house: House) -> None:
    await house.open(Limits(rate=1, burst=2))
    wire = await house.connect()
    await wire.send(b"{", b"{", b"{")
    codes = [(await wire.receive())["error"]["code"] for _ in range(3)]
    assert codes == [-32700, -32700, 7001]


async def test_calls_of_a_batch_count_one_by_one(house: House) -> None:
    await house.open(Limits(rate=1, burst=2))
    wire = await house.connect()
    await wire.send([request("getinfo", request_id=i) for i in range(3)])
    replies = await wire.receive()
    assert [r["error"]["data"]["name"] for r in replies] == ["rate_limited"] * 3
    assert house.operations.seen == []


async def test_open_calls_are_bounded_and_one_that_ends_makes_room(house: House) -> None:
    await house.open(Limits(open_requests=2))
    wire = await house.connect()
    gate = house.operations.hold("health")
    await wire.send(*(request("health", request_id=i) for i in range(3)))
    refused = await wire.receive()
    assert refused["id"] == 2
    assert refused["error"]["data"]["name"] == "too_many_open_requests"
    gate.set()
    assert {(await wire.receive())["id"] for _ in range(2)} == {0, 1}
    assert await wire.result("getinfo")


@pytest.mark.parametrize("ending", [b"", b"\n"])
async def test_a_line_too_long_ends_that_connection_only(house: House, ending: bytes) -> None:
    await house.open(Limits(max_line=1000))
    wire, other = await house.connect(), await house.connect()
    await wire.stream.send_all(b"x" * 1001 + ending)
    reply = await wire.receive()
    assert reply["error"]["data"]["name"] == "request_too_large"
    assert await wire.receive() is None
    assert await other.result("getinfo")


async def test_endless_bytes_without_a_line_are_cut_off(house: House) -> None:
    await house.open()
    wire = await house.connect()
    with pytest.raises(trio.BrokenResourceError):
        await wire.stream.send_all(b"x" * 64 * 1024 * 1024)
    assert await (await house.connect()).result("getinfo")


async def test_a_reply_too_long_is_refused_instead_of_sent(house: House) -> None:
    await house.open(Limits(max_reply=500))
    wire = await house.connect()
    error = await wire.error("rpc.discover")
    assert error["data"]["name"] == "reply_too_large"
    assert "limit" in error["data"]["remedy"]


async def test_clients_beyond_the_limit_are_told_and_one_that_leaves_makes_room(
    house: House,
) -> None:
    await house.open(Limits(clients=1))
    first = await house.connect()
    assert await first.result("getinfo")
    second = await house.connect()
    assert (await second.receive())["error"]["data"]["name"] == "too_many_clients"
    assert await second.receive() is None
    await first.stream.aclose()
    await trio.testing.wait_all_tasks_blocked(0.01)
    assert await (await house.connect()).result("getinfo")


async def test_subscriptions_are_bounded_and_ending_one_makes_room(house: House) -> None:
    await house.open(Limits(subscriptions=1))
    wire = await house.connect()
    first = await wire.result("subscribe", {"topic": "book"})
    error = await wire.error("subscribe", {"topic": "book"})
    assert error["data"]["name"] == "too_many_subscriptions"
    await wire.result("unsubscribe", {"subscription": first["subscription"]})
    assert await wire.result("subscribe", {"topic": "swaps"})


async def test_a_client_that_never_reads_is_dropped(house: House) -> None:
    await house.open(Limits(stall_seconds=0.05, out_high_water=1000))
    wire = await house.connect()
    # It asks and asks and reads nothing: its calls stop being taken, then it is cut off.
    asking = b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n' * 100_000
    with pytest.raises(trio.BrokenResourceError):
        await wire.stream.send_all(asking)
    assert await (await house.connect()).result("getinfo")
