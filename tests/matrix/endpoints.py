"""Owns a hosted endpoint of a chain of accounts: real HTTP in front of an anvil, of which only the
operator is unreliable. It tells the truth, lags, lies, errs or is gone, from one call to the next.

Knows JSON-RPC and which answers tell of state; nothing of swapd.
"""

import enum
import json
from collections import Counter
from typing import Any, Final

import trio

from tests.faults.http import answer, read_message
from tests.nodes.anvil import Anvil

_NOTHING: Final = "0x" + "00" * 32
_LIMITED: Final = {"code": -32005, "message": "daily request count exceeded"}


class Manner(enum.StrEnum):
    """How it answers."""

    HONEST = "says what the node says"
    LAGS = "knows no block that came since"
    DENIES = "says that nothing is stored anywhere"
    ERRS = "answers every call with an error"
    GONE = "hangs up"


class HostedEndpoint:
    """At a port of its own while `serve` runs. `calls` counts the methods that came by."""

    def __init__(self, anvil: Anvil) -> None:
        self.calls: Counter[str] = Counter()
        self.url = ""
        self._anvil = anvil
        self._manner = Manner.HONEST
        self._tip = 0

    async def behave(self, manner: Manner) -> None:
        """From now on."""
        self._tip = await self._anvil.height()
        self._manner = manner

    async def serve(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; `started` with its url."""
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        task_status.started(self.url)
        await trio.serve_listeners(self._handle, listeners)

    async def until_asked(self, times: int = 15) -> None:
        """Waits until so many more exchanges have come by: its client has looked again."""
        wanted = self.calls["exchange"] + times
        with trio.fail_after(60):
            while self.calls["exchange"] < wanted:  # noqa: ASYNC110 - nothing to wait on
                await trio.sleep(0.02)

    async def _handle(self, client: trio.SocketStream) -> None:
        try:
            async with client:
                message = await read_message(client)
                if message is None:
                    return
                self.calls["exchange"] += 1
                if self._manner is not Manner.GONE:
                    await client.send_all(answer(await self._answer(json.loads(message[1]))))
        except (trio.BrokenResourceError, OSError, ValueError):
            return  # one of the two is gone, and the other one sees that

    async def _answer(self, asked: Any) -> bytes:
        calls = asked if isinstance(asked, list) else [asked]
        told = [{"jsonrpc": "2.0", "id": c["id"], **await self._one(c)} for c in calls]
        return json.dumps(told if isinstance(asked, list) else told[0]).encode()

    async def _one(self, call: dict[str, Any]) -> dict[str, Any]:
        method, params = str(call["method"]), list(call.get("params") or ())
        self.calls[method] += 1
        if self._manner is Manner.ERRS:
            return {"error": _LIMITED}
        if self._manner is Manner.DENIES and method == "eth_getStorageAt":
            return {"result": _NOTHING}
        if self._manner is Manner.LAGS and method == "eth_getBlockByNumber":
            if params[0] in {"latest", "pending"}:
                params[0] = hex(self._tip)
            elif params[0].startswith("0x") and int(params[0], 16) > self._tip:
                return {"result": None}
        return await self._real(method, params)

    async def _real(self, method: str, params: list[Any]) -> dict[str, Any]:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        head = (
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        async with await trio.open_tcp_stream("127.0.0.1", self._anvil.port) as node:
            await node.send_all(head.encode() + body)
            response = await read_message(node)
        if response is None:
            raise ValueError("the node hung up")
        told = json.loads(response[1])
        return {key: told[key] for key in ("result", "error") if key in told}
