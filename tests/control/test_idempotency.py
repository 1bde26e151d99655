"""A mutating call that is repeated with its key happens once: at once, later, after a crash."""

import pytest
import trio
import trio.testing

from swapd import ports
from swapd.api.errors import ApiError, ErrorName
from swapd.control.idempotency import KEEP_SECONDS, SPACE
from tests.control.conftest import House, Wire
from tests.fakes.operations import OFFER_ID, SWAP_ID
from tests.fakes.store import FakeStore

TAKE = {"offer_id": OFFER_ID, "idempotency_key": "mine"}


async def test_a_repetition_gives_the_first_result(house: House, wire: Wire) -> None:
    first = await wire.result("take", TAKE)
    house.operations.swaps.reverse()  # a second take would answer otherwise
    assert await wire.result("take", TAKE) == first
    assert house.operations.started["take"] == 1


async def test_without_a_key_each_call_happens(house: House, wire: Wire) -> None:
    await wire.result("take", {"offer_id": OFFER_ID})
    await wire.result("take", {"offer_id": OFFER_ID})
    assert house.operations.started["take"] == 2


async def test_two_keys_are_two_calls(house: House, wire: Wire) -> None:
    await wire.result("take", TAKE)
    await wire.result("take", {**TAKE, "idempotency_key": "other"})
    assert house.operations.started["take"] == 2


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("take", {**TAKE, "offer_id": "aa" * 32}),
        ("take", {**TAKE, "amount": {"asset": "BTC", "decimal": "0.1"}}),
        ("swap.cancel", {"swap_id": SWAP_ID, "idempotency_key": "mine"}),
    ],
)
async def test_a_key_belongs_to_one_method_and_its_parameters(
    house: House, wire: Wire, method: str, params: dict[str, object]
) -> None:
    await wire.result("take", TAKE)
    error = await wire.error(method, params)
    assert error["data"]["name"] == "idempotency_conflict"
    assert house.operations.started == {"take": 1}


async def test_of_many_at_once_one_happens_and_all_get_its_result(house: House) -> None:
    await house.open()
    gate = house.operations.hold("take")
    results: list[object] = []

    async def ask() -> None:
        results.append(await (await house.connect()).result("take", TAKE))

    async with trio.open_nursery() as nursery:
        for _ in range(8):
            nursery.start_soon(ask)
        while "take" not in house.operations.started:
            await trio.testing.wait_all_tasks_blocked(0.01)
        gate.set()
    assert results == [results[0]] * 8
    assert house.operations.started["take"] == 1


async def test_one_with_other_parameters_is_refused_while_the_first_is_under_way(
    house: House,
) -> None:
    await house.open()
    gate = house.operations.hold("take")
    first, second = await house.connect(), await house.connect()
    errors: list[dict[str, dict[str, str]]] = []

    async def other() -> None:
        errors.append(await second.error("take", {**TAKE, "offer_id": "aa" * 32}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(first.result, "take", TAKE)
        while "take" not in house.operations.started:
            await trio.testing.wait_all_tasks_blocked(0.01)
        nursery.start_soon(other)
        gate.set()
    assert errors[0]["data"]["name"] == "idempotency_conflict"


async def test_a_refused_call_frees_its_key(house: House, wire: Wire) -> None:
    house.operations.fail("take", ApiError(ErrorName.INSUFFICIENT_FUNDS, "too little"))
    assert (await wire.error("take", TAKE))["code"] == 6001
    assert await wire.result("take", TAKE)
    assert house.operations.started["take"] == 2


@pytest.mark.parametrize("error", [KeyError("bug"), ports.NodeUnreachable("lost in the middle")])
async def test_a_call_that_died_somewhere_is_not_done_again(
    house: House, wire: Wire, error: Exception
) -> None:
    house.operations.fail("take", error)
    await wire.error("take", TAKE)
    again = await wire.error("take", TAKE)
    assert again["data"]["name"] == "idempotency_unknown"
    assert "swap.list" in again["data"]["remedy"]
    assert house.operations.started["take"] == 1


async def test_a_result_outlives_a_restart(house: House) -> None:
    running = await house.open()
    first = await (await house.connect()).result("take", TAKE)
    await running.stop()
    house.store = FakeStore(house.store.disk)
    await house.open()
    assert await (await house.connect()).result("take", TAKE) == first
    assert house.operations.started["take"] == 1


async def test_a_crash_in_the_middle_is_told_not_repeated(house: House) -> None:
    running = await house.open()
    house.operations.hold("take")
    wire = await house.connect()
    await wire.send({"jsonrpc": "2.0", "id": 1, "method": "take", "params": TAKE})
    while "take" not in house.operations.started:
        await trio.testing.wait_all_tasks_blocked(0.01)
    await running.stop()
    await house.open()
    error = await (await house.connect()).error("take", TAKE)
    assert error["data"]["name"] == "idempotency_unknown"
    assert house.operations.started["take"] == 1


async def test_nothing_is_begun_when_the_key_cannot_be_written(house: House, wire: Wire) -> None:
    house.store.full = True
    error = await wire.error("take", TAKE)
    assert error["data"]["name"] == "store_failed"
    assert "take" not in house.operations.started


async def test_keys_are_forgotten_after_a_week_and_not_before(house: House) -> None:
    running = await house.open()
    await (await house.connect()).result("take", TAKE)
    found = []
    for seconds in (KEEP_SECONDS, 1):
        await running.stop()
        house.clock.advance(seconds)
        running = await house.open()
        found.append([key for key, _ in await house.store.items(SPACE)])
    assert found == [["mine"], []]
