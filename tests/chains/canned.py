"""A node that answers what it is told to: for what no real node does on demand.

Owns: a tiny HTTP server that speaks JSON-RPC from a table, or misbehaves.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio

from protocol.bitcoin.params import BITCOIN_MAINNET
from swapd.chains import NodeConfig

Reply = Callable[[bytes], tuple[int, bytes] | None]
"""Body of a request to status and body of the answer; None = never answer."""

TIP = "ab" * 32
TIP_TIME = 1_790_000_000


def healthy() -> dict[str, Any]:
    """Answers of a mainnet node that has nothing wrong with it."""
    return {
        "getblockchaininfo": {
            "chain": "main",
            "blocks": 900_000,
            "headers": 900_000,
            "bestblockhash": TIP,
            "initialblockdownload": False,
            "pruned": False,
        },
        "getblockhash": BITCOIN_MAINNET.genesis,
        "getnetworkinfo": {
            "version": 290500,
            "subversion": "/Satoshi:29.5.0/",
            "connections": 10,
            "relayfee": 0.00001,
            "incrementalfee": 0.00001,
        },
        "getmempoolinfo": {"mempoolminfee": 0.00001},
        "listwallets": ["swaps"],
        "getwalletinfo": {"private_keys_enabled": True},
        "estimatesmartfee": {"feerate": 0.00012345, "blocks": 2},
        "getblockheader": {"time": TIP_TIME, "mediantime": TIP_TIME - 3600},
        "getchaintips": [{"height": 900_000, "hash": TIP, "branchlen": 0, "status": "active"}],
        "getdeploymentinfo": {
            "height": 900_000,
            "deployments": {
                rule: {"type": "buried", "active": True, "height": 481_824}
                for rule in ("bip65", "csv", "segwit")
            },
        },
    }


def node(answers: dict[str, Any]) -> Reply:
    """Answers calls and batches from the table; an exception there is an RPC error."""

    def one(call: dict[str, Any]) -> dict[str, Any]:
        found = answers.get(call["method"], KeyError("Method not found"))
        if isinstance(found, Exception):
            code = -32601 if isinstance(found, KeyError) else found.args[0]
            return {"id": call["id"], "result": None, "error": {"code": code, "message": "no"}}
        return {"id": call["id"], "result": found, "error": None}

    def reply(body: bytes) -> tuple[int, bytes]:
        asked = json.loads(body)
        answer = [one(call) for call in asked] if isinstance(asked, list) else one(asked)
        return 200, json.dumps(answer).encode()

    return reply


async def _serve(reply: Reply, stream: trio.SocketStream) -> None:
    data = body = b""
    async for chunk in stream:
        data += chunk
        head, found, body = data.partition(b"\r\n\r\n")
        if not found:
            continue
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        if len(body) >= length:
            break
    answer = reply(body)
    if answer is None:
        await trio.sleep_forever()
    status, payload = answer
    start = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(payload)}\r\n\r\n"
    await stream.send_all(start.encode() + payload)


@asynccontextmanager
async def serving(reply: Reply, **more: Any) -> AsyncIterator[NodeConfig]:
    """The configuration that leads to a server with these replies."""
    failed: Exception | None = None
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            partial(trio.serve_tcp, partial(_serve, reply), 0, host="127.0.0.1")
        )
        port = listeners[0].socket.getsockname()[1]
        settings = {"wallet": "swaps", "user": "u", "password": "p", "timeout": 5.0, **more}
        try:
            yield NodeConfig(url=f"http://127.0.0.1:{port}", **settings)
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the nursery
            failed = error
        nursery.cancel_scope.cancel()
    if failed is not None:
        raise failed
