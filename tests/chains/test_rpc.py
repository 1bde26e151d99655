"""How each failure of a node is named, and that its answers are bounded and exact."""

import gc
import json
import warnings
from decimal import Decimal
from pathlib import Path

import pytest
import trio

from swapd.chains import NodeConfig
from swapd.chains.answers import BadAnswer, units
from swapd.chains.rpc import Rpc, RpcError
from swapd.ports import ChainError, NodeMisconfigured, NodeUnreachable
from tests.chains.canned import node, serving


def says(status: int, body: object) -> object:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _: (status, data)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, b"", NodeMisconfigured, "user and the password"),
        (403, b"", NodeMisconfigured, "rpcallowip"),
        (503, b"Work queue depth exceeded", NodeUnreachable, "too many calls"),
        (302, b"", NodeMisconfigured, "not the RPC port"),
        (200, b"<html>", BadAnswer, "not JSON"),
        (404, b"", BadAnswer, "not JSON"),
        (200, b"NaN", BadAnswer, "not JSON"),
        (200, b'{"result": 1e99999999999999999999, "error": null}', BadAnswer, "not JSON"),
        (200, b"[" * 100_000, BadAnswer, "not JSON"),
        (200, {"hello": 1}, BadAnswer, "not JSON-RPC"),
        (200, [], BadAnswer, "not JSON-RPC"),
        (500, {"error": {"code": -28, "message": "Loading"}}, NodeUnreachable, "starting: Load"),
        (500, {"error": {"code": -8, "message": "Bad\x00thing"}}, RpcError, "Bad thing"),
        (500, {"error": "what"}, BadAnswer, "no code"),
    ],
)
async def test_every_failure_has_its_own_error(
    status: int, body: object, kind: type[ChainError], words: str
) -> None:
    async with serving(says(status, body)) as config:  # type: ignore[arg-type]  # one lambda for all
        with pytest.raises(kind, match=words):
            await Rpc(config).call("getblockcount")


async def test_a_node_that_never_answers_is_unreachable() -> None:
    async with serving(lambda _: None, timeout=0.1) as config:
        with pytest.raises(NodeUnreachable, match=r"did not answer getblockcount within 0\.1 s"):
            await Rpc(config).call("getblockcount")


async def test_a_port_where_nobody_listens_is_unreachable() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    await listeners[0].aclose()
    config = NodeConfig(url=f"http://127.0.0.1:{port}", wallet="", user="u", password="p")
    with pytest.raises(NodeUnreachable, match="is it running"):
        await Rpc(config).call("getblockcount")


async def test_a_node_that_goes_away_during_a_call_leaves_nothing_behind() -> None:
    """Not even an unfinished generator, which ends a daemon that runs with strict warnings."""

    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)
        await stream.aclose()

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    config = NodeConfig(url=f"http://127.0.0.1:{port}", wallet="", user="u", password="p")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, hang_up, listeners)
            with pytest.raises(NodeUnreachable, match="is it running"):
                await Rpc(config).call("sendrawtransaction", "00" * 10_000_000)
            nursery.cancel_scope.cancel()
        gc.collect()
    assert [str(warning.message) for warning in told] == []


async def test_an_answer_without_end_is_cut() -> None:
    async with serving(says(200, b"x" * 5000)) as config:  # type: ignore[arg-type]  # see above
        with pytest.raises(BadAnswer, match="more than 1000 bytes"):
            await Rpc(config).call("getblockcount", most=1000)


async def test_a_batch_keeps_its_order_and_its_errors() -> None:
    async with serving(node({"a": 1, "b": RuntimeError(-5), "c": "x"})) as config:
        one, two, three = await Rpc(config).batch([("a", ()), ("b", ()), ("c", ())])
    assert (one, three) == (1, "x")
    assert isinstance(two, RpcError)
    assert (two.code, two.method) == (-5, "b")


@pytest.mark.parametrize("answer", [[], [{"id": 7, "result": 1}], [{"id": True, "result": 1}], [1]])
async def test_a_batch_answered_wrongly_is_an_error(answer: object) -> None:
    async with serving(says(200, answer)) as config:  # type: ignore[arg-type]  # see above
        with pytest.raises(BadAnswer):
            await Rpc(config).batch([("a", ())])


async def test_the_cookie_is_read_again_when_it_is_refused(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:old")
    seen = []

    def reply(_: bytes) -> tuple[int, bytes]:
        seen.append(1)
        if len(seen) == 1:
            cookie.write_text("__cookie__:new")
            return 401, b""
        return 200, b'{"result": 5}'

    async with serving(reply, cookie_file=cookie, user="", password="") as config:
        assert await Rpc(config).call("getblockcount") == 5
    cookie.unlink()
    async with serving(reply, cookie_file=cookie) as config:
        with pytest.raises(NodeUnreachable, match="no cookie file"):
            await Rpc(config).call("getblockcount")


@pytest.mark.parametrize(
    "config",
    [
        NodeConfig(url="127.0.0.1:8332", wallet="", user="u"),
        NodeConfig(url="http://u:p@127.0.0.1:8332", wallet="", user="u"),
        NodeConfig(url="http://127.0.0.1:8332", wallet=""),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_at_once(config: NodeConfig) -> None:
    with pytest.raises(NodeMisconfigured):
        Rpc(config)


def test_a_password_is_never_shown() -> None:
    config = NodeConfig(url="http://127.0.0.1:1", wallet="w", user="u", password="hunter2")
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(config)


def test_amounts_are_exact_or_refused() -> None:
    assert units(Decimal("0.00000001")) == 1
    assert units(Decimal("20999999.97690000")) == 2_099_999_997_690_000
    assert units(Decimal("1E-8")) == 1
    assert units(3) == 300_000_000
    for wrong in (0.1, "1", True, None, Decimal("0.000000001"), Decimal(-1), Decimal("1e999")):
        with pytest.raises(BadAnswer):
            units(wrong)
