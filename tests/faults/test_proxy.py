"""The proxies do what they say: each harm reaches the caller as described, and the node or not."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.faults.http import answer, read_message
from tests.faults.proxy import Fault, Harm, RpcProxy
from tests.faults.wire import Wire
from tests.nodes import Node

HEARD = {Harm.DEAF, Harm.TORN, Harm.BUSY, Harm.LATE}
SILENT = {Harm.SILENT, Harm.DEAF}


@asynccontextmanager
async def between(tmp_path: Path) -> AsyncIterator[tuple[RpcProxy, list[str]]]:
    """A proxy before a node that answers everything with 1; and the methods the node has heard."""
    heard: list[str] = []

    async def node(stream: trio.SocketStream) -> None:
        async with stream:
            request = await read_message(stream)
            assert request is not None
            heard.append(json.loads(request[1])["method"])
            await stream.send_all(answer(b'{"result": 1, "error": null, "id": 7}'))

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, node, listeners)
        proxy = RpcProxy(Node("BTC", tmp_path, rpc_port=port), late=0.01)
        await nursery.start(proxy.serve)
        yield proxy, heard
        nursery.cancel_scope.cancel()


async def ask(port: int, method: str) -> bytes | None:
    """The body of the answer; None when the connection ended before it was whole, or none came."""
    body = json.dumps({"method": method, "params": [], "id": 7}).encode()
    head = f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with trio.move_on_after(0.5):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(head + body)
            response = await read_message(stream)
            return None if response is None else response[1]
    return None


@pytest.mark.parametrize("harm", Harm)
async def test_a_harm_reaches_the_caller_and_the_node_as_it_says(
    tmp_path: Path, harm: Harm
) -> None:
    async with between(tmp_path) as (proxy, heard):
        proxy.arm(Fault(harm, "send"))
        told = await ask(proxy.port, "send")
        assert heard == (["send"] if harm in HEARD else [])
        if harm in SILENT | {Harm.REFUSED, Harm.TORN}:
            assert told is None
        elif harm is Harm.LATE:
            assert told is not None
            assert json.loads(told)["result"] == 1
        elif harm is Harm.GARBAGE:
            with pytest.raises(ValueError):
                json.loads(told or b"1")
        else:
            assert json.loads(told or b"{}") == {
                "result": None,
                "error": {"code": -1, "message": "Input/output error"},
                "id": 7,
            }


async def test_only_the_calls_asked_for_are_harmed_and_all_are_counted(tmp_path: Path) -> None:
    async with between(tmp_path) as (proxy, _):
        proxy.arm(fault := Fault(Harm.REFUSED, "send", times=2, skip=1))
        told = [await ask(proxy.port, method) for method in ("send", "get", "send", "send", "send")]
        assert [part is None for part in told] == [False, False, True, True, False]
        assert fault.done == 2
        assert proxy.calls == {"send": 4, "get": 1}


async def test_a_wire_carries_every_byte_and_breaks_only_when_told_to() -> None:
    async with trio.open_nursery() as nursery:

        async def echo(stream: trio.SocketStream) -> None:
            async with stream:
                async for chunk in stream:
                    await stream.send_all(chunk)

        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        wire = Wire(("127.0.0.1", listeners[0].socket.getsockname()[1]), seed=1, loss=0.5)
        wire.resent = 0.001
        nursery.start_soon(trio.serve_listeners, echo, listeners)
        await nursery.start(wire.serve)
        sent = bytes(range(256)) * 400
        async with await trio.open_tcp_stream("127.0.0.1", wire.port) as stream:
            nursery.start_soon(stream.send_all, sent)
            got = b""
            while len(got) < len(sent):
                got += await stream.receive_some(65536)
            assert (got, wire.broken) == (sent, 0)
            wire.cut = 1.0
            await stream.send_all(b"more")
            assert await stream.receive_some(10) == b""
        assert wire.broken == 1
        nursery.cancel_scope.cancel()
