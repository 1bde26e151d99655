"""The control socket as a client meets it, on a real unix socket."""

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from swapd import ports
from swapd.api.calls import GetInfoResult, TakeParams
from swapd.api.errors import ApiError, ErrorName
from swapd.api.values import AmountParam
from swapd.control.client import open_client
from swapd.control.failures import CannotConnectError
from swapd.control.socketfile import ControlSocketError, permitted
from tests.control.conftest import House, Wire, request
from tests.fakes.operations import OFFER_ID, SWAP_ID


async def test_a_call_reaches_the_daemon_with_typed_parameters(house: House, wire: Wire) -> None:
    amount = {"asset": "BTC", "decimal": "0.1"}
    result = await wire.result("take", {"offer_id": OFFER_ID, "amount": amount})
    assert result["swaps"][0]["swap_id"] == SWAP_ID
    assert house.operations.seen == [
        TakeParams(offer_id=OFFER_ID, amount=AmountParam(asset="BTC", decimal="0.1"))
    ]


async def test_the_reply_carries_the_id_of_its_call(wire: Wire) -> None:
    for request_id in (0, -5, "cli:take#1", 2**62, None):
        reply = await wire.ask("getinfo", request_id=request_id)
        assert reply["id"] == request_id
        assert reply["jsonrpc"] == "2.0"


async def test_an_unknown_method_is_refused_with_the_nearest(wire: Wire) -> None:
    error = await wire.error("swap.lst")
    assert error["code"] == -32601
    assert "did you mean `swap.list`?" in error["message"]
    assert error["data"]["name"] == "method_not_found"
    assert error["data"]["retryable"] is False
    assert "help" in error["data"]["remedy"]


async def test_an_unknown_parameter_is_refused_with_the_nearest(wire: Wire) -> None:
    error = await wire.error("take", {"ofer_id": OFFER_ID})
    assert "did you mean `offer_id`?" in error["message"]


async def test_an_unknown_field_deep_inside_is_refused_with_its_place(wire: Wire) -> None:
    error = await wire.error("take", {"amount": {"asset": "BTC", "decimals": "1"}})
    assert "in `amount`" in error["message"]
    assert "did you mean `decimal`?" in error["message"]


async def test_positional_parameters_are_refused(house: House, wire: Wire) -> None:
    error = await wire.error("swap.get", [SWAP_ID])
    assert error["code"] == -32602
    assert "named" in error["message"]
    assert house.operations.seen == []


@pytest.mark.parametrize(
    "params",
    [
        {"swap_id": "abc"},
        {"swap_id": SWAP_ID.upper()},
        {"swap_id": 5},
        {"swap_id": None},
        {},
        {"swap_id": [SWAP_ID]},
    ],
)
async def test_a_wrong_parameter_is_refused_by_its_name(
    wire: Wire, params: dict[str, object]
) -> None:
    error = await wire.error("swap.get", params)
    assert error["data"]["name"] == "invalid_params"
    assert "swap_id" in error["message"]


async def test_bad_lines_are_answered_and_the_connection_lives_on(wire: Wire) -> None:
    await wire.send(b"{", b"\xff", b'{"jsonrpc":"1.0","id":3,"method":"getinfo"}', b"", b"  ")
    errors = [(await wire.receive())["error"]["code"] for _ in range(3)]
    assert errors == [-32700, -32700, -32600]
    assert await wire.result("getinfo")


async def test_a_batch_is_answered_in_one_line_without_its_notifications(
    house: House, wire: Wire
) -> None:
    silent = {"jsonrpc": "2.0", "method": "health"}
    await wire.send([request("getinfo", request_id=1), silent, 7, request("nope", request_id=2)])
    replies = await wire.receive()
    assert [r["id"] for r in replies] == [1, None, 2]
    assert "result" in replies[0]
    assert replies[1]["error"]["code"] == -32600
    assert replies[2]["error"]["code"] == -32601
    assert house.operations.started == {"getinfo": 1, "health": 1}


async def test_a_notification_is_done_and_never_answered(house: House, wire: Wire) -> None:
    await wire.send({"jsonrpc": "2.0", "method": "health"}, {"jsonrpc": "2.0", "method": "nope"})
    assert (await wire.ask("getinfo", request_id="after"))["id"] == "after"
    assert house.operations.started["health"] == 1


async def test_a_slow_call_does_not_hold_up_the_next(house: House, wire: Wire) -> None:
    gate = house.operations.hold("health")
    await wire.send(request("health", request_id="slow"), request("getinfo", request_id="quick"))
    assert (await wire.receive())["id"] == "quick"
    gate.set()
    assert (await wire.receive())["id"] == "slow"


async def test_an_error_of_the_daemon_arrives_whole(house: House, wire: Wire) -> None:
    house.operations.fail(
        "take",
        ApiError(
            ErrorName.PEER_REFUSED,
            "the maker refused: amount_taken",
            remedy="take less",
            retryable=True,
            detail={"refusal": "amount_taken"},
        ),
    )
    assert await wire.error("take", {"offer_id": OFFER_ID}) == {
        "code": 3001,
        "message": "the maker refused: amount_taken",
        "data": {
            "name": "peer_refused",
            "retryable": True,
            "remedy": "take less",
            "detail": {"refusal": "amount_taken"},
        },
    }


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ports.NodeUnreachable("LTC node: no answer"), "node_unreachable"),
        (ports.NodeMisconfigured("wrong chain"), "node_misconfigured"),
        (ports.WalletLocked("locked"), "wallet_locked"),
        (ports.InsufficientFunds("too little", confirmed=1, unconfirmed=0), "insufficient_funds"),
        (ports.InsufficientFunds("only change", confirmed=1, unconfirmed=9), "funds_unconfirmed"),
        (ports.StoreError("the disk is full"), "store_failed"),
        (ports.NetworkDown("restarting"), "network_down"),
    ],
)
async def test_what_the_world_refuses_is_told_by_name(
    house: House, wire: Wire, error: Exception, name: str
) -> None:
    house.operations.fail("balance", error)
    found = await wire.error("balance")
    assert found["data"]["name"] == name
    assert found["message"] == str(error)


@pytest.mark.parametrize("method", ["balance", "take"])
async def test_a_bug_is_told_without_its_text_and_ends_nothing(
    house: House, wire: Wire, method: str
) -> None:
    house.operations.fail(method, ZeroDivisionError("the seed is abandon abandon"))
    error = await wire.error(method, {})
    assert error["code"] == -32603
    assert "abandon" not in str(error)
    assert "reference" in error["message"]
    assert await wire.result("getinfo")


async def test_the_socket_is_for_our_user_only(house: House) -> None:
    await house.open()
    assert stat.S_IMODE(house.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(house.path.parent.stat().st_mode) == 0o700


async def test_a_directory_that_others_can_enter_is_closed(house: House) -> None:
    house.path.parent.mkdir(mode=0o755)
    await house.open()
    assert stat.S_IMODE(house.path.parent.stat().st_mode) == 0o700


_STRANGER = """
import os, socket, sys
if sys.argv[2]:
    os.setuid(int(sys.argv[2]))
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.settimeout(30)
print(s.makefile().readline())
"""


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="swapd-test-") as name:
        yield Path(name)


async def test_another_user_is_refused_even_when_the_file_lets_him_in(
    house: House, reachable: Path
) -> None:
    becomes, own_uid = "", os.geteuid() + 1
    if os.geteuid() == 0:  # root may always come in, but can become somebody else
        becomes, own_uid = "65534", 0
    # Not below pytest's own directory, which somebody else could not enter.
    house.path = reachable / "s"
    await house.open(own_uid=own_uid)
    house.path.parent.chmod(0o755)
    house.path.chmod(0o666)
    done = await trio.run_process(
        [sys.executable, "-I", "-c", _STRANGER, os.fspath(house.path), becomes],
        capture_stdout=True,
    )
    assert b"not_permitted" in done.stdout
    assert house.operations.seen == []


def test_only_the_own_user_and_root_are_permitted() -> None:
    assert permitted(1000, 1000)
    assert permitted(0, 1000)
    assert not permitted(1001, 1000)
    assert not permitted(1000, 0)


async def test_a_socket_left_by_a_dead_daemon_is_replaced(house: House) -> None:
    house.path.parent.mkdir(mode=0o700)
    script = (
        "import socket,sys,os; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); os._exit(0)"
    )
    await trio.run_process([sys.executable, "-c", script, os.fspath(house.path)])
    assert house.path.is_socket()
    await house.open()
    assert await (await house.connect()).result("getinfo")


async def test_a_socket_that_answers_is_left_alone(house: House) -> None:
    await house.open()
    second = House(house.nursery, house.path)
    with pytest.raises(ControlSocketError, match="another daemon"):
        await second.open()
    assert await (await house.connect()).result("getinfo")


async def test_a_file_that_is_no_socket_is_left_alone(house: House) -> None:
    house.path.parent.mkdir(mode=0o700)
    house.path.write_text("precious")
    with pytest.raises(ControlSocketError, match="not a socket"):
        await house.open()
    assert house.path.read_text() == "precious"


async def test_a_path_too_long_for_a_socket_is_refused_in_words(house: House) -> None:
    house.path = house.path.parent / ("x" * 120)
    with pytest.raises(ControlSocketError, match="too long"):
        await house.open()


async def test_a_stopped_server_takes_its_socket_away_and_hangs_up(house: House) -> None:
    running = await house.open()
    wire = await house.connect()
    assert await wire.result("getinfo")
    await running.stop()
    assert await wire.receive() is None
    assert not house.path.exists()


async def test_the_answer_to_stop_arrives_before_the_end(house: House) -> None:
    running = await house.open()
    wire = await house.connect()
    house.nursery.start_soon(_cancel_after, house.stopped, running.scope)
    reply = await wire.ask("stop")
    assert reply["result"]["open_swaps"][0]["swap_id"] == SWAP_ID
    assert await wire.receive() is None


async def _cancel_after(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


async def test_a_client_that_leaves_after_stop_stops_the_daemon_all_the_same(house: House) -> None:
    await house.open()
    wire = await house.connect()
    gate = house.operations.hold("stop")
    await wire.send(request("stop"))
    while "stop" not in house.operations.started:
        await trio.testing.wait_all_tasks_blocked()
    await wire.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    gate.set()
    await house.stopped.wait()


async def test_a_client_that_only_ends_its_sending_half_is_still_answered(
    house: House, wire: Wire
) -> None:
    gate = house.operations.hold("health")
    await wire.send(request("health"))
    await wire.stream.send_eof()
    while "health" not in house.operations.started:
        await trio.testing.wait_all_tasks_blocked()
    gate.set()
    assert (await wire.receive())["result"]["healthy"] is False
    assert await wire.receive() is None


async def test_a_client_that_leaves_does_not_leave_half_a_take(house: House, wire: Wire) -> None:
    gate = house.operations.hold("take")
    finished = trio.Event()
    house.store.after_write = lambda _: finished.set() if house.store.writes == 2 else None
    await wire.send(request("take", {"offer_id": OFFER_ID, "idempotency_key": "k"}))
    while "take" not in house.operations.started:
        await trio.testing.wait_all_tasks_blocked()
    await wire.stream.aclose()
    await trio.testing.wait_all_tasks_blocked()
    gate.set()
    await finished.wait()
    other = await house.connect()
    again = await other.result("take", {"offer_id": OFFER_ID, "idempotency_key": "k"})
    assert again["swaps"][0]["swap_id"] == SWAP_ID
    assert house.operations.started["take"] == 1


async def test_a_client_that_leaves_ends_what_it_was_waiting_for(house: House, wire: Wire) -> None:
    ended = trio.Event()
    gate = house.operations.hold("swap_wait")
    original = house.operations.swap_wait

    async def watched(params: object) -> object:
        try:
            return await original(params)  # type: ignore[arg-type]  # handed on as it came
        finally:
            ended.set()

    house.operations.swap_wait = watched  # type: ignore[assignment, method-assign]  # a spy in its place
    await wire.send(request("swap.wait", {"swap_id": SWAP_ID}))
    while "swap_wait" not in house.operations.started:
        await trio.testing.wait_all_tasks_blocked()
    await wire.stream.aclose()
    await ended.wait()
    assert not gate.is_set()


async def test_pages_are_followed_by_cursor_to_the_end(wire: Wire) -> None:
    found, cursor = [], None
    while True:
        params = {"pair": "BTC/LTC", "limit": 2} | ({"cursor": cursor} if cursor else {})
        reply = await wire.result("book.get", params)
        found.append([o["price"]["decimal"] for o in reply["asks"]])
        cursor = reply["next_cursor"]
        if cursor is None:
            break
    assert found == [["80", "81"], ["82"]]


async def test_a_cursor_whose_row_is_gone_is_refused(wire: Wire) -> None:
    error = await wire.error("book.get", {"pair": "BTC/LTC", "cursor": "ff" * 32})
    assert error["data"]["name"] == "cursor_invalid"


async def test_the_trio_client_asks_several_things_at_once(house: House) -> None:
    await house.open()
    gate = house.operations.hold("health")
    async with open_client(house.path) as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.call, "health", {})
        info = await client.ask("getinfo", {}, GetInfoResult)
        assert info.network == "regtest"
        gate.set()


async def test_the_trio_client_says_when_the_daemon_goes_away(house: House) -> None:
    running = await house.open()
    house.operations.hold("health")
    async with open_client(house.path) as client:
        running.scope.cancel()
        with pytest.raises(CannotConnectError):
            await client.call("health", {})
        with pytest.raises(CannotConnectError):
            await client.call("getinfo", {})


async def test_no_daemon_is_told_with_what_to_do(house: House) -> None:
    with pytest.raises(CannotConnectError, match="no daemon here") as caught:
        async with open_client(house.path):
            pass
    assert "swapd run" in caught.value.remedy
