"""Owns one JSON-RPC call to a node: a fresh connection each, so that none stays idle.

litecoind's stop waits for every idle keep-alive connection, up to half a minute. Errors of the
node come back as `RpcError`; a node that is gone as OSError or trio.BrokenResourceError.
"""

import base64
import json
from pathlib import Path
from typing import Any

import trio

_COIN = 100_000_000


class RpcError(Exception):
    """The node answered with an error: its `code` and `message`."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {message} ({code})")
        self.method = method
        self.code = code
        self.message = message


def decimal_amount(units: int) -> str:
    """Base units (satoshi, litoshi) as the exact decimal text that nodes take for an amount."""
    if units < 0:
        raise ValueError(f"an amount cannot be negative: {units}")
    return f"{units // _COIN}.{units % _COIN:08d}"


def _request(port: int, path: str, auth: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
        f"Authorization: Basic {base64.b64encode(auth.encode()).decode()}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def rpc_call(
    port: int, cookie: Path, method: str, params: tuple[Any, ...], *, wallet: str | None = None
) -> Any:
    """Call `method` on the node at 127.0.0.1:`port`; amounts in the result are floats: use str.

    Numbers with a point are returned as text, so that no amount goes through a float.
    """
    auth = await trio.Path(cookie).read_text()
    path = "/" if wallet is None else f"/wallet/{wallet}"
    body = json.dumps({"jsonrpc": "1.0", "id": 0, "method": method, "params": params}).encode()
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        await stream.send_all(_request(port, path, auth, body))
        chunks = [chunk async for chunk in stream]
    head, _, payload = b"".join(chunks).partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].decode(errors="replace")
    if not payload:
        raise RpcError(method, 0, f"empty answer, {status!r}")
    answer = json.loads(payload, parse_float=str)
    if answer["error"] is not None:
        raise RpcError(method, answer["error"]["code"], answer["error"]["message"])
    return answer["result"]
